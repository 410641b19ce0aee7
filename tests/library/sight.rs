//! Whether cameras see, on real pictures: as they are, and with faults made by program.

use std::fs;
use std::path::PathBuf;

use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Size};
use opencv::imgproc;
use shuffledet_core::{ColourOrder, InputSpec, ResizeMode};
use shuffledet_image::tensor::TensorBuilder;
use shuffledet_image::video::VideoFile;
use shuffledet_image::{BgrView, ImageDecoder};
use shuffledet_sight::{Fault, Faults, Measures, Meter, Settings, View, Watch};
use shuffledet_testing as support;

/// A picture in BGR.
#[derive(Clone)]
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    fn new(view: &BgrView<'_>) -> Self {
        let (width, height) = (view.width() as usize, view.height() as usize);
        let rows = view.data().chunks(view.step()).take(height);
        let pixels = rows.flat_map(|row| row[..3 * width].to_vec()).collect();
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Returns the picture with another value for each pixel.
    fn map(&self, value: impl Fn(usize, usize, u8) -> f64) -> Self {
        let pixels = self.pixels.iter().enumerate().map(|(index, &old)| {
            let pixel = index / 3;
            value(pixel % self.width, pixel / self.width, old) as u8
        });
        Self {
            pixels: pixels.collect(),
            ..*self
        }
    }

    /// Returns the picture with each row from `first` on shifted to the left, around the edge.
    fn shifted(&self, first: usize, shift: impl Fn(usize) -> usize) -> Self {
        let mut shifted = self.clone();
        for (y, row) in shifted
            .pixels
            .chunks_exact_mut(3 * self.width)
            .enumerate()
            .skip(first)
        {
            row.rotate_left(3 * (shift(y) % self.width));
        }
        shifted
    }

    fn blurred(&self, share: f64) -> Self {
        let mat =
            Mat::new_rows_cols_with_data(self.height as i32, 3 * self.width as i32, &self.pixels)
                .unwrap();
        let mat = mat.reshape(3, self.height as i32).unwrap();
        let mut blurred = Mat::default();
        let sigma = share * self.width as f64;
        imgproc::gaussian_blur_def(&mat, &mut blurred, Size::new(0, 0), sigma).unwrap();
        Self {
            pixels: blurred.data_bytes().unwrap().to_vec(),
            ..*self
        }
    }
}

/// Makes the views that a model of wide input has of pictures.
struct Eye {
    builder: TensorBuilder,
    meter: Meter,
    view: View,
}

impl Eye {
    fn new() -> Self {
        let builder = TensorBuilder::new(InputSpec {
            width: 416,
            height: 256,
            colour: ColourOrder::Bgr,
            resize: ResizeMode::Stretch,
            mean: [103.53, 116.28, 123.675],
            std: [57.375, 57.12, 58.395],
            padding: 0,
        });
        Self {
            builder,
            meter: Meter::default(),
            view: View::default(),
        }
    }

    fn look(&mut self, picture: &Picture) -> Measures {
        let (width, height) = (picture.width as u32, picture.height as u32);
        let view = BgrView::new(width, height, 3 * picture.width, &picture.pixels).unwrap();
        self.builder.fill(&view).unwrap();
        self.builder.show(&mut self.view);
        self.meter.measure(&self.view)
    }
}

/// Returns every `step`th picture of a folder.
fn pictures(folder: PathBuf, prefix: &str, step: usize) -> Vec<Picture> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(prefix)
    });
    paths.sort();
    let mut decoder = ImageDecoder::new();
    let mut read = |path: &PathBuf| {
        let file = fs::read(path).unwrap();
        Picture::new(&decoder.decode_file(&file).unwrap())
    };
    paths.iter().step_by(step).map(&mut read).collect()
}

fn sample(test: &str) -> Option<Vec<Picture>> {
    let path = support::asset(test, "video/solidWhiteRight.mp4")?;
    let mut video = VideoFile::open(&path).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = video.next_frame().unwrap() {
        frames.push(Picture::new(&frame.picture.pixels));
    }
    Some(frames)
}

/// Returns the faults that are told at any time of a recording at 25 frames a second.
fn told(frames: &[Picture], fault: impl Fn(usize, &Picture) -> Picture) -> Vec<Fault> {
    let (mut eye, mut watch) = (Eye::new(), Watch::default());
    let mut told = Faults::default();
    for (index, frame) in frames.iter().enumerate() {
        eye.look(&fault(index, frame));
        watch.update(index as i64 * 40_000_000, &eye.view, &Settings::default());
        watch
            .faults()
            .iter()
            .for_each(|fault| told.set(fault, true));
    }
    told.iter().collect()
}

#[test]
fn a_small_picture_in_a_large_input_was_blurred() {
    let Some(frames) = sample("a_small_picture_in_a_large_input_was_blurred") else {
        return;
    };
    let mut eye = Eye::new();
    // every eighth pixel of the sample
    let frame = &frames[0];
    let small = Picture {
        width: frame.width / 8,
        height: frame.height / 8,
        pixels: (0..frame.height / 8)
            .flat_map(|y| (0..frame.width / 8).map(move |x| 3 * (8 * y * frame.width + 8 * x)))
            .flat_map(|at| frame.pixels[at..at + 3].to_vec())
            .collect(),
    };
    let faults = eye.look(&small).faults(&Settings::default());
    assert!(!faults.contains(Fault::Blurred), "{faults}");
}

#[test]
fn a_good_recording_has_no_faults() {
    let Some(frames) = sample("a_good_recording_has_no_faults") else {
        return;
    };
    assert_eq!(told(&frames, |_, frame| frame.clone()), []);
}

#[test]
fn each_fault_of_a_recording_is_told_and_no_other() {
    let Some(frames) = sample("each_fault_of_a_recording_is_told_and_no_other") else {
        return;
    };
    let frames = &frames[..50];
    let first = frames[0].clone();
    assert_eq!(told(frames, |_, _| first.clone()), [Fault::Frozen]);
    let dark = |index: usize, frame: &Picture| {
        frame.map(|x, y, old| 0.05 * f64::from(old) + ((x + y + index) % 3) as f64)
    };
    assert_eq!(told(frames, dark), [Fault::Black]);
    let fog = |_: usize, frame: &Picture| frame.map(|_, _, old| 190.0 + 0.08 * f64::from(old));
    assert_eq!(told(frames, fog), [Fault::WashedOut]);
    for share in [0.01, 0.03] {
        let blur = |_: usize, frame: &Picture| frame.blurred(share);
        assert_eq!(told(frames, blur), [Fault::Blurred], "{share}");
    }
    for share in [0.25, 0.5, 0.8] {
        // mud with a soft edge, from the left
        let mud = |_: usize, frame: &Picture| {
            let edge = share * frame.width as f64;
            frame.map(|x, _, old| {
                let seen = ((x as f64 - edge) / 40.0 + 0.5).clamp(0.0, 1.0);
                seen * f64::from(old) + (1.0 - seen) * 22.0
            })
        };
        assert_eq!(told(frames, mud), [Fault::Covered], "{share}");
    }
    let torn = |index: usize, frame: &Picture| frame.shifted(150 + 5 * index, |_| frame.width / 8);
    assert_eq!(told(frames, torn), [Fault::Torn]);
    let wrong_step = |_: usize, frame: &Picture| frame.shifted(0, |y| 4 * y);
    assert_eq!(told(frames, wrong_step), [Fault::Torn]);
}

/// Returns the share of pictures with each fault.
fn shares(pictures: &[Picture], fault: impl Fn(&Picture) -> Picture) -> [f64; 6] {
    let mut eye = Eye::new();
    let mut counts = [0.0; 6];
    for picture in pictures {
        let faults = eye.look(&fault(picture)).faults(&Settings::default());
        for (count, fault) in counts.iter_mut().zip(Fault::ALL) {
            *count += f64::from(u8::from(faults.contains(fault))) / pictures.len() as f64;
        }
    }
    counts
}

#[test]
fn single_pictures_seldom_look_faulty_and_faulty_ones_do() {
    let test = "single_pictures_seldom_look_faulty_and_faulty_ones_do";
    let Some(assets) = support::asset(test, "") else {
        return;
    };
    for (folder, prefix, step) in [("images", "coco_", 1), ("train/road/images", "", 8)] {
        let pictures = pictures(assets.join(folder), prefix, step);
        assert!(pictures.len() >= 64);
        let good = shares(&pictures, Picture::clone);
        let blurred = shares(&pictures, |picture| picture.blurred(0.01))[Fault::Blurred as usize];
        let torn = shares(&pictures, |picture| {
            picture.shifted(picture.height / 2, |_| picture.width / 8)
        });
        let torn = torn[Fault::Torn as usize];
        let sheared =
            shares(&pictures, |picture| picture.shifted(0, |y| 4 * y))[Fault::Torn as usize];
        let names = Fault::ALL.map(Fault::name);
        println!(
            "{folder}: {} pictures; as they are: {names:?} {good:.3?}; blurred {blurred:.3}, torn {torn:.3}, sheared {sheared:.3}",
            pictures.len()
        );
        assert!(good.iter().all(|&share| share < 0.06), "{folder}: {good:?}");
        assert!(
            blurred > 0.9 && torn > 0.2 && sheared > 0.8,
            "{folder}: {blurred} {torn} {sheared}"
        );
    }
}
