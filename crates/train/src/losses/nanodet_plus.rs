//! The loss of NanoDet-Plus (github.com/RangiLyu/nanodet): quality focal loss of the classes, 2 GIoU of the boxes, 0.25
//! distribution focal loss of the sides (Li et al. 2020), and the same of the auxiliary head while there is one.

use shuffledet_core::{BBox, Resolution};
use tch::{IndexOp, Kind, Tensor};

use super::assign::{Assigned, assign, contains};
use super::cells::{Cell, cells};
use super::{Loss, beside, boxes, values};
use crate::augment::Targets;
use crate::net::DISTANCES;

const BOX_WEIGHT: f64 = 2.0;
const SIDES_WEIGHT: f64 = 0.25;
/// The longest side that a cell can express, in strides, with room for interpolation.
const MOST_DISTANCE: f32 = DISTANCES as f32 - 1.0 - 0.1;

/// Computes the loss of an output, N x cells x (classes + 32), for images of `size`. The auxiliary output, while there is
/// one, decides which cells are assigned, and has a loss of its own.
pub fn loss(
    main: &Tensor,
    auxiliary: Option<&Tensor>,
    targets: &[Targets],
    size: Resolution,
) -> Loss {
    let cells = cells(size);
    let classes = main.size()[2] - 4 * DISTANCES;
    let guide = auxiliary.unwrap_or(main);
    let goals = Goals::new(guide, classes, &cells, targets);
    let main = parts(main, classes, &goals);
    let mut total = main.sum();
    let mut named = main.named(["class", "box", "sides"]);
    if let Some(auxiliary) = auxiliary {
        let auxiliary = parts(auxiliary, classes, &goals);
        total += auxiliary.sum();
        named.extend(auxiliary.named(["auxiliary class", "auxiliary box", "auxiliary sides"]));
    }
    Loss {
        total,
        parts: named,
    }
}

/// What the cells of a batch shall find.
struct Goals {
    /// N x cells x classes: the quality that a score shall have.
    scores: Tensor,
    /// The same: 0 where a score does not count, else 1.
    counts: Tensor,
    /// Positions of the assigned cells among N x cells; `None` if there are none.
    assigned: Option<AssignedCells>,
    /// How many are assigned, weighted, at least 1.
    total: f64,
}

struct AssignedCells {
    positions: Tensor,
    /// By assigned cell, 4: corners in pixels.
    boxes: Tensor,
    /// By assigned cell, 4: distances in strides.
    sides: Tensor,
    /// By assigned cell, 1: 1 for a person's box.
    weights: Tensor,
    /// By assigned cell, 2: the point in pixels.
    points: Tensor,
    /// By assigned cell, 1: the stride in pixels.
    strides: Tensor,
}

impl Goals {
    fn new(guide: &Tensor, classes: i64, cells: &[Cell], targets: &[Targets]) -> Self {
        let shape = [targets.len() as i64, cells.len() as i64, classes];
        let width = (classes + 4 * DISTANCES) as usize;
        let predicted = values(guide);
        let classes = classes as usize;
        let mut scores = vec![0.0f32; targets.len() * cells.len() * classes];
        let mut counts = vec![1.0f32; scores.len()];
        let (mut positions, mut boxes, mut sides) = (Vec::new(), Vec::new(), Vec::new());
        let (mut weights, mut points, mut strides) = (Vec::new(), Vec::new(), Vec::new());
        let pictures = predicted
            .chunks_exact(width * cells.len())
            .zip(targets)
            .enumerate();
        for (picture, (predicted, targets)) in pictures {
            let first = picture * cells.len() * classes;
            let counts = &mut counts[first..first + cells.len() * classes];
            let scores = &mut scores[first..first + cells.len() * classes];
            ignore(cells, targets, classes, counts);
            let finds: Vec<BBox> = predicted
                .chunks_exact(width)
                .zip(cells)
                .map(|(values, &cell)| found_box(&values[classes..], cell))
                .collect();
            let logits: Vec<f32> = predicted
                .chunks_exact(width)
                .flat_map(|values| &values[..classes])
                .copied()
                .collect();
            for Assigned {
                cell,
                object,
                overlap,
            } in assign(cells, &logits, &finds, targets)
            {
                let object = &targets.objects[object];
                scores[cell * classes + object.class] = overlap * object.weight;
                counts[cell * classes + object.class] = 1.0;
                positions.push((picture * cells.len() + cell) as i64);
                let BBox { x1, y1, x2, y2 } = object.bbox;
                let Cell { x, y, stride } = cells[cell];
                boxes.extend([x1, y1, x2, y2]);
                sides.extend(
                    [x - x1, y - y1, x2 - x, y2 - y]
                        .map(|d| (d / stride).clamp(0.0, MOST_DISTANCE)),
                );
                weights.push(object.weight);
                points.extend([x, y]);
                strides.push(stride);
            }
        }
        let total = f64::from(weights.iter().sum::<f32>()).max(1.0);
        let count = positions.len() as i64;
        let assigned = (count > 0).then(|| AssignedCells {
            positions: Tensor::from_slice(&positions).to_device(guide.device()),
            boxes: beside(guide, &boxes, &[count, 4]),
            sides: beside(guide, &sides, &[count, 4]),
            weights: beside(guide, &weights, &[count]),
            points: beside(guide, &points, &[count, 2]),
            strides: beside(guide, &strides, &[count, 1]),
        });
        Self {
            scores: beside(guide, &scores, &shape),
            counts: beside(guide, &counts, &shape),
            assigned,
            total,
        }
    }
}

/// Sets `counts`, cells x classes, to 0 for the classes that the picture is not annotated for, and within ignored boxes.
fn ignore(cells: &[Cell], targets: &Targets, classes: usize, counts: &mut [f32]) {
    for (class, annotated) in targets.annotated.iter().enumerate() {
        if !annotated {
            counts
                .iter_mut()
                .skip(class)
                .step_by(classes)
                .for_each(|count| *count = 0.0);
        }
    }
    for object in targets.objects.iter().filter(|object| object.ignored) {
        for (cell, counts) in cells.iter().zip(counts.chunks_exact_mut(classes)) {
            if contains(&object.bbox, *cell) {
                counts[object.class] = 0.0;
            }
        }
    }
}

/// Returns the box of a cell: each side is the mean of its distribution over 8 distances.
pub(super) fn found_box(sides: &[f32], cell: Cell) -> BBox {
    let mut distances = [0.0; 4];
    for (distance, logits) in distances
        .iter_mut()
        .zip(sides.chunks_exact(DISTANCES as usize))
    {
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (mut sum, mut mean) = (0.0, 0.0);
        for (at, logit) in logits.iter().enumerate() {
            let share = (logit - greatest).exp();
            sum += share;
            mean += share * at as f32;
        }
        *distance = mean / sum * cell.stride;
    }
    BBox {
        x1: cell.x - distances[0],
        y1: cell.y - distances[1],
        x2: cell.x + distances[2],
        y2: cell.y + distances[3],
    }
}

struct Parts {
    class: Tensor,
    bbox: Tensor,
    sides: Tensor,
}

impl Parts {
    fn sum(&self) -> Tensor {
        &self.class + &self.bbox + &self.sides
    }

    fn named(self, [class, bbox, sides]: [&'static str; 3]) -> Vec<(&'static str, Tensor)> {
        vec![
            (class, self.class.detach()),
            (bbox, self.bbox.detach()),
            (sides, self.sides.detach()),
        ]
    }
}

fn parts(output: &Tensor, classes: i64, goals: &Goals) -> Parts {
    let logits = output.narrow(2, 0, classes);
    let class = quality_focal(&logits, &goals.scores, &goals.counts) / goals.total;
    let Some(assigned) = &goals.assigned else {
        // keeps the graph whole: all gradients are 0
        let none = output.narrow(2, classes, 4 * DISTANCES).sum(Kind::Float) * 0.0;
        return Parts {
            class,
            bbox: none.shallow_clone(),
            sides: none,
        };
    };
    let flat = output
        .reshape([-1, output.size()[2]])
        .index_select(0, &assigned.positions);
    let (logits, sides) = (flat.narrow(1, 0, classes), flat.i((.., classes..)));
    let sides = sides.reshape([-1, DISTANCES]);
    // cells that are sure of their class count more, as the source has it
    let weights = logits.detach().sigmoid().amax([1i64], false) * &assigned.weights;
    let total = weights.sum(Kind::Float).clamp_min(1.0);
    let steps = Tensor::arange(DISTANCES, (Kind::Float, output.device()));
    let distances =
        (sides.softmax(-1, Kind::Float) * steps).sum_dim_intlist(-1, false, Kind::Float);
    let distances = distances.reshape([-1i64, 4]) * &assigned.strides;
    let corners = Tensor::cat(
        &[
            &assigned.points - distances.narrow(1, 0, 2),
            &assigned.points + distances.narrow(1, 2, 2),
        ],
        1,
    );
    let overlap = boxes::giou(&corners, &assigned.boxes);
    let bbox = ((1f64 - overlap) * &weights).sum(Kind::Float) / &total * BOX_WEIGHT;
    let side_weights = weights
        .unsqueeze(1)
        .expand([-1i64, 4], false)
        .reshape([-1i64]);
    let sides = distribution_focal(&sides, &assigned.sides.reshape([-1i64]));
    let sides = (sides * side_weights).sum(Kind::Float) / (total * 4.0) * SIDES_WEIGHT;
    Parts { class, bbox, sides }
}

/// Sums the quality focal loss with an exponent of 2: the cross entropy of each logit with the wanted quality, weighted
/// by the square of their difference.
fn quality_focal(logits: &Tensor, wanted: &Tensor, counts: &Tensor) -> Tensor {
    let entropy =
        logits.binary_cross_entropy_with_logits::<Tensor>(wanted, None, None, tch::Reduction::None);
    let difference = (wanted - logits.sigmoid()).square();
    (entropy * difference * counts).sum(Kind::Float)
}

/// Returns the cross entropy of each distribution, rows of logits, with the two distances around the wanted one.
fn distribution_focal(logits: &Tensor, wanted: &Tensor) -> Tensor {
    let below = wanted.floor();
    let share_above = wanted - &below;
    let below = below.to_kind(Kind::Int64).unsqueeze(1);
    let logs = logits.log_softmax(-1, Kind::Float);
    let at = |positions: &Tensor| logs.gather(1, positions, false).squeeze_dim(1);
    -(at(&below) * (1f64 - &share_above) + at(&(&below + 1i64)) * share_above)
}
