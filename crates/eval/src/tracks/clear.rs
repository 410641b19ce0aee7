//! CLEAR MOT: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance" (2008).

use super::assignment::assign;
use super::matrix::Matrix;
use super::parts::Parts;
use super::sequence::ClassSequence;

/// A pair that overlaps less is no match.
pub(super) const THRESHOLD: f64 = 0.5;
/// What it is worth to continue the track of the frame before: more than any overlap.
const CONTINUED: f64 = 1000.0;

/// What is known of an object of the truth.
#[derive(Debug, Clone, Copy, Default)]
struct Object {
    first_frame: Option<usize>,
    boxes: u64,
    found: u64,
    /// The track that it had last.
    track: Option<usize>,
    /// The track that it had in the last frame that has objects and tracks.
    current: Option<usize>,
}

/// Counts the matched pairs of each frame, switches, fragments and how long objects are tracked.
pub(super) fn count(sequence: &ClassSequence, parts: &mut Parts) {
    let mut objects = vec![Object::default(); sequence.objects];
    let mut found_before: Vec<usize> = Vec::new();
    for frame in &sequence.frames {
        for &object in &frame.objects {
            let object = &mut objects[object];
            object.first_frame.get_or_insert(frame.number);
            object.boxes += 1;
        }
        // as in TrackEval, such a frame ends no track
        if frame.objects.is_empty() || frame.tracks.is_empty() {
            continue;
        }
        let score = Matrix::filled(frame.objects.len(), frame.tracks.len(), |row, column| {
            let overlap = frame.overlaps.at(row, column);
            let continued = objects[frame.objects[row]].current == Some(frame.tracks[column]);
            match overlap {
                _ if overlap < THRESHOLD - f64::EPSILON => 0.0,
                _ if continued => CONTINUED + overlap,
                _ => overlap,
            }
        });
        let pairs = assign(&score.map(|score| -score));
        let matches: Vec<_> = pairs
            .into_iter()
            .filter(|&(row, column)| score.at(row, column) > f64::EPSILON)
            .collect();

        let counts = parts.of_frame(frame.number);
        for &(row, column) in &matches {
            let (object, track) = (&mut objects[frame.objects[row]], frame.tracks[column]);
            counts.matched += 1;
            counts.overlap += frame.overlaps.at(row, column);
            counts.switches += u64::from(object.track.is_some_and(|before| before != track));
            // found again after a frame in which it was not
            counts.fragments += u64::from(object.current.is_none() && object.track.is_some());
            object.found += 1;
            object.track = Some(track);
        }
        found_before
            .drain(..)
            .for_each(|object| objects[object].current = None);
        for (row, column) in matches {
            objects[frame.objects[row]].current = Some(frame.tracks[column]);
            found_before.push(frame.objects[row]);
        }
    }
    for object in objects {
        let Some(first) = object.first_frame else {
            continue;
        };
        let counts = parts.of_frame(first);
        let found = object.found as f64 / object.boxes as f64;
        if found > 0.8 {
            counts.mostly_tracked += 1;
        } else if found >= 0.2 {
            counts.partly_tracked += 1;
        }
    }
}
