use std::time::Instant;

use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Scalar, Size};
use opencv::imgproc;
use proptest::prelude::*;

use super::*;
use crate::{BgrView, Pixels};

const WIDTH: u32 = 960;
const HEIGHT: u32 = 540;

/// A picture with texture at every scale: sums of blurred noise.
fn texture(width: u32, height: u32, seed: u64) -> Vec<u8> {
    let (columns, rows) = (width as usize, height as usize);
    let mut state = seed | 1;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 16_777_216.0
    };
    let mut sum = vec![0.0_f32; columns * rows];
    for cell in [6_usize, 17, 50, 140] {
        let grid = columns / cell + 2;
        let values: Vec<f32> = (0..grid * (rows / cell + 2)).map(|_| noise()).collect();
        for (at, pixel) in sum.iter_mut().enumerate() {
            let (x, y) = (
                (at % columns) as f32 / cell as f32,
                (at / columns) as f32 / cell as f32,
            );
            let (left, top) = (x as usize, y as usize);
            let value = |dx: usize, dy: usize| values[(top + dy) * grid + left + dx];
            let (u, v) = (x.fract(), y.fract());
            let upper = value(0, 0) * (1.0 - u) + value(1, 0) * u;
            let lower = value(0, 1) * (1.0 - u) + value(1, 1) * u;
            *pixel += upper * (1.0 - v) + lower * v;
        }
    }
    sum.into_iter()
        .flat_map(|value| [(value * 63.0) as u8; 3])
        .collect()
}

/// The picture as a homography moves it.
fn warped(pixels: &[u8], homography: [f64; 9]) -> Vec<u8> {
    let view = BgrView::new(WIDTH, HEIGHT, 3 * WIDTH as usize, pixels).unwrap();
    let matrix = Mat::from_slice(&homography).unwrap();
    let matrix = matrix.reshape(1, 3).unwrap();
    let mut out = Mat::default();
    imgproc::warp_perspective(
        &*view.to_mat().unwrap(),
        &mut out,
        &matrix,
        Size::new(WIDTH as i32, HEIGHT as i32),
        imgproc::INTER_LINEAR,
        opencv::core::BORDER_REFLECT_101,
        Scalar::default(),
    )
    .unwrap();
    out.data_bytes().unwrap().to_vec()
}

fn pyramid(pixels: &[u8]) -> GreyPyramid {
    let view = BgrView::new(WIDTH, HEIGHT, 3 * WIDTH as usize, pixels).unwrap();
    let mut grey = GreyPyramid::new();
    grey.fill(&Pixels::Bgr(view)).unwrap();
    grey
}

fn place(map: [f64; 9], [x, y]: [f64; 2]) -> [f64; 2] {
    let w = map[6] * x + map[7] * y + map[8];
    [
        (map[0] * x + map[1] * y + map[2]) / w,
        (map[3] * x + map[4] * y + map[5]) / w,
    ]
}

/// The largest distance of the affine map from the homography at nine places, in pixels.
fn worst(affine: [f64; 6], homography: [f64; 9]) -> f64 {
    let [a, b, tx, c, d, ty] = affine;
    let map = [a, b, tx, c, d, ty, 0.0, 0.0, 1.0];
    let places = [120.0, 480.0, 840.0]
        .into_iter()
        .flat_map(|x| [90.0, 270.0, 450.0].map(|y| [x, y]));
    let distances = places.map(|[x, y]| {
        // a homography maps the middles of pixels
        let [u, v] = place(homography, [x - 0.5, y - 0.5]);
        let found = place(map, [x, y]);
        (found[0] - u - 0.5).hypot(found[1] - v - 0.5)
    });
    distances.fold(0.0, f64::max)
}

fn none() -> std::iter::Empty<BBox> {
    std::iter::empty()
}

#[test]
fn the_motion_of_warped_pictures_is_found() {
    let first = texture(WIDTH, HEIGHT, 5);
    for (homography, limit) in [
        ([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 0.05),
        ([1.0, 0.0, 12.5, 0.0, 1.0, -7.25, 0.0, 0.0, 1.0], 0.3),
        ([1.0, 0.0, -45.0, 0.0, 1.0, 20.0, 0.0, 0.0, 1.0], 0.3),
        ([1.03, 0.0, -14.0, 0.0, 1.03, -8.0, 0.0, 0.0, 1.0], 0.5),
        (
            [0.9998, -0.02, 6.0, 0.02, 0.9998, -10.0, 0.0, 0.0, 1.0],
            0.5,
        ),
        // the affine map nearest to it is this far away itself
        ([1.0, 0.01, 4.0, 0.0, 1.01, 3.0, 1e-5, 0.0, 1.0], 3.0),
    ] {
        let second = warped(&first, homography);
        let mut estimator = MotionEstimator::new();
        assert_eq!(estimator.next(&mut pyramid(&first), none()), None);
        let motion = estimator.next(&mut pyramid(&second), none()).unwrap();
        let off = worst(motion.affine, homography);
        println!(
            "{homography:?}: {} of {} agree, off by {off:.3} px",
            motion.inliers, motion.points
        );
        assert!(off < limit, "{motion:?} {off}");
    }
}

#[test]
fn objects_do_not_move_the_background() {
    let first = texture(WIDTH, HEIGHT, 5);
    let shift = [1.0, 0.0, 8.0, 0.0, 1.0, 2.0, 0.0, 0.0, 1.0];
    let mut second = warped(&first, shift);
    // an object fills more than half of the picture and moves the other way
    let own = warped(
        &texture(WIDTH, HEIGHT, 77),
        [1.0, 0.0, -15.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    );
    let object = texture(WIDTH, HEIGHT, 77);
    let mut first = first;
    for row in 60..500 {
        let columns = 3 * (row * WIDTH as usize + 150)..3 * (row * WIDTH as usize + 810);
        first[columns.clone()].copy_from_slice(&object[columns.clone()]);
        second[columns.clone()].copy_from_slice(&own[columns]);
    }
    let bbox = BBox {
        x1: 150.0,
        y1: 60.0,
        x2: 810.0,
        y2: 500.0,
    };
    let mut estimator = MotionEstimator::new();
    estimator.next(&mut pyramid(&first), std::iter::once(bbox));
    let motion = estimator.next(&mut pyramid(&second), none()).unwrap();
    assert!(worst(motion.affine, shift) < 0.6, "{motion:?}");
}

#[test]
fn nothing_is_told_without_a_picture_to_compare_with() {
    let picture = texture(WIDTH, HEIGHT, 5);
    let mut estimator = MotionEstimator::new();
    estimator.next(&mut pyramid(&picture), none());
    estimator.reset();
    assert_eq!(estimator.next(&mut pyramid(&picture), none()), None);
    assert!(estimator.next(&mut pyramid(&picture), none()).is_some());
    // another size
    let small = BgrView::new(320, 200, 960, &picture[..320 * 200 * 3]).unwrap();
    let mut grey = GreyPyramid::new();
    grey.fill(&Pixels::Bgr(small)).unwrap();
    assert_eq!(estimator.next(&mut grey, none()), None);
    // grey fog
    let fog = vec![128; picture.len()];
    let mut estimator = MotionEstimator::new();
    estimator.next(&mut pyramid(&fog), none());
    assert_eq!(estimator.next(&mut pyramid(&fog), none()), None);
    // objects everywhere
    let all = BBox {
        x1: 0.0,
        y1: 0.0,
        x2: 960.0,
        y2: 540.0,
    };
    let mut estimator = MotionEstimator::new();
    estimator.next(&mut pyramid(&picture), std::iter::once(all));
    assert_eq!(estimator.next(&mut pyramid(&picture), none()), None);
}

#[test]
fn luma_gives_the_motion_that_colours_give() {
    use crate::yuv::{Coding, Samples, YuvView};
    let first = texture(WIDTH, HEIGHT, 9);
    let second = warped(&first, [1.0, 0.0, 9.0, 0.0, 1.0, 4.0, 0.0, 0.0, 1.0]);
    let motion = |stride: usize| {
        let mut estimator = MotionEstimator::new();
        let mut told = None;
        for picture in [&first, &second] {
            let luma: Vec<u8> = picture
                .chunks_exact(3)
                .flat_map(|pixel| {
                    std::iter::repeat_n(pixel[0], 1).chain(std::iter::repeat_n(0, stride - 1))
                })
                .collect();
            let samples = Samples {
                data: &luma,
                step: stride * WIDTH as usize,
                stride,
            };
            let view = YuvView::new((WIDTH, HEIGHT), samples, None, (1, 1), Coding::Jpeg).unwrap();
            let mut grey = GreyPyramid::new();
            grey.fill(&Pixels::Yuv(view)).unwrap();
            told = estimator.next(&mut grey, none());
        }
        told.unwrap().affine
    };
    for stride in [1, 2, 4] {
        let [a, _, tx, _, d, ty] = motion(stride);
        assert!(
            (a - 1.0).abs() < 2e-3 && (d - 1.0).abs() < 2e-3,
            "{stride} {a} {d}"
        );
        assert!(
            (tx - 9.0).abs() < 1.0 && (ty - 4.0).abs() < 0.6,
            "{stride} {tx} {ty}"
        );
    }
}

/// Prints what a frame takes. An unoptimised build is slower than what is shipped.
#[test]
fn a_frame_takes_milliseconds() {
    let first = texture(WIDTH, HEIGHT, 5);
    let second = warped(&first, [1.0, 0.0, 8.0, 0.0, 1.0, 2.0, 0.0, 0.0, 1.0]);
    let mut estimator = MotionEstimator::new();
    let (mut fill, mut next) = (f64::INFINITY, f64::INFINITY);
    for round in 0..20 {
        let picture = if round % 2 == 0 { &first } else { &second };
        let view = BgrView::new(WIDTH, HEIGHT, 3 * WIDTH as usize, picture).unwrap();
        let mut grey = GreyPyramid::new();
        let started = Instant::now();
        grey.fill(&Pixels::Bgr(view)).unwrap();
        let filled = Instant::now();
        estimator.next(&mut grey, none());
        fill = fill.min((filled - started).as_secs_f64() * 1e3);
        next = next.min(filled.elapsed().as_secs_f64() * 1e3);
    }
    println!("grey {fill:.2} ms, motion {next:.2} ms");
    assert!(fill + next < 100.0, "{fill} {next}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn pictures_of_any_size_are_taken(width in 1_u32..200, height in 1_u32..200, shade in 0_u8..255) {
        let pixels = vec![shade; (3 * width * height) as usize];
        let view = BgrView::new(width, height, 3 * width as usize, &pixels).unwrap();
        let mut estimator = MotionEstimator::new();
        for _ in 0..2 {
            let mut grey = GreyPyramid::new();
            grey.fill(&Pixels::Bgr(view)).unwrap();
            prop_assert_eq!(estimator.next(&mut grey, none()), None);
        }
    }
}
