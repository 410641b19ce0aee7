//! How long tracks last, and where one breaks.
//!
//! Nobody knows without truth whether two tracks are of one object. A track that ends where another
//! begins at once is the usual trace of it, and is counted as a break.

use std::collections::BTreeMap;

use crate::box_filter::BoxFilter;
use crate::calibration::Calibration;
use crate::stamps::{Step, step};
use crate::{Settings, TrackId};

/// The longest time from the last detection of a track to the track that goes on, in seconds.
pub const BREAK_S: f64 = 1.0;

/// For how long a track without detections may go on, in seconds: `delete_s` is at most as long.
const ENDED_S: f64 = 60.0;

/// A track that a frame shows.
#[derive(Debug, Clone, Copy)]
pub struct ShownTrack<'a> {
    pub id: TrackId,
    pub class_id: usize,
    /// At the frame's time.
    pub filter: &'a BoxFilter,
    /// Whether a detection of the frame belongs to it.
    pub seen: bool,
}

/// A track from its first detection to its last, since it was confirmed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lifetime {
    /// The class at its end.
    pub class_id: usize,
    /// Seconds from the first detection to the last.
    pub length_s: f64,
    /// Frames with a detection.
    pub frames: u64,
    /// Whether another track went on in its place: one of the same group of classes, whose first
    /// detection came within [`BREAK_S`] of the last one of this track. The predicted box of this
    /// track and the first box of the other contain each other's centre.
    pub breaks: bool,
}

/// Follows the lengths of all tracks of one camera.
#[derive(Debug, Clone, Default)]
pub struct Lifetimes {
    latest_ns: Option<i64>,
    tracks: BTreeMap<TrackId, Record>,
}

/// What is known of a track that may go on.
#[derive(Debug, Clone, Copy)]
struct Record {
    class_id: usize,
    first_ns: i64,
    last_ns: i64,
    frames: u64,
    /// The box in the latest frame that showed the track, and that frame's stamp.
    filter: BoxFilter,
    filter_ns: i64,
    /// Whether another track has begun in its place since its last detection.
    is_replaced: bool,
}

impl Lifetimes {
    /// Takes the tracks of the next frame. Returns the tracks that ended before, unordered: after a
    /// stamp that goes back by more than 0.1 s all of them.
    pub fn next<'a>(
        &mut self,
        stamp_ns: i64,
        shown: impl IntoIterator<Item = ShownTrack<'a>>,
        settings: &Settings,
    ) -> Vec<Lifetime> {
        let is_restart = step(self.latest_ns, stamp_ns) == Step::Restart;
        let mut ended = Vec::new();
        self.tracks.retain(|_, record| {
            let goes_on = !is_restart && seconds(record.last_ns, stamp_ns) <= ENDED_S;
            if !goes_on {
                ended.push(record.lifetime());
            }
            goes_on
        });
        let latest_ns = self.latest_ns.filter(|_| !is_restart).unwrap_or(stamp_ns);
        let now_ns = stamp_ns.max(latest_ns);
        self.latest_ns = Some(now_ns);
        let mut new = Vec::new();
        for track in shown {
            match self.tracks.get_mut(&track.id) {
                Some(record) => record.follow(&track, now_ns),
                // a track begins with a detection
                None if track.seen => new.push(track),
                None => {}
            }
        }
        for track in &new {
            if let Some(record) = self.replaced_by(track, now_ns, settings) {
                record.is_replaced = true;
            }
        }
        let begun = new
            .iter()
            .map(|track| (track.id, Record::new(track, now_ns)));
        self.tracks.extend(begun);
        ended
    }

    /// Returns the tracks that have not ended before, unordered.
    pub fn finish(self) -> Vec<Lifetime> {
        self.tracks.values().map(Record::lifetime).collect()
    }

    /// Returns the track in whose place a new one begins: the nearest, if there are several.
    fn replaced_by(
        &mut self,
        new: &ShownTrack<'_>,
        now_ns: i64,
        settings: &Settings,
    ) -> Option<&mut Record> {
        let candidates = self.tracks.values_mut().filter_map(|record| {
            let unseen_s = seconds(record.last_ns, now_ns);
            let fits = unseen_s > 0.0
                && unseen_s <= BREAK_S
                && !record.is_replaced
                && settings.same_group(record.class_id, new.class_id);
            let distance = fits.then(|| record.distance(new, now_ns)).flatten()?;
            Some((distance, record))
        });
        candidates
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, record)| record)
    }
}

impl Record {
    fn new(track: &ShownTrack<'_>, now_ns: i64) -> Self {
        Self {
            class_id: track.class_id,
            first_ns: now_ns,
            last_ns: now_ns,
            frames: 1,
            filter: *track.filter,
            filter_ns: now_ns,
            is_replaced: false,
        }
    }

    fn follow(&mut self, track: &ShownTrack<'_>, now_ns: i64) {
        self.class_id = track.class_id;
        (self.filter, self.filter_ns) = (*track.filter, now_ns);
        if track.seen {
            self.last_ns = now_ns;
            self.frames += 1;
            self.is_replaced = false;
        }
    }

    /// Returns the distance in pixels between the centres of the predicted box and of the new one;
    /// `None` if one of the boxes does not contain the centre of the other.
    fn distance(&self, new: &ShownTrack<'_>, now_ns: i64) -> Option<f64> {
        let mut filter = self.filter;
        filter.predict(seconds(self.filter_ns, now_ns), &Calibration::USUAL);
        let (own, other) = (filter.centre_and_sides(), new.filter.centre_and_sides());
        let (dx, dy) = ((own.x - other.x).abs(), (own.y - other.y).abs());
        let is_near =
            dx <= own.width.min(other.width) / 2.0 && dy <= own.height.min(other.height) / 2.0;
        is_near.then(|| dx.hypot(dy))
    }

    fn lifetime(&self) -> Lifetime {
        Lifetime {
            class_id: self.class_id,
            length_s: seconds(self.first_ns, self.last_ns),
            frames: self.frames,
            breaks: self.is_replaced,
        }
    }
}

/// Returns the seconds from one stamp to a later one; 0 if it is not later.
fn seconds(from_ns: i64, to_ns: i64) -> f64 {
    let by_ns = i128::from(to_ns) - i128::from(from_ns);
    by_ns.max(0) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shuffledet_core::BBox;

    const TENTH: i64 = 100_000_000;

    /// A box of 60 x 40 pixels that stands still.
    fn at(x: f32) -> BoxFilter {
        let (x2, y1, y2) = (x + 60.0, 100.0, 140.0);
        BoxFilter::new(&BBox { x1: x, y1, x2, y2 })
    }

    /// Runs frames, a tenth of a second apart, with the tracks (id, class, left edge) that they show.
    fn run(frames: &[&[(u64, usize, f32)]]) -> Vec<Lifetime> {
        let settings = Settings {
            groups: vec![None, Some(0), Some(0)],
            ..Settings::default()
        };
        let mut lifetimes = Lifetimes::default();
        let mut ended = Vec::new();
        for (tenths, frame) in (0..).zip(frames) {
            let filters: Vec<_> = frame.iter().map(|&(_, _, x)| at(x)).collect();
            let shown = frame.iter().zip(&filters);
            let shown = shown.map(|(&(id, class_id, _), filter)| ShownTrack {
                id: TrackId::new(id).unwrap(),
                class_id,
                filter,
                seen: true,
            });
            ended.extend(lifetimes.next(tenths * TENTH, shown, &settings));
        }
        ended.extend(lifetimes.finish());
        ended
    }

    fn breaks(frames: &[&[(u64, usize, f32)]]) -> usize {
        run(frames)
            .iter()
            .filter(|lifetime| lifetime.breaks)
            .count()
    }

    #[test]
    fn a_track_lasts_from_its_first_detection_to_its_last() {
        let seen: &[(u64, usize, f32)] = &[(1, 2, 0.0)];
        let found = run(&[&[], seen, seen, &[], &[], seen, &[]]);
        let [lifetime] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert!((lifetime.length_s - 0.4).abs() < 1e-9, "{lifetime:?}");
        assert_eq!((lifetime.frames, lifetime.class_id), (3, 2));
        assert!(!lifetime.breaks);
    }

    #[test]
    fn a_track_that_another_goes_on_with_breaks() {
        let first: &[(u64, usize, f32)] = &[(1, 1, 0.0)];
        // a car that becomes a truck, 20 pixels further
        assert_eq!(breaks(&[first, first, &[], &[(2, 2, 20.0)]]), 1);
        // of another group of classes, or further away
        assert_eq!(breaks(&[first, first, &[], &[(2, 0, 20.0)]]), 0);
        assert_eq!(breaks(&[first, first, &[], &[(2, 1, 40.0)]]), 0);
        // 1.0 s later, and 1.1 s
        let mut frames = vec![first];
        frames.extend([[].as_slice(); 9]);
        frames.push(&[(2, 1, 0.0)]);
        assert_eq!(breaks(&frames), 1);
        frames.insert(1, &[]);
        assert_eq!(breaks(&frames), 0);
    }

    #[test]
    fn a_track_that_comes_back_has_not_broken() {
        let (first, second): (&[(u64, usize, f32)], &[_]) = (&[(1, 1, 0.0)], &[(2, 1, 5.0)]);
        assert_eq!(breaks(&[first, &[], second, first, second]), 0);
        assert_eq!(
            breaks(&[first, &[], second, first, second, &[(3, 1, 0.0)]]),
            1
        );
        // two in its place are one break
        assert_eq!(breaks(&[first, &[], &[(2, 1, 5.0), (3, 1, 9.0)]]), 1);
    }

    #[test]
    fn nothing_goes_on_after_a_restart() {
        let mut lifetimes = Lifetimes::default();
        let filter = at(0.0);
        let track = |id| ShownTrack {
            id: TrackId::new(id).unwrap(),
            class_id: 0,
            filter: &filter,
            seen: true,
        };
        let settings = Settings::default();
        assert!(lifetimes.next(10 * TENTH, [track(1)], &settings).is_empty());
        // late by 0.1 s, and by more
        assert!(lifetimes.next(9 * TENTH, [track(1)], &settings).is_empty());
        let ended = lifetimes.next(8 * TENTH, [track(2)], &settings);
        assert_eq!(ended.len(), 1);
        assert!(!ended[0].breaks && ended[0].frames == 2);
        // and nothing after a minute without a detection
        assert_eq!(lifetimes.next(700 * TENTH, [], &settings).len(), 1);
        assert!(lifetimes.finish().is_empty());
    }

    proptest! {
        #[test]
        fn every_track_ends_once(
            frames in prop::collection::vec((any::<i64>(), prop::collection::vec((1u64..9, any::<bool>(), 0f32..500.0), 0..6)), 0..40),
        ) {
            let mut lifetimes = Lifetimes::default();
            let (mut ended, mut seen) = (Vec::new(), 0);
            for (stamp_ns, frame) in &frames {
                let tracks: BTreeMap<_, _> = frame.iter().map(|&(id, seen, x)| (id, (seen, at(x)))).collect();
                let shown = tracks.iter().map(|(&id, (seen, filter))| ShownTrack {
                    id: TrackId::new(id).unwrap(), class_id: 0, filter, seen: *seen,
                });
                seen += tracks.values().filter(|(seen, _)| *seen).count() as u64;
                ended.extend(lifetimes.next(*stamp_ns, shown, &Settings::default()));
            }
            ended.extend(lifetimes.finish());
            prop_assert_eq!(ended.iter().map(|lifetime| lifetime.frames).sum::<u64>(), seen);
            prop_assert!(ended.iter().all(|lifetime| lifetime.frames > 0 && lifetime.length_s >= 0.0));
        }
    }
}
