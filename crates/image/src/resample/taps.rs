//! Which two lines of pixels make one of the resized picture, and in what parts: as OpenCV computes it for `INTER_LINEAR`
//! (`imgproc/src/resize.cpp`), so that the bits agree.

/// What one column or row is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// Two columns or rows of the picture: neighbours, or at the edge twice the same row.
    pub lines: [usize; 2],
    /// Their parts, of [`ONE`] together, or one off by rounding.
    pub parts: [i16; 2],
}

/// The whole, in fixed point of 11 bits.
pub const ONE: i16 = 1 << 11;

/// The columns of a picture `to` wide made from one `from` wide, at least 2. The two are neighbours, always.
pub fn columns(from: usize, to: usize) -> impl Iterator<Item = Tap> {
    positions(from, to).map(move |(first, part)| {
        let last = from - 2;
        let (first, parts) = match usize::try_from(first) {
            Err(_) => (0, [ONE, 0]),
            Ok(first) if first > last => (last, [0, ONE]),
            Ok(first) => (first, fixed(part)),
        };
        let lines = [first, first + 1];
        Tap { lines, parts }
    })
}

/// The rows of a picture `to` high made from one `from` high, at least 1.
pub fn rows(from: usize, to: usize) -> impl Iterator<Item = Tap> {
    positions(from, to).map(move |(first, part)| {
        let within = |line: i64| usize::try_from(line).unwrap_or(0).min(from - 1);
        let lines = [within(first), within(first + 1)];
        let parts = fixed(part);
        Tap { lines, parts }
    })
}

/// Where the centre of each line lies: after which line, -1 for before the first, and how far, in [0, 1).
fn positions(from: usize, to: usize) -> impl Iterator<Item = (i64, f32)> {
    // twice inverted, as there
    let scale = 1.0 / (to as f64 / from as f64);
    (0..to).map(move |index| {
        let centre = ((index as f64 + 0.5) * scale - 0.5) as f32;
        (centre.floor() as i64, centre - centre.floor())
    })
}

fn fixed(part: f32) -> [i16; 2] {
    [1.0 - part, part].map(|part| (part * f32::from(ONE)).round_ties_even() as i16)
}
