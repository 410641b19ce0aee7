//! The counts of a sequence in parts of equal length, which a comparison resamples.

use super::counts::Counts;
use super::sequence::ClassSequence;
use super::{clear, hota, identity};

/// Frames of a part: at 10 to 25 frames per second 2 to 5 seconds, longer than what follows from one
/// mistake usually lasts.
pub const PART_FRAMES: usize = 50;

/// Counts by part.
pub(super) struct Parts {
    counts: Vec<Counts>,
}

impl Parts {
    pub fn of_frame(&mut self, number: usize) -> &mut Counts {
        let part = number / PART_FRAMES;
        if part >= self.counts.len() {
            self.counts.resize(part + 1, Counts::default());
        }
        &mut self.counts[part]
    }
}

/// A class and sequence with more tracks than can be assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyTracks {
    pub objects: usize,
    pub tracks: usize,
}

/// Counts what was found in `sequence`, by part.
pub(super) fn count(sequence: &ClassSequence) -> Result<Vec<Counts>, TooManyTracks> {
    let whole = sequence.length.div_ceil(PART_FRAMES);
    let mut parts = Parts {
        counts: vec![Counts::default(); whole],
    };
    count_boxes(sequence, &mut parts);
    hota::count(sequence, &mut parts);
    clear::count(sequence, &mut parts);
    identity::count(sequence, &mut parts)?;
    Ok(parts.counts)
}

fn count_boxes(sequence: &ClassSequence, parts: &mut Parts) {
    let mut objects = vec![false; sequence.objects];
    let mut tracks = vec![false; sequence.tracks];
    let new = |seen: &mut Vec<bool>, ids: &[usize]| {
        let new = ids
            .iter()
            .filter(|&&id| !std::mem::replace(&mut seen[id], true));
        new.count() as u64
    };
    for frame in &sequence.frames {
        let counts = parts.of_frame(frame.number);
        counts.truth_boxes += frame.objects.len() as u64;
        counts.track_boxes += frame.tracks.len() as u64;
        counts.objects += new(&mut objects, &frame.objects);
        counts.tracks += new(&mut tracks, &frame.tracks);
    }
}
