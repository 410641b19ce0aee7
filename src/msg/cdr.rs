//! CDR as ROS 2 uses it: plain XCDR1 behind a 4-byte encapsulation header.
//!
//! The header names the byte order (`00 00` big-endian, `00 01` little-endian; two option bytes follow). After it every
//! scalar is aligned to its own size, counted from the first byte after the header. A string is its length with the
//! terminating NUL, then the bytes and the NUL; a sequence is its length, then its elements; a nested message is its
//! fields one after the other. Bytes that remain after the last field are padding.

use thiserror::Error;

/// Bytes of the encapsulation header.
pub const ENCAPSULATION: usize = 4;

/// What is wrong with a message, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}: {field} at byte {offset}: {problem}")]
pub struct CdrError {
    /// The ROS type that was expected, such as `sensor_msgs/msg/Image`.
    pub message: &'static str,
    /// The path of the field, such as `detections[3].bbox.size_x`.
    pub field: String,
    /// Where the field begins, in bytes from the beginning of the message, the encapsulation header included.
    pub offset: usize,
    /// What was expected there and what was found.
    pub problem: Problem,
}

/// What was expected of a field, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    #[error(
        "expected the XCDR1 encapsulation 00 00 or 00 01, found {:02x} {:02x}: the bytes are no plain CDR message",
        .0[0], .0[1]
    )]
    Encapsulation([u8; 2]),
    #[error(
        "expected at least {expected} more bytes, found {found}: the message is cut off or of another type"
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

/// Reads fields in order; what it returns borrows from the message.
pub(super) struct Reader<'a> {
    message: &'static str,
    body: &'a [u8],
    at: usize,
    big_endian: bool,
    /// The sequences that are being read and the index in each, for errors.
    scope: Vec<(&'static str, usize)>,
}

impl<'a> Reader<'a> {
    pub fn new(message: &'static str, cdr: &'a [u8]) -> Result<Self, CdrError> {
        let problem = match *cdr {
            [0, order @ (0 | 1), _, _, ref body @ ..] => {
                return Ok(Reader {
                    message,
                    body,
                    at: 0,
                    big_endian: order == 0,
                    scope: Vec::new(),
                });
            }
            [kind, order, _, _, ..] => Problem::Encapsulation([kind, order]),
            _ => Problem::Truncated {
                expected: ENCAPSULATION as u64,
                found: cdr.len(),
            },
        };
        Err(CdrError {
            message,
            field: "encapsulation header".to_owned(),
            offset: 0,
            problem,
        })
    }

    pub fn u8(&mut self, field: &'static str) -> Result<u8, CdrError> {
        self.scalar(field).map(u8::from_le_bytes)
    }

    pub fn u16(&mut self, field: &'static str) -> Result<u16, CdrError> {
        self.scalar(field).map(u16::from_le_bytes)
    }

    pub fn u32(&mut self, field: &'static str) -> Result<u32, CdrError> {
        self.scalar(field).map(u32::from_le_bytes)
    }

    pub fn i32(&mut self, field: &'static str) -> Result<i32, CdrError> {
        self.scalar(field).map(i32::from_le_bytes)
    }

    pub fn f32(&mut self, field: &'static str) -> Result<f32, CdrError> {
        self.scalar(field).map(f32::from_le_bytes)
    }

    pub fn f64(&mut self, field: &'static str) -> Result<f64, CdrError> {
        self.scalar(field).map(f64::from_le_bytes)
    }

    pub fn bool(&mut self, field: &'static str) -> Result<bool, CdrError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(self.value_error(field, "0 or 1", found)),
        }
    }

    /// A string without its NUL. A length of 0, which some writers use for the empty string, is taken as empty.
    pub fn str(&mut self, field: &'static str) -> Result<&'a str, CdrError> {
        let bytes = self.bytes(field)?;
        let Some((&last, text)) = bytes.split_last() else {
            return Ok("");
        };
        let start = self.at - bytes.len();
        if last != 0 {
            return Err(self.error(field, start, Problem::Unterminated(last)));
        }
        std::str::from_utf8(text)
            .map_err(|e| self.error(field, start, Problem::NotUtf8(e.valid_up_to())))
    }

    /// A `uint8[]`.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], CdrError> {
        let len = self.count(field, 1)?;
        self.take(field, len, 1)
    }

    /// A `float64[]`.
    pub fn f64s(&mut self, field: &'static str) -> Result<Vec<f64>, CdrError> {
        (0..self.count(field, 8)?)
            .map(|_| self.f64(field))
            .collect()
    }

    /// A `float64[N]`.
    pub fn f64_array<const N: usize>(&mut self, field: &'static str) -> Result<[f64; N], CdrError> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = self.f64(field)?;
        }
        Ok(values)
    }

    /// A sequence of messages of which each takes at least `min_size` bytes.
    pub fn sequence<T>(
        &mut self,
        field: &'static str,
        min_size: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, CdrError>,
    ) -> Result<Vec<T>, CdrError> {
        let len = self.count(field, min_size)?;
        let mut elements = Vec::with_capacity(len);
        for index in 0..len {
            self.scope.push((field, index));
            elements.push(read(self)?);
            self.scope.pop();
        }
        Ok(elements)
    }

    /// The error that a byte read last is none of the values that its field can have.
    pub fn value_error(&self, field: &'static str, expected: &'static str, found: u8) -> CdrError {
        self.error(field, self.at - 1, Problem::Value { expected, found })
    }

    /// The length of a sequence, checked against the bytes that remain so that it can be trusted with an allocation.
    fn count(&mut self, field: &'static str, min_size: usize) -> Result<usize, CdrError> {
        let len = self.u32(field)?;
        let expected = u64::from(len) * min_size as u64;
        let found = self.body.len() - self.at;
        if expected > found as u64 {
            let problem = Problem::Truncated { expected, found };
            return Err(self.error(field, self.at, problem));
        }
        Ok(len as usize)
    }

    /// A scalar's bytes, least significant first.
    fn scalar<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CdrError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(field, N, N)?);
        if self.big_endian {
            bytes.reverse();
        }
        Ok(bytes)
    }

    fn take(
        &mut self,
        field: &'static str,
        len: usize,
        align: usize,
    ) -> Result<&'a [u8], CdrError> {
        let start = self.at.next_multiple_of(align);
        let rest = self.body.get(start..).unwrap_or_default();
        let Some(bytes) = rest.get(..len) else {
            let problem = Problem::Truncated {
                expected: len as u64,
                found: rest.len(),
            };
            return Err(self.error(field, start, problem));
        };
        self.at = start + len;
        Ok(bytes)
    }

    fn error(&self, field: &str, at: usize, problem: Problem) -> CdrError {
        let mut path = String::new();
        for (sequence, index) in &self.scope {
            path += &format!("{sequence}[{index}].");
        }
        CdrError {
            message: self.message,
            field: path + field,
            offset: ENCAPSULATION + at,
            problem,
        }
    }
}

/// Writes fields in order, little-endian, into a buffer that it clears first.
pub(super) struct Writer<'a> {
    message: &'static str,
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub fn new(message: &'static str, out: &'a mut Vec<u8>) -> Self {
        out.clear();
        out.extend([0, 1, 0, 0]);
        Writer { message, out }
    }

    pub fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.scalar(value.to_le_bytes());
    }

    pub fn u32(&mut self, value: u32) {
        self.scalar(value.to_le_bytes());
    }

    pub fn i32(&mut self, value: i32) {
        self.scalar(value.to_le_bytes());
    }

    pub fn f32(&mut self, value: f32) {
        self.scalar(value.to_le_bytes());
    }

    pub fn f64(&mut self, value: f64) {
        self.scalar(value.to_le_bytes());
    }

    /// The values of a fixed array; of a sequence only after its length.
    pub fn f64_array(&mut self, values: &[f64]) {
        for &value in values {
            self.f64(value);
        }
    }

    pub fn str(&mut self, field: &'static str, text: &str) -> Result<(), CdrError> {
        self.count(field, text.len().saturating_add(1))?;
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(0);
        Ok(())
    }

    /// A `uint8[]`.
    pub fn bytes(&mut self, field: &'static str, bytes: &[u8]) -> Result<(), CdrError> {
        self.count(field, bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// A `float64[]`.
    pub fn f64s(&mut self, field: &'static str, values: &[f64]) -> Result<(), CdrError> {
        self.count(field, values.len())?;
        self.f64_array(values);
        Ok(())
    }

    /// A sequence of messages, counted as they come.
    pub fn sequence<T>(
        &mut self,
        field: &'static str,
        elements: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), CdrError>,
    ) -> Result<(), CdrError> {
        self.u32(0);
        let end = self.out.len();
        let mut count = 0;
        for element in elements {
            write(self, element)?;
            count += 1;
        }
        let count = self.length(field, count)?;
        self.out[end - 4..end].copy_from_slice(&count.to_le_bytes());
        Ok(())
    }

    fn count(&mut self, field: &'static str, len: usize) -> Result<(), CdrError> {
        let len = self.length(field, len)?;
        self.u32(len);
        Ok(())
    }

    fn length(&self, field: &'static str, len: usize) -> Result<u32, CdrError> {
        u32::try_from(len).map_err(|_| CdrError {
            message: self.message,
            field: field.to_owned(),
            offset: self.out.len(),
            problem: Problem::TooLong(len),
        })
    }

    fn scalar<const N: usize>(&mut self, bytes: [u8; N]) {
        let body = self.out.len() - ENCAPSULATION;
        let aligned = body.next_multiple_of(N);
        self.out.resize(ENCAPSULATION + aligned, 0);
        self.out.extend(bytes);
    }
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
             found 00 07: the bytes are no plain CDR message"
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
            "pkg/msg/Type: s at byte 8: expected at least 5 more bytes, found 1: the message is cut off or of another \
             type"
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
