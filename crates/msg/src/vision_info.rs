//! `vision_msgs/msg/VisionInfo`: the model of the detections.

use super::cdr::{CdrError, Reader, Writer};
use super::definition::VISION_INFO;
use super::header::HeaderView;

/// The identity of a vision pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisionInfo<'a> {
    pub header: HeaderView<'a>,
    /// The method, for example the model's name.
    pub method: &'a str,
    /// The location of the method's training result, for example the model's sha256.
    pub database_location: &'a str,
    /// Increases whenever that changes.
    pub database_version: i32,
}

impl<'a> VisionInfo<'a> {
    /// Parses the message in place. Errors: it is truncated, or one of its strings is not valid.
    pub fn parse(cdr: &'a [u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(VISION_INFO.name, cdr)?;
        Ok(VisionInfo {
            header: HeaderView::read(r)?,
            method: r.str("method")?,
            database_location: r.str("database_location")?,
            database_version: r.i32("database_version")?,
        })
    }

    /// Fills `out` with the message. Errors: a part is too long for CDR.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        let w = &mut Writer::new(VISION_INFO.name, out);
        self.header.write(w)?;
        w.str("method", self.method)?;
        w.str("database_location", self.database_location)?;
        w.i32(self.database_version);
        Ok(())
    }
}
