//! The resampler with AVX2. It converts a row of the image to a row of the input's width in 16-bit
//! fixed point, with four values per pixel (blue, green, red, nothing). Two such rows become one
//! row of the tensor.

#![expect(unsafe_code, reason = "AVX2 intrinsics")]

use std::arch::x86_64::*;

use super::taps::{self, Tap};
use crate::planes::{Levels, Planes};
use crate::{BgrView, Letterbox};

/// The number of pixels processed together.
const GROUP: usize = 8;

/// The number of bytes by which the image is prefetched from memory.
const AHEAD: usize = 4096;

/// Keeps its tables and rows between frames.
pub struct Resampler {
    /// The source and target sizes of the tables.
    sizes: Option<((u32, u32), (u32, u32))>,
    columns: Vec<Columns>,
    /// The number of bytes of a row that `columns` read.
    reach: usize,
    /// By row of the result.
    taps: Vec<Tap>,
    /// The two rows computed last.
    made: [Row; 2],
    /// A copy of the image's last row with padding, for reads of eight bytes that extend beyond it.
    last: Vec<u8>,
}

/// Tables for [`GROUP`] pixels of a row.
struct Columns {
    /// The position of each pixel's first byte in the image's row.
    at: [usize; GROUP],
    /// The factors of the two pixels' values, by register: pixels 0 and 4, 1 and 5, 2 and 6, 3 and
    /// 7, so that packing the registers restores the order.
    parts: [[i16; 16]; 4],
}

#[derive(Default)]
struct Row {
    /// Its row number in the image.
    number: Option<usize>,
    /// Four per pixel, in whole groups.
    values: Vec<i16>,
}

impl Resampler {
    /// Returns `None` if the processor lacks AVX2 or FMA.
    pub fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then(|| Self {
            sizes: None,
            columns: Vec::new(),
            reach: 0,
            taps: Vec::new(),
            made: Default::default(),
            last: Vec::new(),
        })
    }

    /// Fills the image's part of `planes`. Returns false and fills nothing if the image is too
    /// small for it.
    pub fn fill(
        &mut self,
        image: &BgrView<'_>,
        letterbox: Letterbox,
        planes: &mut Planes<'_>,
    ) -> bool {
        if image.width() < 2 {
            return false;
        }
        self.prepare((image.width(), image.height()), letterbox.size);
        let row_bytes = 3 * image.width() as usize;
        let height = image.height() as usize;
        let start = (height - 1) * image.step();
        self.last.clear();
        self.last
            .extend_from_slice(&image.data()[start..start + row_bytes]);
        self.last.extend_from_slice(&[0; 8]);
        let row = |number: usize| {
            if number + 1 == height {
                &self.last[..]
            } else {
                &image.data()[number * image.step()..]
            }
        };
        for (y, tap) in self.taps.iter().enumerate() {
            if self.made[1].number == Some(tap.lines[0]) {
                self.made.swap(0, 1);
            }
            for (made, number) in self.made.iter_mut().zip(tap.lines) {
                if made.number != Some(number) {
                    // SAFETY: the processor has AVX2, otherwise `new` returns `None`.
                    unsafe { narrow(row(number), self.reach, &self.columns, &mut made.values) };
                    made.number = Some(number);
                }
            }
            let [upper, lower] = self.made.each_ref().map(|row| &row.values[..]);
            let levels = planes.levels;
            // SAFETY: the processor has AVX2 and FMA, otherwise `new` returns `None`.
            unsafe { merge([upper, lower], tap.parts, levels, planes.row(letterbox, y)) };
        }
        true
    }

    fn prepare(&mut self, from: (u32, u32), to: (u32, u32)) {
        for row in &mut self.made {
            row.number = None;
        }
        if self.sizes == Some((from, to)) {
            return;
        }
        self.sizes = Some((from, to));
        // cameras of different sizes take turns: the buffers are kept
        self.taps.clear();
        self.taps
            .extend(taps::columns(from.0 as usize, to.0 as usize));
        self.columns.clear();
        self.columns
            .extend(self.taps.chunks(GROUP).map(Columns::new));
        let starts = self.columns.iter().flat_map(|columns| columns.at);
        self.reach = starts.max().map_or(0, |start| start + 8);
        self.taps.clear();
        self.taps.extend(taps::rows(from.1 as usize, to.1 as usize));
        for row in &mut self.made {
            row.values.resize(4 * GROUP * self.columns.len(), 0);
        }
    }
}

impl Columns {
    /// Takes at least one tap; if there are fewer than a group's, the last one is repeated.
    fn new(taps: &[Tap]) -> Self {
        let tap = |index: usize| taps[index.min(taps.len() - 1)];
        let parts = std::array::from_fn(|register| {
            std::array::from_fn(|value| tap(register + value / 8 * 4).parts[value % 2])
        });
        Self {
            at: std::array::from_fn(|index| 3 * tap(index).lines[0]),
            parts,
        }
    }
}

/// Computes a row of BGR pixels at the tensor's width, each value in 15 bits.
#[target_feature(enable = "avx2")]
fn narrow(row: &[u8], reach: usize, columns: &[Columns], out: &mut [i16]) {
    let row = &row[..reach];
    // from the eight bytes of two pixels and a part: each channel's two values side by side
    const CHANNELS: [i8; 16] = [0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1];
    // SAFETY: the array has the 16 bytes that are loaded.
    let channels = unsafe { _mm_loadu_si128(CHANNELS.as_ptr().cast()) };
    let channels = _mm256_broadcastsi128_si256(channels);
    for (columns, out) in columns.iter().zip(out.chunks_exact_mut(4 * GROUP)) {
        // the processor's own prefetching works in some processes only; without it they take twice
        // as long
        _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().wrapping_add(columns.at[0] + AHEAD).cast());
        let pixel = |index: usize| {
            // SAFETY: none of `columns` reads beyond `reach`.
            let bytes = unsafe {
                row.as_ptr()
                    .add(columns.at[index])
                    .cast::<i64>()
                    .read_unaligned()
            };
            _mm256_set1_epi64x(bytes)
        };
        let sums = |register: usize| {
            let both = _mm256_blend_epi32::<0b1111_0000>(pixel(register), pixel(register + 4));
            // SAFETY: the array has the 32 bytes that are loaded.
            let parts = unsafe { _mm256_loadu_si256(columns.parts[register].as_ptr().cast()) };
            _mm256_srai_epi32::<4>(_mm256_madd_epi16(
                _mm256_shuffle_epi8(both, channels),
                parts,
            ))
        };
        let first = _mm256_packs_epi32(sums(0), sums(1));
        let second = _mm256_packs_epi32(sums(2), sums(3));
        // SAFETY: `out` has 32 values of 16 bits, twice the 32 bytes that are stored.
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), first);
            _mm256_storeu_si256(out.as_mut_ptr().add(16).cast(), second);
        }
    }
}

/// Merges two rows into one row of each of the tensor's planes. The planes have one length, at most
/// the rows'.
#[target_feature(enable = "avx2,fma")]
fn merge(rows: [&[i16]; 2], parts: [i16; 2], levels: Levels, out: [&mut [f32]; 3]) {
    let [above, below] = parts.map(|part| _mm256_set1_epi16(part));
    let (two, byte) = (_mm256_set1_epi16(2), _mm256_set1_epi32(0xff));
    let scales = levels.scales.map(|scale| _mm256_set1_ps(scale));
    let offsets = levels.offsets.map(|offset| _mm256_set1_ps(offset));
    let columns = out[0].len();
    let groups = columns.div_ceil(GROUP);
    let [upper, lower] = rows.map(|row| row[..4 * GROUP * groups].as_ptr());
    // eight values of each channel
    let values = |group: usize| {
        let sums = |half: usize| {
            let at = 4 * GROUP * group + 16 * half;
            // SAFETY: a group of a row has 32 values of 16 bits, and each half is 16 of them.
            let (upper, lower) = unsafe {
                let load = |row: *const i16| _mm256_loadu_si256(row.add(at).cast());
                (load(upper), load(lower))
            };
            let sum = _mm256_add_epi16(
                _mm256_mulhi_epi16(upper, above),
                _mm256_mulhi_epi16(lower, below),
            );
            _mm256_srai_epi16::<2>(_mm256_add_epi16(sum, two))
        };
        let pixels = _mm256_packus_epi16(sums(0), sums(1));
        let blue = _mm256_and_si256(pixels, byte);
        let green = _mm256_and_si256(_mm256_srli_epi32::<8>(pixels), byte);
        let red = _mm256_srli_epi32::<16>(pixels);
        let value = |channel: usize, level: __m256i| {
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(level), scales[channel], offsets[channel])
        };
        [value(0, blue), value(1, green), value(2, red)]
    };
    let mut planes = out;
    for group in 0..columns / GROUP {
        let values = values(group);
        for (plane, values) in planes.iter_mut().zip(values) {
            // SAFETY: the plane has `columns` values, including the eight of this group.
            unsafe { _mm256_storeu_ps(plane.as_mut_ptr().add(GROUP * group), values) };
        }
    }
    let left = columns % GROUP;
    if left > 0 {
        for (plane, values) in planes.iter_mut().zip(values(groups - 1)) {
            let mut whole = [0.0; GROUP];
            // SAFETY: `whole` has the eight values that are stored.
            unsafe { _mm256_storeu_ps(whole.as_mut_ptr(), values) };
            plane[columns - left..].copy_from_slice(&whole[..left]);
        }
    }
}
