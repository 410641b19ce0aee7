//! The pixels of a decoded image, in the form in which they came.

use shuffledet_core::PixelRect;

use super::{BgrView, Damage, YuvView};

/// A decoded image: BGR, or luma and chroma.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'a> {
    Bgr(BgrView<'a>),
    Yuv(YuvView<'a>),
}

impl<'a> Pixels<'a> {
    /// Returns the width and height of the image, in which detections are located. They equal
    /// [`Pixels::size`] unless the image was decoded smaller.
    pub fn image_size(&self) -> (u32, u32) {
        match self {
            Pixels::Bgr(view) => view.image_size(),
            Pixels::Yuv(view) => view.image_size(),
        }
    }

    /// Returns the same pixels as a reduced decoding of an image of `image` (width, height).
    pub fn reduced_from(self, image: (u32, u32)) -> Self {
        match self {
            Pixels::Bgr(view) => Pixels::Bgr(view.reduced_from(image)),
            Pixels::Yuv(view) => Pixels::Yuv(view.reduced_from(image)),
        }
    }

    /// Returns the damage of the image, if any. A part of an image has none.
    pub fn damage(&self) -> Option<Damage> {
        match self {
            Pixels::Bgr(view) => view.damage(),
            Pixels::Yuv(view) => view.damage(),
        }
    }

    /// Returns the part in `rect`, without a copy; `None` if the pixels do not have it. It is an
    /// image of its own, not reduced from another.
    pub fn part(&self, rect: PixelRect) -> Option<Self> {
        match self {
            Pixels::Bgr(view) => view.part(rect).map(Pixels::Bgr),
            Pixels::Yuv(view) => view.part(rect).map(Pixels::Yuv),
        }
    }

    /// Returns the width and height of the decoded image.
    pub fn size(&self) -> (u32, u32) {
        match self {
            Pixels::Bgr(view) => (view.width(), view.height()),
            Pixels::Yuv(view) => (view.width(), view.height()),
        }
    }
}

impl<'a> From<&BgrView<'a>> for Pixels<'a> {
    fn from(view: &BgrView<'a>) -> Self {
        Pixels::Bgr(*view)
    }
}

impl<'a> From<&YuvView<'a>> for Pixels<'a> {
    fn from(view: &YuvView<'a>) -> Self {
        Pixels::Yuv(*view)
    }
}

impl<'a> From<&Pixels<'a>> for Pixels<'a> {
    fn from(pixels: &Pixels<'a>) -> Self {
        *pixels
    }
}
