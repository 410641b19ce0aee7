//! Writes fields as little-endian bytes.

use super::{CdrError, ENCAPSULATION, Problem};

/// Writes fields in order, little-endian, into a buffer that it clears first.
pub struct Writer<'a> {
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

    /// Writes the values of a fixed array. For a sequence, write its length first.
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

    /// Writes a `uint8[]`.
    pub fn bytes(&mut self, field: &'static str, bytes: &[u8]) -> Result<(), CdrError> {
        self.count(field, bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes a `float64[]`.
    pub fn f64s(&mut self, field: &'static str, values: &[f64]) -> Result<(), CdrError> {
        self.count(field, values.len())?;
        self.f64_array(values);
        Ok(())
    }

    /// Writes a sequence of messages and counts them.
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
