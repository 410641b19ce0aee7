//! HOTA: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking" (IJCV 2021).

use std::collections::HashMap;

use super::assignment::assign;
use super::counts::{ALPHAS, alpha};
use super::matrix::Matrix;
use super::parts::Parts;
use super::sequence::{ClassFrame, ClassSequence};

/// By object and track.
type Pairs<T> = HashMap<(usize, usize), T>;

/// Counts the matched pairs of each frame and how well their tracks agree over the sequence.
pub(super) fn count(sequence: &ClassSequence, parts: &mut Parts) {
    let mut object_boxes = vec![0.0; sequence.objects];
    let mut track_boxes = vec![0.0; sequence.tracks];
    let mut candidates = Pairs::<f64>::new();
    for frame in &sequence.frames {
        frame
            .objects
            .iter()
            .for_each(|&object| object_boxes[object] += 1.0);
        frame
            .tracks
            .iter()
            .for_each(|&track| track_boxes[track] += 1.0);
        add_candidates(frame, &mut candidates);
    }
    let alignment = |object: usize, track: usize| {
        let shared = candidates.get(&(object, track)).copied().unwrap_or(0.0);
        shared / (object_boxes[object] + track_boxes[track] - shared)
    };

    let mut matches = Vec::new();
    let mut matched = Pairs::<[f64; ALPHAS]>::new();
    for frame in &sequence.frames {
        let cost = Matrix::filled(frame.objects.len(), frame.tracks.len(), |row, column| {
            -(alignment(frame.objects[row], frame.tracks[column]) * frame.overlaps.at(row, column))
        });
        for (row, column) in assign(&cost) {
            let overlap = frame.overlaps.at(row, column);
            let alphas = (0..ALPHAS)
                .take_while(|&at| overlap >= alpha(at) - f64::EPSILON)
                .count();
            if alphas > 0 {
                let pair = (frame.objects[row], frame.tracks[column]);
                let times = matched.entry(pair).or_insert([0.0; ALPHAS]);
                times[..alphas].iter_mut().for_each(|times| *times += 1.0);
                matches.push((frame.number, pair, overlap, alphas));
            }
        }
    }

    for (frame, pair, overlap, alphas) in matches {
        let hota = &mut parts.of_frame(frame).hota;
        let (object, track) = (object_boxes[pair.0], track_boxes[pair.1]);
        let times = &matched[&pair];
        for (at, &shared) in times.iter().enumerate().take(alphas) {
            hota.matched[at] += 1;
            hota.association[at] += shared / (object + track - shared);
            hota.association_recall[at] += shared / object;
            hota.association_precision[at] += shared / track;
            hota.overlap[at] += overlap;
        }
    }
}

/// Adds to each pair its overlap as a share of all overlaps of its object and of its track.
fn add_candidates(frame: &ClassFrame, candidates: &mut Pairs<f64>) {
    let of_objects = frame.overlaps.row_sums();
    let of_tracks = frame.overlaps.column_sums();
    for (row, &object) in frame.objects.iter().enumerate() {
        for (column, &track) in frame.tracks.iter().enumerate() {
            let overlap = frame.overlaps.at(row, column);
            let all = of_tracks[column] + of_objects[row] - overlap;
            if overlap > 0.0 && all > f64::EPSILON {
                *candidates.entry((object, track)).or_default() += overlap / all;
            }
        }
    }
}
