//! IDF1: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking" (2016).

use std::collections::{BTreeMap, HashMap};

use super::assignment::assign;
use super::clear::THRESHOLD;
use super::matrix::Matrix;
use super::parts::{Parts, TooManyTracks};
use super::sequence::ClassSequence;

/// Pairs of objects and tracks that are assigned together: 800 MB of costs.
const MOST_PAIRS: usize = 100_000_000;

/// Assigns each object one track for the whole sequence, so that most boxes agree, and counts those.
pub(super) fn count(sequence: &ClassSequence, parts: &mut Parts) -> Result<(), TooManyTracks> {
    let mut shared: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for frame in &sequence.frames {
        for (object, track) in agreeing(frame) {
            *shared.entry((object, track)).or_default() += 1;
        }
    }
    let track_of = best_tracks(&shared)?;
    for frame in &sequence.frames {
        let right = agreeing(frame).filter(|(object, track)| track_of.get(object) == Some(track));
        parts.of_frame(frame.number).id_matched += right.count() as u64;
    }
    Ok(())
}

/// Pairs of a frame that overlap enough. Without the tolerance of the other figures, as in TrackEval.
fn agreeing(frame: &super::sequence::ClassFrame) -> impl Iterator<Item = (usize, usize)> {
    let pairs = (frame.objects.iter().enumerate()).flat_map(|object| {
        frame
            .tracks
            .iter()
            .enumerate()
            .map(move |track| (object, track))
    });
    pairs
        .filter(|&((row, _), (column, _))| frame.overlaps.at(row, column) >= THRESHOLD)
        .map(|((_, &object), (_, &track))| (object, track))
}

/// The track of each object that is assigned one. Objects and tracks that no chain of shared boxes
/// joins are assigned separately.
fn best_tracks(
    shared: &BTreeMap<(usize, usize), u64>,
) -> Result<HashMap<usize, usize>, TooManyTracks> {
    let mut track_of = HashMap::new();
    for (objects, tracks) in groups(shared) {
        if objects.len().saturating_mul(tracks.len()) > MOST_PAIRS {
            return Err(TooManyTracks {
                objects: objects.len(),
                tracks: tracks.len(),
            });
        }
        let cost = Matrix::filled(objects.len(), tracks.len(), |row, column| {
            let boxes = shared.get(&(objects[row], tracks[column])).copied();
            -(boxes.unwrap_or(0) as f64)
        });
        let pairs = assign(&cost).into_iter();
        track_of.extend(pairs.map(|(row, column)| (objects[row], tracks[column])));
    }
    Ok(track_of)
}

/// Objects and tracks that are joined, each sorted.
fn groups(shared: &BTreeMap<(usize, usize), u64>) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut tracks_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut objects_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(object, track) in shared.keys() {
        tracks_of.entry(object).or_default().push(track);
        objects_of.entry(track).or_default().push(object);
    }
    let mut groups = Vec::new();
    while let Some((first, joined)) = tracks_of.pop_first() {
        let (mut objects, mut tracks, mut open) = (vec![first], Vec::new(), joined);
        while let Some(track) = open.pop() {
            let Some(joined) = objects_of.remove(&track) else {
                continue;
            };
            tracks.push(track);
            for object in joined {
                if let Some(more) = tracks_of.remove(&object) {
                    objects.push(object);
                    open.extend(more);
                }
            }
        }
        objects.sort_unstable();
        tracks.sort_unstable();
        groups.push((objects, tracks));
    }
    groups
}
