//! The nearest object of a frame.

use crate::pipeline::TrackedObject;
use shuffledet_track::TrackId;

/// What the tracks of one frame say about the nearest object.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Nearest {
    /// `None` if no track has a range.
    pub range: Option<NearestRange>,
    /// The least time to collision of all tracks in seconds, and its track.
    pub collision_s: Option<(f64, TrackId)>,
}

/// The track with the shortest distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearestRange {
    pub track: TrackId,
    pub distance_m: f64,
    /// The standard deviation of the distance in metres.
    pub deviation_m: f64,
}

impl Nearest {
    pub(super) fn among(tracks: &[TrackedObject]) -> Self {
        let ranges = tracks.iter().filter_map(|track| {
            let range = track.range?;
            Some(NearestRange {
                track: track.id,
                distance_m: range.distance_m(),
                deviation_m: range.distance_deviation_m(),
            })
        });
        let collisions = tracks.iter();
        let collisions =
            collisions.filter_map(|track| Some((track.time_to_collision?.seconds, track.id)));
        Self {
            range: ranges.min_by(|a, b| a.distance_m.total_cmp(&b.distance_m)),
            collision_s: collisions.min_by(|(a, _), (b, _)| a.total_cmp(b)),
        }
    }
}
