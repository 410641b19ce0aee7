use std::collections::BTreeMap;

use fastrand::Rng;
use proptest::prelude::*;
use shuffledet_msg::CameraInfo;

use super::*;

const FOCAL: f64 = 721.5;
const CENTRE: [f64; 2] = [609.6, 172.9];
const IMAGE: [u32; 2] = [1242, 375];
const CAMERA_M: f64 = 1.65;
const LABELS: [&str; 3] = ["car", "person", "kite"];

/// A camera such as those of driving data sets.
fn finder(height_m: Option<f64>, horizon: Horizon) -> RangeFinder {
    let info = CameraInfo {
        k: [FOCAL, 0.0, CENTRE[0], 0.0, FOCAL, CENTRE[1], 0.0, 0.0, 1.0],
        ..CameraInfo::default()
    };
    let heights =
        ClassHeights::new(LABELS.into_iter(), &BTreeMap::new(), &BTreeMap::new()).unwrap();
    RangeFinder::new(
        Intrinsics::raw(&info).unwrap(),
        IMAGE,
        height_m,
        heights,
        horizon,
    )
}

/// The box of an upright object on the ground: `forward_m` and `right_m` along the ground.
fn seen(forward_m: f64, right_m: f64, height_m: f64, pitch_rad: f64) -> (BBox, f64) {
    let (sin, cos) = pitch_rad.sin_cos();
    let project = |up_m: f64| {
        // above the ground, seen from a camera that looks down by the pitch
        let below = CAMERA_M - up_m;
        let depth = forward_m * cos + below * sin;
        let down = below * cos - forward_m * sin;
        (CENTRE[1] + FOCAL * down / depth, depth)
    };
    let ((top, _), (bottom, depth)) = (project(height_m), project(0.0));
    let x = CENTRE[0] + FOCAL * right_m / depth;
    let half = 0.5 * (bottom - top);
    let [x1, y1, x2, y2] = [x - half, top, x + half, bottom].map(|side| side as f32);
    (BBox { x1, y1, x2, y2 }, depth)
}

/// Normal, with mean 0 and deviation 1.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

/// An edge that is off as those of small networks are.
fn noisy(bbox: BBox, rng: &mut Rng) -> BBox {
    let height = f64::from(bbox.y2 - bbox.y1);
    let mut off = |side: f32| side + (normal(rng) * EDGE_PX.hypot(EDGE_SHARE * height)) as f32;
    BBox {
        x1: off(bbox.x1),
        y1: off(bbox.y1),
        x2: off(bbox.x2),
        y2: off(bbox.y2),
    }
}

/// The relative errors of depths, and the errors in standard deviations.
struct Errors {
    relative: Vec<f64>,
    normalised: Vec<f64>,
}

impl Errors {
    fn quantile(&mut self, share: f64) -> f64 {
        self.relative.sort_by(f64::total_cmp);
        self.relative[(share * (self.relative.len() - 1) as f64) as usize]
    }

    fn within(&self, sigmas: f64) -> f64 {
        let within = self
            .normalised
            .iter()
            .filter(|error| **error < sigmas)
            .count();
        within as f64 / self.normalised.len() as f64
    }
}

/// Drives of 40 frames past objects of one class at 5 to 60 m; the pitch of the vehicle changes.
fn drives(class_id: usize, spread: f64, height_m: Option<f64>, given: bool, seed: u64) -> Errors {
    let rng = &mut Rng::with_seed(seed);
    let mean = ClassHeights::new(LABELS.into_iter(), &BTreeMap::new(), &BTreeMap::new()).unwrap();
    let mean = mean.height(class_id).unwrap().height_m;
    let mut errors = Errors {
        relative: Vec::new(),
        normalised: Vec::new(),
    };
    for _ in 0..60 {
        let mount = 0.01 * normal(rng);
        let horizon = if given {
            Horizon::given(mount, 0.008)
        } else {
            Horizon::unknown()
        };
        let mut finder = finder(height_m, horizon);
        let objects: Vec<_> = (0..rng.usize(1..7))
            .map(|_| {
                let height = mean * (1.0 + spread * normal(rng));
                (5.0 + 55.0 * rng.f64(), 10.0 * rng.f64() - 5.0, height)
            })
            .collect();
        let mut sway = 0.0;
        for _ in 0..40 {
            sway = 0.9 * sway + 0.003 * normal(rng);
            let boxes: Vec<_> = objects
                .iter()
                .map(|&(forward, right, height)| {
                    let (bbox, depth) = seen(forward, right, height, mount + sway);
                    (noisy(bbox, rng), depth)
                })
                .collect();
            finder.begin_frame(0.1, boxes.iter().map(|(bbox, _)| (class_id, bbox)));
            for (bbox, depth) in &boxes {
                let Some(range) = finder.range(class_id, bbox) else {
                    continue;
                };
                let error = (range.depth_m() - depth).abs();
                errors.relative.push(error / depth);
                errors.normalised.push(error / range.depth_deviation_m());
            }
        }
    }
    errors
}

#[test]
fn ranges_reach_their_goals() {
    for (class_id, spread, goals) in [(0, 0.07, [0.05, 0.14]), (1, 0.07, [0.07, 0.14])] {
        for given in [true, false] {
            let mut errors = drives(class_id, spread, Some(CAMERA_M), given, 7);
            let found = [0.5, 0.9].map(|share| errors.quantile(share));
            let within = errors.within(1.0);
            println!(
                "{}, pitch given {given}: {found:.3?}, within 1 sigma {within:.3}",
                LABELS[class_id]
            );
            assert!(found[0] <= goals[0] && found[1] <= goals[1], "{found:?}");
            assert!((0.60..=0.85).contains(&within), "{within}");
        }
        let mut alone = drives(class_id, spread, None, true, 7);
        let mut both = drives(class_id, spread, Some(CAMERA_M), true, 7);
        assert!(both.quantile(0.5) < alone.quantile(0.5));
    }
}

#[test]
fn exact_boxes_have_exact_ranges() {
    let finder = finder(Some(CAMERA_M), Horizon::given(0.02, 0.008));
    for (forward, height, class_id) in [(8.0, 1.53, 0), (25.0, 1.53, 0), (12.0, 1.7, 1)] {
        let (bbox, depth) = seen(forward, 1.0, height, 0.02);
        let range = finder.range(class_id, &bbox).unwrap();
        assert!(
            (range.depth_m() - depth).abs() < 0.02 * depth,
            "{range:?} {depth}"
        );
        assert_eq!(range.cues, Cues::Both);
    }
}

#[test]
fn beyond_30_m_the_lower_edge_alone_is_no_range() {
    let mut finder = finder(Some(CAMERA_M), Horizon::given(0.0, 0.008));
    finder.heights = ClassHeights::default();
    let share = |forward: f64| {
        let (bbox, _) = seen(forward, 0.0, 1.5, 0.0);
        let range = finder.range(0, &bbox).unwrap();
        assert_eq!(range.cues, Cues::Ground);
        range.depth_deviation_m() / range.depth_m()
    };
    assert!(share(8.0) < 0.07, "{}", share(8.0));
    assert!(share(30.0) > 0.15, "{}", share(30.0));
    assert!(share(60.0) > 0.3, "{}", share(60.0));
}

#[test]
fn a_box_that_is_cut_off_says_less() {
    let finder = finder(Some(CAMERA_M), Horizon::given(0.0, 0.008));
    let (mut bbox, depth) = seen(4.0, 0.0, 1.53, 0.0);
    // half of the car is below the image
    bbox.y2 = IMAGE[1] as f32;
    let range = finder.range(0, &bbox).unwrap();
    assert_eq!(range.cues, Cues::Size);
    assert!((range.depth_m() - depth).abs() < 2.0 * range.depth_deviation_m());
    assert!(range.depth_deviation_m() > 0.4 * range.depth_m());
}

#[test]
fn a_prediction_that_is_less_sure_has_a_range_that_is_less_sure() {
    let finder = finder(Some(CAMERA_M), Horizon::given(0.0, 0.008));
    let (bbox, depth) = seen(12.0, 2.0, 1.53, 0.0);
    let (sure, unsure) = (
        finder.range_of(0, &bbox, 0.0).unwrap(),
        finder.range_of(0, &bbox, 10.0).unwrap(),
    );
    assert_eq!(finder.range(0, &bbox), Some(sure));
    assert!(unsure.depth_deviation_m() > 1.5 * sure.depth_deviation_m());
    // of a near object the deviation of the distance is that along the ray
    let slant = sure.distance_m() / sure.depth_m();
    let (distance, depth_deviation) = (sure.distance_deviation_m(), sure.depth_deviation_m());
    assert!((distance / depth_deviation - slant).abs() < 0.02 * slant);
    assert!((sure.depth_m() - depth).abs() < 0.02 * depth);
}

#[test]
fn the_size_is_that_of_the_class_or_what_the_box_spans() {
    let mut finder = finder(Some(CAMERA_M), Horizon::given(0.0, 0.008));
    let (bbox, _) = seen(12.0, 2.0, 1.53, 0.0);
    // boxes of `seen` are as wide as high
    let [width, height] = finder.range(0, &bbox).unwrap().size_m;
    assert_eq!(height, 1.53);
    assert!((width - 1.53).abs() < 1e-3, "{width}");
    finder.heights = ClassHeights::default();
    let [width, height] = finder.range(0, &bbox).unwrap().size_m;
    assert!(
        (height - 1.53).abs() < 0.01 && (width - height).abs() < 1e-3,
        "{width} {height}"
    );
}

#[test]
fn without_any_cue_there_is_no_range() {
    let finder = finder(None, Horizon::unknown());
    let (bbox, _) = seen(10.0, 0.0, 1.5, 0.0);
    assert_eq!(finder.range(2, &bbox), None);
    assert!(finder.range(0, &bbox).is_some());
    let upside_down = BBox {
        y1: bbox.y2,
        y2: bbox.y1,
        ..bbox
    };
    assert_eq!(finder.range(0, &upside_down), None);
    let nowhere = BBox {
        x1: f32::NAN,
        ..bbox
    };
    assert_eq!(finder.range(0, &nowhere), None);
}

proptest! {
    #[test]
    fn any_box_has_a_finite_range_or_none(
        sides in [-1e4_f32..1e4, -1e4_f32..1e4, -1e4_f32..1e4, -1e4_f32..1e4],
        class_id in 0_usize..4, pitch in -0.3..0.3,
    ) {
        let [x1, y1, x2, y2] = sides;
        let bbox = BBox { x1, y1, x2, y2 };
        for horizon in [Horizon::given(pitch, 0.01), Horizon::unknown()] {
            let mut finder = finder(Some(CAMERA_M), horizon);
            finder.begin_frame(0.1, [(class_id, &bbox)].into_iter());
            if let Some(range) = finder.range(class_id, &bbox) {
                prop_assert!(range.position.iter().all(|side| side.is_finite()));
                prop_assert!(range.depth_m() > 0.0 && range.depth_m() <= FARTHEST_M);
                let eigenvalues = range.covariance.symmetric_eigenvalues();
                let largest = eigenvalues.max();
                prop_assert!(eigenvalues.iter().all(|&value| value >= -1e-9 * largest), "{eigenvalues}");
            }
        }
    }
}

#[test]
fn the_horizon_is_where_far_ground_is() {
    for pitch_rad in [-0.05, 0.0, 0.04] {
        let finder = finder(Some(CAMERA_M), Horizon::given(pitch_rad, 0.008));
        let horizon_px = finder.horizon_px(0.03).unwrap();
        let (far, _) = seen(1e7, 0.0, 0.0, pitch_rad);
        assert!(
            (horizon_px - f64::from(far.y2)).abs() < 0.1,
            "{horizon_px} {far:?}"
        );
    }
    assert_eq!(
        finder(Some(CAMERA_M), Horizon::unknown()).horizon_px(0.03),
        None
    );
}
