//! Regions in which nothing counts: the car's own bonnet, a time stamp in the picture, a part that nobody annotated.
//!
//! The file of `--ignore` is a list, in YAML or JSON. A region is a rectangle or a polygon, and without `topic` and
//! `file_name` one of every image:
//!
//! ```yaml
//! - {bbox: [0, 0, 200, 40]}                              # left, top, width, height in pixels
//! - {polygon: [[0, 720], [300, 600], [980, 600], [1280, 720]], topic: /camera/front/image_raw}
//! - {bbox: [10, 10, 50, 50], file_name: 000123.jpg}
//! ```
//!
//! A region is a crowd of every category, as COCO has them. A detection that finds no object that counts, and lies in a
//! region with at least the share of its area that the IoU threshold asks for, is neither right nor wrong. An object that
//! lies in one by half need not be found; finding it is not wrong.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::polygon::{area, share_inside};
use super::truth::{Truth, excuse};
use super::{ImageSource, Object};
use shuffledet_core::text;

/// The share of an object from which on it is a region's.
const MOST: f64 = 0.5;

/// As written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegion {
    bbox: Option<[f64; 4]>,
    polygon: Option<Vec<[f64; 2]>>,
    topic: Option<String>,
    file_name: Option<String>,
}

/// A region, and the images that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// x and y in pixels; at least 3, around an area above 0.
    corners: Vec<[f64; 2]>,
    /// The region itself where it is given as a rectangle, else what encloses it.
    bbox: [f64; 4],
    is_rectangle: bool,
    topic: Option<String>,
    file_name: Option<String>,
}

/// Why there are no regions.
#[derive(Debug, Error)]
pub enum RegionsError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: expected a list of regions, as - {{bbox: [left, top, width, height]}} or - {{polygon: [[x, y], ...]}}, found: {problem}", path.display())]
    Form { path: PathBuf, problem: String },
    #[error("{}: region {number}: {problem}", path.display())]
    Region {
        path: PathBuf,
        /// From 1.
        number: usize,
        problem: String,
    },
}

/// Reads the regions of a file.
pub fn read(path: &Path) -> Result<Vec<Region>, RegionsError> {
    let text = text::read(path).map_err(|source| RegionsError::Io {
        path: path.to_owned(),
        source,
    })?;
    let raw: Vec<RawRegion> = serde_yaml::from_str(&text).map_err(|error| RegionsError::Form {
        path: path.to_owned(),
        problem: error.to_string(),
    })?;
    let regions = (1..).zip(raw).map(|(number, raw)| {
        Region::new(raw).map_err(|problem| RegionsError::Region {
            path: path.to_owned(),
            number,
            problem,
        })
    });
    regions.collect()
}

impl Region {
    fn new(raw: RawRegion) -> Result<Self, String> {
        let (corners, is_rectangle) = match (raw.bbox, raw.polygon) {
            (Some([x, y, w, h]), None) if w > 0.0 && h > 0.0 => {
                (vec![[x, y], [x + w, y], [x + w, y + h], [x, y + h]], true)
            }
            (Some(bbox), None) => {
                return Err(format!(
                    "expected a bbox with width and height above 0, found {bbox:?}"
                ));
            }
            (None, Some(corners)) => (corners, false),
            (None, None) => return Err("expected a bbox or a polygon, found neither".to_owned()),
            (Some(_), Some(_)) => return Err("expected a bbox or a polygon, found both".to_owned()),
        };
        let area = area(&corners);
        if !area.is_finite() || area <= 0.0 {
            return Err(format!(
                "expected finite corners around an area above 0, found {corners:?}"
            ));
        }
        let side = |axis: usize| {
            let values = corners.iter().map(|corner| corner[axis]);
            let least = values.clone().fold(f64::INFINITY, f64::min);
            (least, values.fold(f64::NEG_INFINITY, f64::max) - least)
        };
        let ((left, width), (top, height)) = (side(0), side(1));
        Ok(Self {
            bbox: raw.bbox.unwrap_or([left, top, width, height]),
            corners,
            is_rectangle,
            topic: raw.topic,
            file_name: raw.file_name,
        })
    }

    fn is_of(&self, source: &ImageSource) -> bool {
        match source {
            ImageSource::Message { topic, .. } => {
                self.file_name.is_none() && self.topic.as_ref().is_none_or(|own| own == topic)
            }
            ImageSource::File { file_name } => {
                let same = |own: &String| text::name(own) == text::name(file_name);
                self.topic.is_none() && self.file_name.as_ref().is_none_or(same)
            }
        }
    }

    /// Returns the region as an ignored object.
    fn object(&self) -> Object {
        Object {
            id: 0,
            category_id: 0,
            bbox: self.bbox,
            area: area(&self.corners),
            iscrowd: true,
            ignore: true,
            outline: (!self.is_rectangle).then(|| self.corners.clone()),
        }
    }
}

/// Puts the regions into the ground truth: as a crowd of each category, which excuses what is found in it, and objects
/// that lie in one by half are to be ignored.
pub fn apply(truth: &mut Truth, regions: &[Region]) {
    let categories = &truth.categories;
    for image in &mut truth.images {
        let own: Vec<&Region> = regions.iter().filter(|r| r.is_of(&image.source)).collect();
        for object in &mut image.objects {
            let lies_in = |region: &&Region| share_inside(&object.bbox, &region.corners) >= MOST;
            object.ignore |= own.iter().any(lies_in);
        }
        for region in own {
            image.objects.extend(excuse(categories, &region.object()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        AccuracySettings, Category, DetectionResult, Figure, ImageRecord, Object, TruthImage,
        accuracy, confusion,
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
            outline: None,
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
            ..Truth::default()
        };
        let found = |bbox: [f64; 4], score: f64| DetectionResult {
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
                input_sizes: Vec::new(),
                stages_ms: Default::default(),
                damage: None,
                failure: None,
            };
            let settings = AccuracySettings::default();
            let found = confusion(&truth.categories, &[&record], &settings);
            let ap = accuracy(&truth.categories, &[&record], &settings).figures[Figure::Ap];
            (ap, found.counts)
        };
        assert!(judged(&truth).0 < Some(0.5));
        let bonnet =
            regions("- {bbox: [0, 50, 200, 50]}\n- {bbox: [0, 0, 200, 50], file_name: b.jpg}")
                .unwrap();
        let plain = truth.clone();
        apply(&mut truth, &bonnet);
        assert_eq!(judged(&truth), (Some(1.0), vec![vec![1, 0], vec![0, 0]]));
        // the same as a polygon, and one that leaves the upper right out
        for (polygon, all) in [
            ("[[0, 50], [200, 50], [200, 100], [0, 100]]", true),
            ("[[0, 50], [120, 50], [200, 100], [0, 100]]", false),
        ] {
            let mut truth = plain.clone();
            apply(
                &mut truth,
                &regions(&format!("- {{polygon: {polygon}}}")).unwrap(),
            );
            assert_eq!(judged(&truth).0 == Some(1.0), all, "{polygon}");
        }
    }

    #[test]
    fn what_is_no_region_is_refused() {
        for wrong in [
            "bbox: [1, 2, 3, 4]",
            "- {bbox: [1, 2, 3]}",
            "- {box: [1, 2, 3, 4]}",
            "- {bbox: [1, 2, 0, 4]}",
            "- {bbox: [.nan, 2, 1, 4]}",
            "- {polygon: [[1, 2], [3, 4]]}",
            "- {polygon: [[1, 2], [3, .inf], [5, 1]]}",
            "- {polygon: [[1, 2], [3, 4], [5, 1]], bbox: [1, 2, 3, 4]}",
            "- {topic: /a}",
        ] {
            assert!(regions(wrong).is_err(), "{wrong}");
        }
    }
}
