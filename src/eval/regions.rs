//! Regions in which nothing counts: the car's own bonnet, a time stamp in the picture, a part that nobody annotated.
//!
//! The file of `--ignore` is a YAML list; a region without `topic` and `file_name` is one of every image:
//!
//! ```yaml
//! - {bbox: [0, 620, 1280, 100]}                          # left, top, width, height in pixels
//! - {bbox: [0, 0, 200, 40], topic: /camera/front/image_raw}
//! - {bbox: [10, 10, 50, 50], file_name: 000123.jpg}
//! ```
//!
//! As with COCO's crowds, a detection that lies in a region with at least the share that the IoU threshold asks for is
//! neither right nor wrong; an object that lies in one by half need not be found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::ImageSource;
use super::truth::{Truth, excuse};

/// A region, and the images that it is of.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Left, top, width, height in pixels.
    bbox: [f64; 4],
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    file_name: Option<String>,
}

/// Why there are no regions.
#[derive(Debug, Error)]
pub enum RegionsError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: expected a list of regions, as - {{bbox: [left, top, width, height]}}, found: {problem}", path.display())]
    Form { path: PathBuf, problem: String },
    #[error("{}: region {number}: expected a bbox of finite numbers with width and height above 0, found {bbox:?}", path.display())]
    Box {
        path: PathBuf,
        number: usize,
        bbox: [f64; 4],
    },
}

/// The regions of a file.
pub fn read(path: &Path) -> Result<Vec<Region>, RegionsError> {
    let text = fs::read_to_string(path).map_err(|source| RegionsError::Io {
        path: path.to_owned(),
        source,
    })?;
    let regions: Vec<Region> = serde_yaml::from_str(&text).map_err(|error| RegionsError::Form {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    for (number, region) in (1..).zip(&regions) {
        let [_, _, width, height] = region.bbox;
        if !region.bbox.iter().all(|side| side.is_finite()) || width <= 0.0 || height <= 0.0 {
            return Err(RegionsError::Box {
                path: path.to_owned(),
                number,
                bbox: region.bbox,
            });
        }
    }
    Ok(regions)
}

impl Region {
    fn is_of(&self, source: &ImageSource) -> bool {
        match source {
            ImageSource::Message { topic, .. } => {
                self.file_name.is_none() && self.topic.as_ref().is_none_or(|own| own == topic)
            }
            ImageSource::File { file_name } => {
                self.topic.is_none() && self.file_name.as_ref().is_none_or(|own| own == file_name)
            }
        }
    }

    /// The share of `bbox` that lies in it.
    fn share(&self, bbox: [f64; 4]) -> f64 {
        let overlap = |axis: usize| {
            let from = self.bbox[axis].max(bbox[axis]);
            let to = (self.bbox[axis] + self.bbox[axis + 2]).min(bbox[axis] + bbox[axis + 2]);
            (to - from).max(0.0)
        };
        overlap(0) * overlap(1) / (bbox[2] * bbox[3])
    }
}

/// Puts the regions into the ground truth: as a crowd of each category, which excuses what is found in it, and objects
/// that lie in one by half are to be ignored.
pub fn apply(truth: &mut Truth, regions: &[Region]) {
    let categories = &truth.categories;
    for image in &mut truth.images {
        let own: Vec<&Region> = regions.iter().filter(|r| r.is_of(&image.source)).collect();
        for object in &mut image.objects {
            object.ignore |= own.iter().any(|region| region.share(object.bbox) >= 0.5);
        }
        let excuses = (own.iter()).flat_map(|region| excuse(categories, 0, region.bbox));
        image.objects.extend(excuses);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{
        AccuracySettings, Category, Found, ImageRecord, Object, TruthImage, accuracy, confusion,
    };

    fn regions(yaml: &str) -> Result<Vec<Region>, RegionsError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, yaml).unwrap();
        read(file.path())
    }

    #[test]
    fn what_lies_in_a_region_is_neither_right_nor_wrong() {
        let object = |id: u64, bbox: [f64; 4]| Object {
            id,
            category_id: 1,
            bbox,
            area: bbox[2] * bbox[3],
            iscrowd: false,
            ignore: false,
        };
        let mut truth = Truth {
            categories: vec![Category {
                id: 1,
                name: "car".into(),
            }],
            images: vec![TruthImage {
                id: 1,
                source: ImageSource::File {
                    file_name: "a.jpg".into(),
                },
                width: 200,
                height: 100,
                objects: vec![
                    object(1, [10.0, 10.0, 20.0, 20.0]),
                    object(2, [100.0, 60.0, 20.0, 20.0]),
                ],
            }],
        };
        let found = |bbox: [f64; 4], score: f64| Found {
            category_id: 1,
            bbox,
            score,
        };
        let judged = |truth: &Truth| {
            let image = &truth.images[0];
            let record = ImageRecord {
                index: 0,
                id: 1,
                source: image.source.clone(),
                width: 200,
                height: 100,
                annotated_size: None,
                objects: image.objects.clone(),
                // the first object, and something on the bonnet
                detections: vec![
                    found([150.0, 70.0, 20.0, 20.0], 0.9),
                    found([10.0, 10.0, 20.0, 20.0], 0.8),
                ],
                stages_ms: Default::default(),
                failure: None,
            };
            let settings = AccuracySettings::default();
            let found = confusion(&truth.categories, &[&record], &settings);
            let ap = accuracy(&truth.categories, &[&record], &settings)
                .figures
                .ap;
            (ap, found.counts)
        };
        assert!(judged(&truth).0 < 0.5);
        let bonnet =
            regions("- {bbox: [0, 50, 200, 50]}\n- {bbox: [0, 0, 200, 50], file_name: b.jpg}")
                .unwrap();
        apply(&mut truth, &bonnet);
        assert_eq!(judged(&truth), (1.0, vec![vec![1, 0], vec![0, 0]]));
    }

    #[test]
    fn what_is_no_region_is_refused() {
        for wrong in [
            "bbox: [1, 2, 3, 4]",
            "- {bbox: [1, 2, 3]}",
            "- {box: [1, 2, 3, 4]}",
            "- {bbox: [1, 2, 0, 4]}",
        ] {
            assert!(regions(wrong).is_err(), "{wrong}");
        }
    }
}
