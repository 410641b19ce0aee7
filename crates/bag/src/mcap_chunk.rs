//! Loads one part of an MCAP file: finds its messages and keeps its content.
//!
//! A part ([`Unit`]) is a chunk, or a run of messages outside chunks. Content is kept in memory up
//! to a budget and in an unnamed temporary file beyond it, so that a huge chunk does not take much
//! memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use mcap::records::op;
use tempfile::SpooledTempFile;

use super::compression::{MAX_DECOMPRESSED, chunk_decoder};
use super::mcap_records::{MESSAGE_HEAD, RECORD_HEAD, message_head, record_head};

/// Opcodes from here on are private.
const FIRST_PRIVATE: u8 = 0x80;

/// A chunk, or a run of records outside chunks.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub is_chunk: bool,
    /// The position of its first record in the file, and the number of bytes.
    pub offset: u64,
    pub length: u64,
    /// The log times of its first and last message, in nanoseconds.
    pub start_ns: u64,
    pub end_ns: u64,
    /// The channels of its messages; `None` if unknown.
    pub channels: Option<Box<[u16]>>,
}

/// A message in [`LoadedChunk`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub log_time_ns: u64,
    pub channel: u16,
    offset: u64,
    length: u64,
}

/// The uncompressed content of a unit.
pub(super) struct Content {
    file: SpooledTempFile,
    /// The number of bytes in memory.
    pub memory: usize,
}

/// The records found in a unit.
pub(super) struct LoadedChunk {
    pub content: Content,
    /// In the order of log time; equal times in the order of the file.
    pub entries: Vec<Entry>,
    /// The opcode and body of schemas and channels, in the order of the file.
    pub definitions: Vec<(u8, Vec<u8>)>,
    /// What is damaged; `entries` has everything that is still readable.
    pub damage: Option<String>,
}

impl LoadedChunk {
    /// Loads `unit` from a file of `file_len` bytes, with at most `budget` bytes in memory.
    ///
    /// A damaged chunk gives no entries. A chunk cut off by the end of the file gives those before
    /// the cut.
    pub fn read(
        file: &mut BufReader<File>,
        file_len: u64,
        unit: &Unit,
        budget: usize,
    ) -> io::Result<Self> {
        file.seek(SeekFrom::Start(unit.offset))?;
        let mut loaded = Self {
            content: Content {
                file: SpooledTempFile::new(budget),
                memory: 0,
            },
            entries: Vec::new(),
            definitions: Vec::new(),
            damage: None,
        };
        let there = file_len.saturating_sub(unit.offset);
        let copied = if unit.is_chunk {
            loaded.copy_chunk(file, there)
        } else {
            loaded
                .copy(&mut file.take(unit.length.min(there)))
                .map_err(|e| e.to_string())
                .map(|content| content.length)
        };
        match copied {
            Ok(length) => {
                loaded.find_records(length)?;
                if !loaded.content.file.is_rolled() {
                    // Fits: content in memory has at most `budget` bytes.
                    loaded.content.memory = length as usize;
                }
            }
            Err(damage) => loaded.damage = Some(damage),
        }
        Ok(loaded)
    }

    /// Copies the content of the chunk that starts here, `there` bytes before the end of the file.
    fn copy_chunk(&mut self, file: &mut BufReader<File>, there: u64) -> Result<u64, String> {
        let mut fixed = [0; (RECORD_HEAD + 32) as usize];
        file.read_exact(&mut fixed).map_err(|_| CUT_OFF)?;
        // The unwraps: constant ranges of an array, of the length of their type.
        let (opcode, body) = record_head(fixed[..9].try_into().unwrap());
        let size = u64::from_le_bytes(fixed[25..33].try_into().unwrap());
        let crc = u32::from_le_bytes(fixed[33..37].try_into().unwrap());
        let name_length = u32::from_le_bytes(fixed[37..41].try_into().unwrap());
        if opcode != op::CHUNK {
            return Err(format!(
                "the index expects a chunk, found a record of opcode {opcode}"
            ));
        }
        let mut name = [0; 32];
        let Some(name) = name.get_mut(..name_length as usize) else {
            return Err(format!(
                "the name of the compression has {name_length} bytes"
            ));
        };
        let mut packed = [0; 8];
        file.read_exact(name)
            .and_then(|()| file.read_exact(&mut packed))
            .map_err(|_| CUT_OFF)?;
        let packed = u64::from_le_bytes(packed);
        let head = 32 + name.len() as u64 + 8;
        if body.checked_sub(head).is_none_or(|room| packed > room) {
            return Err(format!(
                "{packed} bytes of content in a record of {body} bytes"
            ));
        }
        if size > MAX_DECOMPRESSED {
            return Err(format!(
                "{size} bytes of content; the limit is {MAX_DECOMPRESSED}"
            ));
        }
        let there = there.saturating_sub(RECORD_HEAD + head);
        let cut_off = packed > there;
        let mut packed = file.take(packed.min(there));
        let decoder = chunk_decoder(name, &mut packed).map_err(|e| e.to_string())?;
        let Some(decoder) = decoder else {
            return Err(format!(
                "compression {:?} is not supported; expected none, lz4 or zstd",
                String::from_utf8_lossy(name)
            ));
        };
        // One byte more than declared, to detect excess content.
        let content = self
            .copy(&mut decoder.take(size + 1))
            .map_err(|e| e.to_string())?;
        if cut_off {
            self.damage = Some(CUT_OFF.into());
            return Ok(content.length.min(size));
        }
        if content.length != size {
            let reason = content.stopped.unwrap_or("another length".into());
            return Err(format!(
                "its {size} bytes cannot be decompressed ({reason})"
            ));
        }
        if crc != 0 && crc != content.crc {
            return Err(format!(
                "expected checksum {crc:08x}, found {:08x}",
                content.crc
            ));
        }
        Ok(size)
    }

    /// Copies `from` until its end or its first error. The returned error concerns our own file.
    fn copy(&mut self, from: &mut dyn Read) -> io::Result<CopyResult> {
        let mut hasher = crc32fast::Hasher::new();
        let mut block = vec![0; 64 << 10];
        let mut length = 0;
        let stopped = loop {
            match from.read(&mut block) {
                Ok(0) => break None,
                Ok(n) => {
                    hasher.update(&block[..n]);
                    self.content.file.write_all(&block[..n])?;
                    length += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(e.to_string()),
            }
        };
        Ok(CopyResult {
            length,
            crc: hasher.finalize(),
            stopped,
        })
    }

    /// Finds the records in the first `length` bytes of the content.
    fn find_records(&mut self, length: u64) -> io::Result<()> {
        let mut content = BufReader::new(&mut self.content.file);
        content.seek(SeekFrom::Start(0))?;
        let mut at = 0;
        while length - at >= RECORD_HEAD {
            let mut head = [0; RECORD_HEAD as usize];
            content.read_exact(&mut head)?;
            let (opcode, body) = record_head(head);
            if body > length - at - RECORD_HEAD {
                break;
            }
            at += RECORD_HEAD;
            let mut rest = body;
            if opcode == op::MESSAGE && body >= MESSAGE_HEAD {
                let mut head = [0; MESSAGE_HEAD as usize];
                content.read_exact(&mut head)?;
                let (channel, log_time_ns) = message_head(head);
                rest -= MESSAGE_HEAD;
                if rest > MAX_DECOMPRESSED {
                    self.damage = Some(format!(
                        "a message of {rest} bytes is skipped; the limit is {MAX_DECOMPRESSED}"
                    ));
                } else {
                    self.entries.push(Entry {
                        log_time_ns,
                        channel,
                        offset: at + MESSAGE_HEAD,
                        length: rest,
                    });
                }
            } else if opcode == op::SCHEMA || opcode == op::CHANNEL {
                let mut definition = Vec::new();
                content.by_ref().take(rest).read_to_end(&mut definition)?;
                self.definitions.push((opcode, definition));
                rest = 0;
            } else if opcode < FIRST_PRIVATE {
                // A chunk without a checksum may be damaged; no other record belongs here.
                self.damage = Some(format!("a record of opcode {opcode} is skipped"));
            }
            // Fits: the content has at most MAX_DECOMPRESSED bytes or is a run of records on disk.
            content.seek_relative(rest as i64)?;
            at += body;
        }
        if at < length && self.damage.is_none() {
            self.damage = Some("its last record is cut off".into());
        }
        self.entries.sort_by_key(|entry| entry.log_time_ns);
        Ok(())
    }
}

impl Content {
    /// Reads the data of a message into `data`, which is cleared first.
    pub fn message(&mut self, entry: Entry, data: &mut Vec<u8>) -> io::Result<()> {
        data.clear();
        self.file.seek(SeekFrom::Start(entry.offset))?;
        let file = &mut self.file;
        file.take(entry.length).read_to_end(data)?;
        Ok(())
    }
}

pub(super) const CUT_OFF: &str = "cut off by the end of the file";

struct CopyResult {
    length: u64,
    crc: u32,
    /// Why reading stopped before the end.
    stopped: Option<String>,
}
