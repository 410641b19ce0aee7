//! Converts an image to the model's input tensor: resizes, pads, normalises, and lays out as NCHW.

use super::planes::{Levels, Planes};
use super::resample::{Resampler, YuvResampler};
use super::{BgrView, Letterbox, Pixels};
use opencv::core::{Mat, MatTraitConstManual, Size};
use opencv::imgproc;
use shuffledet_core::{InputSpec, ResizeMode};
use shuffledet_sight::{Area, View};

/// Fills the input tensor. Reuses its buffers.
pub struct TensorBuilder {
    spec: InputSpec,
    levels: Levels,
    /// All values of `levels`.
    table: [[f32; 256]; 3],
    resampler: Option<Resampler>,
    yuv_resampler: YuvResampler,
    resized: Mat,
    tensor: Vec<f32>,
    /// The position of the last image: its padding is still in the tensor.
    placed: Option<Letterbox>,
}

impl TensorBuilder {
    pub fn new(spec: InputSpec) -> Self {
        let (mean, std) = (
            spec.colour.by_channel(spec.mean),
            spec.colour.by_channel(spec.std),
        );
        let levels = Levels {
            scales: std.map(|std| 1.0 / std),
            offsets: std::array::from_fn(|channel| -mean[channel] / std[channel]),
        };
        let table = std::array::from_fn(|channel| {
            std::array::from_fn(|level| levels.value(channel, level as u8))
        });
        let tensor = vec![0.0; 3 * spec.width as usize * spec.height as usize];
        Self {
            spec,
            levels,
            table,
            resampler: Resampler::new(),
            yuv_resampler: YuvResampler::new(),
            resized: Mat::default(),
            tensor,
            placed: None,
        }
    }

    /// Replaces the resampler of luma and chroma by that for any processor.
    #[cfg(test)]
    pub fn without_vectors(mut self) -> Self {
        self.yuv_resampler = YuvResampler::portable();
        self
    }

    /// Returns the tensor's dimensions.
    pub fn shape(&self) -> [usize; 4] {
        [1, 3, self.spec.height as usize, self.spec.width as usize]
    }

    /// Returns the tensor of the last [`TensorBuilder::fill`], NCHW.
    pub fn tensor(&self) -> &[f32] {
        &self.tensor
    }

    pub fn resize_mode(&self) -> ResizeMode {
        self.spec.resize
    }

    /// Returns the position of an image of `image` (width, height) in the tensor.
    pub fn letterbox(&self, image: (u32, u32)) -> Letterbox {
        let input = (self.spec.width, self.spec.height);
        Letterbox::new(image, input, self.spec.resize)
    }

    /// Fills the tensor with `image` and returns its position in it.
    pub fn fill<'a>(&mut self, image: impl Into<Pixels<'a>>) -> opencv::Result<Letterbox> {
        let image = image.into();
        let letterbox = self.letterbox(image.image_size());
        let mut planes = planes(&mut self.tensor, &self.spec, self.levels);
        if self.placed.map(place) != Some(place(letterbox)) {
            for (plane, values) in planes.of.iter_mut().zip(&self.table) {
                plane.fill(values[usize::from(self.spec.padding)]);
            }
        }
        self.placed = Some(letterbox);
        match &image {
            Pixels::Bgr(image) => self.fill_bgr(image, letterbox)?,
            Pixels::Yuv(image) => self.yuv_resampler.fill(image, letterbox, &mut planes),
        }
        Ok(letterbox)
    }

    /// Copies the green levels of the last image to `view`, which stays empty before the first one.
    pub fn show(&self, view: &mut View) {
        view.clear();
        let Some(placed) = self.placed else { return };
        let (width, height) = (self.spec.width as usize, self.spec.height as usize);
        let area = Area {
            left: placed.left as usize,
            top: placed.top as usize,
            width: placed.size.0 as usize,
            height: placed.size.1 as usize,
            enlargement: placed.size.0.div_ceil(placed.image_size().0.max(1)) as usize,
        };
        // the second plane in either order of the colours
        let green = &self.tensor[width * height..2 * width * height];
        let (scale, offset) = (self.levels.scales[1], self.levels.offsets[1]);
        view.fill(green, width, area, |value| (value - offset) / scale);
    }

    fn fill_bgr(&mut self, image: &BgrView<'_>, letterbox: Letterbox) -> opencv::Result<()> {
        let mut planes = planes(&mut self.tensor, &self.spec, self.levels);
        let resampler = self.resampler.as_mut();
        if !resampler.is_some_and(|resampler| resampler.fill(image, letterbox, &mut planes)) {
            let size = Size::new(letterbox.size.0 as i32, letterbox.size.1 as i32);
            imgproc::resize(
                &*image.to_mat()?,
                &mut self.resized,
                size,
                0.0,
                0.0,
                imgproc::INTER_LINEAR,
            )?;
            place_pixels(
                self.resized.data_bytes()?,
                &self.table,
                letterbox,
                &mut planes,
            );
        }
        Ok(())
    }
}

fn planes<'a>(tensor: &'a mut [f32], spec: &InputSpec, levels: Levels) -> Planes<'a> {
    let (width, height) = (spec.width as usize, spec.height as usize);
    let (first, rest) = tensor.split_at_mut(width * height);
    let (second, third) = rest.split_at_mut(width * height);
    let of = spec.colour.by_channel([first, second, third]);
    Planes { of, width, levels }
}

fn place_pixels(
    pixels: &[u8],
    table: &[[f32; 256]; 3],
    letterbox: Letterbox,
    planes: &mut Planes<'_>,
) {
    let columns = letterbox.size.0 as usize;
    for (y, row) in pixels.chunks_exact(3 * columns).enumerate() {
        let [blue, green, red] = planes.row(letterbox, y);
        let values = blue.iter_mut().zip(green).zip(red);
        for (pixel, ((blue, green), red)) in row.chunks_exact(3).zip(values) {
            *blue = table[0][pixel[0] as usize];
            *green = table[1][pixel[1] as usize];
            *red = table[2][pixel[2] as usize];
        }
    }
}

/// Returns what determines the position of the padding.
fn place(letterbox: Letterbox) -> ((u32, u32), u32, u32) {
    (letterbox.size, letterbox.left, letterbox.top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shuffledet_core::ColourOrder;

    fn spec(resize: ResizeMode, colour: ColourOrder) -> InputSpec {
        let (mean, std) = ([10.0, 20.0, 30.0], [2.0, 4.0, 5.0]);
        InputSpec {
            width: 8,
            height: 8,
            colour,
            resize,
            padding: 0,
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

    #[test]
    fn padding_has_the_level_of_the_description() {
        let pixels: Vec<u8> = [255u8; 3].repeat(64);
        let spec = InputSpec {
            padding: 114,
            ..spec(ResizeMode::Letterbox, ColourOrder::Rgb)
        };
        let mut builder = TensorBuilder::new(spec);
        let wide = BgrView::new(16, 4, 48, &pixels).unwrap();
        builder.fill(&wide).unwrap();
        let planes = builder.tensor().chunks_exact(64);
        let first: Vec<f32> = planes.map(|plane| plane[0]).collect();
        // as an image of that level, rounded once
        assert_eq!(first, [52.0, 23.5, 16.800_001]);
    }

    fn noise(width: u32, height: u32, step: usize) -> Vec<u8> {
        let bytes = (height as usize - 1) * step + 3 * width as usize;
        // a linear congruential generator's upper bits
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        std::iter::repeat_n((), bytes)
            .scan(width * 31 + height, |state, ()| next(state))
            .collect()
    }

    proptest! {
        #[test]
        fn one_pass_gives_what_opencv_gives_to_the_bit(
            image in (1u32..150, 1u32..150), input in (1u32..60, 1u32..60), padding in 0usize..9, rgb: bool,
            mode in prop_oneof![Just(ResizeMode::Stretch), Just(ResizeMode::Letterbox)], twice: bool,
        ) {
            // exactly half is a separate case in OpenCV
            let image = if twice { (2 * input.0, 2 * input.1) } else { image };
            let colour = if rgb { ColourOrder::Rgb } else { ColourOrder::Bgr };
            let spec = InputSpec { width: input.0, height: input.1, ..spec(mode, colour) };
            let step = 3 * image.0 as usize + padding;
            let pixels = noise(image.0, image.1, step);
            let view = BgrView::new(image.0, image.1, step, &pixels).unwrap();
            let mut here = TensorBuilder::new(spec.clone());
            let mut opencv = TensorBuilder { resampler: None, ..TensorBuilder::new(spec) };
            prop_assert_eq!(here.fill(&view).unwrap(), opencv.fill(&view).unwrap());
            prop_assert_eq!(here.tensor(), opencv.tensor());
        }
    }
}
