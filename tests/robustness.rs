//! Whatever bytes come, nothing panics, and nobody can make a decoder reserve more than its message is worth.
//!
//! Allocations of this process are counted. OpenCV's own pixels are not among them (C++ has an allocator of its own):
//! for them the rule that refuses sizes that the bytes cannot hold is checked.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use opencv::core::{CV_8UC3, Mat, Scalar, Vector};
use opencv::imgcodecs::imencode_def;
use proptest::prelude::*;
use proptest::sample::Index;

use shuffledet_detector::config::Config;
use shuffledet_image::ImageDecoder;
use shuffledet_image::encoding::SUPPORTED;
use shuffledet_msg::{Carries, CompressedImageView, HeaderView, ImageView};
use shuffledet_targets::messages::FOREIGN;

/// The system's allocator, which keeps count by thread: tests that run at the same time do not see each other.
struct Counting;

thread_local! {
    static IN_USE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let in_use = IN_USE.get() + change;
    IN_USE.set(in_use);
    PEAK.set(PEAK.get().max(in_use));
}

// SAFETY: every call goes to the system's allocator as it came; counting touches constant-initialised cells without
// destructors, which allocate nothing themselves.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `pointer` is of the system's allocator, by the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `work` had in use at a time, beyond those before it.
fn peak_of(work: impl FnOnce()) -> usize {
    let before = IN_USE.get();
    PEAK.set(before);
    work();
    (PEAK.get() - before).unsigned_abs()
}

/// Bytes that a message may cost whatever its size: error texts, a decoder's fixed buffers.
const FIXED: usize = 64 << 10;

fn encoding() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => prop::sample::select(SUPPORTED.as_slice()).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

/// Mostly sides that fit a small message, some that fit nothing.
fn side() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..40u32, 1 => any::<u32>(), 1 => Just(u32::MAX / 2)]
}

/// A message with an image of 48x40 pixels, in the format of `extension`.
fn compressed(extension: &str) -> Vec<u8> {
    let picture =
        Mat::new_rows_cols_with_default(40, 48, CV_8UC3, Scalar::new(9.0, 90.0, 200.0, 0.0));
    let mut file = Vector::new();
    imencode_def(extension, &picture.unwrap(), &mut file).unwrap();
    let (header, data) = (HeaderView::default(), file.as_slice());
    let mut message = Vec::new();
    CompressedImageView {
        header,
        format: "",
        data,
    }
    .write(&mut message)
    .unwrap();
    message
}

/// Takes a message that may be anything through the decoder, twice as if by either topic type.
fn decode(message: &[u8]) {
    let mut decoder = ImageDecoder::new();
    if let Ok(image) = ImageView::parse(message) {
        let _ = decoder.decode_raw(&image);
    }
    if let Ok(image) = CompressedImageView::parse(message) {
        let _ = decoder.decode_compressed(&image);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_raw_image_of_any_geometry_is_a_picture_of_that_size_or_an_error(
        encoding in encoding(), (width, height, step) in (side(), side(), side()), is_bigendian: bool,
        data in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let header = HeaderView::default();
        let image = ImageView { header, height, width, encoding: &encoding, is_bigendian, step, data: &data };
        let mut decoder = ImageDecoder::new();
        let mut size = None;
        let peak = peak_of(|| {
            size = decoder.decode_raw(&image).ok().map(|picture| (picture.width(), picture.height()));
        });
        prop_assert!(peak <= FIXED + 4 * data.len(), "{} bytes for {}", peak, data.len());
        if let Some(size) = size {
            prop_assert_eq!(size, (width, height));
            // a picture has at least half a byte of the message for each of its pixels; OpenCV reserves no more
            prop_assert!(u64::from(width) * u64::from(height) <= 2 * data.len() as u64);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(message in prop::collection::vec(any::<u8>(), 0..400)) {
        let peak = peak_of(|| decode(&message));
        prop_assert!(peak <= FIXED, "{}", peak);
    }

    #[test]
    fn a_changed_jpeg_or_png_is_decoded_or_refused(
        png: bool, changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..8), cut: Option<Index>,
    ) {
        let mut message = compressed(if png { ".png" } else { ".jpg" });
        for (at, byte) in changes {
            let at = at.index(message.len());
            message[at] = byte;
        }
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len()));
        }
        let peak = peak_of(|| decode(&message));
        // as dense as a picture may be: see DECODED_BYTES_PER_BYTE
        prop_assert!(peak <= FIXED + 2048 * message.len(), "{} bytes for {}", peak, message.len());
    }

    #[test]
    fn any_image_of_another_tool_is_converted_or_refused(
        which in 0..FOREIGN.len(), changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6), cut: Option<Index>,
    ) {
        let (type_name, serialization, message) = FOREIGN[which];
        let mut message = message.to_vec();
        for (at, byte) in changes {
            let at = at.index(message.len());
            message[at] = byte;
        }
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len()));
        }
        let Carries::Images(form) = Carries::by_type(type_name, serialization) else {
            panic!("{type_name} is an image");
        };
        let mut cdr = Vec::new();
        let peak = peak_of(|| drop(form.to_cdr(&message, &mut cdr)));
        prop_assert!(peak <= FIXED, "{} bytes for {}", peak, message.len());
    }

    #[test]
    fn any_parameters_are_taken_or_refused(yaml in "\\PC{0,200}", assignment in "\\PC{0,60}") {
        let _ = Config::load(None, None, &[assignment]);
        load(&yaml);
    }

    #[test]
    fn shipped_parameters_with_changes_are_taken_or_refused(
        changes in prop::collection::vec((any::<Index>(), "[\\[\\]{}:,*&!|>'\"#%@`0-9a-z\n -]{1,4}"), 1..6),
    ) {
        let mut yaml = include_str!("../config/shuffledet.yaml").to_owned();
        for (at, text) in changes {
            let at = at.index(yaml.len());
            yaml.insert_str(yaml.floor_char_boundary(at), &text);
        }
        load(&yaml);
    }
}

#[test]
fn the_images_of_other_tools_that_are_changed_here_are_right() {
    for (type_name, serialization, message) in FOREIGN {
        let Carries::Images(form) = Carries::by_type(type_name, serialization) else {
            panic!("{type_name} is an image");
        };
        let mut cdr = Vec::new();
        form.to_cdr(message, &mut cdr).unwrap();
        let header = HeaderView::parse_first(&cdr).unwrap();
        assert_eq!(
            (header.stamp.to_ns(), header.frame_id),
            (5_000_000_006, "c")
        );
    }
}

fn load(yaml: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), yaml).unwrap();
    let _ = Config::load(Some(file.path()), None, &[]);
}

#[test]
fn a_small_file_that_claims_a_huge_picture_is_refused_before_it_is_decoded() {
    for (extension, sides) in [(".png", [0x10, 0x14]), (".jpg", [0, 2])] {
        let message = compressed(extension);
        let mut file = CompressedImageView::parse(&message).unwrap().data.to_vec();
        if extension == ".png" {
            // width and height of the header chunk; its CRC would be checked later
            for at in sides {
                file[at..at + 4].copy_from_slice(&30_000u32.to_be_bytes());
            }
        } else {
            // height and width of the baseline frame header
            let frame = file.windows(2).position(|two| two == [0xff, 0xc0]).unwrap() + 5;
            for at in sides {
                file[frame + at..frame + at + 2].copy_from_slice(&30_000u16.to_be_bytes());
            }
        }
        let mut decoder = ImageDecoder::new();
        let mut told = String::new();
        let peak = peak_of(|| told = decoder.decode_file(&file).unwrap_err().to_string());
        assert!(
            told.contains("30000x30000 pixels: expected at most 64000000"),
            "{extension}: {told}"
        );
        assert!(peak < FIXED, "{extension}: {peak}");
    }
}
