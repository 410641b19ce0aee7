//! `vision_msgs/msg/LabelInfo`: the classes that a detector knows.

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
    /// The score, in [0, 1], below which the detector reports nothing.
    pub threshold: f32,
}

/// One class of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisionClass<'a> {
    pub class_id: u16,
    pub class_name: &'a str,
}

/// The least that a class takes: its number and a length.
const MIN_CLASS: usize = 2 + 4;

impl<'a> LabelInfo<'a> {
    /// Errors: the message is cut off, or a text in it is not valid.
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

    /// Fills `out` with the message. Errors: a part is longer than CDR can carry.
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
