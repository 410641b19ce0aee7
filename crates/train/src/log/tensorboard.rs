//! TensorBoard's files of events: records of a length, its checksum, a message and its checksum. The messages are
//! `Event` of TensorFlow's `event.proto`, of which scalars need five fields.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file of events.
pub struct Events {
    file: BufWriter<File>,
}

impl Events {
    /// Creates a file in `folder` whose name has the time and the number of steps before it.
    pub fn create(folder: &Path, now: SystemTime, step: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let seconds = seconds(now);
        let name = format!("events.out.tfevents.{seconds:.0}.shuffledet-train.{step}");
        let file = BufWriter::new(File::create(folder.join(name))?);
        let mut events = Self { file };
        let mut event = time(seconds);
        bytes(&mut event, 3, b"brain.Event:2");
        events.write(&event)?;
        Ok(events)
    }

    /// Adds scalars by name.
    pub fn add(&mut self, now: SystemTime, step: u64, values: &[(String, f64)]) -> io::Result<()> {
        let mut summary = Vec::new();
        for (name, value) in values {
            let mut scalar = Vec::new();
            bytes(&mut scalar, 1, name.as_bytes());
            key(&mut scalar, 2, FIXED_32);
            scalar.extend((*value as f32).to_le_bytes());
            bytes(&mut summary, 1, &scalar);
        }
        let mut event = time(seconds(now));
        key(&mut event, 2, VARINT);
        varint(&mut event, step);
        bytes(&mut event, 5, &summary);
        self.write(&event)
    }

    fn write(&mut self, event: &[u8]) -> io::Result<()> {
        self.file.write_all(&record(event))?;
        // readers follow the file while the run goes on
        self.file.flush()
    }
}

fn seconds(now: SystemTime) -> f64 {
    now.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let parts: [&[u8]; 4] = [
        &length,
        &masked_checksum(&length).to_le_bytes(),
        message,
        &masked_checksum(message).to_le_bytes(),
    ];
    parts.concat()
}

/// Returns CRC-32C, rotated and shifted as the format has it.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH: u8 = 2;
const FIXED_32: u8 = 5;

fn time(seconds: f64) -> Vec<u8> {
    let mut event = Vec::new();
    key(&mut event, 1, FIXED_64);
    event.extend(seconds.to_le_bytes());
    event
}

fn key(message: &mut Vec<u8>, field: u8, wire: u8) {
    message.push(field << 3 | wire);
}

fn bytes(message: &mut Vec<u8>, field: u8, value: &[u8]) {
    key(message, field, LENGTH);
    varint(message, value.len() as u64);
    message.extend(value);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_bytes_of_the_format() {
        // the example of RFC 3720, B.4: 32 bytes of zeros
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        let record = record(b"abc");
        assert_eq!(
            (record.len(), &record[..8]),
            (8 + 4 + 3 + 4, [3, 0, 0, 0, 0, 0, 0, 0].as_slice())
        );
        assert_eq!(&record[12..15], b"abc");
        let mut long = Vec::new();
        varint(&mut long, 300);
        assert_eq!(long, [0xac, 0x02]);
    }
}
