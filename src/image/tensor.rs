//! From a BGR picture to the model's input tensor: resize, pad, normalise, lay out as NCHW.

use opencv::core::{Mat, MatTraitConstManual, Size};
use opencv::imgproc;
use serde::{Deserialize, Serialize};

use super::{BgrView, Letterbox, ResizeMode};

/// The order of the channels that the model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourOrder {
    Bgr,
    Rgb,
}

/// What the model wants to see. The tensor is 1 x 3 x `height` x `width`, f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    pub width: u32,
    pub height: u32,
    pub colour: ColourOrder,
    pub resize: ResizeMode,
    /// Subtracted from each pixel value (0 to 255), in the order of `colour`; padding is 0 before it.
    pub mean: [f32; 3],
    /// Divides the difference, in the order of `colour`.
    pub std: [f32; 3],
}

/// Fills the input tensor. Keeps its buffers from frame to frame.
pub struct TensorBuilder {
    spec: InputSpec,
    /// Normalised value of each of the 256 levels, per channel of the tensor.
    levels: [[f32; 256]; 3],
    resized: Mat,
    tensor: Vec<f32>,
    /// Where the last picture lay: its padding is still in the tensor.
    placed: Option<Letterbox>,
}

impl TensorBuilder {
    pub fn new(spec: InputSpec) -> Self {
        let levels = std::array::from_fn(|channel| {
            std::array::from_fn(|level| (level as f32 - spec.mean[channel]) / spec.std[channel])
        });
        let tensor = vec![0.0; 3 * spec.width as usize * spec.height as usize];
        Self {
            spec,
            levels,
            resized: Mat::default(),
            tensor,
            placed: None,
        }
    }

    /// The tensor's dimensions.
    pub fn shape(&self) -> [usize; 4] {
        [1, 3, self.spec.height as usize, self.spec.width as usize]
    }

    /// The tensor as it was last filled, NCHW.
    pub fn tensor(&self) -> &[f32] {
        &self.tensor
    }

    /// Fills the tensor with `image` and says where it lies in it.
    pub fn fill(&mut self, image: &BgrView<'_>) -> opencv::Result<Letterbox> {
        let input = (self.spec.width, self.spec.height);
        let letterbox = Letterbox::new((image.width(), image.height()), input, self.spec.resize);
        let size = Size::new(letterbox.size.0 as i32, letterbox.size.1 as i32);
        imgproc::resize(
            &*image.to_mat()?,
            &mut self.resized,
            size,
            0.0,
            0.0,
            imgproc::INTER_LINEAR,
        )?;
        if self.placed.map(place) != Some(place(letterbox)) {
            self.pad();
        }
        self.placed = Some(letterbox);
        self.place_pixels(letterbox)?;
        Ok(letterbox)
    }

    fn pad(&mut self) {
        let plane = self.tensor.len() / 3;
        for (channel, plane) in self.tensor.chunks_exact_mut(plane).enumerate() {
            plane.fill(self.levels[channel][0]);
        }
    }

    fn place_pixels(&mut self, letterbox: Letterbox) -> opencv::Result<()> {
        let pixels = self.resized.data_bytes()?;
        let (width, height) = (self.spec.width as usize, self.spec.height as usize);
        let (left, top) = (letterbox.left as usize, letterbox.top as usize);
        let columns = letterbox.size.0 as usize;
        let (first, rest) = self.tensor.split_at_mut(width * height);
        let (second, third) = rest.split_at_mut(width * height);
        let [blue, green, red] = match self.spec.colour {
            ColourOrder::Bgr => [0, 1, 2],
            ColourOrder::Rgb => [2, 1, 0],
        };
        for (y, row) in pixels.chunks_exact(3 * columns).enumerate() {
            let at = (top + y) * width + left;
            let planes = first[at..at + columns]
                .iter_mut()
                .zip(&mut second[at..at + columns])
                .zip(&mut third[at..at + columns]);
            for (pixel, ((first, second), third)) in row.chunks_exact(3).zip(planes) {
                *first = self.levels[0][pixel[blue] as usize];
                *second = self.levels[1][pixel[green] as usize];
                *third = self.levels[2][pixel[red] as usize];
            }
        }
        Ok(())
    }
}

/// What decides where the padding lies.
fn place(letterbox: Letterbox) -> ((u32, u32), u32, u32) {
    (letterbox.size, letterbox.left, letterbox.top)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(resize: ResizeMode, colour: ColourOrder) -> InputSpec {
        let (mean, std) = ([10.0, 20.0, 30.0], [2.0, 4.0, 5.0]);
        InputSpec {
            width: 8,
            height: 8,
            colour,
            resize,
            mean,
            std,
        }
    }

    #[test]
    fn channels_are_planes_in_the_models_order() {
        let pixels: Vec<u8> = [50u8, 100, 130].repeat(64);
        let view = BgrView::new(8, 8, 24, &pixels).unwrap();
        let mut builder = TensorBuilder::new(spec(ResizeMode::Stretch, ColourOrder::Rgb));
        builder.fill(&view).unwrap();
        assert_eq!(builder.shape(), [1, 3, 8, 8]);
        assert!(builder.tensor()[..64].iter().all(|&v| v == 60.0));
        assert!(builder.tensor()[64..128].iter().all(|&v| v == 20.0));
        assert!(builder.tensor()[128..].iter().all(|&v| v == 4.0));
    }

    #[test]
    fn padding_is_black_normalised_after_it_even_when_the_shape_changes() {
        let pixels: Vec<u8> = [255u8; 3].repeat(64);
        let mut builder = TensorBuilder::new(spec(ResizeMode::Letterbox, ColourOrder::Bgr));
        let wide = BgrView::new(16, 4, 48, &pixels).unwrap();
        let tall = BgrView::new(4, 16, 12, &pixels).unwrap();
        builder.fill(&wide).unwrap();
        let first = builder.tensor().to_vec();
        assert_eq!(first[0], -5.0);
        assert_eq!(first[4 * 8], 122.5);
        builder.fill(&tall).unwrap();
        builder.fill(&wide).unwrap();
        assert_eq!(builder.tensor(), first);
    }
}
