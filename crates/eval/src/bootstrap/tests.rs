use proptest::prelude::*;

use super::*;
use crate::fixtures::{category, found, image, object};
use crate::{AccuracySettings, Object, accuracy};

const CLASSES: u64 = 3;

fn classes() -> Vec<Category> {
    (1..=CLASSES).map(category).collect()
}

/// Returns images with the objects of `seed`. The boxes fit worse with more `noise`, in pixels.
fn run(seed: u64, images: u64, noise: f64) -> Vec<ImageRecord> {
    (1..=images)
        .map(|id| {
            let truth = &mut fastrand::Rng::with_seed(seed * 1000 + id);
            let rng = &mut fastrand::Rng::with_seed(seed + id + noise.to_bits());
            let objects: Vec<_> = (0..truth.usize(0..6))
                .map(|_| Object {
                    iscrowd: truth.u8(0..10) == 0,
                    ..object(
                        truth.u64(1..=CLASSES),
                        [500.0 * truth.f64(), 500.0 * truth.f64(), 40.0, 60.0],
                    )
                })
                .collect();
            let mut detections = Vec::new();
            for object in &objects {
                let bbox = object.bbox.map(|side| side + noise * (rng.f64() - 0.5));
                detections.push(found(object.category_id, bbox, rng.f64()));
                let bbox = [500.0 * rng.f64(), 500.0 * rng.f64(), 40.0, 60.0];
                detections.push(found(rng.u64(1..=CLASSES), bbox, 0.5 * rng.f64()));
            }
            image(id, objects, detections)
        })
        .collect()
}

fn compare(a: &[ImageRecord], b: &[ImageRecord], settings: &BootstrapSettings) -> Differences {
    let (a, b): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
    paired_bootstrap(&classes(), &a, &b, settings).unwrap()
}

fn figures(images: &[ImageRecord]) -> Figures {
    let images: Vec<_> = images.iter().collect();
    accuracy(&classes(), &images, &AccuracySettings::default()).figures
}

#[test]
fn a_worse_run_is_seen_and_the_same_one_is_not() {
    let (a, b) = (run(1, 60, 4.0), run(1, 60, 20.0));
    let settings = BootstrapSettings {
        resamples: 200,
        ..BootstrapSettings::default()
    };
    let worse = compare(&a, &b, &settings);
    let ap = worse.figures[0].interval;
    let difference = ap.difference.unwrap();
    assert!(ap.is_significant() && difference.high < 0.0, "{worse:?}");
    assert!(difference.low < difference.value && difference.value < difference.high);
    for (figure, row) in Figure::ALL.into_iter().zip(&worse.figures) {
        assert_eq!(row.name, figure.name());
        assert_eq!(row.interval.a, figures(&a)[figure]);
        assert_eq!(row.interval.b, figures(&b)[figure]);
    }
    let same = compare(&a, &a, &settings);
    let ap = same.figures[0].interval;
    let difference = ap.difference.unwrap();
    assert_eq!((difference.low, difference.high), (0.0, 0.0));
    assert!(!ap.is_significant());
}

#[test]
fn the_seed_decides_and_the_threads_do_not() {
    let (a, b) = (run(2, 20, 4.0), run(2, 20, 8.0));
    let settings = BootstrapSettings {
        resamples: 50,
        ..BootstrapSettings::default()
    };
    let one = compare(&a, &b, &settings);
    assert_eq!(
        one,
        compare(
            &a,
            &b,
            &BootstrapSettings {
                threads: 3,
                ..settings
            }
        )
    );
    assert_ne!(
        one,
        compare(
            &a,
            &b,
            &BootstrapSettings {
                seed: 1,
                ..settings
            }
        )
    );
}

#[test]
fn other_images_are_refused_by_name() {
    let (a, b) = (run(3, 5, 1.0), run(3, 6, 1.0));
    let refused = |a: &[ImageRecord], b: &[ImageRecord]| {
        let (a, b): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
        paired_bootstrap(&classes(), &a, &b, &BootstrapSettings::default()).unwrap_err()
    };
    assert_eq!(refused(&a, &b), PairingError::Count { a: 5, b: 6 });
    assert_eq!(refused(&a, &b[1..]), PairingError::Image { id: 1 });
}

#[test]
fn without_objects_there_is_no_difference() {
    let images = [image(1, vec![], vec![found(1, [0.0, 0.0, 9.0, 9.0], 0.5)])];
    let none = compare(&images, &images, &BootstrapSettings::default());
    assert_eq!(none.per_class, []);
    let ap = none.figures[0].interval;
    assert_eq!((ap.a, ap.b, ap.difference), (None, None, None));
    let json = serde_json::to_string(&none.figures[0]).unwrap();
    let expected = r#"{"name":"AP","a":-1.0,"b":-1.0,"difference":0.0,"low":0.0,"high":0.0}"#;
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Interval>(expected).unwrap(), ap);
    compare(&[], &[], &BootstrapSettings::default());
}

#[test]
fn one_image_is_no_evidence() {
    let bbox = [0.0, 0.0, 90.0, 90.0];
    let a = [image(1, vec![object(1, bbox)], vec![found(1, bbox, 0.5)])];
    let b = [image(1, vec![object(1, bbox)], vec![])];
    let ours = compare(&a, &b, &BootstrapSettings::default());
    let ap = ours.figures[0].interval;
    let difference = ap.difference.unwrap();
    assert_eq!((difference.low, difference.high), (-1.0, -1.0));
    assert!(!ap.is_significant());
}

/// Repeats each image as often as its weight says, with ids of their own.
fn repeated(images: &[ImageRecord], weights: &[u32]) -> Vec<ImageRecord> {
    let copies = images
        .iter()
        .zip(weights)
        .flat_map(|(image, &times)| std::iter::repeat_n(image, times as usize));
    let numbered = (1..).zip(copies);
    numbered
        .map(|(id, image)| ImageRecord {
            id,
            ..image.clone()
        })
        .collect()
}

proptest! {
    /// What a draw gives is what an evaluation of the images drawn gives.
    #[test]
    fn a_draw_is_an_evaluation(seed in 0_u64..1000, images in 1_u64..12) {
        let images = run(seed, images, 12.0);
        let weights = weights(images.len(), seed);
        let sorted: Vec<_> = images.iter().collect();
        let runs = [(); 2].map(|()| Run::new(&classes(), &sorted, 100));
        let drawn = differences(&runs, &weights).mean;
        let expected = figures(&repeated(&images, &weights));
        for figure in Figure::ALL {
            let (ours, theirs) = (drawn[0][figure], expected[figure]);
            prop_assert_eq!(ours.is_some(), theirs.is_some());
            let off = ours.zip(theirs).map_or(0.0, |(ours, theirs)| (ours - theirs).abs());
            prop_assert!(off < 1e-12, "{:?} {:?} {:?}", figure, ours, expected);
        }
    }
}
