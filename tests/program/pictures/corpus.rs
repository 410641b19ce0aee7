//! Pictures in every format and encoding, made here.

use opencv::core::{CV_8UC1, CV_8UC3, CV_16UC1, Mat, MatTraitConst, Vector};
use opencv::imgcodecs;
use opencv::imgproc;
use opencv::prelude::VectorToVec;
use turbojpeg::{Colorspace, Compressor, Image, PixelFormat, Subsamp};

use shuffledet_image::bgr::BgrView;
use shuffledet_msg::{CompressedImageView, HeaderView};

/// Noise over a gradient, so that each picture and each place in it differ.
pub fn pixels(width: usize, height: usize, channels: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let count = width * height * channels;
    (0..count)
        .map(|index| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let gradient = index * 200 / count;
            gradient as u8 + (state >> 27) as u8
        })
        .collect()
}

pub fn mat(width: usize, height: usize, seed: u32) -> Mat {
    let bgr = pixels(width, height, 3, seed);
    let view = BgrView::new(width as u32, height as u32, 3 * width, &bgr).unwrap();
    let mut mat = Mat::default();
    view.to_mat().unwrap().copy_to(&mut mat).unwrap();
    mat
}

/// `picture` as OpenCV writes it; `None` where it does not write that format.
pub fn encoded(extension: &str, picture: &Mat, parameters: &[i32]) -> Option<Vec<u8>> {
    // smaller ones have too few pixels for the wavelets: OpenCV fails, and leaves its temporary file
    let is_too_small = extension == ".jp2" && picture.rows().min(picture.cols()) < 32;
    if is_too_small || !imgcodecs::have_image_writer(extension).unwrap() {
        return None;
    }
    let mut file = Vector::new();
    let parameters = Vector::from_slice(parameters);
    let written = imgcodecs::imencode(extension, picture, &mut file, &parameters);
    matches!(written, Ok(true)).then(|| file.to_vec())
}

/// A JPEG of libjpeg-turbo's own making.
pub fn jpeg(
    width: usize,
    height: usize,
    seed: u32,
    change: impl FnOnce(&mut Compressor),
) -> Vec<u8> {
    let mut compressor = Compressor::new().unwrap();
    change(&mut compressor);
    compressor
        .compress_to_vec(Image {
            pixels: pixels(width, height, 3, seed).as_slice(),
            width,
            pitch: 3 * width,
            height,
            format: PixelFormat::BGR,
        })
        .unwrap()
}

/// One in printing colours.
pub fn printed_jpeg(width: usize, height: usize, seed: u32) -> Vec<u8> {
    let mut compressor = Compressor::new().unwrap();
    compressor.set_subsamp(Subsamp::None).unwrap();
    compressor
        .compress_to_vec(Image {
            pixels: pixels(width, height, 4, seed).as_slice(),
            width,
            pitch: 4 * width,
            height,
            format: PixelFormat::CMYK,
        })
        .unwrap()
}

pub const PROGRESSIVE: [i32; 2] = [imgcodecs::IMWRITE_JPEG_PROGRESSIVE, 1];
pub const OPTIMIZED: [i32; 2] = [imgcodecs::IMWRITE_JPEG_OPTIMIZE, 1];
/// An interval of MCUs.
pub const RESTARTS: [i32; 2] = [imgcodecs::IMWRITE_JPEG_RST_INTERVAL, 2];

/// The file with an EXIF block that says how it is turned, 1 to 8.
pub fn turned(jpeg: &[u8], orientation: u8, big_endian: bool) -> Vec<u8> {
    let mut tiff = match big_endian {
        true => b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec(),
        false => b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec(),
    };
    tiff.extend(match big_endian {
        true => [orientation, 0, 0],
        false => [orientation, 0, 0],
    });
    tiff.extend([0; 5]);
    let length = 2 + 6 + tiff.len() as u16;
    let mut file = jpeg[..2].to_vec();
    file.extend([0xff, 0xe1]);
    file.extend(length.to_be_bytes());
    file.extend(b"Exif\0\0");
    file.extend(tiff);
    file.extend(&jpeg[2..]);
    file
}

/// The file with another length of one of its Huffman codes, so that its data has another meaning.
pub fn with_damaged_table(file: &[u8]) -> Vec<u8> {
    // the marker and length of a table, and its class and number: the first of AC coefficients
    let is_ac_table = |bytes: &[u8]| bytes[..2] == [0xff, 0xc4] && bytes[4] == 0x10;
    let at = file.windows(5).position(is_ac_table).unwrap();
    let mut damaged = file.to_vec();
    // how many codes have 1, 2, 3, ... bits
    let counts = &mut damaged[at + 5..][..16];
    let moved = (1..16).find(|&bits| counts[bits] > 1).unwrap();
    counts[moved] -= 1;
    counts[15] += 1;
    damaged
}

pub fn grey(picture: &Mat) -> Mat {
    let mut grey = Mat::default();
    imgproc::cvt_color_def(picture, &mut grey, imgproc::COLOR_BGR2GRAY).unwrap();
    grey
}

/// Whole files of every kind, each with its name.
pub fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    // sizes that recur, and some of their own: buffers are used again, grow and shrink
    let sizes = [
        (1, 1),
        (3, 2),
        (8, 8),
        (17, 33),
        (33, 17),
        (40, 24),
        (48, 48),
    ];
    for (index, (width, height)) in sizes.into_iter().enumerate() {
        let mut seed = 100 * index as u32;
        let mut add = |kind: &str, file: Option<Vec<u8>>| {
            files.extend(file.map(|file| (format!("{kind} {width}x{height}"), file)));
        };
        let mut made = |change: &dyn Fn(&mut Compressor)| {
            seed += 1;
            jpeg(width, height, seed, change)
        };
        for (kind, subsamp) in [
            ("4:4:4", Subsamp::None),
            ("4:2:2", Subsamp::Sub2x1),
            ("4:2:0", Subsamp::Sub2x2),
            ("4:4:0", Subsamp::Sub1x2),
            ("grey", Subsamp::Gray),
        ] {
            add(kind, Some(made(&|c| c.set_subsamp(subsamp).unwrap())));
        }
        let rough = made(&|c| c.set_quality(5).unwrap());
        for orientation in [1, 3, 6, 8] {
            let file = turned(&rough, orientation, orientation == 3);
            add(&format!("EXIF {orientation}"), Some(file));
        }
        add(
            "colours of the screen",
            Some(made(&|c| c.set_colorspace(Colorspace::RGB).unwrap())),
        );
        add("rough", Some(rough));
        add("printed", Some(printed_jpeg(width, height, seed)));
        let picture = mat(width, height, seed);
        add("progressive", encoded(".jpg", &picture, &PROGRESSIVE));
        add("optimized", encoded(".jpg", &picture, &OPTIMIZED));
        add("restarts", encoded(".jpg", &picture, &RESTARTS));
        add("PNG", encoded(".png", &picture, &[]));
        add("grey PNG", encoded(".png", &grey(&picture), &[]));
        let bilevel = [imgcodecs::IMWRITE_PNG_BILEVEL, 1];
        add("PNG of one bit", encoded(".png", &grey(&picture), &bilevel));
        let deep = Mat::new_rows_cols_with_default(
            height as i32,
            width as i32,
            CV_16UC1,
            opencv::core::Scalar::all(700.0 * f64::from(seed)),
        );
        add("PNG of 16 bits", encoded(".png", &deep.unwrap(), &[]));
        for extension in [".bmp", ".webp", ".tiff", ".ppm", ".gif", ".jp2", ".avif"] {
            add(extension, encoded(extension, &picture, &[]));
        }
    }
    files.push(("text".to_owned(), b"no picture".to_vec()));
    files.push(("GIF that is none".to_owned(), b"GIF89a and so on".to_vec()));
    files.push(("nothing".to_owned(), Vec::new()));
    files
}

pub fn compressed_message(file: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    CompressedImageView {
        header: HeaderView::default(),
        format: "",
        data: file,
    }
    .write(&mut message)
    .unwrap();
    message
}

/// A picture of one colour.
pub fn uniform(width: i32, height: i32, channels: i32, level: f64) -> Mat {
    let typ = if channels == 1 { CV_8UC1 } else { CV_8UC3 };
    Mat::new_rows_cols_with_default(height, width, typ, opencv::core::Scalar::all(level)).unwrap()
}
