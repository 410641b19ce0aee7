//! Values from a fuzzer's bytes.

/// The bytes that are left. Behind their end, everything is 0.
pub struct Draw<'a>(pub &'a [u8]);

impl<'a> Draw<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let taken = self.0.len().min(N);
        let (first, rest) = self.0.split_at(taken);
        bytes[..taken].copy_from_slice(first);
        self.0 = rest;
        bytes
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    pub fn i16(&mut self) -> i16 {
        i16::from_le_bytes(self.bytes())
    }

    pub fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.bytes())
    }

    pub fn f32(&mut self) -> f32 {
        f32::from_le_bytes(self.bytes())
    }

    /// A part whose length stands before it, in four bytes.
    pub fn part(&mut self) -> &'a [u8] {
        let length = u32::from_le_bytes(self.bytes()) as usize;
        let (part, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        part
    }
}

/// Returns what [`Draw::part`] reads back.
pub fn part(bytes: &[u8]) -> Vec<u8> {
    let mut written = (bytes.len() as u32).to_le_bytes().to_vec();
    written.extend(bytes);
    written
}
