//! Annotations made from a model's detections, for people to correct.

use super::Category;
use super::annotations::{Annotation, Annotations, Info, LabelledCategory, LabelledImage};
use shuffledet_core::{Detection, Labels};

/// The annotations of all images so far.
pub struct PreAnnotations<'a> {
    labels: &'a Labels,
    /// Offset of the category ids.
    first_id: u64,
    annotations: Annotations,
}

impl<'a> PreAnnotations<'a> {
    /// Creates annotations with the model's classes and without images.
    pub fn new(labels: &'a Labels, description: String) -> Self {
        // CVAT ignores category 0
        let first_id = (0..labels.count())
            .any(|class_id| labels.category_id(class_id) == 0)
            .into();
        let category = |class_id| LabelledCategory {
            category: Category {
                id: first_id + u64::from(labels.category_id(class_id)),
                name: labels.name(class_id).to_owned(),
            },
            supercategory: String::new(),
        };
        Self {
            labels,
            first_id,
            annotations: Annotations {
                info: Info { description },
                licenses: Vec::new(),
                categories: (0..labels.count()).map(category).collect(),
                images: Vec::new(),
                annotations: Vec::new(),
            },
        }
    }

    /// Adds an image with its detections, whose boxes are in pixels of the image.
    pub fn add(&mut self, image: LabelledImage, detections: &[Detection]) {
        let all = &mut self.annotations.annotations;
        for detection in detections {
            let bbox = detection.bbox;
            let bbox = [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(hundredths);
            all.push(Annotation {
                id: all.len() as u64 + 1,
                image_id: image.id,
                category_id: self.first_id + u64::from(self.labels.category_id(detection.class_id)),
                bbox,
                area: bbox[2] * bbox[3],
                iscrowd: 0,
                segmentation: Vec::new(),
                score: Some(f64::from(detection.score)),
            });
        }
        self.annotations.images.push(image);
    }

    /// Returns the annotations of the images so far.
    pub fn annotations(&self) -> &Annotations {
        &self.annotations
    }
}

/// Rounds a coordinate: finer than any labels, and shorter in the file.
fn hundredths(pixels: f32) -> f64 {
    (f64::from(pixels) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::BBox;
    use shuffledet_core::labels::Label;

    fn labels(category_ids: [u32; 2]) -> Labels {
        let names = ["car", "bus"].into_iter().zip(category_ids);
        let labels = names.map(|(name, category_id)| Label {
            name: name.to_owned(),
            category_id,
        });
        Labels::new(labels.collect()).unwrap()
    }

    #[test]
    fn no_category_has_the_id_0() {
        for (given, expected) in [([0, 1], [1, 2]), ([3, 6], [3, 6])] {
            let labels = labels(given);
            let made = PreAnnotations::new(&labels, String::new());
            let categories = made.annotations().categories.iter();
            let ids: Vec<u64> = categories.map(|labelled| labelled.category.id).collect();
            assert_eq!(ids, expected);
        }
    }

    #[test]
    fn a_detection_becomes_an_annotation_of_its_image_in_hundredths_of_a_pixel() {
        let labels = labels([0, 5]);
        let mut made = PreAnnotations::new(&labels, "of a test".to_owned());
        let bbox = BBox {
            x1: 1.004,
            y1: 2.0,
            x2: 11.004,
            y2: 5.0,
        };
        let detection = Detection::new(1, 0.5, bbox);
        for id in [1, 2] {
            let image = LabelledImage {
                id,
                file_name: format!("{id}.jpg"),
                width: 20,
                height: 10,
                topic: "/camera".to_owned(),
                stamp_ns: 7,
                frame_id: String::new(),
            };
            made.add(image, &vec![detection; id as usize]);
        }
        let made = made.annotations();
        assert_eq!(made.images.len(), 2);
        let places: Vec<(u64, u64)> = made
            .annotations
            .iter()
            .map(|annotation| (annotation.id, annotation.image_id))
            .collect();
        assert_eq!(places, [(1, 1), (2, 2), (3, 2)]);
        let last = &made.annotations[2];
        assert_eq!((last.category_id, last.bbox), (6, [1.0, 2.0, 10.0, 3.0]));
        assert_eq!((last.area, last.score), (30.0, Some(0.5)));
    }
}
