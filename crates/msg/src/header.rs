//! `std_msgs/msg/Header`, the first field of every stamped message.

use super::cdr::{CdrError, Reader, Writer};
use super::time::Stamp;

/// A header that borrows its frame id from the message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeaderView<'a> {
    pub stamp: Stamp,
    /// The coordinate frame of the data.
    pub frame_id: &'a str,
}

/// An owned header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    pub stamp: Stamp,
    /// The coordinate frame of the data.
    pub frame_id: String,
}

impl<'a> HeaderView<'a> {
    /// Parses the header of any stamped message. A message with a damaged body still has its stamp.
    ///
    /// Errors: the header itself is truncated or not valid.
    pub fn parse_first(cdr: &'a [u8]) -> Result<Self, CdrError> {
        Self::read(&mut Reader::new("std_msgs/msg/Header", cdr)?)
    }

    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, CdrError> {
        Ok(HeaderView {
            stamp: Stamp::read(r)?,
            frame_id: r.str("header.frame_id")?,
        })
    }

    pub(super) fn write(self, w: &mut Writer<'_>) -> Result<(), CdrError> {
        self.stamp.write(w);
        w.str("header.frame_id", self.frame_id)
    }
}

impl Header {
    /// Returns the same header, borrowed.
    pub fn view(&self) -> HeaderView<'_> {
        HeaderView {
            stamp: self.stamp,
            frame_id: &self.frame_id,
        }
    }
}

impl From<HeaderView<'_>> for Header {
    fn from(view: HeaderView<'_>) -> Self {
        Header {
            stamp: view.stamp,
            frame_id: view.frame_id.to_owned(),
        }
    }
}
