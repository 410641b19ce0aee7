//! The loss of FastestDet (github.com/dog-qiuqiu/FastestDet): 8 SIoU of the boxes, 16 smooth L1 of the objectness with the
//! overlap as target, and the cross entropy of the classes.
//!
//! An object belongs to the four cells around its centre. The half of all those cells that overlaps best is learned. Where the source has no defined value, this has one: no cells
//! give no loss, SIoU of equal boxes is 1, probabilities are logarithms from the start, and maps need not be square.

use shuffledet_core::Resolution;
use tch::{IndexOp, Kind, Tensor};

use super::{Loss, beside, boxes, values};
use crate::augment::{Target, Targets};
use crate::net::FASTESTDET_STRIDE;

const BOX_WEIGHT: f64 = 8.0;
const OBJECTNESS_WEIGHT: f64 = 16.0;
/// What cells without an object weigh in the objectness.
const BACKGROUND_WEIGHT: f32 = 0.75;
/// What all cells with an object weigh together, per cell of a picture.
const OBJECTS_WEIGHT: f32 = 0.25;

/// A cell that an object belongs to.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    picture: usize,
    column: usize,
    row: usize,
    object: &'a Target,
}

/// Computes the loss of an output, N x (5 + classes) x rows x columns. Sides are shares of `native`,
/// the size of the input that the description has.
pub fn loss(output: &Tensor, targets: &[Targets], native: Resolution) -> Loss {
    let [pictures, channels, rows, columns] = <[i64; 4]>::try_from(output.size()).unwrap_or([0; 4]);
    let grid = (rows as usize, columns as usize);
    let places = places(targets, grid);
    let flat = output.permute([0, 2, 3, 1]).reshape([-1, channels]);
    let objectness = flat.i((.., 0)).sigmoid();
    let cells = grid.0 * grid.1;
    let mut wanted = vec![0.0f32; pictures as usize * cells];
    let mut weights = background(&flat, targets, grid);
    let none = flat.sum(Kind::Float) * 0.0;
    let (mut bbox, mut class) = (none.shallow_clone(), none);
    if !places.is_empty() {
        let stride = FASTESTDET_STRIDE as f32;
        let position =
            |place: &Place<'_>| place.picture * cells + place.row * grid.1 + place.column;
        let positions: Vec<i64> = places.iter().map(|place| position(place) as i64).collect();
        let positions = Tensor::from_slice(&positions).to_device(output.device());
        let at = flat.index_select(0, &positions);
        let count = places.len() as i64;
        let corner: Vec<f32> = places
            .iter()
            .flat_map(|p| [p.column as f32, p.row as f32])
            .collect();
        let corner = beside(output, &corner, &[count, 2]);
        let longest = [native.width as f32 / stride, native.height as f32 / stride];
        let longest = beside(output, &longest, &[1, 2]);
        let found = Tensor::cat(
            &[
                at.i((.., 1..3)).tanh() + corner,
                at.i((.., 3..5)).sigmoid() * longest,
            ],
            1,
        );
        let objects: Vec<f32> = places
            .iter()
            .flat_map(|place| {
                let b = place.object.bbox;
                [
                    (b.x1 + b.x2) / 2.0,
                    (b.y1 + b.y2) / 2.0,
                    b.width(),
                    b.height(),
                ]
                .map(|value| value / stride)
            })
            .collect();
        let overlap = boxes::siou(&found, &beside(output, &objects, &[count, 4]));
        let overlaps = values(&overlap);
        let mean = overlaps.iter().sum::<f32>() / overlaps.len() as f32;
        // the mean may round above the greatest
        let least = mean.min(overlaps.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let best: Vec<usize> = (0..places.len())
            .filter(|&at| overlaps[at] >= least)
            .collect();
        let mut by_picture = vec![0usize; targets.len()];
        best.iter()
            .for_each(|&at| by_picture[places[at].picture] += 1);
        for &at in &best {
            let place = &places[at];
            let cell = position(place);
            wanted[cell] = overlaps[at].clamp(0.0, 1.0);
            weights[cell] = OBJECTS_WEIGHT * cells as f32 / by_picture[place.picture] as f32;
        }
        let best_positions: Vec<i64> = best.iter().map(|&at| at as i64).collect();
        let best_positions = Tensor::from_slice(&best_positions).to_device(output.device());
        let sure: Vec<f32> = best.iter().map(|&at| places[at].object.weight).collect();
        let total = f64::from(sure.iter().sum::<f32>()).max(1e-6);
        let sure = beside(output, &sure, &[best.len() as i64]);
        let overlap = overlap.index_select(0, &best_positions);
        bbox = ((1f64 - overlap) * &sure).sum(Kind::Float) / total * BOX_WEIGHT;
        let logs = at
            .index_select(0, &best_positions)
            .i((.., 5..))
            .log_softmax(-1, Kind::Float);
        let classes: Vec<i64> = best
            .iter()
            .map(|&at| places[at].object.class as i64)
            .collect();
        let classes = Tensor::from_slice(&classes)
            .to_device(output.device())
            .unsqueeze(1);
        class = -(logs.gather(1, &classes, false).squeeze_dim(1) * sure).sum(Kind::Float) / total;
    }
    let length = [wanted.len() as i64];
    let wanted = beside(output, &wanted, &length);
    let weights = beside(output, &weights, &length);
    let objectness = objectness.smooth_l1_loss(&wanted, tch::Reduction::None, 1.0);
    let objectness = (objectness * weights).mean(Kind::Float) * OBJECTNESS_WEIGHT;
    Loss {
        total: &bbox + &objectness + &class,
        parts: vec![
            ("box", bbox.detach()),
            ("objectness", objectness.detach()),
            ("class", class.detach()),
        ],
    }
}

/// Returns the cells of each object that are within the grid of (rows, columns).
fn places<'a>(targets: &'a [Targets], (rows, columns): (usize, usize)) -> Vec<Place<'a>> {
    let mut places = Vec::new();
    for (picture, targets) in targets.iter().enumerate() {
        for object in targets
            .objects
            .iter()
            .filter(|object| !object.ignored && object.bbox.area() > 0.0)
        {
            let stride = FASTESTDET_STRIDE as f32;
            let b = object.bbox;
            // targets lie within the input
            let column = ((b.x1 + b.x2) / 2.0 / stride) as usize;
            let row = ((b.y1 + b.y2) / 2.0 / stride) as usize;
            for (column, row) in [
                (column, row),
                (column + 1, row),
                (column, row + 1),
                (column + 1, row + 1),
            ] {
                if column < columns && row < rows {
                    places.push(Place {
                        picture,
                        column,
                        row,
                        object,
                    });
                }
            }
        }
    }
    places
}

/// Returns the weight of each cell as background: 0 in ignored boxes, and where the best class is one that the picture is
/// not annotated for.
fn background(flat: &Tensor, targets: &[Targets], (rows, columns): (usize, usize)) -> Vec<f32> {
    let cells = rows * columns;
    let classes = flat.size()[1] - 5;
    let best = flat.detach().narrow(1, 5, classes).argmax(1, false);
    let best = values(&best);
    let mut weights = vec![BACKGROUND_WEIGHT; best.len()];
    for (picture, targets) in targets.iter().enumerate() {
        let weights = &mut weights[picture * cells..(picture + 1) * cells];
        for (weight, &best) in weights.iter_mut().zip(&best[picture * cells..]) {
            if !targets.annotated[best as usize] {
                *weight = 0.0;
            }
        }
        for object in targets.objects.iter().filter(|object| object.ignored) {
            for (cell, weight) in weights.iter_mut().enumerate() {
                let stride = FASTESTDET_STRIDE as f32;
                let (x, y) = (
                    ((cell % columns) as f32 + 0.5) * stride,
                    ((cell / columns) as f32 + 0.5) * stride,
                );
                let b = object.bbox;
                if b.x1 < x && x < b.x2 && b.y1 < y && y < b.y2 {
                    *weight = 0.0;
                }
            }
        }
    }
    weights
}
