//! What must hold of a sequence, whatever it was read from.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::super::sequence::Sequence;
use super::TrackError;

/// Boxes of a frame: more could not be assigned in reasonable time.
const MOST_BOXES: usize = 2000;

/// Fails if a frame lies beyond the sequence, has too many boxes, or has two boxes of one track.
pub(super) fn check(sequence: &Sequence, path: &Path) -> Result<(), TrackError> {
    let mut seen = HashSet::with_capacity(sequence.boxes.len());
    let mut boxes: HashMap<usize, usize> = HashMap::new();
    for found in &sequence.boxes {
        let (frame, id) = (found.frame, found.id);
        if let Some(length) = sequence.length
            && frame >= length
        {
            let problem = format!(
                "track {id} is in frame {frame} (the first is 0), but sequence {} has {length} frames; check that \
                 the file belongs to the sequence",
                sequence.name
            );
            return Err(TrackError::file(path, problem));
        }
        let count = boxes.entry(frame).or_default();
        *count += 1;
        if *count > MOST_BOXES {
            let problem = format!(
                "frame {frame} (the first is 0): expected at most {MOST_BOXES} boxes, found more; filter them by score"
            );
            return Err(TrackError::file(path, problem));
        }
        if !found.marks.region && !seen.insert((frame, found.class, id)) {
            let problem = format!(
                "frame {frame} (the first is 0): expected each track once, found two boxes of track {id}; remove one"
            );
            return Err(TrackError::file(path, problem));
        }
    }
    Ok(())
}
