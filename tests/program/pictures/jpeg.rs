//! JPEG as cameras send it: what is whole is decoded, what lacks data is not.

use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Vector};
use opencv::imgcodecs;

use shuffledet_image::{ImageDecoder, JpegScale};
use turbojpeg::Subsamp;

use crate::pictures::corpus::{
    OPTIMIZED, PROGRESSIVE, RESTARTS, encoded, grey, jpeg, mat, printed_jpeg, turned, uniform,
};

const SIZE: (usize, usize) = (72, 56);

/// Width, height and pixels, or why there are none.
fn decode(file: &[u8]) -> Result<(u32, u32, Vec<u8>), String> {
    let mut decoder = ImageDecoder::new();
    let picture = decoder
        .decode_file(file)
        .map_err(|error| error.to_string())?;
    Ok((picture.width(), picture.height(), picture.data().to_vec()))
}

fn opencv(file: &[u8]) -> Mat {
    imgcodecs::imdecode(&Vector::from_slice(file), imgcodecs::IMREAD_COLOR).unwrap()
}

/// JPEGs of every process, each with its name.
fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let (width, height) = SIZE;
    let subsampled = |subsamp| jpeg(width, height, 3, |c| c.set_subsamp(subsamp).unwrap());
    let picture = mat(width, height, 3);
    let written = |parameters: &[i32]| encoded(".jpg", &picture, parameters).unwrap();
    vec![
        ("4:2:0", subsampled(Subsamp::Sub2x2)),
        ("4:4:4", subsampled(Subsamp::None)),
        ("grey", subsampled(Subsamp::Gray)),
        ("progressive", written(&PROGRESSIVE)),
        ("optimized", written(&OPTIMIZED)),
        ("restarts", written(&RESTARTS)),
        (
            "progressive, grey",
            encoded(".jpg", &grey(&picture), &PROGRESSIVE).unwrap(),
        ),
        ("printed", printed_jpeg(width, height, 3)),
        ("EXIF", turned(&subsampled(Subsamp::Sub2x2), 6, false)),
    ]
}

/// Where the data of the last scan begins.
fn last_scan(file: &[u8]) -> usize {
    file.windows(2)
        .rposition(|two| two == [0xff, 0xda])
        .unwrap()
        + 14
}

fn with_end(file: &[u8], end: &[u8]) -> Vec<u8> {
    [&file[..file.len() - 2], end].concat()
}

#[test]
fn a_jpeg_without_its_end_marker_is_whole() {
    for (kind, file) in kinds() {
        let whole = decode(&file).unwrap();
        for end in [
            &b""[..],
            b"\xff",
            b"\0",
            &[0; 5000],
            b"\xff\xff\xff\xff",
            b"\xff\xd9\0\0\0\0",
            b"\xff\xd9 and what a buffer held before",
            b"\xff\xd9\xff\xd8\xff\xe0 the next picture",
            b"\xff\xd8\xff\xe0 the next picture, without an end marker between",
            b"\xff\xff\xd9",
        ] {
            assert!(
                decode(&with_end(&file, end)).as_ref() == Ok(&whole),
                "{kind}, {end:02x?}"
            );
        }
    }
}

#[test]
fn a_jpeg_whose_picture_lacks_data_is_damaged() {
    for (kind, file) in kinds() {
        let data = last_scan(&file);
        let cuts = (data..file.len() - 5).step_by(7);
        for cut in cuts.chain([file.len() / 2, data - 20]) {
            for end in [
                &b""[..],
                b"\xff\xd9",
                &[0; 30],
                b"\xff",
                b"\xff\xff\xff\xff",
            ] {
                // one zero byte may be data: of a flat picture it is its last blocks of colour
                if end.len() > 9 && cut + 100 > file.len() {
                    continue;
                }
                let cut_file = [&file[..cut], end].concat();
                let told = match decode(&cut_file) {
                    Ok(_) => panic!("{kind}: cut at {cut} of {}, then {end:02x?}", file.len()),
                    Err(told) => told,
                };
                assert!(told.starts_with("damaged JPEG: "), "{kind}, {cut}: {told}");
            }
        }
    }
}

#[test]
fn a_progressive_jpeg_without_its_last_scan_is_damaged() {
    let (width, height) = SIZE;
    let file = encoded(".jpg", &mat(width, height, 3), &PROGRESSIVE).unwrap();
    let mut scans = file
        .windows(2)
        .enumerate()
        .filter(|(_, two)| *two == [0xff, 0xda]);
    let mut last_tables = file[..scans.next_back().unwrap().0].windows(2);
    let cut = last_tables.rposition(|two| two == [0xff, 0xc4]).unwrap();
    let told = decode(&file[..cut]).unwrap_err();
    assert!(told.contains("it ends before its last scan"), "{told}");
}

#[test]
fn stray_bytes_between_segments_are_forgiven_and_hide_nothing() {
    for (kind, file) in kinds() {
        let whole = decode(&file).unwrap();
        for marker in [0xdb, 0xc4, 0xda] {
            let at = file
                .windows(2)
                .position(|two| two == [0xff, marker])
                .unwrap();
            let mut stray = file.clone();
            stray.splice(at..at, *b"\x11\x22\x33");
            assert!(decode(&stray).as_ref() == Ok(&whole), "{kind}, {marker:x}");
            assert!(
                decode(&stray[..stray.len() - 2]).as_ref() == Ok(&whole),
                "{kind}, {marker:x}"
            );
            let cut = stray.len() - (stray.len() - last_scan(&stray)) / 2;
            for end in [&b""[..], b"\xff\xd9"] {
                let told = decode(&[&stray[..cut], end].concat()).unwrap_err();
                assert!(told.contains("damaged JPEG"), "{kind}: {told}");
            }
        }
        let before_end = with_end(&file, b"\x11\x22\x33\xff\xd9");
        assert!(decode(&before_end).as_ref() == Ok(&whole), "{kind}");
    }
}

#[test]
fn odd_application_markers_are_warnings() {
    let (width, height) = SIZE;
    let file = jpeg(width, height, 3, |_| ());
    let whole = decode(&file).unwrap();
    let with = |segment: &[u8]| {
        let mut file = file.clone();
        // after SOI and JFIF
        file.splice(20..20, segment.iter().copied());
        file
    };
    let adobe = with(b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\x07");
    assert!(decode(&adobe).as_ref() == Ok(&whole));
    let mut jfif = file.clone();
    // the major version
    jfif[11] = 7;
    assert!(decode(&jfif).as_ref() == Ok(&whole));
    let profile = with(b"\xff\xe2\x00\x10ICC_PROFILE\0\x05\x09");
    assert!(decode(&profile).as_ref() == Ok(&whole));
}

#[test]
fn a_lost_restart_interval_is_missing_data() {
    let (width, height) = SIZE;
    let file = encoded(".jpg", &mat(width, height, 3), &RESTARTS).unwrap();
    let at = |number: u8| {
        let marker = [0xff, 0xd0 + number];
        file.windows(2).position(|two| two == marker).unwrap()
    };
    let mut lost = file.clone();
    lost.drain(at(1)..at(2));
    let told = decode(&lost).unwrap_err();
    assert!(told.contains("found marker 0xd2 instead of RST1"), "{told}");
}

#[test]
fn padding_is_no_damage() {
    for (kind, file) in kinds() {
        for end in [
            &b"\0\0\0\0\0\xff\xd9"[..],
            b"\xff\xff\xff\xd9",
            b"\xff\xd9 and what a buffer held before",
        ] {
            let mut decoder = ImageDecoder::new();
            let file = with_end(&file, end);
            let damage = decoder.decode_file(&file).unwrap().damage();
            assert_eq!(damage, None, "{kind}, {end:02x?}");
        }
    }
}

#[test]
fn motion_jpeg_without_huffman_tables_uses_the_standard_ones() {
    let (width, height) = SIZE;
    let file = jpeg(width, height, 3, |_| ());
    let mut bare = file.clone();
    while let Some(at) = bare.windows(2).position(|two| two == [0xff, 0xc4]) {
        let length = usize::from(u16::from_be_bytes([bare[at + 2], bare[at + 3]]));
        bare.drain(at..at + 2 + length);
    }
    assert!(bare.len() + 400 < file.len());
    assert!(decode(&bare) == decode(&file));
    // even after a picture with tables of its own
    let mut decoder = ImageDecoder::new();
    let other = encoded(".jpg", &mat(width, height, 9), &OPTIMIZED).unwrap();
    decoder.decode_file(&other).unwrap();
    let pixels = decoder.decode_file(&bare).unwrap().data().to_vec();
    assert!(pixels == decode(&file).unwrap().2);
}

#[test]
fn a_jpeg_without_quantization_tables_does_not_use_those_of_the_one_before() {
    let (width, height) = SIZE;
    let file = jpeg(width, height, 3, |_| ());
    let mut bare = file.clone();
    while let Some(at) = bare.windows(2).position(|two| two == [0xff, 0xdb]) {
        let length = usize::from(u16::from_be_bytes([bare[at + 2], bare[at + 3]]));
        bare.drain(at..at + 2 + length);
    }
    let mut decoder = ImageDecoder::new();
    decoder.decode_file(&file).unwrap();
    let told = decoder.decode_file(&bare).unwrap_err().to_string();
    assert!(told.contains("Quantization table"), "{told}");
}

#[test]
fn an_error_speaks_of_its_own_frame() {
    let (width, height) = SIZE;
    let file = jpeg(width, height, 3, |_| ());
    let mut decoder = ImageDecoder::new();
    for length in 2..file.len().min(400) {
        decoder.decode_file(&file).unwrap();
        let told = decoder
            .decode_file(&file[..length])
            .unwrap_err()
            .to_string();
        assert!(told.starts_with("damaged JPEG: "), "{length}: {told}");
        assert!(!told.contains("72x56"), "{length}: {told}");
    }
}

#[test]
fn exif_turns_a_picture_as_opencv_does_at_every_scale() {
    let (width, height) = SIZE;
    let lying = jpeg(width, height, 3, |c| c.set_subsamp(Subsamp::None).unwrap());
    for orientation in 0..=9 {
        for big_endian in [false, true] {
            let file = turned(&lying, orientation, big_endian);
            let expected = opencv(&file);
            let mut decoder = ImageDecoder::new();
            let picture = decoder.decode_file(&file).unwrap();
            let size = (picture.width() as i32, picture.height() as i32);
            assert_eq!(size, (expected.cols(), expected.rows()), "{orientation}");
            assert!(
                picture.data() == expected.data_bytes().unwrap(),
                "{orientation}"
            );
            let image = picture.image_size();
            decoder.set_jpeg_scale(JpegScale::Quarter);
            let quarter = decoder.decode_file(&file).unwrap();
            assert_eq!(quarter.image_size(), image);
            assert_eq!(
                (quarter.width(), quarter.height()),
                (image.0 / 4, image.1 / 4)
            );
        }
    }
}

#[test]
fn printing_colours_become_what_opencv_makes_of_them() {
    let file = printed_jpeg(SIZE.0, SIZE.1, 5);
    let expected = opencv(&file);
    assert!(decode(&file).unwrap().2 == expected.data_bytes().unwrap());
}

#[test]
fn a_jpeg_of_one_colour_is_no_lie() {
    for level in [0.0, 128.0, 255.0] {
        for channels in [1, 3] {
            let picture = uniform(2000, 1500, channels, level);
            for parameters in [&[][..], &OPTIMIZED, &PROGRESSIVE] {
                let file = encoded(".jpg", &picture, parameters).unwrap();
                let (width, height, pixels) = decode(&file).unwrap();
                assert_eq!((width, height), (2000, 1500));
                assert!(pixels.iter().all(|&pixel| f64::from(pixel) == level));
            }
        }
    }
}

#[test]
fn a_progressive_jpeg_of_thousands_of_scans_is_refused() {
    let file = encoded(".jpg", &mat(16, 16, 1), &PROGRESSIVE).unwrap();
    let start = file
        .windows(2)
        .rposition(|two| two == [0xff, 0xda])
        .unwrap();
    let scan = &file[start..file.len() - 2];
    let many = [&file[..file.len() - 2], &scan.repeat(2000), b"\xff\xd9"].concat();
    let told = decode(&many).unwrap_err();
    assert!(told.contains("more than 50 scans"), "{told}");
}
