//! The loops over pixels with AVX2.

use std::arch::x86_64::*;

use super::taps::Tap;
use super::{Colours, GROUP, Kernel, NO_COLOUR, ONE};
use crate::planes::Levels;

/// The number of samples that a window has.
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
    /// The number of samples of a row that are read.
    reach: usize,
}

/// Sixteen samples for each half of a group, and the pixels of the half that they are for.
#[derive(Clone)]
struct Window {
    starts: [usize; 2],
    /// The position of each pixel's two samples in the window, two bytes per pixel. A high bit
    /// means zero.
    samples: [[u8; 2 * GROUP]; 2],
}

impl Columns {
    /// `taps` are at least one; if there are fewer than a group's, the last one is repeated.
    fn set(&mut self, taps: &[Tap]) {
        let end = taps.iter().map(|tap| tap.lines[1] + 1).max().unwrap_or(1);
        self.reach = end.max(WINDOW);
        // a window ends within the row
        let start = |tap: &Tap| tap.lines[0].min(self.reach - WINDOW);
        let fits = |pixels: usize| {
            let halves = taps.chunks(GROUP / 2);
            let mut windows = halves.flat_map(|half| half.chunks(pixels));
            windows.all(|taps| {
                let start = start(&taps[0]);
                taps.iter().all(|tap| tap.lines[1] < start + WINDOW)
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
                            samples[2 * pixel] = (line - start) as u8;
                        }
                    }
                }
                self.windows.push(Window { starts, samples });
            }
        }
    }
}

impl Kernel for Avx2 {
    fn set_columns(&mut self, component: usize, taps: &[Tap]) {
        self.columns[component].set(taps);
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

/// Resizes a row, with `WINDOWS` windows for each half of a group.
#[target_feature(enable = "avx2")]
fn narrow<const WINDOWS: usize>(row: &[u8], columns: &Columns, black: u8, out: &mut [i16]) {
    // the bits of a byte: the instruction takes them as unsigned
    let black = _mm256_set1_epi8(black as i8);
    let row = &row[..columns.reach];
    let groups = columns.windows.chunks_exact(WINDOWS).zip(&columns.parts);
    for ((windows, parts), out) in groups.zip(out.chunks_exact_mut(GROUP)) {
        let mut pair = [_mm256_setzero_si256(); 2];
        for window in windows {
            let [low, high] = window.starts.map(|start| {
                // SAFETY: a window ends before `reach`.
                unsafe { _mm_loadu_si128(row.as_ptr().add(start).cast()) }
            });
            let bytes = _mm256_subs_epu8(_mm256_set_m128i(high, low), black);
            for (values, samples) in pair.iter_mut().zip(&window.samples) {
                // SAFETY: the array has the 32 bytes that are loaded.
                let samples = unsafe { _mm256_loadu_si256(samples.as_ptr().cast()) };
                *values = _mm256_or_si256(*values, _mm256_shuffle_epi8(bytes, samples));
            }
        }
        // SAFETY: the array has the 32 bytes that are loaded.
        let part = unsafe { _mm256_loadu_si256(parts.as_ptr().cast()) };
        let [first, second] = pair.map(|levels| _mm256_slli_epi16::<6>(levels));
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
    let parts = [luma_part, chroma_part, chroma_part].map(|part| _mm256_set1_epi16(part));
    let word = |value: i16| _mm256_set1_epi16(value);
    let luma = word(colours.luma);
    let (blue, red) = (word(colours.blue), word(colours.red));
    let green = colours.green.map(word);
    let (none, half, zero, most) = (word(NO_COLOUR), word(ONE / 2), word(0), word(255));
    let scales = levels.scales.map(|scale| _mm256_set1_ps(scale));
    let offsets = levels.offsets.map(|offset| _mm256_set1_ps(offset));
    let columns = out[0].len();
    let groups = columns.div_ceil(GROUP);
    let rows = rows.map(|rows| rows.map(|row| row[..GROUP * groups].as_ptr()));
    // the levels of a group's pixels, by channel
    let levels = |group: usize| {
        let [y, cb, cr]: [__m256i; 3] = std::array::from_fn(|component| {
            let [upper, lower] = rows[component].map(|row| {
                // SAFETY: the row has this group.
                unsafe { _mm256_loadu_si256(row.add(GROUP * group).cast()) }
            });
            between(upper, lower, parts[component])
        });
        let y = _mm256_add_epi16(y, _mm256_mulhrs_epi16(y, luma));
        let (cb, cr) = (_mm256_sub_epi16(cb, none), _mm256_sub_epi16(cr, none));
        let twice = |chroma: __m256i, rest: __m256i| {
            let twice = _mm256_add_epi16(chroma, chroma);
            _mm256_add_epi16(twice, _mm256_mulhrs_epi16(chroma, rest))
        };
        let green = _mm256_add_epi16(
            _mm256_mulhrs_epi16(cb, green[0]),
            _mm256_mulhrs_epi16(cr, green[1]),
        );
        [twice(cb, blue), green, twice(cr, red)].map(|colour| {
            let level = _mm256_adds_epi16(_mm256_adds_epi16(y, colour), half);
            let level = _mm256_srai_epi16::<6>(level);
            _mm256_min_epi16(_mm256_max_epi16(level, zero), most)
        })
    };
    let value = |channel: usize, levels: __m128i| {
        let levels = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(levels));
        _mm256_fmadd_ps(levels, scales[channel], offsets[channel])
    };
    for group in 0..columns / GROUP {
        for (channel, levels) in levels(group).into_iter().enumerate() {
            let low = value(channel, _mm256_castsi256_si128(levels));
            let high = value(channel, _mm256_extracti128_si256::<1>(levels));
            let plane = out[channel][GROUP * group..][..GROUP].as_mut_ptr();
            // SAFETY: the slice has the 16 values that are stored.
            unsafe {
                _mm256_storeu_ps(plane, low);
                _mm256_storeu_ps(plane.add(GROUP / 2), high);
            }
        }
    }
    let left = columns % GROUP;
    if left > 0 {
        for (channel, levels) in levels(groups - 1).into_iter().enumerate() {
            let mut whole = [0.0f32; GROUP];
            let low = value(channel, _mm256_castsi256_si128(levels));
            let high = value(channel, _mm256_extracti128_si256::<1>(levels));
            // SAFETY: `whole` has the 16 values that are stored.
            unsafe {
                _mm256_storeu_ps(whole.as_mut_ptr(), low);
                _mm256_storeu_ps(whole.as_mut_ptr().add(GROUP / 2), high);
            }
            out[channel][columns - left..].copy_from_slice(&whole[..left]);
        }
    }
}

/// Returns the values between `first` and `second`, `part` of 15 bits behind the first.
#[target_feature(enable = "avx2")]
fn between(first: __m256i, second: __m256i, part: __m256i) -> __m256i {
    let difference = _mm256_sub_epi16(second, first);
    _mm256_add_epi16(first, _mm256_mulhrs_epi16(difference, part))
}
