//! `std_msgs/msg/Float64`.

use super::cdr::{CdrError, Reader, Writer};
use super::definition::FLOAT64;

/// Reads the number of the message. Errors: the message is truncated.
pub fn parse(cdr: &[u8]) -> Result<f64, CdrError> {
    Reader::new(FLOAT64.name, cdr)?.f64("data")
}

/// Fills `out` with the message.
pub fn write(value: f64, out: &mut Vec<u8>) {
    Writer::new(FLOAT64.name, out).f64(value);
}
