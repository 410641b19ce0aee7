//! Sums that the figures of tracks are made of.
//!
//! Every figure is a function of sums over frames, with the association of whole sequences in them. So
//! sequences, and parts of a sequence, are joined by adding their counts.

use serde::{Deserialize, Serialize};

/// Number of overlaps at which HOTA is computed.
pub const ALPHAS: usize = 19;

/// Returns the overlap of that position: 0.05, 0.1, ... 0.95.
pub fn alpha(position: usize) -> f64 {
    0.05 + position as f64 * 0.05
}

/// Counts of a class in a part of a sequence. A track belongs to the part that its first box is in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Boxes of the truth.
    pub truth_boxes: u64,
    /// Boxes of the tracker.
    pub track_boxes: u64,
    /// Tracks of the truth.
    pub objects: u64,
    /// Tracks of the tracker.
    pub tracks: u64,
    pub hota: HotaCounts,
    /// Matched pairs of CLEAR MOT.
    pub matched: u64,
    /// The sum of their overlaps.
    pub overlap: f64,
    /// How often an object got another track.
    pub switches: u64,
    /// How often an object was found again.
    pub fragments: u64,
    /// Objects found in more than 0.8 of their frames.
    pub mostly_tracked: u64,
    /// Objects found in 0.2 to 0.8 of their frames.
    pub partly_tracked: u64,
    /// Pairs of the one assignment of objects to tracks that is best for the whole sequence.
    pub id_matched: u64,
}

/// Sums over the matched pairs at each alpha.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HotaCounts {
    pub matched: [u64; ALPHAS],
    /// Of each pair the Jaccard index of its object and its track.
    pub association: [f64; ALPHAS],
    /// Of each pair the share of the object's boxes that the track has.
    pub association_recall: [f64; ALPHAS],
    /// Of each pair the share of the track's boxes that the object has.
    pub association_precision: [f64; ALPHAS],
    pub overlap: [f64; ALPHAS],
}

impl Counts {
    /// Adds another part as often as `times` says.
    pub fn add(&mut self, other: &Counts, times: u32) {
        let whole = u64::from(times);
        for (sum, more) in [
            (&mut self.truth_boxes, other.truth_boxes),
            (&mut self.track_boxes, other.track_boxes),
            (&mut self.objects, other.objects),
            (&mut self.tracks, other.tracks),
            (&mut self.matched, other.matched),
            (&mut self.switches, other.switches),
            (&mut self.fragments, other.fragments),
            (&mut self.mostly_tracked, other.mostly_tracked),
            (&mut self.partly_tracked, other.partly_tracked),
            (&mut self.id_matched, other.id_matched),
        ] {
            *sum += whole * more;
        }
        self.overlap += f64::from(times) * other.overlap;
        self.hota.add(&other.hota, times);
    }

    /// Returns the sum of all parts.
    pub fn total<'a>(parts: impl IntoIterator<Item = &'a Counts>) -> Counts {
        let mut total = Counts::default();
        parts.into_iter().for_each(|part| total.add(part, 1));
        total
    }

    /// Returns whether there is neither an object nor a track.
    pub fn is_empty(&self) -> bool {
        self.truth_boxes + self.track_boxes == 0
    }
}

impl HotaCounts {
    fn add(&mut self, other: &HotaCounts, times: u32) {
        for (sum, more) in self.matched.iter_mut().zip(other.matched) {
            *sum += u64::from(times) * more;
        }
        for (sums, more) in [
            (&mut self.association, other.association),
            (&mut self.association_recall, other.association_recall),
            (&mut self.association_precision, other.association_precision),
            (&mut self.overlap, other.overlap),
        ] {
            for (sum, more) in sums.iter_mut().zip(more) {
                *sum += f64::from(times) * more;
            }
        }
    }
}
