//! The pixels of a decoded image, in the form in which they came.

use super::{BgrView, YuvView};

/// A decoded image: BGR, or luma and chroma.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'a> {
    Bgr(BgrView<'a>),
    Yuv(YuvView<'a>),
}

impl Pixels<'_> {
    /// Returns the width and height of the image, in which detections are located. They equal
    /// [`Pixels::size`] unless the image was decoded smaller.
    pub fn image_size(&self) -> (u32, u32) {
        match self {
            Pixels::Bgr(view) => view.image_size(),
            Pixels::Yuv(view) => view.image_size(),
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
