//! CDR as ROS 2 uses it: plain XCDR1 after a 4-byte encapsulation header.
//!
//! The header names the byte order (`00 00` big-endian, `00 01` little-endian; two option bytes
//! follow). After it every scalar is aligned to its own size, counted from the first byte after the
//! header. A string is its length with the terminating NUL, then the bytes and the NUL; a sequence
//! is its length, then its elements; a nested message is its fields one after the other. Bytes that
//! remain after the last field are padding.

mod reader;
mod writer;

use thiserror::Error;

pub(super) use reader::Reader;
pub(super) use writer::Writer;

/// Bytes of the encapsulation header.
const ENCAPSULATION: usize = 4;

/// A problem in a message, and its position.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}: {field} at byte {offset}: {problem}")]
pub struct CdrError {
    /// The ROS type that was expected, such as `sensor_msgs/msg/Image`.
    pub message: &'static str,
    /// The path of the field, for example `detections[3].bbox.size_x`.
    pub field: String,
    /// The start of the field, in bytes from the start of the message, including the encapsulation
    /// header.
    pub offset: usize,
    /// What was expected there and what was found.
    pub problem: Problem,
}

/// What was expected of a field, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    #[error(
        "expected the XCDR1 encapsulation 00 00 or 00 01, found {:02x} {:02x}: the bytes are not a plain CDR message",
        .0[0], .0[1]
    )]
    Encapsulation([u8; 2]),
    #[error(
        "expected at least {expected} more bytes, found {found}; the message is truncated or has another type"
    )]
    Truncated { expected: u64, found: usize },
    #[error("expected a string that ends in NUL, found {0:#04x} as its last byte")]
    Unterminated(u8),
    #[error("expected UTF-8, found another byte at index {0} of the string")]
    NotUtf8(usize),
    #[error("expected {expected}, found {found}")]
    Value { expected: &'static str, found: u8 },
    #[error("expected a length below 2^32, the most that CDR can carry, found {0}")]
    TooLong(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(cdr: &[u8]) -> Reader<'_> {
        Reader::new("pkg/msg/Type", cdr).unwrap()
    }

    #[test]
    fn alignment_counts_from_the_end_of_the_encapsulation() {
        let mut out = vec![9; 3];
        let mut w = Writer::new("pkg/msg/Type", &mut out);
        w.u8(7);
        w.f64(1.5);
        w.str("s", "é").unwrap();
        w.u16(3);
        let mut expected = vec![0, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        expected.extend(1.5f64.to_le_bytes());
        expected.extend([3, 0, 0, 0, 0xc3, 0xa9, 0, 0, 3, 0]);
        assert_eq!(out, expected);

        let mut r = reader(&out);
        assert_eq!(r.u8("a"), Ok(7));
        assert_eq!(r.f64("b"), Ok(1.5));
        assert_eq!(r.str("s"), Ok("é"));
        assert_eq!(r.u16("c"), Ok(3));
    }

    #[test]
    fn an_empty_float_sequence_is_not_followed_by_padding() {
        let mut out = Vec::new();
        let mut w = Writer::new("pkg/msg/Type", &mut out);
        w.f64s("d", &[]).unwrap();
        w.u8(1);
        assert_eq!(out, [0, 1, 0, 0, 0, 0, 0, 0, 1]);
        let mut r = reader(&out);
        assert_eq!(r.f64s("d"), Ok(vec![]));
        assert_eq!(r.u8("e"), Ok(1));
    }

    #[test]
    fn errors_say_where_and_what() {
        let text = |e: CdrError| e.to_string();
        assert_eq!(
            text(Reader::new("pkg/msg/Type", &[0, 7, 0, 0]).err().unwrap()),
            "pkg/msg/Type: encapsulation header at byte 0: expected the XCDR1 encapsulation 00 00 or 00 01, \
             found 00 07: the bytes are not a plain CDR message"
        );
        assert_eq!(
            Reader::new("pkg/msg/Type", &[0, 1]).err().unwrap().problem,
            Problem::Truncated {
                expected: 4,
                found: 2
            }
        );
        assert_eq!(
            text(
                reader(&[0, 1, 0, 0, 5, 0, 0, 0, b'a'])
                    .str("s")
                    .unwrap_err()
            ),
            "pkg/msg/Type: s at byte 8: expected at least 5 more bytes, found 1; the message is \
             truncated or has another type"
        );
        assert_eq!(
            text(
                reader(&[0, 1, 0, 0, 2, 0, 0, 0, b'a', b'b'])
                    .str("s")
                    .unwrap_err()
            ),
            "pkg/msg/Type: s at byte 8: expected a string that ends in NUL, found 0x62 as its last byte"
        );
        assert_eq!(
            text(
                reader(&[0, 0, 0, 0, 0, 0, 0, 3, b'a', 0xff, 0])
                    .str("s")
                    .unwrap_err()
            ),
            "pkg/msg/Type: s at byte 8: expected UTF-8, found another byte at index 1 of the string"
        );
        assert_eq!(
            text(reader(&[0, 1, 0, 0, 2]).bool("b").unwrap_err()),
            "pkg/msg/Type: b at byte 4: expected 0 or 1, found 2"
        );
        let nested = reader(&[0, 1, 0, 0, 2, 0, 0, 0, 1, 0])
            .sequence("items", 1, |r| r.u16("x"))
            .unwrap_err();
        assert_eq!(nested.field, "items[1].x");
        assert_eq!(nested.offset, 10);
    }

    #[test]
    fn a_length_beyond_the_message_is_refused_before_it_is_allocated() {
        let cdr = [0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        let problem = |expected| Problem::Truncated { expected, found: 4 };
        let len = u64::from(u32::MAX);
        assert_eq!(
            reader(&cdr).f64s("d").unwrap_err().problem,
            problem(8 * len)
        );
        let elements = reader(&cdr).sequence("items", 64, |r| r.u8("x"));
        assert_eq!(elements.unwrap_err().problem, problem(64 * len));
    }

    #[test]
    fn a_string_of_length_zero_is_empty() {
        assert_eq!(reader(&[0, 1, 0, 0, 0, 0, 0, 0]).str("s"), Ok(""));
    }
}
