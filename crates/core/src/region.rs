//! Parts of a picture that are searched each by a run of the network.

use std::fmt;

use thiserror::Error;

/// A part of a picture, in shares of its width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// The parts of a picture that are searched, in the order of the runs. A value of fixed size, so
/// that frames and settings hold it without an allocation.
#[derive(Clone, Copy)]
pub struct Regions {
    all: [Region; Regions::MOST],
    /// At least 1.
    count: usize,
}

/// A rectangle of pixels in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelRect {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

/// Numbers are not the regions of a picture.
#[derive(Debug, Error, PartialEq)]
pub enum RegionsError {
    #[error(
        "expected 4 numbers for each region (left, top, right, bottom), found {0} numbers in all"
    )]
    Count(usize),
    #[error("expected 1 to {most} regions, found {found}", most = Regions::MOST)]
    TooMany { found: usize },
    #[error(
        "region {index} (counted from 0): expected left, top, right, bottom as shares from 0 to 1 with left < right \
         and top < bottom, found {found:?}"
    )]
    Sides { index: usize, found: [f64; 4] },
}

impl Region {
    /// The whole picture.
    pub const WHOLE: Self = Self {
        left: 0.0,
        top: 0.0,
        right: 1.0,
        bottom: 1.0,
    };

    /// The shortest side of a region in pixels: smaller ones are enlarged as far as the picture
    /// goes.
    pub const LEAST_PX: u32 = 32;

    /// Returns the region of these sides; `None` unless they are shares with left < right and
    /// top < bottom.
    pub fn new([left, top, right, bottom]: [f64; 4]) -> Option<Self> {
        let is_span = |from: f64, to: f64| 0.0 <= from && from < to && to <= 1.0;
        (is_span(left, right) && is_span(top, bottom)).then_some(Self {
            left,
            top,
            right,
            bottom,
        })
    }

    /// Returns left, top, right and bottom.
    pub fn sides(self) -> [f64; 4] {
        [self.left, self.top, self.right, self.bottom]
    }

    /// Returns the same part of the mirror image, in which left and right are swapped.
    pub fn mirrored(self) -> Self {
        Self {
            left: 1.0 - self.right,
            right: 1.0 - self.left,
            ..self
        }
    }

    /// Returns the pixels of the region in a picture of `picture` (width, height). Edges within the
    /// picture lie on even pixels, so that pictures with subsampled colour can be cut there.
    pub fn pixels(self, picture: (u32, u32)) -> PixelRect {
        let (left, width) = span(self.left, self.right, picture.0);
        let (top, height) = span(self.top, self.bottom, picture.1);
        PixelRect {
            left,
            top,
            width,
            height,
        }
    }
}

/// Returns start and length, in pixels, of the shares `from` to `to` of a side of `length` pixels.
fn span(from: f64, to: f64, length: u32) -> (u32, u32) {
    let even = |share: f64| {
        let half = f64::from(length) * share / 2.0;
        // a float cast saturates
        (2 * half.round() as u64).min(u64::from(length)) as u32
    };
    let least = Region::LEAST_PX.min(length);
    let end = if to >= 1.0 { length } else { even(to) };
    let end = end.max(least);
    let start = even(from).min(end - least) & !1;
    (start, end - start)
}

impl Regions {
    /// The greatest number of regions.
    pub const MOST: usize = 16;

    /// The whole picture in one run.
    pub const WHOLE: Self = Self {
        all: [Region::WHOLE; Self::MOST],
        count: 1,
    };

    /// Returns the regions of `numbers`: left, top, right, bottom of each, one region after the
    /// other.
    ///
    /// # Errors
    /// There are no or more than [`Regions::MOST`] regions, numbers are missing, or a region has no
    /// area within the picture.
    pub fn new(numbers: &[f64]) -> Result<Self, RegionsError> {
        let (sides, rest) = numbers.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(RegionsError::Count(numbers.len()));
        }
        if sides.is_empty() || sides.len() > Self::MOST {
            let found = sides.len();
            return Err(RegionsError::TooMany { found });
        }
        let mut regions = Self {
            count: sides.len(),
            ..Self::WHOLE
        };
        for (index, (&found, region)) in sides.iter().zip(&mut regions.all).enumerate() {
            *region = Region::new(found).ok_or(RegionsError::Sides { index, found })?;
        }
        Ok(regions)
    }

    /// Returns the same parts of the mirror image.
    pub fn mirrored(mut self) -> Self {
        self.all = self.all.map(Region::mirrored);
        self
    }

    pub fn as_slice(&self) -> &[Region] {
        &self.all[..self.count]
    }
}

impl Default for Regions {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl PartialEq for Regions {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl fmt::Debug for Regions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sides = self.as_slice().iter().map(|region| region.sides());
        f.debug_list().entries(sides).finish()
    }
}

impl PixelRect {
    /// Returns width and height.
    pub fn size(self) -> (u32, u32) {
        (self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mistakes_name_the_region() {
        let error = |numbers: &[f64]| Regions::new(numbers).unwrap_err().to_string();
        assert!(error(&[]).contains("1 to 16 regions, found 0"));
        assert!(error(&[0.0; 68]).contains("found 17"));
        assert!(error(&[0.0, 0.0, 1.0]).contains("3 numbers in all"));
        for wrong in [
            [0.5, 0.0, 0.5, 1.0],
            [0.0, 0.9, 1.0, 0.1],
            [-0.1, 0.0, 1.0, 1.0],
            [0.0, 0.0, 1.1, 1.0],
            [f64::NAN, 0.0, 1.0, 1.0],
            [0.0, 0.0, 1.0, f64::INFINITY],
        ] {
            let error = error(&[[0.0, 0.0, 1.0, 1.0], wrong].concat());
            assert!(error.contains("region 1 "), "{error}");
        }
    }

    #[test]
    fn halves_that_overlap_lie_on_even_pixels() {
        let regions = Regions::new(&[0.0, 0.0, 0.6, 1.0, 0.4, 0.0, 1.0, 1.0]).unwrap();
        let pixels: Vec<_> = regions
            .as_slice()
            .iter()
            .map(|region| region.pixels((1242, 375)))
            .collect();
        let rect = |left, width| PixelRect {
            left,
            top: 0,
            width,
            height: 375,
        };
        assert_eq!(pixels, [rect(0, 746), rect(496, 746)]);
    }

    fn share() -> impl Strategy<Value = f64> {
        0f64..=1.0
    }

    proptest! {
        #[test]
        fn a_region_lies_within_the_picture_and_is_not_too_small(
            sides in [share(), share(), share(), share()], picture in (1u32..6000, 1u32..6000),
        ) {
            let [a, b, c, d] = sides;
            let region = Region::new([a.min(c), b.min(d), a.max(c), b.max(d)]);
            prop_assume!(region.is_some());
            let rect = region.unwrap().pixels(picture);
            prop_assert!(rect.left + rect.width <= picture.0 && rect.top + rect.height <= picture.1);
            prop_assert!(rect.width >= picture.0.min(32) && rect.height >= picture.1.min(32));
            prop_assert_eq!((rect.left % 2, rect.top % 2), (0, 0));
        }

        #[test]
        fn a_mirrored_region_lies_within_the_picture_and_keeps_its_size(left in 0f64..0.9, width in 0.01f64..0.1) {
            let region = Region::new([left, 0.25, left + width, 0.5]).unwrap();
            let mirrored = region.mirrored();
            prop_assert!(Region::new(mirrored.sides()).is_some());
            let [from, _, to, _] = mirrored.sides();
            prop_assert!((to - from - width).abs() < 1e-9 && (from - (1.0 - left - width)).abs() < 1e-9);
        }

        #[test]
        fn the_whole_is_every_pixel(picture in (1u32..u32::MAX, 1u32..u32::MAX)) {
            let rect = Region::WHOLE.pixels(picture);
            prop_assert_eq!((rect.left, rect.top, rect.size()), (0, 0, picture));
        }
    }
}
