//! Formats by their content: what this OpenCV reads is read everywhere, what it does not read is named.

use std::fs;
use std::path::PathBuf;

use opencv::core::{MatTraitConstManual, Vector};
use opencv::imgcodecs;
use tempfile::tempdir;

use shuffledet_image::file_format::readable;
use shuffledet_image::{FileFormat, ImageDecoder};
use shuffledet_msg::{CompressedImageView, HeaderView};

use crate::pictures::corpus::{encoded, grey, mat, uniform};
use crate::pictures::program::{Ended, ends, shuffledet};

#[test]
fn a_message_in_any_format_that_opencv_reads_is_a_picture() {
    let picture = mat(40, 24, 7);
    let mut decoder = ImageDecoder::new();
    for extension in [
        ".bmp", ".webp", ".tiff", ".ppm", ".jp2", ".png", ".jpg", ".gif", ".avif",
    ] {
        let Some(file) = encoded(extension, &picture, &[]) else {
            continue;
        };
        let image = CompressedImageView {
            header: HeaderView::default(),
            // whatever it says
            format: "rgb8; jpeg compressed bgr8",
            data: &file,
        };
        let seen = decoder.decode_compressed(&image).unwrap().data().to_vec();
        let file = Vector::from_slice(&file);
        let expected = imgcodecs::imdecode(&file, imgcodecs::IMREAD_COLOR).unwrap();
        assert!(seen == expected.data_bytes().unwrap(), "{extension}");
    }
}

#[test]
fn whole_files_of_a_format_that_is_not_read_are_not_called_damaged() {
    let starts: [(FileFormat, &[u8]); 6] = [
        (
            FileFormat::Avif,
            b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf\0\0\0\x08free",
        ),
        (
            FileFormat::Heif,
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08free",
        ),
        (FileFormat::Gif, b"GIF89a\x01\0\x01\0\0\0\0;"),
        (FileFormat::JpegXl, b"\xff\x0a\xfa\x1f\x01\x00\x00\x00"),
        (FileFormat::OpenExr, b"\x76\x2f\x31\x01\x02\0\0\0"),
        (FileFormat::WebP, b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0"),
    ];
    let mut decoder = ImageDecoder::new();
    for (format, file) in starts {
        let error = decoder.decode_file(file).unwrap_err();
        let told = error.to_string();
        if readable().contains(&format) {
            assert_eq!(error.reason(), "damaged_image", "{format}: {told}");
        } else {
            assert_eq!(error.reason(), "unknown_format", "{format}: {told}");
            assert!(told.contains(&format!(
                "image is {format}, which this OpenCV does not read"
            )));
            assert!(told.contains("it reads JPEG, PNG, BMP"), "{told}");
        }
    }
    let error = decoder.decode_file(b"what is this").unwrap_err();
    assert_eq!(error.reason(), "unknown_format");
    let told = error.to_string();
    assert!(
        told.contains("format is not recognised") && told.contains("77, 68, 61, 74"),
        "{told}"
    );
}

#[test]
fn a_png_of_one_colour_is_no_lie() {
    let bilevel = [imgcodecs::IMWRITE_PNG_BILEVEL, 1];
    for compression in [1, 9] {
        for (width, height) in [(640, 480), (1920, 1080), (4000, 3000)] {
            for level in [0.0, 255.0] {
                let colour = uniform(width, height, 3, level);
                let grey = grey(&colour);
                for (picture, bits) in [(&colour, &[][..]), (&grey, &[]), (&grey, &bilevel)] {
                    let compression = [imgcodecs::IMWRITE_PNG_COMPRESSION, compression];
                    let file = encoded(".png", picture, &[&compression, bits].concat()).unwrap();
                    let mut decoder = ImageDecoder::new();
                    let seen = decoder.decode_file(&file).unwrap();
                    assert_eq!((seen.width() as i32, seen.height() as i32), (width, height));
                    assert!(seen.data().iter().all(|&pixel| f64::from(pixel) == level));
                }
            }
        }
    }
}

#[test]
fn import_takes_images_by_content_and_names_those_that_are_not_read() {
    let folder = tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    let picture = mat(40, 24, 7);
    let jpeg = encoded(".jpg", &picture, &[]).unwrap();
    // without an ending, under a wrong one, without an end marker, in other formats
    fs::write(images.join("0001"), &jpeg).unwrap();
    fs::write(images.join("0002.png"), &jpeg).unwrap();
    fs::write(images.join("0003.jpg"), &jpeg[..jpeg.len() - 2]).unwrap();
    fs::write(
        images.join("0004.bmp"),
        encoded(".bmp", &picture, &[]).unwrap(),
    )
    .unwrap();
    fs::write(
        images.join("0005.ppm"),
        encoded(".ppm", &picture, &[]).unwrap(),
    )
    .unwrap();
    fs::write(images.join("notes.txt"), "what this is").unwrap();
    let bag = folder.path().join("bag");
    let import = |code| {
        let mut command = shuffledet("import");
        command
            .arg(&images)
            .arg("--output")
            .arg(&bag)
            .arg("--force");
        ends(&mut command, code)
    };
    let ended = import(0);
    assert!(ended.stdout.contains("5 messages"), "{ended:?}");
    // a name with an ending of images is an image, whatever is in it
    fs::write(
        images.join("0006.heic"),
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    )
    .unwrap();
    let ended = import(2);
    assert!(ended.stdout.contains("5 messages") && ended.stdout.contains("1 image left out"));
    assert!(
        ended.stderr.contains("0006.heic") && ended.stderr.contains("does not read"),
        "{ended:?}"
    );
}

#[test]
fn the_formats_that_are_read_are_those_that_opencv_reads_back() {
    for (format, extension) in [(FileFormat::WebP, ".webp"), (FileFormat::Bmp, ".bmp")] {
        let file = encoded(extension, &mat(8, 8, 1), &[]);
        assert_eq!(format.is_readable(), file.is_some(), "{format}");
    }
}

#[test]
fn pictures_that_opencv_reads_from_files_were_written_to_tmp() {
    let folder = tempdir().unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let changed = || fs::metadata(&temporary).unwrap().modified().unwrap();
    let before = changed();
    let (mut whole, mut damaged) = (Vec::new(), Vec::new());
    for format in readable() {
        let Some(sample) = format.sample() else {
            continue;
        };
        let path = |kind| folder.path().join(format!("{kind} {format}"));
        fs::write(path("whole"), sample).unwrap();
        fs::write(path("cut"), &sample[..sample.len() * 2 / 3]).unwrap();
        // in most formats, a size beyond OpenCV's own limit
        let mut huge = sample.to_vec();
        let middle = sample.len().min(60) / 2;
        huge[4..middle].fill(0x7f);
        fs::write(path("huge"), huge).unwrap();
        whole.push(path("whole"));
        damaged.extend([path("cut"), path("huge")]);
    }
    assert!(whole.len() > 6, "{whole:?}");
    let detect = |files: &[PathBuf]| {
        let mut program = shuffledet("detect");
        program.args(["--model", "road"]).args(files);
        program.env("OPENCV_TEMP_PATH", &temporary);
        Ended::from(program.output().unwrap())
    };
    let ended = detect(&whole);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = detect(&damaged);
    assert_ne!(ended.code, Some(0), "{ended:?}");
    // a file that came and went would change it, too
    assert_eq!(changed(), before);
}
