//! Fills a tensor with a part of a picture.

use rand::Rng;
use shuffledet_core::{InputSpec, ResizeMode, Resolution};
use shuffledet_image::TensorBuilder;

use super::colour::ColourChange;
use super::crop::Crop;
use super::{Augmentation, Targets};
use crate::data::{Picture, Sample};

/// Draws pictures into tensors as the description of the network says.
#[derive(Debug, Clone)]
pub struct Renderer {
    pub spec: InputSpec,
}

impl Renderer {
    /// Fills `tensor`, 3 x height x width of `input`, with a random view of the picture, and returns its objects.
    ///
    /// # Errors
    /// OpenCV's text, if it cannot resize the picture.
    pub fn draw(
        &self,
        random: &mut impl Rng,
        augmentation: &Augmentation,
        sample: &Sample,
        picture: &Picture,
        input: Resolution,
        tensor: &mut [f32],
    ) -> Result<Targets, String> {
        let plain = random.random_bool(f64::from(augmentation.plain.clamp(0.0, 1.0)));
        let crop = match plain {
            true => self.unchanged(picture.size(), input),
            false => Crop::draw(
                random,
                picture.size(),
                input,
                augmentation.zoom,
                augmentation.mirror,
            ),
        };
        self.fill(picture, crop, input, tensor)?;
        if !plain {
            ColourChange::draw(random, augmentation.colour).apply(tensor, &self.spec.at(input));
        }
        Ok(self.targets(sample, picture, crop, input))
    }

    /// Returns the objects of the picture in `crop`. Boxes are in pixels of the annotated size.
    pub fn targets(
        &self,
        sample: &Sample,
        picture: &Picture,
        crop: Crop,
        input: Resolution,
    ) -> Targets {
        let (width, height) = picture.size();
        let factor = |found: u32, annotated: u32| match annotated {
            0 => 1.0,
            annotated => found as f32 / annotated as f32,
        };
        let (x, y) = (factor(width, sample.size.0), factor(height, sample.size.1));
        let objects = sample.objects.iter().filter_map(|object| {
            let mut object = *object;
            object.bbox.x1 *= x;
            object.bbox.x2 *= x;
            object.bbox.y1 *= y;
            object.bbox.y2 *= y;
            crop.target(&object, input)
        });
        Targets {
            objects: objects.collect(),
            annotated: sample.annotated.clone(),
        }
    }

    /// Returns the picture as the product places it in the input.
    pub fn unchanged(&self, size: (u32, u32), input: Resolution) -> Crop {
        let spec = self.spec.at(input);
        let letterbox = shuffledet_image::Letterbox::new(size, input.sides(), spec.resize);
        let mut crop = Crop::whole(size, input);
        crop.place = super::crop::rect(
            letterbox.left,
            letterbox.top,
            letterbox.size.0,
            letterbox.size.1,
        );
        crop
    }

    /// Fills `tensor` with the part of the picture; the margin has the padding of the description.
    pub fn fill(
        &self,
        picture: &Picture,
        crop: Crop,
        input: Resolution,
        tensor: &mut [f32],
    ) -> Result<(), String> {
        let part = picture
            .view()
            .part(crop.part)
            .ok_or("the crop is not within the picture")?;
        let place = (crop.place.width, crop.place.height);
        let mut builder = TensorBuilder::new(InputSpec {
            resize: ResizeMode::Stretch,
            ..self.spec.at(place.into())
        });
        builder.fill(&part).map_err(|error| error.to_string())?;
        let (width, height) = (input.width as usize, input.height as usize);
        let (inner, rows) = (place.0 as usize, place.1 as usize);
        let (left, top) = (crop.place.left as usize, crop.place.top as usize);
        let planes = tensor.chunks_exact_mut(width * height);
        for (index, (plane, from)) in planes
            .zip(builder.tensor().chunks_exact(inner * rows))
            .enumerate()
        {
            if crop.place.width < input.width || crop.place.height < input.height {
                plane.fill(
                    (f32::from(self.spec.padding) - self.spec.mean[index]) / self.spec.std[index],
                );
            }
            for (row, values) in from.chunks_exact(inner).enumerate() {
                let start = (top + row) * width + left;
                plane[start..start + inner].copy_from_slice(values);
            }
            if crop.mirrored {
                plane.chunks_exact_mut(width).for_each(<[f32]>::reverse);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::crop::rect;
    use shuffledet_core::ColourOrder;

    #[test]
    fn an_unchanged_picture_is_what_the_product_sees() {
        for resize in [ResizeMode::Stretch, ResizeMode::Letterbox] {
            let spec = InputSpec {
                width: 64,
                height: 32,
                colour: ColourOrder::Rgb,
                resize,
                padding: 7,
                mean: [10.0, 20.0, 30.0],
                std: [2.0, 4.0, 5.0],
            };
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.ppm");
            let pixels: Vec<u8> = (0..3 * 50 * 40u32).map(|i| (i * 37 % 251) as u8).collect();
            std::fs::write(&path, [b"P6 50 40 255\n".as_slice(), &pixels].concat()).unwrap();
            let picture = Picture::read(&path, &mut shuffledet_image::ImageDecoder::new()).unwrap();
            let mut product = TensorBuilder::new(spec.clone());
            product.fill(&picture.view()).unwrap();
            let renderer = Renderer { spec };
            let input = Resolution {
                width: 64,
                height: 32,
            };
            let mut tensor = vec![0.0; 3 * 64 * 32];
            let crop = renderer.unchanged(picture.size(), input);
            renderer.fill(&picture, crop, input, &mut tensor).unwrap();
            for (ours, theirs) in tensor.iter().zip(product.tensor()) {
                assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
            }
        }
    }

    #[test]
    fn a_mirrored_part_is_reversed_within_its_margin() {
        let spec = InputSpec {
            width: 32,
            height: 32,
            colour: ColourOrder::Bgr,
            resize: ResizeMode::Stretch,
            padding: 0,
            mean: [0.0; 3],
            std: [1.0; 3],
        };
        let picture = Picture::grey(4, 4);
        let input = Resolution {
            width: 32,
            height: 32,
        };
        let mut tensor = vec![0.0; 3 * 32 * 32];
        let crop = Crop {
            part: rect(0, 0, 4, 4),
            place: rect(0, 0, 8, 32),
            mirrored: true,
        };
        Renderer { spec }
            .fill(&picture, crop, input, &mut tensor)
            .unwrap();
        assert_eq!(
            (tensor[0], tensor[23], tensor[24], tensor[31]),
            (0.0, 0.0, 114.0, 114.0)
        );
    }
}
