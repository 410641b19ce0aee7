//! Computes the two source lines of each line of the resized image, and their weights, as OpenCV
//! does for `INTER_LINEAR` (`imgproc/src/resize.cpp`), so that the bits are equal.

/// The sources of one column or row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// Two columns or rows of the image: neighbours, or at the edge the same row twice.
    pub lines: [usize; 2],
    /// Their weights, which add up to [`ONE`], or differ by one from rounding.
    pub parts: [i16; 2],
}

/// The weight 1, in fixed point of 11 bits.
pub const ONE: i16 = 1 << 11;

/// Returns the columns of an image `to` wide computed from one `from` wide, at least 2. The two
/// source columns are always neighbours.
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

/// Returns the rows of an image `to` high computed from one `from` high, at least 1.
pub fn rows(from: usize, to: usize) -> impl Iterator<Item = Tap> {
    positions(from, to).map(move |(first, part)| {
        let within = |line: i64| usize::try_from(line).unwrap_or(0).min(from - 1);
        let lines = [within(first), within(first + 1)];
        let parts = fixed(part);
        Tap { lines, parts }
    })
}

/// Returns the position of each line's centre: the line before it, -1 for before the first, and the
/// distance to it, in [0, 1).
pub fn positions(from: usize, to: usize) -> impl Iterator<Item = (i64, f32)> {
    // inverted twice, as in OpenCV
    let scale = 1.0 / (to as f64 / from as f64);
    (0..to).map(move |index| {
        let centre = ((index as f64 + 0.5) * scale - 0.5) as f32;
        (centre.floor() as i64, centre - centre.floor())
    })
}

fn fixed(part: f32) -> [i16; 2] {
    [1.0 - part, part].map(|part| (part * f32::from(ONE)).round_ties_even() as i16)
}
