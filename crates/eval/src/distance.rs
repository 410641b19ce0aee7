//! Hits and errors by distance from the camera.

use serde::{Deserialize, Serialize};

use super::figures::coco_number;
use super::operating_point::{DetectionMatch, OperatingPoint};
use super::record::{Category, ImageRecord};
use super::settings::AccuracySettings;
use crate::camera::GroundPlane;

/// Where bands begin and end, in metres; the last one has no end.
pub const DEFAULT_BANDS_M: [f64; 5] = [0.0, 10.0, 20.0, 40.0, 80.0];

/// What was found at some distances, at the operating point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DistanceBand {
    /// Metres on the ground; absent for boxes that do not stand on it, such as those above the horizon.
    pub from_m: Option<f64>,
    /// Absent in the last band on the ground, which has no end, too.
    pub to_m: Option<f64>,
    /// Objects that count.
    pub objects: u64,
    /// Those of them that were found as what they are.
    pub true_positives: u64,
    /// By the distance of the detection.
    pub false_positives: u64,
    /// `None` where nothing was found.
    #[serde(with = "coco_number")]
    pub precision: Option<f64>,
    /// `None` where there are no objects.
    #[serde(with = "coco_number")]
    pub recall: Option<f64>,
}

/// Counts by distance of the middle of a box's lower edge on flat ground. Each of `bands_m`, which ascend, begins a band;
/// what is nearer than the first counts as in it. The last band of the result is what does not stand on the ground.
///
/// `images` are those of one camera. A box that the image's lower edge cuts off stands nearer than it seems.
pub fn by_distance(
    categories: &[Category],
    images: &[&ImageRecord],
    settings: &AccuracySettings,
    camera: &GroundPlane,
    bands_m: &[f64],
) -> Vec<DistanceBand> {
    let point = OperatingPoint::new(categories, settings);
    let band_of = |bbox: [f64; 4]| match camera.foot(bbox) {
        Some(foot) => {
            let begun = bands_m.partition_point(|&from| from <= foot.distance_m());
            begun.saturating_sub(1)
        }
        None => bands_m.len(),
    };
    let mut counts = vec![Counts::default(); bands_m.len() + 1];
    for record in images {
        let judged = point.judge(record);
        for object in &judged.objects {
            let band = &mut counts[band_of(record.objects[object.at].bbox)];
            band.objects += 1;
            band.true_positives += u64::from(object.is_hit());
        }
        for detection in &judged.detections {
            if matches!(
                detection.matched,
                DetectionMatch::OtherClass(_) | DetectionMatch::FalsePositive
            ) {
                counts[band_of(record.detections[detection.at].bbox)].false_positives += 1;
            }
        }
    }
    let bounds = |at: usize| (bands_m.get(at).copied(), bands_m.get(at + 1).copied());
    let bands = counts.iter().enumerate();
    bands.map(|(at, counts)| counts.band(bounds(at))).collect()
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    objects: u64,
    true_positives: u64,
    false_positives: u64,
}

impl Counts {
    fn band(self, (from_m, to_m): (Option<f64>, Option<f64>)) -> DistanceBand {
        let ratio = |whole: u64| (whole > 0).then(|| self.true_positives as f64 / whole as f64);
        DistanceBand {
            from_m,
            to_m,
            objects: self.objects,
            true_positives: self.true_positives,
            false_positives: self.false_positives,
            precision: ratio(self.true_positives + self.false_positives),
            recall: ratio(self.objects),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Intrinsics;
    use crate::fixtures::{category, found, image, object};
    use shuffledet_msg::camera_info::CameraInfo;

    /// Returns a camera 1.5 m above the ground with the horizon at row 300: row 300 + 1500 / m is m
    /// metres ahead.
    fn camera() -> GroundPlane {
        let info = CameraInfo {
            k: [1000.0, 0.0, 500.0, 0.0, 1000.0, 300.0, 0.0, 0.0, 1.0],
            ..CameraInfo::default()
        };
        GroundPlane::new(Intrinsics::raw(&info).unwrap(), 1.5, 0.0).unwrap()
    }

    /// Returns a box in the middle of the image whose lower edge is at `row`.
    fn at_row(row: f64) -> [f64; 4] {
        [450.0, row - 100.0, 100.0, 100.0]
    }

    #[test]
    fn what_is_found_and_missed_falls_in_its_band() {
        let near = object(1, at_row(300.0 + 1500.0 / 5.0));
        let middle = object(1, at_row(300.0 + 1500.0 / 30.0));
        let far = found(1, at_row(300.0 + 1500.0 / 150.0), 0.6);
        let sky = found(1, at_row(200.0), 0.7);
        let low = found(1, middle.bbox, 0.1);
        let hit = found(1, near.bbox, 0.9);
        let image = image(1, vec![near, middle], vec![hit, sky, far, low]);
        let settings = AccuracySettings::default();
        let bands = by_distance(
            &[category(1)],
            &[&image],
            &settings,
            &camera(),
            &DEFAULT_BANDS_M,
        );
        let counts = bands
            .iter()
            .map(|b| (b.objects, b.true_positives, b.false_positives));
        assert_eq!(
            counts.collect::<Vec<_>>(),
            [
                (1, 1, 0),
                (0, 0, 0),
                (1, 0, 0),
                (0, 0, 0),
                (0, 0, 1),
                (0, 0, 1)
            ]
        );
        let bounds = bands.iter().map(|b| (b.from_m, b.to_m)).collect::<Vec<_>>();
        assert_eq!(bounds[0], (Some(0.0), Some(10.0)));
        assert_eq!(bounds[4..], [(Some(80.0), None), (None, None)]);
        assert_eq!(
            (bands[0].precision, bands[0].recall),
            (Some(1.0), Some(1.0))
        );
        assert_eq!((bands[2].precision, bands[2].recall), (None, Some(0.0)));
        assert_eq!((bands[5].precision, bands[5].recall), (Some(0.0), None));
    }
}
