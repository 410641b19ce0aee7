//! Assigns objects to cells by a dynamic soft label (NanoDet-Plus's `DynamicSoftLabelAssigner`, after SimOTA of YOLOX).
//!
//! The cost of a cell for an object is the cross entropy of its score with its overlap, weighted by the square of their
//! difference, plus 3 times the negative logarithm of the overlap. An object gets as many cells as the sum of its 13 best
//! overlaps says, at least one. A cell of several objects is of the one that costs least.

use shuffledet_core::BBox;

use super::cells::Cell;
use crate::augment::{Target, Targets};

const CANDIDATES: usize = 13;
const OVERLAP_FACTOR: f32 = 3.0;

/// A cell that shall find an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assigned {
    pub cell: usize,
    /// The position of the object in the picture's targets.
    pub object: usize,
    /// Of the cell's box and the object, in [0, 1].
    pub overlap: f32,
}

/// Assigns the objects of a picture to `cells`. `logits` has the class logits of each cell (cells x classes), `boxes` the
/// boxes that the cells find. Returns the cells in their order.
pub fn assign(cells: &[Cell], logits: &[f32], boxes: &[BBox], targets: &Targets) -> Vec<Assigned> {
    let classes = targets.annotated.len();
    let objects: Vec<(usize, &Target)> = (targets.objects.iter().enumerate())
        .filter(|(_, object)| !object.ignored && object.bbox.area() > 0.0)
        .collect();
    let inside: Vec<usize> = (0..cells.len())
        .filter(|&cell| {
            objects
                .iter()
                .any(|(_, object)| contains(&object.bbox, cells[cell]))
        })
        .collect();
    // by object, of all cells within any object, as the source has it
    let candidates: Vec<Vec<Candidate>> = (objects.iter())
        .map(|(_, object)| {
            let candidate = |&cell: &usize| {
                let overlap = boxes[cell].iou(&object.bbox);
                let scores = &logits[cell * classes..(cell + 1) * classes];
                let cost = class_cost(scores, object.class, overlap)
                    - OVERLAP_FACTOR * (overlap + 1e-7).ln();
                Candidate { cost, overlap }
            };
            inside.iter().map(candidate).collect()
        })
        .collect();
    // by cell: the object that takes it, and whether others want it too
    let mut taken: Vec<Option<(usize, bool)>> = vec![None; inside.len()];
    for (object, candidates) in candidates.iter().enumerate() {
        for at in wanted(candidates) {
            taken[at] = Some((object, taken[at].is_some()));
        }
    }
    let cheapest = |at: usize| {
        let costs = candidates.iter().map(|candidates| candidates[at].cost);
        let best = costs.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
        best.map_or(0, |(object, _)| object)
    };
    let assigned = taken.iter().enumerate().filter_map(|(at, taken)| {
        let (first, is_shared) = (*taken)?;
        let object = if is_shared { cheapest(at) } else { first };
        Some(Assigned {
            cell: inside[at],
            object: objects[object].0,
            overlap: candidates[object][at].overlap,
        })
    });
    assigned.collect()
}

/// What a cell costs for an object, and how much its box overlaps it.
struct Candidate {
    cost: f32,
    overlap: f32,
}

/// Returns the positions of the cells that an object gets, the cheapest.
fn wanted(candidates: &[Candidate]) -> Vec<usize> {
    let mut overlaps: Vec<f32> = candidates.iter().map(|c| c.overlap).collect();
    overlaps.sort_by(|a, b| b.total_cmp(a));
    let count = (overlaps.iter().take(CANDIDATES).sum::<f32>() as usize).max(1);
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| candidates[a].cost.total_cmp(&candidates[b].cost));
    order.truncate(count);
    order
}

/// Whether the point of a cell lies within a box, not on its border.
pub fn contains(bbox: &BBox, cell: Cell) -> bool {
    bbox.x1 < cell.x && cell.x < bbox.x2 && bbox.y1 < cell.y && cell.y < bbox.y2
}

fn class_cost(logits: &[f32], class: usize, overlap: f32) -> f32 {
    let terms = logits.iter().enumerate().map(|(index, &logit)| {
        let label = if index == class { overlap } else { 0.0 };
        let probability = 1.0 / (1.0 + (-logit).exp());
        // of a logit with a label, without overflow
        let entropy = logit.max(0.0) - logit * label + (-logit.abs()).exp().ln_1p();
        entropy * (label - probability).powi(2)
    });
    terms.sum()
}
