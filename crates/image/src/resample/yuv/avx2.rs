//! The loops over pixels with AVX2.

#![expect(unsafe_code, reason = "AVX2 intrinsics")]

use std::arch::x86_64::*;

use super::taps::Tap;
use super::{Colours, GROUP, Kernel, NO_COLOUR, ONE};
use crate::planes::Levels;

/// The number of bytes that a window has.
const WINDOW: usize = 16;

/// Returns `None` if the processor lacks AVX2 or FMA.
pub fn kernel() -> Option<Box<dyn Kernel>> {
    let supported = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    supported.then(|| Box::new(Avx2::default()) as Box<dyn Kernel>)
}

/// Only [`kernel`] makes one.
#[derive(Default)]
struct Avx2 {
    /// Of luma and chroma.
    columns: [Columns; 2],
}

/// Tables for the groups of a row.
#[derive(Default)]
struct Columns {
    /// The number of windows of a group's half: 1, 2, 4 or 8, each for as many pixels as are left.
    windows_per_half: usize,
    /// Of group after group.
    windows: Vec<Window>,
    /// The weights of the second samples, by group.
    parts: Vec<[i16; GROUP]>,
    /// The number of bytes of a row that are read.
    reach: usize,
}

/// Sixteen bytes for each half of a group, and the pixels of the half that they are for.
#[derive(Clone)]
struct Window {
    starts: [usize; 2],
    /// The position of each pixel's two samples in the window, two bytes per pixel. A high bit
    /// means zero.
    samples: [[u8; 2 * GROUP]; 2],
}

impl Columns {
    /// `taps` are at least one; if there are fewer than a group's, the last one is repeated.
    fn set(&mut self, taps: &[Tap], stride: usize) {
        let last = taps.iter().map(|tap| tap.lines[1]).max().unwrap_or(0);
        self.reach = (last * stride + 1).max(WINDOW);
        // a window ends within the row
        let start = |tap: &Tap| (tap.lines[0] * stride).min(self.reach - WINDOW);
        let fits = |pixels: usize| {
            let halves = taps.chunks(GROUP / 2);
            let mut windows = halves.flat_map(|half| half.chunks(pixels));
            windows.all(|taps| {
                let start = start(&taps[0]);
                taps.iter()
                    .all(|tap| tap.lines[1] * stride < start + WINDOW)
            })
        };
        // one pixel always fits
        let pixels = [8, 4, 2].into_iter().find(|&pixels| fits(pixels));
        let pixels = pixels.unwrap_or(1);
        self.windows_per_half = GROUP / 2 / pixels;
        self.windows.clear();
        self.parts.clear();
        for group in taps.chunks(GROUP) {
            let tap = |index: usize| &group[index.min(group.len() - 1)];
            self.parts
                .push(std::array::from_fn(|index| tap(index).part));
            for first in (0..GROUP / 2).step_by(pixels) {
                let halves = [first, GROUP / 2 + first];
                let starts = halves.map(|index| start(tap(index)));
                let mut samples = [[0x80; 2 * GROUP]; 2];
                for (index, start) in halves.into_iter().zip(starts) {
                    for pixel in index..index + pixels {
                        for (samples, line) in samples.iter_mut().zip(tap(pixel).lines) {
                            // below 16, since the window has the sample
                            samples[2 * pixel] = (line * stride - start) as u8;
                        }
                    }
                }
                self.windows.push(Window { starts, samples });
            }
        }
    }
}

impl Kernel for Avx2 {
    fn set_columns(&mut self, component: usize, taps: &[Tap], stride: usize) {
        self.columns[component].set(taps, stride);
    }

    fn narrow(&self, component: usize, row: &[u8], black: u8, out: &mut [i16]) {
        let columns = &self.columns[component];
        // SAFETY: the processor has AVX2, otherwise `kernel` returns `None`.
        unsafe {
            match columns.windows_per_half {
                1 => narrow::<1>(row, columns, black, out),
                2 => narrow::<2>(row, columns, black, out),
                4 => narrow::<4>(row, columns, black, out),
                _ => narrow::<8>(row, columns, black, out),
            }
        }
    }

    fn merge(
        &self,
        rows: [[&[i16]; 2]; 3],
        parts: [i16; 2],
        colours: &Colours,
        levels: &Levels,
        out: [&mut [f32]; 3],
    ) {
        // SAFETY: the processor has AVX2 and FMA, otherwise `kernel` returns `None`.
        unsafe { merge(rows, parts, colours, levels, out) }
    }
}

// The loops have no closures that other functions call, such as those of `array::map`: a function
// without AVX2 cannot inline them, and passes vectors through memory.

/// Resizes a row, with `WINDOWS` windows for each half of a group.
#[target_feature(enable = "avx2")]
fn narrow<const WINDOWS: usize>(row: &[u8], columns: &Columns, black: u8, out: &mut [i16]) {
    // the bits of a byte: the instruction takes them as unsigned
    let black = _mm256_set1_epi8(black as i8);
    let row = &row[..columns.reach];
    let groups = columns.windows.chunks_exact(WINDOWS).zip(&columns.parts);
    for ((windows, parts), out) in groups.zip(out.chunks_exact_mut(GROUP)) {
        let (mut first, mut second) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for window in windows {
            let half = |start: usize| {
                // SAFETY: a window ends before `reach`.
                unsafe { _mm_loadu_si128(row.as_ptr().add(start).cast()) }
            };
            let bytes = _mm256_set_m128i(half(window.starts[1]), half(window.starts[0]));
            let bytes = _mm256_subs_epu8(bytes, black);
            let of_pixels = |samples: &[u8; 2 * GROUP]| {
                // SAFETY: the array has the 32 bytes that are loaded.
                let samples = unsafe { _mm256_loadu_si256(samples.as_ptr().cast()) };
                _mm256_shuffle_epi8(bytes, samples)
            };
            first = _mm256_or_si256(first, of_pixels(&window.samples[0]));
            second = _mm256_or_si256(second, of_pixels(&window.samples[1]));
        }
        // SAFETY: the array has the 32 bytes that are loaded.
        let part = unsafe { _mm256_loadu_si256(parts.as_ptr().cast()) };
        let (first, second) = (
            _mm256_slli_epi16::<6>(first),
            _mm256_slli_epi16::<6>(second),
        );
        // SAFETY: `out` has the 32 bytes that are stored.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), between(first, second, part)) };
    }
}

/// Merges two rows of each component into one row of each of the tensor's planes.
#[target_feature(enable = "avx2,fma")]
fn merge(
    rows: [[&[i16]; 2]; 3],
    [luma_part, chroma_part]: [i16; 2],
    colours: &Colours,
    levels: &Levels,
    out: [&mut [f32]; 3],
) {
    let columns = out[0].len();
    let groups = columns.div_ceil(GROUP);
    let rows = rows.map(|rows| rows.map(|row| &row[..GROUP * groups]));
    let (luma_part, chroma_part) = (_mm256_set1_epi16(luma_part), _mm256_set1_epi16(chroma_part));
    let luma = _mm256_set1_epi16(colours.luma);
    let (blue, red) = (
        _mm256_set1_epi16(colours.blue),
        _mm256_set1_epi16(colours.red),
    );
    let green_of_blue = _mm256_set1_epi16(colours.green[0]);
    let green_of_red = _mm256_set1_epi16(colours.green[1]);
    let none = _mm256_set1_epi16(NO_COLOUR);
    let (half, most) = (_mm256_set1_epi16(ONE / 2), _mm256_set1_epi16(255));
    let [blue_plane, green_plane, red_plane] = out;
    let value = |rows: [&[i16]; 2], group: usize, part: __m256i| {
        let upper = rows[0][GROUP * group..][..GROUP].as_ptr();
        let lower = rows[1][GROUP * group..][..GROUP].as_ptr();
        // SAFETY: the slices have the 16 values that are loaded.
        let (upper, lower) = unsafe {
            let load = |row: *const i16| _mm256_loadu_si256(row.cast());
            (load(upper), load(lower))
        };
        between(upper, lower, part)
    };
    let level = |y: __m256i, colour: __m256i| {
        let level = _mm256_adds_epi16(_mm256_adds_epi16(y, colour), half);
        let level = _mm256_srai_epi16::<6>(level);
        _mm256_min_epi16(_mm256_max_epi16(level, _mm256_setzero_si256()), most)
    };
    // 2 times and a fraction
    let twice = |chroma: __m256i, rest: __m256i| {
        let twice = _mm256_add_epi16(chroma, chroma);
        _mm256_add_epi16(twice, _mm256_mulhrs_epi16(chroma, rest))
    };
    for group in 0..groups {
        let y = value(rows[0], group, luma_part);
        let y = _mm256_add_epi16(y, _mm256_mulhrs_epi16(y, luma));
        let cb = _mm256_sub_epi16(value(rows[1], group, chroma_part), none);
        let cr = _mm256_sub_epi16(value(rows[2], group, chroma_part), none);
        let green = _mm256_add_epi16(
            _mm256_mulhrs_epi16(cb, green_of_blue),
            _mm256_mulhrs_epi16(cr, green_of_red),
        );
        let at = GROUP * group;
        store(level(y, twice(cb, blue)), 0, levels, &mut blue_plane[at..]);
        store(level(y, green), 1, levels, &mut green_plane[at..]);
        store(level(y, twice(cr, red)), 2, levels, &mut red_plane[at..]);
    }
}

/// Writes the values of a channel's levels to `plane`, as far as it goes.
#[target_feature(enable = "avx2,fma")]
fn store(channel_levels: __m256i, channel: usize, levels: &Levels, plane: &mut [f32]) {
    let scale = _mm256_set1_ps(levels.scales[channel]);
    let offset = _mm256_set1_ps(levels.offsets[channel]);
    let value = |levels: __m128i| {
        let levels = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(levels));
        _mm256_fmadd_ps(levels, scale, offset)
    };
    let low = value(_mm256_castsi256_si128(channel_levels));
    let high = value(_mm256_extracti128_si256::<1>(channel_levels));
    let write = |out: &mut [f32; GROUP]| {
        // SAFETY: the array has the 16 values that are stored.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), low);
            _mm256_storeu_ps(out.as_mut_ptr().add(GROUP / 2), high);
        }
    };
    if let Some(group) = plane.first_chunk_mut() {
        write(group);
    } else {
        let mut group = [0.0; GROUP];
        write(&mut group);
        plane.copy_from_slice(&group[..plane.len()]);
    }
}

/// Returns the values between `first` and `second`, `part` of 15 bits behind the first.
#[target_feature(enable = "avx2")]
fn between(first: __m256i, second: __m256i, part: __m256i) -> __m256i {
    let difference = _mm256_sub_epi16(second, first);
    _mm256_add_epi16(first, _mm256_mulhrs_epi16(difference, part))
}
