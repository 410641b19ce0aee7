//! A borrowed 8-bit BGR image.

#![expect(unsafe_code, reason = "matrices of OpenCV over borrowed memory")]

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ops::Deref;

use super::Damage;
use opencv::core::{CV_8UC3, Mat, MatTraitConst, MatTraitConstManual};
use shuffledet_core::PixelRect;

/// BGR pixels with 8 bits per channel, in rows `step` bytes apart. `data` has every row completely.
#[derive(Debug, Clone, Copy)]
pub struct BgrView<'a> {
    width: u32,
    height: u32,
    step: usize,
    data: &'a [u8],
    /// The width and height of the image before any reduction.
    image: (u32, u32),
    damage: Option<Damage>,
}

impl<'a> BgrView<'a> {
    /// Returns `None` if a side is zero or beyond `i32`, `step` is shorter than a row, or `data` is
    /// shorter than the rows.
    pub fn new(width: u32, height: u32, step: usize, data: &'a [u8]) -> Option<Self> {
        let row = row_bytes(width, 3)?;
        let fits = step >= row && data.len() >= rows_bytes(height, step, row)?;
        (width > 0 && height > 0 && i32::try_from(height).is_ok() && fits).then_some(Self {
            width,
            height,
            step,
            data,
            image: (width, height),
            damage: None,
        })
    }

    /// Returns the same pixels as a reduced decoding of an image of `image` (width, height).
    pub fn reduced_from(self, image: (u32, u32)) -> Self {
        Self { image, ..self }
    }

    /// Returns the same pixels as of a damaged image.
    pub fn with_damage(self, damage: Option<Damage>) -> Self {
        Self { damage, ..self }
    }

    /// Returns the damage of the image, if any. A part of an image has none.
    pub fn damage(&self) -> Option<Damage> {
        self.damage
    }

    /// Returns the part of the pixels in `rect`, without a copy; `None` if they do not have it. It is
    /// an image of its own, not reduced from another.
    pub fn part(&self, rect: PixelRect) -> Option<Self> {
        let row = |x: u32| row_bytes(x, 3);
        let (right, bottom) = (
            rect.left.checked_add(rect.width)?,
            rect.top.checked_add(rect.height)?,
        );
        if right > self.width || bottom > self.height {
            return None;
        }
        let first = (rect.top as usize).checked_mul(self.step)? + row(rect.left)?;
        Self::new(rect.width, rect.height, self.step, self.data.get(first..)?)
    }

    /// Returns the width and height of the image, in which detections are located. They equal those
    /// of the pixels unless the image was decoded smaller.
    pub fn image_size(&self) -> (u32, u32) {
        self.image
    }

    /// Returns `None` if `mat` is empty, not 8-bit with 3 channels, or not continuous.
    pub fn from_mat(mat: &'a Mat) -> Option<Self> {
        if mat.typ() != CV_8UC3 {
            return None;
        }
        let (width, height) = (
            u32::try_from(mat.cols()).ok()?,
            u32::try_from(mat.rows()).ok()?,
        );
        Self::new(width, height, row_bytes(width, 3)?, mat.data_bytes().ok()?)
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns the number of bytes from one row to the next.
    pub fn step(&self) -> usize {
        self.step
    }

    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Returns the same pixels as an OpenCV matrix, without a copy.
    pub fn to_mat(&self) -> opencv::Result<BorrowedMat<'a>> {
        BorrowedMat::new(self.height, self.width, CV_8UC3, self.data, self.step)
    }
}

/// Returns the bytes of a row of `channels` 8-bit channels; `None` beyond `i32`, OpenCV's type for
/// columns.
pub(super) fn row_bytes(width: u32, channels: u32) -> Option<usize> {
    let row = width.checked_mul(channels)?;
    i32::try_from(row).ok()?;
    Some(row as usize)
}

/// Returns the bytes from the first row's start to the last row's end.
pub(super) fn rows_bytes(height: u32, step: usize, row: usize) -> Option<usize> {
    (height as usize)
        .checked_sub(1)?
        .checked_mul(step)?
        .checked_add(row)
}

/// A read-only OpenCV matrix over borrowed bytes.
pub struct BorrowedMat<'a> {
    mat: Mat,
    _data: PhantomData<&'a [u8]>,
}

impl<'a> BorrowedMat<'a> {
    /// Fails unless `typ` is an 8-bit OpenCV type, a row of `cols` fits `step`, and `data` has
    /// `rows` rows.
    pub(super) fn new(
        rows: u32,
        cols: u32,
        typ: i32,
        data: &'a [u8],
        step: usize,
    ) -> opencv::Result<Self> {
        let channels = (typ >> opencv::core::CV_CN_SHIFT) as u32 + 1;
        let fits = row_bytes(cols, channels)
            .filter(|&row| row <= step)
            .and_then(|row| rows_bytes(rows, step, row))
            .is_some_and(|bytes| bytes <= data.len());
        if !fits || typ & (opencv::core::CV_MAT_DEPTH_MASK) != opencv::core::CV_8U {
            return Err(opencv::Error::new(
                opencv::core::StsBadArg,
                format!(
                    "{} bytes do not hold {rows} rows of {cols} pixels",
                    data.len()
                ),
            ));
        }
        let pointer = data.as_ptr().cast::<c_void>().cast_mut();
        // SAFETY: `data` has every byte that the matrix spans (checked above) and outlives it
        // (`'a`); only `&Mat` is returned, and OpenCV does not write through the source of an
        // operation.
        let mat = unsafe {
            Mat::new_rows_cols_with_data_unsafe(rows as i32, cols as i32, typ, pointer, step)?
        };
        Ok(Self {
            mat,
            _data: PhantomData,
        })
    }
}

impl Deref for BorrowedMat<'_> {
    type Target = Mat;

    fn deref(&self) -> &Mat {
        &self.mat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_needs_all_its_bytes() {
        let data = [0u8; 30];
        assert!(BgrView::new(2, 3, 12, &data).is_some());
        assert!(BgrView::new(2, 3, 13, &data).is_none());
        assert!(BgrView::new(2, 3, 5, &data).is_none());
        assert!(BgrView::new(0, 3, 12, &data).is_none());
        assert!(BgrView::new(u32::MAX, u32::MAX, usize::MAX, &data).is_none());
    }

    #[test]
    fn a_part_has_the_pixels_of_its_rectangle() {
        let data: Vec<u8> = (0..4 * 14).collect();
        // four columns and two bytes of padding
        let view = BgrView::new(4, 4, 14, &data).unwrap();
        let rect = |left, top, width, height| PixelRect {
            left,
            top,
            width,
            height,
        };
        let part = view.part(rect(1, 2, 3, 2)).unwrap();
        assert_eq!((part.width(), part.height(), part.step()), (3, 2, 14));
        assert_eq!(part.data()[..9], data[2 * 14 + 3..][..9]);
        assert_eq!(part.image_size(), (3, 2));
        assert_eq!(view.part(rect(0, 0, 4, 4)).unwrap().data(), view.data());
        for beyond in [rect(1, 0, 4, 1), rect(0, 4, 1, 1), rect(u32::MAX, 0, 2, 1)] {
            assert!(view.part(beyond).is_none());
        }
        assert!(view.part(rect(0, 0, 0, 1)).is_none());
    }
}
