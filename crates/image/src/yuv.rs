//! A borrowed 8-bit image of luma and chroma, as cameras and JPEG files have it.

use super::Damage;
use shuffledet_core::PixelRect;

/// The samples of one component, in rows `step` bytes apart and `stride` bytes from one sample to
/// the next. `data` begins with the first sample.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    pub data: &'a [u8],
    pub step: usize,
    /// 1 for a plane; 2 or 4 for a component among others.
    pub stride: usize,
}

/// How levels become colours, and how chroma is placed. Both are BT.601.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// JFIF: all levels from 0 to 255 are used. Chroma between two samples is interpolated, as
    /// libjpeg does.
    Jpeg,
    /// Luma is from 16 to 235, chroma from 16 to 240. The pixels of a block share its chroma, as in
    /// OpenCV.
    Video,
}

/// Luma and chroma with 8 bits per sample.
#[derive(Debug, Clone, Copy)]
pub struct YuvView<'a> {
    /// The number of columns and rows before the image in the samples.
    pub(crate) origin: (u32, u32),
    size: (u32, u32),
    pub(crate) luma: Samples<'a>,
    /// Cb and Cr; `None` for a grey image.
    pub(crate) chroma: Option<[Samples<'a>; 2]>,
    /// The number of luma columns and rows that share a chroma sample.
    pub(crate) sharing: (u32, u32),
    pub(crate) coding: Coding,
    /// The width and height of the image before any reduction.
    image: (u32, u32),
    damage: Option<Damage>,
}

impl<'a> YuvView<'a> {
    /// Returns `None` unless `size` (width, height) is at least 1x1, `sharing` is 1 or 2 in each
    /// direction, and each component has every sample. A last chroma sample may be shared by fewer
    /// luma samples.
    pub fn new(
        size: (u32, u32),
        luma: Samples<'a>,
        chroma: Option<[Samples<'a>; 2]>,
        sharing: (u32, u32),
        coding: Coding,
    ) -> Option<Self> {
        let halves = |sharing: u32| (1..=2).contains(&sharing);
        if size.0 == 0 || size.1 == 0 || !halves(sharing.0) || !halves(sharing.1) {
            return None;
        }
        let chroma_size = (size.0.div_ceil(sharing.0), size.1.div_ceil(sharing.1));
        let mut components = chroma.iter().flatten();
        let whole = luma.holds(size) && components.all(|samples| samples.holds(chroma_size));
        whole.then_some(Self {
            origin: (0, 0),
            size,
            luma,
            chroma,
            sharing,
            coding,
            image: size,
            damage: None,
        })
    }

    /// Returns the same samples as a reduced decoding of an image of `image` (width, height).
    pub fn reduced_from(self, image: (u32, u32)) -> Self {
        Self { image, ..self }
    }

    /// Returns the same samples as of a damaged image.
    pub fn with_damage(self, damage: Option<Damage>) -> Self {
        Self { damage, ..self }
    }

    /// Returns the damage of the image, if any. A part of an image has none.
    pub fn damage(&self) -> Option<Damage> {
        self.damage
    }

    /// Returns the width and height of the image, in which detections are located. They equal those
    /// of the samples unless the image was decoded smaller.
    pub fn image_size(&self) -> (u32, u32) {
        self.image
    }

    /// Returns the number of luma columns.
    pub fn width(&self) -> u32 {
        self.size.0
    }

    /// Returns the number of luma rows.
    pub fn height(&self) -> u32 {
        self.size.1
    }

    /// Returns the part of the samples in `rect`, without a copy; `None` if it is empty or they do
    /// not have it. It is an image of its own, not reduced from another.
    pub fn part(&self, rect: PixelRect) -> Option<Self> {
        let (origin, size) = ((rect.left, rect.top), rect.size());
        let within = |from: u32, count: u32, side: u32| {
            count > 0 && from.checked_add(count).is_some_and(|end| end <= side)
        };
        let fits = within(origin.0, size.0, self.size.0) && within(origin.1, size.1, self.size.1);
        fits.then(|| Self {
            origin: (self.origin.0 + origin.0, self.origin.1 + origin.1),
            size,
            image: size,
            ..*self
        })
    }
}

impl<'a> Samples<'a> {
    /// Whether the data has `height` rows of `width` samples, both at least 1.
    fn holds(&self, (width, height): (u32, u32)) -> bool {
        let row = (width as usize - 1).checked_mul(self.stride);
        let rows = (height as usize - 1).checked_mul(self.step);
        let last = row.zip(rows).and_then(|(row, rows)| row.checked_add(rows));
        [1, 2, 4].contains(&self.stride) && last.is_some_and(|last| last < self.data.len())
    }

    /// Returns row `number` from sample `first` on.
    pub(crate) fn row(&self, number: usize, first: usize) -> &'a [u8] {
        &self.data[number * self.step + first * self.stride..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(data: &[u8], step: usize, stride: usize) -> Samples<'_> {
        Samples { data, step, stride }
    }

    #[test]
    fn a_view_needs_all_its_samples() {
        let data = [0; 24];
        let view = |luma, chroma: Option<_>, sharing| {
            YuvView::new((4, 3), luma, chroma, sharing, Coding::Jpeg)
        };
        assert!(view(plane(&data[..12], 4, 1), None, (1, 1)).is_some());
        assert!(view(plane(&data[..11], 4, 1), None, (1, 1)).is_none());
        assert!(view(plane(&data[..23], 8, 2), None, (1, 1)).is_some());
        assert!(view(plane(&data[..22], 8, 2), None, (1, 1)).is_none());
        let chroma = |count: usize| Some([plane(&data[..count], 2, 1); 2]);
        assert!(view(plane(&data, 4, 1), chroma(4), (2, 2)).is_some());
        assert!(view(plane(&data, 4, 1), chroma(3), (2, 2)).is_none());
        assert!(view(plane(&data, 4, 1), chroma(6), (2, 1)).is_some());
        assert!(view(plane(&data, 4, 1), chroma(6), (3, 1)).is_none());
        assert!(view(plane(&data, usize::MAX, 1), None, (1, 1)).is_none());
        assert!(YuvView::new((0, 3), plane(&data, 4, 1), None, (1, 1), Coding::Jpeg).is_none());
    }

    #[test]
    fn a_part_lies_within_its_image() {
        let data = [0; 12];
        let view = YuvView::new((4, 3), plane(&data, 4, 1), None, (1, 1), Coding::Video).unwrap();
        let rect = |left, top, width, height| PixelRect {
            left,
            top,
            width,
            height,
        };
        let part = view.part(rect(1, 1, 3, 2)).unwrap();
        assert_eq!((part.width(), part.height()), (3, 2));
        assert!(part.part(rect(1, 1, 2, 1)).is_some());
        assert!(part.part(rect(1, 0, 3, 1)).is_none());
        assert!(view.part(rect(0, 0, 0, 1)).is_none());
        assert!(view.part(rect(u32::MAX, 0, 2, 1)).is_none());
    }
}
