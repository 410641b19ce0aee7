//! The loops over pixels for any processor.

use super::taps::Tap;
use super::{Colours, Kernel, NO_COLOUR, ONE};
use crate::planes::Levels;

#[derive(Default)]
pub struct Portable {
    /// Of luma and chroma.
    taps: [Vec<Tap>; 2],
    strides: [usize; 2],
}

impl Kernel for Portable {
    fn set_columns(&mut self, component: usize, taps: &[Tap], stride: usize) {
        self.strides[component] = stride;
        self.taps[component].clear();
        self.taps[component].extend_from_slice(taps);
    }

    fn narrow(&self, component: usize, row: &[u8], black: u8, out: &mut [i16]) {
        let stride = self.strides[component];
        for (tap, out) in self.taps[component].iter().zip(out) {
            let level = |line: usize| i16::from(row[line * stride].saturating_sub(black)) * ONE;
            let [first, second] = tap.lines.map(level);
            *out = between(first, second, tap.part);
        }
    }

    fn merge(
        &self,
        rows: [[&[i16]; 2]; 3],
        [luma_part, chroma_part]: [i16; 2],
        colours: &Colours,
        levels: &Levels,
        [blue, green, red]: [&mut [f32]; 3],
    ) {
        let parts = [luma_part, chroma_part, chroma_part];
        for (column, ((blue, green), red)) in blue.iter_mut().zip(green).zip(red).enumerate() {
            let [y, cb, cr] = std::array::from_fn(|component| {
                let [upper, lower] = rows[component];
                between(upper[column], lower[column], parts[component])
            });
            let bgr = colours.bgr(y, cb, cr);
            *blue = levels.value(0, bgr[0]);
            *green = levels.value(1, bgr[1]);
            *red = levels.value(2, bgr[2]);
        }
    }
}

impl Colours {
    /// Returns the blue, green and red of a pixel in fixed point.
    fn bgr(&self, y: i16, cb: i16, cr: i16) -> [u8; 3] {
        let y = y + share(y, self.luma);
        let (cb, cr) = (cb - NO_COLOUR, cr - NO_COLOUR);
        let blue = 2 * cb + share(cb, self.blue);
        let green = share(cb, self.green[0]) + share(cr, self.green[1]);
        let red = 2 * cr + share(cr, self.red);
        [blue, green, red].map(|colour| {
            let level = y.saturating_add(colour).saturating_add(ONE / 2) / ONE;
            level.clamp(0, 255) as u8
        })
    }
}

/// Returns the value between `first` and `second`, `part` of 15 bits behind the first.
fn between(first: i16, second: i16, part: i16) -> i16 {
    first + share(second - first, part)
}

/// Returns the product with a fraction of 15 bits, rounded as `pmulhrsw` does.
fn share(value: i16, fraction: i16) -> i16 {
    ((((i32::from(value) * i32::from(fraction)) >> 14) + 1) >> 1) as i16
}
