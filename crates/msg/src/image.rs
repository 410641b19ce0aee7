//! `sensor_msgs/msg/Image`.

use super::cdr::{CdrError, Reader, Writer};
use super::definition::IMAGE;
use super::header::HeaderView;

/// An image as it stands in the message: nothing is known yet of whether its sizes, encoding and data agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageView<'a> {
    pub header: HeaderView<'a>,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// The pixel format, such as `bgr8` or `bayer_rggb8`.
    pub encoding: &'a str,
    /// Whether the samples in `data` that are longer than a byte are big-endian; it says nothing of the message's own
    /// byte order.
    pub is_bigendian: bool,
    /// Bytes from the beginning of one row to that of the next.
    pub step: u32,
    pub data: &'a [u8],
}

impl<'a> ImageView<'a> {
    /// Reads the message in place. Errors: it is cut off, or a text in it is not valid.
    pub fn parse(cdr: &'a [u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(IMAGE.name, cdr)?;
        Ok(ImageView {
            header: HeaderView::read(r)?,
            height: r.u32("height")?,
            width: r.u32("width")?,
            encoding: r.str("encoding")?,
            // a uint8 in the message, not a bool: any value but 0 means yes
            is_bigendian: r.u8("is_bigendian")? != 0,
            step: r.u32("step")?,
            data: r.bytes("data")?,
        })
    }

    /// Fills `out` with the message. Errors: a part is longer than CDR can carry.
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
