//! A small grey copy of a picture at several scales.

use opencv::core::{CV_8UC1, CV_8UC2, CV_8UC4, Mat, MatTraitConst, MatTraitConstManual, Size};
use opencv::imgproc;

use crate::Pixels;
use crate::bgr::BorrowedMat;

/// The widest copy in pixels.
const WIDTH: f64 = 640.0;
/// Each level has half the sides of the one before.
pub(super) const LEVELS: usize = 4;
/// A level is not smaller, in pixels.
const LEAST_SIDE: usize = 24;

/// The grey picture of a frame, at most 640 pixels wide, and its halves.
#[derive(Debug, Default)]
pub struct GreyPyramid {
    /// Width and height of the image that it is of.
    image: (u32, u32),
    levels: Vec<Level>,
    resized: Mat,
    grey: Mat,
}

/// One scale.
#[derive(Debug, Clone, Default)]
pub(super) struct Level {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl GreyPyramid {
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the copy of an image. An error leaves it empty.
    pub fn fill(&mut self, pixels: &Pixels<'_>) -> opencv::Result<()> {
        self.image = (0, 0);
        let (width, height) = pixels.size();
        let scale = (WIDTH / f64::from(width)).min(1.0);
        let side = |side: u32| ((f64::from(side) * scale).round() as i32).max(1);
        let size = Size::new(side(width), side(height));
        // averaging costs more, and matters only where pixels would be skipped
        let method = if scale <= 0.5 {
            imgproc::INTER_AREA
        } else {
            imgproc::INTER_LINEAR
        };
        match pixels {
            Pixels::Bgr(view) => {
                imgproc::resize(&*view.to_mat()?, &mut self.resized, size, 0.0, 0.0, method)?;
                imgproc::cvt_color_def(&self.resized, &mut self.grey, imgproc::COLOR_BGR2GRAY)?;
            }
            Pixels::Yuv(view) => {
                let luma = view.luma;
                let kind = match luma.stride {
                    1 => CV_8UC1,
                    2 => CV_8UC2,
                    _ => CV_8UC4,
                };
                let rows = luma.row(0, 0);
                let source = |width| BorrowedMat::new(height, width, kind, rows, luma.step);
                // what lies between the luma samples may end before the last of them
                let source = source(width).or_else(|_| source(width.saturating_sub(1)))?;
                imgproc::resize(&*source, &mut self.resized, size, 0.0, 0.0, method)?;
                if luma.stride == 1 {
                    std::mem::swap(&mut self.resized, &mut self.grey);
                } else {
                    opencv::core::extract_channel(&self.resized, &mut self.grey, 0)?;
                }
            }
        }
        self.levels.resize_with(LEVELS, Level::default);
        let first = &mut self.levels[0];
        (first.width, first.height) = (size.width as usize, size.height as usize);
        first.pixels.clear();
        if self.grey.is_continuous() {
            first.pixels.extend_from_slice(self.grey.data_bytes()?);
        } else {
            for row in 0..size.height {
                first.pixels.extend_from_slice(self.grey.at_row::<u8>(row)?);
            }
        }
        for at in 1..LEVELS {
            let (finer, coarser) = self.levels.split_at_mut(at);
            coarser[0].halve(&finer[at - 1]);
        }
        self.image = pixels.image_size();
        Ok(())
    }

    /// Makes it empty, and keeps its memory.
    pub fn clear(&mut self) {
        self.image = (0, 0);
    }

    pub(super) fn is_same_size(&self, other: &Self) -> bool {
        let sides = |pyramid: &Self| {
            pyramid
                .levels
                .first()
                .map(|level| (level.width, level.height))
        };
        self.image != (0, 0) && self.image == other.image && sides(self) == sides(other)
    }

    /// The scales that are large enough, the finest first; none where it is empty.
    pub(super) fn levels(&self) -> &[Level] {
        let usable = |level: &&Level| level.width >= LEAST_SIDE && level.height >= LEAST_SIDE;
        let count = self.levels.iter().take_while(usable).count();
        if self.image == (0, 0) {
            &[]
        } else {
            &self.levels[..count]
        }
    }

    /// The factors from pixels of the image to pixels of the copy.
    pub(super) fn scale(&self) -> [f64; 2] {
        let level = &self.levels[0];
        [
            level.width as f64 / f64::from(self.image.0),
            level.height as f64 / f64::from(self.image.1),
        ]
    }

    /// The affine map of the copy as one of the image.
    pub(super) fn in_image(&self, [a, b, tx, c, d, ty]: [f64; 6]) -> [f64; 6] {
        let [x, y] = self.scale();
        [a, b * y / x, tx / x, c * x / y, d, ty / y]
    }
}

impl Level {
    /// Becomes half as large as `finer`: the means of 2x2 pixels.
    fn halve(&mut self, finer: &Level) {
        (self.width, self.height) = (finer.width / 2, finer.height / 2);
        self.pixels.clear();
        // at least 1: of a column of single pixels nothing is left
        for rows in finer
            .pixels
            .chunks_exact((2 * finer.width).max(1))
            .take(self.height)
        {
            let (upper, lower) = rows.split_at(finer.width);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            self.pixels.extend(pairs.map(|(upper, lower)| {
                let sum = [upper[0], upper[1], lower[0], lower[1]].map(u16::from);
                ((sum.iter().sum::<u16>() + 2) / 4) as u8
            }));
        }
    }
}
