//! `diagnostic_msgs/msg/DiagnosticArray`: states of components, as key-value pairs.

use std::borrow::Cow;

use super::cdr::{CdrError, Reader, Writer};
use super::definition::DIAGNOSTIC_ARRAY;
use super::header::HeaderView;

/// The level of a component's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok = 0,
    Warn = 1,
    Error = 2,
    Stale = 3,
}

/// The state of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosticStatus<'a> {
    pub level: Level,
    /// The name of the component.
    pub name: &'a str,
    /// The state as text.
    pub message: &'a str,
    pub hardware_id: &'a str,
    /// Keys and values: borrowed from the caller when written, owned when parsed.
    pub values: Cow<'a, [(&'a str, &'a str)]>,
}

/// A parsed array; its strings borrow from the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiagnosticArray<'a> {
    pub header: HeaderView<'a>,
    pub status: Vec<DiagnosticStatus<'a>>,
}

/// Fills `out` with the array. Only allocates in `out`. Errors: a part is too long for CDR.
pub fn write_diagnostics(
    out: &mut Vec<u8>,
    header: HeaderView<'_>,
    status: &[DiagnosticStatus<'_>],
) -> Result<(), CdrError> {
    let w = &mut Writer::new(DIAGNOSTIC_ARRAY.name, out);
    header.write(w)?;
    w.sequence("status", status, |w, status| {
        w.u8(status.level as u8);
        w.str("name", status.name)?;
        w.str("message", status.message)?;
        w.str("hardware_id", status.hardware_id)?;
        w.sequence("values", status.values.iter(), |w, (key, value)| {
            w.str("key", key)?;
            w.str("value", value)
        })
    })
}

/// The minimum size of a status: a level, and four lengths.
const MIN_STATUS: usize = 1 + 4 * 4;
/// The minimum size of a key and its value: two lengths.
const MIN_KEY_VALUE: usize = 2 * 4;

impl<'a> DiagnosticArray<'a> {
    /// Parses the message. Errors: the message is truncated, or a string or level in it is not
    /// valid.
    pub fn parse(cdr: &'a [u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(DIAGNOSTIC_ARRAY.name, cdr)?;
        Ok(DiagnosticArray {
            header: HeaderView::read(r)?,
            status: r.sequence("status", MIN_STATUS, DiagnosticStatus::read)?,
        })
    }
}

impl<'a> DiagnosticStatus<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, CdrError> {
        let level = match r.u8("level")? {
            0 => Level::Ok,
            1 => Level::Warn,
            2 => Level::Error,
            3 => Level::Stale,
            found => return Err(r.value_error("level", "a level from 0 to 3", found)),
        };
        Ok(DiagnosticStatus {
            level,
            name: r.str("name")?,
            message: r.str("message")?,
            hardware_id: r.str("hardware_id")?,
            values: r
                .sequence("values", MIN_KEY_VALUE, |r| {
                    Ok((r.str("key")?, r.str("value")?))
                })?
                .into(),
        })
    }
}
