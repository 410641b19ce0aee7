//! Made pictures, good ones and faulty ones.

use crate::{Area, Fault, Faults, Measures, Meter, Settings, View, Watch};
use proptest::prelude::*;

const WIDTH: usize = 416;
const HEIGHT: usize = 256;

/// A noise in [0, 1) at whole places.
fn noise(x: usize, y: usize) -> f32 {
    let mixed = (x.wrapping_mul(0x9E37_79B9) + y.wrapping_mul(0x85EB_CA6B)) & 0xFFFF_FFFF;
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2C1B_3C6D) & 0xFFFF_FFFF;
    ((mixed ^ (mixed >> 13)) & 0xFF) as f32 / 256.0
}

/// A scene of edges at several scales, seen from `shift` pixels to the right: blocks with sharp
/// borders below a bright sky.
fn scene(x: usize, y: usize, shift: usize) -> f32 {
    if y < HEIGHT / 4 {
        return 180.0 + 5.0 * noise(x, y);
    }
    let layer = |side: usize| noise((x + shift) / side, y / side + side);
    60.0 + 50.0 * layer(40) + 40.0 * layer(13) + 20.0 * layer(5) + 4.0 * noise(x + shift, y)
}

fn picture(level: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    let places = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    places.map(|(x, y)| level(x, y)).collect()
}

fn view(plane: &[f32]) -> View {
    let mut view = View::default();
    let area = Area {
        left: 0,
        top: 0,
        width: WIDTH,
        height: HEIGHT,
        enlargement: 1,
    };
    view.fill(plane, WIDTH, area, |value| value);
    view
}

fn measures(plane: &[f32]) -> Measures {
    Meter::default().measure(&view(plane))
}

/// Returns the means over squares of this many pixels on each side.
fn blurred(plane: &[f32], side: usize) -> Vec<f32> {
    picture(|x, y| {
        let near = |at: usize, end: usize| at.saturating_sub(side)..(at + side + 1).min(end);
        let (columns, rows) = (near(x, WIDTH), near(y, HEIGHT));
        let count = columns.len() * rows.len();
        let sum: f32 = rows
            .map(|y| plane[y * WIDTH..][columns.clone()].iter().sum::<f32>())
            .sum();
        sum / count as f32
    })
}

/// Returns the faults after two seconds at 20 frames a second of what `frame` makes.
fn faults(frame: impl Fn(usize) -> Vec<f32>) -> Vec<Fault> {
    let mut watch = Watch::default();
    for index in 0..40 {
        let view = view(&frame(index));
        watch.update(index as i64 * 50_000_000, &view, &Settings::default());
    }
    watch.faults().iter().collect()
}

fn good(index: usize) -> Vec<f32> {
    picture(|x, y| scene(x, y, 3 * index))
}

#[test]
fn a_good_picture_has_no_faults() {
    assert_eq!(faults(good), []);
    // a parked car: the noise alone changes
    let parked = |index: usize| picture(|x, y| scene(x, y, 0) + noise(x + index, y));
    assert_eq!(faults(parked), []);
}

#[test]
fn the_same_picture_again_is_frozen() {
    assert_eq!(faults(|_| good(0)), [Fault::Frozen]);
}

#[test]
fn no_light_is_black_and_no_contrast_washed_out() {
    let dark = |index: usize| picture(|x, y| 5.0 + 4.0 * noise(x + index, y));
    assert_eq!(faults(dark), [Fault::Black]);
    let fog = |index: usize| picture(|x, y| 200.0 + 0.05 * scene(x, y, index));
    assert_eq!(faults(fog), [Fault::WashedOut]);
    // an exposure at its end
    let white = |index: usize| picture(|x, y| 255.0 - noise(x + index, y));
    assert_eq!(faults(white), [Fault::WashedOut]);
}

#[test]
fn a_lens_out_of_focus_is_blurred() {
    assert_eq!(faults(|index| blurred(&good(index), 8)), [Fault::Blurred]);
    let noisy = |index: usize| {
        let soft = blurred(&good(index), 8);
        picture(|x, y| soft[y * WIDTH + x] + 2.0 * noise(x + 7 * index, y))
    };
    assert_eq!(faults(noisy), [Fault::Blurred]);
}

#[test]
fn mud_on_the_lens_covers_it_until_it_is_wiped_off() {
    let covered = |index: usize, is_hidden: fn(usize, usize) -> bool| {
        picture(move |x, y| match is_hidden(x, y) {
            true => 25.0 + 3.0 * noise(x + index, y),
            false => scene(x, y, 3 * index),
        })
    };
    let half = |x: usize, _: usize| x < WIDTH / 2;
    assert_eq!(faults(|index| covered(index, half)), [Fault::Covered]);
    let most = |x: usize, y: usize| x < WIDTH * 5 / 6 || y > HEIGHT / 2;
    assert_eq!(faults(|index| covered(index, most)), [Fault::Covered]);
    let wiped = |index: usize| {
        if index < 20 {
            covered(index, half)
        } else {
            good(index)
        }
    };
    assert_eq!(faults(wiped), []);
    // asphalt beside a white lorry
    let lorry = |index: usize| {
        picture(move |x, y| {
            let level = if x < WIDTH / 3 { 200.0 } else { 92.0 };
            level + 4.0 * noise(x + 3 * index, y)
        })
    };
    assert_eq!(faults(lorry), []);
    // of a night nothing is said
    let night = |index: usize| picture(move |x, y| 0.25 * scene(x, y, 3 * index));
    assert_eq!(faults(night), []);
}

#[test]
fn rows_that_are_shifted_are_torn() {
    let torn = |index: usize| {
        let row = 80 + 3 * index;
        let shifted = move |x: usize, y: usize| if y < row { x } else { x + 50 };
        picture(move |x, y| scene(shifted(x, y), y, 3 * index))
    };
    assert_eq!(faults(torn), [Fault::Torn]);
    // a message whose step is four pixels too long
    let sheared = |index: usize| picture(move |x, y| scene(x + 4 * y, y, 3 * index));
    assert_eq!(faults(sheared), [Fault::Torn]);
    let measured = measures(&picture(|x, y| scene(x + 2 * y, y, 0)));
    assert_eq!(measured.shear.abs(), 2);
}

#[test]
fn a_fault_is_told_after_the_time_to_hold_and_not_before() {
    let dark = view(&picture(|_, _| 3.0));
    for (period_ms, settings) in [
        (10, Settings::default()),
        (100, Settings::default()),
        (
            50,
            Settings {
                hold_s: 3.0,
                ..Settings::default()
            },
        ),
    ] {
        let mut watch = Watch::default();
        let told = (0..1000).find(|frame| {
            watch.update(frame * period_ms * 1_000_000, &dark, &settings);
            watch.faults().contains(Fault::Black)
        });
        let told_s = (told.unwrap() * period_ms) as f64 / 1000.0;
        let period_s = period_ms as f64 / 1000.0;
        assert!(
            (told_s - settings.hold_s).abs() <= 0.1 + period_s,
            "{told_s} s"
        );
    }
}

#[test]
fn a_pause_or_a_jump_back_decides_nothing() {
    let (dark, settings) = (view(&picture(|_, _| 3.0)), Settings::default());
    let mut watch = Watch::default();
    for stamp_s in [0, 3600, 0, 1_000_000, 5] {
        watch.update(stamp_s * 1_000_000_000, &dark, &settings);
        assert_eq!(watch.faults(), Faults::default());
    }
}

proptest! {
    #[test]
    fn no_picture_makes_a_panic(
        levels in prop::collection::vec(prop_oneof![any::<f32>(), 0f32..255.0], 0..6000),
        width in 1usize..200, stamps in prop::collection::vec(any::<i64>(), 1..8),
    ) {
        let mut view = View::default();
        let area = Area { left: 0, top: 0, width, height: levels.len() / width, enlargement: 1 };
        view.fill(&levels, width, area, |value| value);
        let measures = Meter::default().measure(&view);
        prop_assert!((0.0..=1.0).contains(&measures.covered));
        let mut watch = Watch::default();
        for stamp_ns in stamps {
            watch.update(stamp_ns, &view, &Settings::default());
        }
    }

    /// Neither a brighter lamp nor a lower contrast changes what the rows tell.
    #[test]
    fn the_shape_of_a_picture_does_not_depend_on_its_exposure(gain in 0.5f32..1.5, offset in 0f32..40.0) {
        let plane = good(0);
        let exposed: Vec<f32> = plane.iter().map(|level| gain * level + offset).collect();
        let (a, b) = (measures(&plane), measures(&exposed));
        prop_assert!((a.sharpness - b.sharpness).abs() < 1e-3);
        prop_assert_eq!(a.shear, b.shear);
    }
}
