//! `sensor_msgs/msg/Image`.

use super::cdr::{CdrError, Reader, Writer};
use super::definition::IMAGE;
use super::header::HeaderView;

/// An image as in the message: its sizes, encoding and data are not checked against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageView<'a> {
    pub header: HeaderView<'a>,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// The pixel format, for example `bgr8` or `bayer_rggb8`.
    pub encoding: &'a str,
    /// Whether samples in `data` longer than a byte are big-endian; independent of the message's
    /// byte order.
    pub is_bigendian: bool,
    /// The number of bytes from the start of one row to the next.
    pub step: u32,
    pub data: &'a [u8],
}

impl<'a> ImageView<'a> {
    /// Parses the message in place. Errors: it is truncated, or one of its strings is not valid.
    pub fn parse(cdr: &'a [u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(IMAGE.name, cdr)?;
        Ok(ImageView {
            header: HeaderView::read(r)?,
            height: r.u32("height")?,
            width: r.u32("width")?,
            encoding: r.str("encoding")?,
            // a uint8 in the message, not a bool: any value except 0 means true
            is_bigendian: r.u8("is_bigendian")? != 0,
            step: r.u32("step")?,
            data: r.bytes("data")?,
        })
    }

    /// Fills `out` with the message. Errors: a part is too long for CDR.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        let w = &mut Writer::new(IMAGE.name, out);
        self.header.write(w)?;
        w.u32(self.height);
        w.u32(self.width);
        w.str("encoding", self.encoding)?;
        w.u8(self.is_bigendian.into());
        w.u32(self.step);
        w.bytes("data", self.data)
    }
}
