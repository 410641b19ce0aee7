//! The losses against an independent version in numpy (`reference/losses.py`), and on every kind of odd batch.

use proptest::prelude::*;
use serde::Deserialize;
use shuffledet_core::{BBox, Resolution};
use tch::{Device, Kind, Tensor};

use super::assign::assign;
use super::*;
use crate::augment::{Target, Targets};

const SIZE: Resolution = Resolution {
    width: 64,
    height: 64,
};
const CLASSES: i64 = 3;

#[derive(Deserialize)]
struct Golden {
    nanodet_plus: NanoDetPlus,
    fastestdet: FastestDet,
}

#[derive(Deserialize)]
struct NanoDetPlus {
    /// Picture, cell, object.
    assigned: Vec<[usize; 3]>,
    class: f64,
    #[serde(rename = "box")]
    bbox: f64,
    sides: f64,
}

#[derive(Deserialize)]
struct FastestDet {
    class: f64,
    #[serde(rename = "box")]
    bbox: f64,
    objectness: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../reference/losses.json")).unwrap()
}

fn target(class: usize, [x1, y1, x2, y2]: [f32; 4], weight: f32, ignored: bool) -> Target {
    let bbox = BBox { x1, y1, x2, y2 };
    Target {
        class,
        bbox,
        weight,
        ignored,
    }
}

/// The pictures of the reference.
fn pictures() -> Vec<Targets> {
    vec![
        Targets {
            objects: vec![
                target(0, [3.0, 5.0, 30.0, 41.0], 1.0, false),
                target(2, [20.0, 10.0, 61.0, 50.0], 0.8, false),
                target(1, [33.0, 33.0, 60.0, 60.0], 1.0, true),
            ],
            annotated: vec![true; 3],
        },
        Targets {
            objects: vec![target(1, [9.0, 9.0, 57.0, 50.0], 1.0, false)],
            annotated: vec![false, true, true],
        },
    ]
}

fn sequence(shape: &[i64], scale: f64, shift: f64) -> Tensor {
    let steps = Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu));
    let steps = steps * 0.618_033_988_749_895;
    ((&steps - steps.floor()) * scale + shift)
        .to_kind(Kind::Float)
        .view(shape)
}

fn part(loss: &Loss, name: &str) -> f64 {
    let found = loss.parts.iter().find(|(part, _)| *part == name);
    found.unwrap().1.double_value(&[])
}

fn close(ours: f64, theirs: f64) {
    assert!(
        (ours - theirs).abs() < 1e-4 * theirs.abs().max(1.0),
        "{ours} {theirs}"
    );
}

#[test]
fn nanodet_plus_has_the_loss_of_the_reference() {
    let golden = golden().nanodet_plus;
    let output = sequence(&[2, 85, CLASSES + 32], 4.0, -2.5);
    let loss = nanodet_plus::loss(&output, None, &pictures(), SIZE);
    close(part(&loss, "class"), golden.class);
    close(part(&loss, "box"), golden.bbox);
    close(part(&loss, "sides"), golden.sides);
    close(
        loss.total.double_value(&[]),
        golden.class + golden.bbox + golden.sides,
    );
}

#[test]
fn cells_are_assigned_as_by_the_reference() {
    let output = sequence(&[2, 85, CLASSES + 32], 4.0, -2.5);
    let cells = cells::cells(SIZE);
    let mut found = Vec::new();
    // the reference numbers the objects of both pictures together
    for (picture, (targets, first)) in pictures().iter().zip([0, 3]).enumerate() {
        let values = values(&output.get(picture as i64));
        let rows = values.chunks_exact(35);
        let logits: Vec<f32> = rows.clone().flat_map(|row| &row[..3]).copied().collect();
        let boxes: Vec<BBox> = rows
            .zip(&cells)
            .map(|(row, &cell)| nanodet_plus::found_box(&row[3..], cell))
            .collect();
        let assigned = assign(&cells, &logits, &boxes, targets);
        found.extend(assigned.iter().map(|a| [picture, a.cell, first + a.object]));
    }
    let mut expected = golden().nanodet_plus.assigned;
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn fastestdet_has_the_loss_of_the_reference() {
    let golden = golden().fastestdet;
    let output = sequence(&[2, 5 + CLASSES, 4, 4], 4.0, -2.0);
    let loss = fastestdet::loss(&output, &pictures(), SIZE);
    close(part(&loss, "box"), golden.bbox);
    close(part(&loss, "class"), golden.class);
    close(part(&loss, "objectness"), golden.objectness);
}

#[test]
fn a_perfect_box_costs_nothing() {
    let boxes = Tensor::from_slice(&[5.0f32, 6.0, 7.0, 8.0]).view([1, 4]);
    close(boxes::siou(&boxes, &boxes).double_value(&[0]), 1.0);
    close(boxes::giou(&boxes, &boxes).double_value(&[0]), 1.0);
}

#[test]
fn a_classifier_has_cross_entropy() {
    let logits = Tensor::from_slice(&[0.0f32, 0.0, 0.0, 0.0]).view([2, 2]);
    let loss = classification(&logits, &[0, 1]);
    close(loss.total.double_value(&[]), 2f64.ln());
}

#[test]
fn classes_that_are_not_annotated_have_no_gradient() {
    let output = sequence(&[1, 85, CLASSES + 32], 4.0, -2.0).set_requires_grad(true);
    let targets = Targets {
        objects: Vec::new(),
        annotated: vec![false, true, false],
    };
    nanodet_plus::loss(&output, None, &[targets], SIZE)
        .total
        .backward();
    let gradient = output.grad();
    let of = |class: i64| {
        gradient
            .narrow(2, class, 1)
            .abs()
            .sum(Kind::Float)
            .double_value(&[])
    };
    assert_eq!((of(0), of(2)), (0.0, 0.0));
    assert!(of(1) > 0.0);
}

fn side() -> impl Strategy<Value = f32> {
    prop_oneof![Just(0.0f32), Just(64.0), Just(32.0), 0f32..64.0]
}

fn objects() -> impl Strategy<Value = Vec<Target>> {
    let object = (
        0usize..3,
        side(),
        side(),
        side(),
        side(),
        0f32..=1.0,
        any::<bool>(),
    );
    prop::collection::vec(object, 0..6).prop_map(|objects| {
        let targets = objects
            .into_iter()
            .map(|(class, a, b, c, d, weight, ignored)| {
                target(
                    class,
                    [a.min(c), b.min(d), a.max(c), b.max(d)],
                    weight,
                    ignored,
                )
            });
        targets.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn losses_and_gradients_are_finite(
        pictures in prop::collection::vec((objects(), prop::collection::vec(any::<bool>(), 3)), 1..3),
        scale in prop_oneof![Just(0.0f64), Just(1.0), Just(60.0), Just(400.0)],
        wide: bool,
    ) {
        let targets: Vec<Targets> = pictures.into_iter()
            .map(|(objects, annotated)| Targets { objects, annotated }).collect();
        let count = targets.len() as i64;
        let size = Resolution { width: if wide { 96 } else { 64 }, height: 64 };
        let cells = cells::cells(size).len() as i64;
        let nanodet = sequence(&[count, cells, CLASSES + 32], scale, -scale / 2.0).set_requires_grad(true);
        let fastest = sequence(&[count, 5 + CLASSES, 4, i64::from(size.width) / 16], scale, -scale / 2.0)
            .set_requires_grad(true);
        let auxiliary = &nanodet * 0.5;
        let losses = [
            nanodet_plus::loss(&nanodet, Some(&auxiliary), &targets, size),
            fastestdet::loss(&fastest, &targets, SIZE),
        ];
        for (loss, output) in losses.iter().zip([&nanodet, &fastest]) {
            prop_assert!(loss.total.double_value(&[]).is_finite());
            prop_assert!(loss.total.double_value(&[]) >= 0.0);
            loss.total.backward();
            let gradient = output.grad();
            prop_assert!(gradient.abs().sum(Kind::Float).double_value(&[]).is_finite());
        }
    }
}
