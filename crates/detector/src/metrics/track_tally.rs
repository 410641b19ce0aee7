//! The tracks of a run, by class.

use std::collections::BTreeMap;

use crate::pipeline::{Frame, TrackingSettings};
use shuffledet_core::{Labels, TrackFigures};
use shuffledet_track::{Lifetime, Lifetimes, Settings, ShownTrack};

/// Counts tracks, their lengths and their breaks. Its size grows by 16 bytes with each track.
pub struct TrackTally {
    settings: Settings,
    /// By camera.
    lifetimes: Vec<Lifetimes>,
    /// By class id.
    ended: Vec<ClassTracks>,
}

/// The tracks of one class that ended.
#[derive(Debug, Clone, Default)]
struct ClassTracks {
    lengths_s: Vec<f64>,
    frames: Vec<u64>,
    breaks: u64,
}

impl TrackTally {
    /// Starts without tracks. The groups of classes of `tracking` apply.
    pub fn new(tracking: &TrackingSettings, labels: &Labels, cameras: usize) -> Self {
        let classes: Vec<&str> = labels.names().collect();
        Self {
            settings: tracking.settings(&classes, Vec::new()),
            lifetimes: vec![Lifetimes::default(); cameras],
            ended: vec![ClassTracks::default(); classes.len()],
        }
    }

    /// Counts the tracks of a frame. Call it for the frames of a camera in their order.
    pub fn record(&mut self, frame: &Frame) {
        let Some(lifetimes) = self.lifetimes.get_mut(frame.camera) else {
            return;
        };
        if frame.tracks.is_empty() {
            return;
        }
        let shown = frame.tracks.iter().map(|track| ShownTrack {
            id: track.id,
            class_id: track.class_id,
            filter: &track.filter,
            seen: track.detection.is_some(),
        });
        for lifetime in lifetimes.next(frame.time_ns(), shown, &self.settings) {
            count(&mut self.ended, &lifetime);
        }
    }

    /// Returns the figures of all tracks by label, without labels that have none.
    pub fn finish(self, labels: &Labels) -> BTreeMap<String, TrackFigures> {
        let mut ended = self.ended;
        let last = self.lifetimes.into_iter().flat_map(Lifetimes::finish);
        last.for_each(|lifetime| count(&mut ended, &lifetime));
        let classes = ended.into_iter().enumerate();
        classes
            .filter(|(_, tracks)| !tracks.frames.is_empty())
            .map(|(class_id, tracks)| (labels.name(class_id).to_owned(), tracks.figures()))
            .collect()
    }
}

fn count(ended: &mut [ClassTracks], lifetime: &Lifetime) {
    let Some(tracks) = ended.get_mut(lifetime.class_id) else {
        return;
    };
    tracks.lengths_s.push(lifetime.length_s);
    tracks.frames.push(lifetime.frames);
    tracks.breaks += u64::from(lifetime.breaks);
}

impl ClassTracks {
    /// Returns the figures of at least one track.
    fn figures(mut self) -> TrackFigures {
        self.lengths_s.sort_by(f64::total_cmp);
        self.frames.sort_unstable();
        let frames: Vec<f64> = self.frames.iter().map(|&frames| frames as f64).collect();
        TrackFigures {
            ids: self.frames.len() as u64,
            breaks: self.breaks,
            median_s: median(&self.lengths_s),
            longest_s: self.lengths_s.last().copied().unwrap_or_default(),
            median_frames: median(&frames),
            longest_frames: self.frames.last().copied().unwrap_or_default(),
        }
    }
}

/// Returns the median of sorted values: the mean of the two in the middle, if there are two.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => sorted
            .get(middle.wrapping_sub(1)..=middle)
            .map_or(0.0, |two| (two[0] + two[1]) / 2.0),
        _ => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::TrackedObject;
    use shuffledet_core::BBox;
    use shuffledet_core::labels::Label;
    use shuffledet_msg::Stamp;
    use shuffledet_track::TrackId;

    fn labels() -> Labels {
        let label = |(name, category_id): (&str, u32)| Label {
            name: name.to_owned(),
            category_id,
        };
        Labels::new(
            [("person", 1), ("car", 3), ("truck", 8)]
                .map(label)
                .to_vec(),
        )
        .unwrap()
    }

    fn track(id: u64, class_id: usize) -> TrackedObject {
        let bbox = BBox {
            x1: 10.0,
            y1: 20.0,
            x2: 70.0,
            y2: 60.0,
        };
        TrackedObject::fresh(TrackId::new(id).unwrap(), class_id, bbox)
    }

    #[test]
    fn tracks_are_counted_for_their_last_class() {
        let tracking = TrackingSettings {
            groups: vec![vec!["car".to_owned(), "truck".to_owned()]],
            ..TrackingSettings::default()
        };
        let mut tally = TrackTally::new(&tracking, &labels(), 2);
        let mut see = |camera, sec, tracks: &[TrackedObject]| {
            tally.record(&Frame {
                camera,
                stamp: Stamp { sec, nanosec: 0 },
                tracks: tracks.to_vec(),
                ..Frame::default()
            });
        };
        see(0, 10, &[track(1, 2)]);
        // on the other camera, nothing goes on
        see(1, 11, &[track(2, 1)]);
        see(0, 12, &[track(1, 1)]);
        see(0, 13, &[track(3, 2)]);
        // an unknown camera
        see(2, 13, &[track(4, 2)]);
        let found = tally.finish(&labels());
        let cars = TrackFigures {
            ids: 2,
            breaks: 1,
            median_s: 1.0,
            longest_s: 2.0,
            median_frames: 1.5,
            longest_frames: 2,
        };
        let trucks = TrackFigures {
            ids: 1,
            breaks: 0,
            median_s: 0.0,
            longest_s: 0.0,
            median_frames: 1.0,
            longest_frames: 1,
        };
        let expected = [("car".to_owned(), cars), ("truck".to_owned(), trucks)];
        assert_eq!(found, expected.into());
    }

    #[test]
    fn the_median_lies_between_two() {
        let found = [&[][..], &[3.0], &[1.0, 4.0], &[1.0, 2.0, 9.0]].map(median);
        assert_eq!(found, [0.0, 3.0, 2.5, 2.0]);
    }
}
