//! Videos as phones, dashcams and editors write them: the right way up, and at their own times.

use shuffledet_testing as support;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use opencv::core::{Mat, Scalar, Size, Vec3b, absdiff, mean, no_array};
use opencv::imgproc::{INTER_AREA, resize};
use opencv::prelude::*;
use opencv::videoio::{CAP_ANY, CAP_PROP_FPS, VideoCapture, VideoWriter};
use shuffledet_bag::{Recording, Selection};
use shuffledet_image::FrameRate;
use shuffledet_msg::ImageView;
use tempfile::{TempDir, tempdir};

const MS: u64 = 1_000_000;

fn import(video: &Path, options: &[&str]) -> (TempDir, Output) {
    let folder = tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .arg("import")
        .arg(video)
        .arg("--output")
        .arg(folder.path().join("bag"))
        .args(["--raw", "--start-stamp", "0"])
        .args(options)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    (folder, ran)
}

/// The times of all frames, the first frame as width, height and pixels, and what was said.
struct Imported {
    times_ns: Vec<u64>,
    size: (u32, u32),
    pixels: Vec<u8>,
    said: String,
    printed: String,
}

fn imported(video: &Path, options: &[&str]) -> Imported {
    let (folder, ran) = import(video, options);
    let recording = Recording::open(&folder.path().join("bag")).unwrap();
    let mut messages = recording.read(&Selection::default()).unwrap();
    let (mut data, mut times_ns, mut first) = (Vec::new(), Vec::new(), None);
    while let Some(head) = messages.next_into(&mut data).unwrap() {
        let image = ImageView::parse(&data).unwrap();
        assert_eq!(image.header.stamp.to_ns(), head.log_time_ns as i64);
        first.get_or_insert_with(|| ((image.width, image.height), image.data.to_vec()));
        times_ns.push(head.log_time_ns);
    }
    let (size, pixels) = first.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Imported {
        times_ns,
        size,
        pixels,
        said: text(&ran.stderr),
        printed: text(&ran.stdout),
    }
}

#[test]
fn a_phones_video_is_upright() {
    let test = "a_phones_video_is_upright";
    let (Some(phone), Some(original)) = (
        support::asset(test, "reports/video_rotated/phone.mp4"),
        support::asset(test, "video/solidWhiteRight.mp4"),
    ) else {
        return;
    };
    let found = imported(&phone, &["--limit", "3"]);
    assert_eq!(found.size, (480, 270));
    // what it was made of, at half its size
    let mut capture = VideoCapture::from_file(original, CAP_ANY).unwrap();
    let (mut frame, mut half, mut difference) = (Mat::default(), Mat::default(), Mat::default());
    assert!(capture.read(&mut frame).unwrap());
    resize(&frame, &mut half, Size::new(480, 270), 0.0, 0.0, INTER_AREA).unwrap();
    let upright = Mat::new_rows_cols_with_bytes::<Vec3b>(270, 480, &found.pixels).unwrap();
    absdiff(&half, &upright, &mut difference).unwrap();
    let error = mean(&difference, &no_array()).unwrap();
    let error = (error[0] + error[1] + error[2]) / 3.0;
    assert!(error < 4.0, "{error}");
}

#[test]
fn a_video_of_varying_rate_keeps_its_own_times() {
    let test = "a_video_of_varying_rate_keeps_its_own_times";
    let Some(video) = support::asset(test, "reports/video_vfr/vfr.mp4") else {
        return;
    };
    let fast = (0..20).map(|index| 40 * MS * index);
    let slow = (0..20).map(|index| 800 * MS + 200 * MS * index);
    let expected: Vec<u64> = fast.chain(slow).collect();
    let found = imported(&video, &[]);
    assert_eq!(found.times_ns, expected);
    assert!(
        found
            .printed
            .contains("40 frames in 4.600 s, at the variable rate of the video"),
        "{}",
        found.printed
    );
    assert!(
        !found.said.contains("frames that the file states"),
        "{}",
        found.said
    );
    let given = imported(&video, &["--fps", "10"]);
    assert_eq!(
        given.times_ns,
        (0..40).map(|index| 100 * MS * index).collect::<Vec<_>>()
    );
}

/// A video of `frames` frames, 64 by 48 pixels: the left upper quarter is blue, the right upper one green, the left
/// lower one red. `None`, and a line that says so, where this OpenCV does not write it.
fn written(
    test: &str,
    name: &str,
    codec: &str,
    fps: f64,
    frames: usize,
) -> Option<(TempDir, PathBuf)> {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    let [a, b, c, d] = codec.chars().collect::<Vec<_>>()[..] else {
        panic!("{codec}");
    };
    let fourcc = VideoWriter::fourcc(a, b, c, d).unwrap();
    let mut writer = VideoWriter::new(&path, fourcc, fps, Size::new(64, 48), true).unwrap();
    if !writer.is_opened().unwrap() {
        eprintln!("skipped: {test}: this OpenCV writes no {codec} in {name}");
        return None;
    }
    let mut frame =
        Mat::new_rows_cols_with_default(48, 64, opencv::core::CV_8UC3, Scalar::default()).unwrap();
    for (row, column, color) in [
        (0, 0, [255, 0, 0]),
        (0, 32, [0, 255, 0]),
        (24, 0, [0, 0, 255]),
    ] {
        for y in row..row + 24 {
            for x in column..column + 32 {
                *frame.at_2d_mut::<Vec3b>(y, x).unwrap() = Vec3b::from(color);
            }
        }
    }
    for _ in 0..frames {
        writer.write(&frame).unwrap();
    }
    writer.release().unwrap();
    Some((folder, path))
}

/// The file with the content of the boxes of type `kind` as `change` makes it, and the sizes of those around them.
fn rebuilt(bytes: &[u8], kind: &[u8; 4], change: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    const AROUND: [&[u8; 4]; 6] = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"];
    let (mut rest, mut out) = (bytes, Vec::new());
    while rest.len() >= 8 {
        let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let own: [u8; 4] = rest[4..8].try_into().unwrap();
        let content = &rest[8..size];
        let content = if own == *kind {
            change(content)
        } else if AROUND.contains(&&own) {
            rebuilt(content, kind, change)
        } else {
            content.to_vec()
        };
        out.extend((8 + content.len() as u32).to_be_bytes());
        out.extend(own);
        out.extend(content);
        rest = &rest[size..];
    }
    out
}

/// A corner of the first frame, by which of its channels is bright.
fn corner(found: &Imported, right: bool, low: bool) -> &'static str {
    let (width, height) = (found.size.0 as usize, found.size.1 as usize);
    let (x, y) = (
        if right { width - 8 } else { 8 },
        if low { height - 8 } else { 8 },
    );
    let at = 3 * (y * width + x);
    let bright: Vec<bool> = found.pixels[at..at + 3]
        .iter()
        .map(|&value| value > 128)
        .collect();
    match bright[..] {
        [true, false, false] => "blue",
        [false, true, false] => "green",
        [false, false, true] => "red",
        [false, false, false] => "black",
        _ => "mixed",
    }
}

#[test]
fn every_display_matrix_brings_a_video_upright() {
    let test = "every_display_matrix_brings_a_video_upright";
    let Some((folder, video)) = written(test, "v.mp4", "mp4v", 25.0, 5) else {
        return;
    };
    let stored = fs::read(&video).unwrap();
    // clockwise from the left upper corner, as the matrix (a, b, c, d) shows the stored blue, green, black, red
    for (matrix, size, corners) in [
        (
            [1_i16, 0, 0, 1],
            (64, 48),
            ["blue", "green", "black", "red"],
        ),
        ([0, 1, -1, 0], (48, 64), ["red", "blue", "green", "black"]),
        ([-1, 0, 0, -1], (64, 48), ["black", "red", "blue", "green"]),
        ([0, -1, 1, 0], (48, 64), ["green", "black", "red", "blue"]),
        ([-1, 0, 0, 1], (64, 48), ["green", "blue", "red", "black"]),
        ([1, 0, 0, -1], (64, 48), ["red", "black", "green", "blue"]),
        ([0, 1, 1, 0], (48, 64), ["blue", "red", "black", "green"]),
        ([0, -1, -1, 0], (48, 64), ["black", "green", "blue", "red"]),
    ] {
        let turned = rebuilt(&stored, b"tkhd", &|content| {
            let mut content = content.to_vec();
            for (index, number) in [0, 1, 3, 4].into_iter().zip(matrix) {
                let at = if content[0] == 0 { 40 } else { 52 } + 4 * index;
                content[at..at + 4].copy_from_slice(&(i32::from(number) << 16).to_be_bytes());
            }
            content
        });
        let path = folder.path().join("turned.mp4");
        fs::write(&path, turned).unwrap();
        let found = imported(&path, &[]);
        assert_eq!(found.size, size, "{matrix:?}");
        let shown = [(false, false), (true, false), (true, true), (false, true)];
        assert_eq!(
            shown.map(|(right, low)| corner(&found, right, low)),
            corners,
            "{matrix:?}"
        );
        assert_eq!(found.times_ns.len(), 5);
    }
}

#[test]
fn an_index_of_varying_durations_gives_the_times() {
    let test = "an_index_of_varying_durations_gives_the_times";
    let Some((folder, video)) = written(test, "v.mp4", "mp4v", 25.0, 12) else {
        return;
    };
    let stored = fs::read(&video).unwrap();
    // of the durations of frames only: the index is behind the frames, so that they stay where they are
    let moved = rebuilt(&stored, b"stts", &|content| {
        let delta = u32::from_be_bytes(content[12..16].try_into().unwrap());
        let runs = [(4, delta), (3, 5 * delta), (5, 2 * delta)];
        let mut content = [[0; 4], 3_u32.to_be_bytes()].concat();
        for (count, delta) in runs {
            content.extend([count, delta].map(u32::to_be_bytes).concat());
        }
        content
    });
    // and all of them are to be shown: 10 s in thousandths
    let moved = rebuilt(&moved, b"elst", &|content| {
        let mut content = content.to_vec();
        content[8..12].copy_from_slice(&10_000_u32.to_be_bytes());
        content
    });
    let path = folder.path().join("varying.mp4");
    fs::write(&path, moved).unwrap();
    let found = imported(&path, &[]);
    let expected: Vec<u64> = [0, 40, 80, 120, 160, 360, 560, 760, 840, 920, 1000, 1080]
        .map(|ms| ms * MS)
        .to_vec();
    assert_eq!(found.times_ns, expected);
    assert_eq!(found.said, "");
}

#[test]
fn a_constant_rate_has_the_same_times_in_every_container() {
    let test = "a_constant_rate_has_the_same_times_in_every_container";
    for (name, codec) in [
        ("v.mp4", "mp4v"),
        ("v.avi", "MJPG"),
        ("v.mkv", "MJPG"),
        ("v.webm", "VP80"),
        ("v.mov", "mp4v"),
    ] {
        let Some((_folder, video)) = written(test, name, codec, 30000.0 / 1001.0, 30) else {
            continue;
        };
        let found = imported(&video, &[]);
        // the fraction that the file states; of 29.97 a second OpenCV makes others
        let capture = VideoCapture::from_file(&video, CAP_ANY).unwrap();
        let rate = FrameRate::from_fps(capture.get(CAP_PROP_FPS).unwrap()).unwrap();
        let expected: Vec<u64> = (0..30).map(|index| rate.time_ns(index)).collect();
        assert_eq!(found.times_ns, expected, "{name}");
        assert!(found.times_ns[29].abs_diff(967_633_333) < MS, "{name}");
        assert_eq!(found.said, "", "{name}");
    }
}

#[test]
fn a_video_that_was_cut_is_told() {
    let test = "a_video_that_was_cut_is_told";
    for (name, codec, said) in [
        ("v.mkv", "MJPG", "truncated: the file has"),
        ("v.avi", "MJPG", "truncated: the file has"),
    ] {
        let Some((_folder, video)) = written(test, name, codec, 25.0, 60) else {
            continue;
        };
        let whole = fs::read(&video).unwrap();
        fs::write(&video, &whole[..whole.len() / 2]).unwrap();
        let found = imported(&video, &[]);
        assert!(
            found.times_ns.len() < 60 && found.said.contains(said),
            "{name}: {}",
            found.said
        );
    }
}
