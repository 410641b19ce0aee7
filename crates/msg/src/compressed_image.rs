//! `sensor_msgs/msg/CompressedImage`.

use super::cdr::{CdrError, Reader, Writer};
use super::definition::COMPRESSED_IMAGE;
use super::header::HeaderView;

/// An image file in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedImageView<'a> {
    pub header: HeaderView<'a>,
    /// The sender's description of the data: `jpeg`, `png`, or as from image_transport, `bgr8; jpeg
    /// compressed bgr8`.
    pub format: &'a str,
    /// The bytes of the file.
    pub data: &'a [u8],
}

impl<'a> CompressedImageView<'a> {
    /// Parses the message in place. Errors: it is truncated, or one of its strings is not valid.
    pub fn parse(cdr: &'a [u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(COMPRESSED_IMAGE.name, cdr)?;
        Ok(CompressedImageView {
            header: HeaderView::read(r)?,
            format: r.str("format")?,
            data: r.bytes("data")?,
        })
    }

    /// Fills `out` with the message. Errors: a part is too long for CDR.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        let w = &mut Writer::new(COMPRESSED_IMAGE.name, out);
        self.header.write(w)?;
        w.str("format", self.format)?;
        w.bytes("data", self.data)
    }
}
