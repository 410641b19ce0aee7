//! `vision_msgs/msg/LabelInfo`: the classes of a detector.

use std::borrow::Cow;

use super::cdr::{CdrError, Reader, Writer};
use super::definition::LABEL_INFO;
use super::header::HeaderView;

/// The class table of a detector.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelInfo<'a> {
    pub header: HeaderView<'a>,
    /// Borrowed from the caller when written, owned when parsed.
    pub class_map: Cow<'a, [VisionClass<'a>]>,
    /// The lowest score, in [0, 1], that the detector reports.
    pub threshold: f32,
}

/// One class of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisionClass<'a> {
    pub class_id: u16,
    pub class_name: &'a str,
}

/// The minimum size of a class: its number and a length.
const MIN_CLASS: usize = 2 + 4;

impl<'a> LabelInfo<'a> {
    /// Parses the message. Errors: the message is truncated, or one of its strings is not valid.
    pub fn parse(cdr: &'a [u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(LABEL_INFO.name, cdr)?;
        Ok(LabelInfo {
            header: HeaderView::read(r)?,
            class_map: r
                .sequence("class_map", MIN_CLASS, |r| {
                    Ok(VisionClass {
                        class_id: r.u16("class_id")?,
                        class_name: r.str("class_name")?,
                    })
                })?
                .into(),
            threshold: r.f32("threshold")?,
        })
    }

    /// Fills `out` with the message. Errors: a part is too long for CDR.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        let w = &mut Writer::new(LABEL_INFO.name, out);
        self.header.write(w)?;
        w.sequence("class_map", self.class_map.iter(), |w, class| {
            w.u16(class.class_id);
            w.str("class_name", class.class_name)
        })?;
        w.f32(self.threshold);
        Ok(())
    }
}
