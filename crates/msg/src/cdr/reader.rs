//! Reads fields from bytes in either byte order, also from ROS 1.

use super::{CdrError, ENCAPSULATION, Problem};

/// Reads fields in order; returned values borrow from the message.
pub struct Reader<'a> {
    message: &'static str,
    body: &'a [u8],
    at: usize,
    big_endian: bool,
    /// Whether the message is from ROS 1: without padding, and with strings without NUL at the end.
    packed: bool,
    /// The number of bytes of the message before `body`.
    before: usize,
    /// The sequences being read and the index in each, for errors.
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
                    packed: false,
                    before: ENCAPSULATION,
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

    /// Reads a ROS 1 message: little-endian, without encapsulation and padding.
    pub fn ros1(message: &'static str, body: &'a [u8]) -> Self {
        Reader {
            message,
            body,
            at: 0,
            big_endian: false,
            packed: true,
            before: 0,
            scope: Vec::new(),
        }
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

    /// Reads a string without its NUL. A length of 0, which some writers use for the empty string,
    /// is accepted.
    pub fn str(&mut self, field: &'static str) -> Result<&'a str, CdrError> {
        let bytes = self.bytes(field)?;
        let start = self.at - bytes.len();
        let text = match bytes.split_last() {
            _ if self.packed => bytes,
            None => return Ok(""),
            Some((0, text)) => text,
            Some((&last, _)) => {
                return Err(self.error(field, start, Problem::Unterminated(last)));
            }
        };
        std::str::from_utf8(text)
            .map_err(|e| self.error(field, start, Problem::NotUtf8(e.valid_up_to())))
    }

    /// Reads a `uint8[]`.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], CdrError> {
        let len = self.count(field, 1)?;
        self.take(field, len, 1)
    }

    /// Reads a `float64[]`.
    pub fn f64s(&mut self, field: &'static str) -> Result<Vec<f64>, CdrError> {
        (0..self.count(field, 8)?)
            .map(|_| self.f64(field))
            .collect()
    }

    /// Reads a `float64[N]`.
    pub fn f64_array<const N: usize>(&mut self, field: &'static str) -> Result<[f64; N], CdrError> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = self.f64(field)?;
        }
        Ok(values)
    }

    /// Reads a sequence of messages of at least `min_size` bytes each.
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

    /// Returns the error for a byte that is not a valid value of its field.
    pub fn value_error(&self, field: &'static str, expected: &'static str, found: u8) -> CdrError {
        self.error(field, self.at - 1, Problem::Value { expected, found })
    }

    /// Reads the length of a sequence and checks it against the remaining bytes, so that it is safe
    /// for an allocation.
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

    /// Reads a scalar's bytes, least significant first.
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
        let align = if self.packed { 1 } else { align };
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
            offset: self.before + at,
            problem,
        }
    }
}
