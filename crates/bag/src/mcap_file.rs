//! An opened MCAP file: its topics and the positions of its messages.
//!
//! A file with a summary is read by its summary. A file without one (still being written,
//! truncated, damaged, or written that way) is scanned from the start, with the same table of units
//! as the result. Both are read in the order of log time, with memory for a few units only. Records
//! outside chunks in a file with a chunk index are not read: no writer of rosbag2 creates such
//! files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use mcap::records::op;

use super::Topic;
use super::compression::PlainFile;
use super::error::{BagError, EMPTY, Warnings};
use super::mcap_chunk::Unit;
use super::mcap_records::{
    Channel, RECORD_HEAD, Schema, channel, chunk_index, footer, record_head, schema, statistics,
};

/// The footer record and the end magic.
const TAIL: usize = RECORD_HEAD as usize + 20 + mcap::MAGIC.len();
/// A longer definition or summary record counts as damage.
pub(super) const MAX_RECORD: u64 = 64 << 20;

/// The readable part of an MCAP file.
#[derive(Debug, Clone)]
pub(super) struct McapFile {
    pub file: PlainFile,
    pub length: u64,
    /// In the order of the file.
    pub units: Vec<Unit>,
    pub channels: HashMap<u16, Channel>,
    /// Whether the file was scanned on opening, with warnings for any damage.
    pub scanned: bool,
    schemas: HashMap<u16, Schema>,
    /// The number of messages per channel; `None` if the file does not give it.
    pub counts: Option<HashMap<u16, u64>>,
    /// The first and last log time in nanoseconds.
    pub start_end_ns: Option<(u64, u64)>,
}

impl McapFile {
    /// Reads the summary, or scans the file if it has none.
    pub fn open(file: PlainFile, warnings: &mut Warnings) -> Result<Self, BagError> {
        let name = file.name.clone();
        let handle = File::open(&file.path).map_err(BagError::io(&name))?;
        let length = handle.metadata().map_err(BagError::io(&name))?.len();
        let mut reader = BufReader::new(handle);
        let mut start = Vec::new();
        let start_length = mcap::MAGIC.len() as u64 + RECORD_HEAD;
        let read = reader.by_ref().take(start_length).read_to_end(&mut start);
        read.map_err(BagError::io(&name))?;
        if length == 0 && file.path != file.name {
            return Err(unreadable(&name, "it unpacks to nothing".to_owned()));
        }
        if let Some(reason) = start_problem(&start, length) {
            return Err(unreadable(&name, reason));
        }
        let mut opened = Self {
            file,
            length,
            units: Vec::new(),
            channels: HashMap::new(),
            scanned: false,
            schemas: HashMap::new(),
            counts: None,
            start_end_ns: None,
        };
        if let Err(reason) = opened.read_summary(&mut reader) {
            opened.scanned = true;
            opened.units.clear();
            opened.channels.clear();
            opened.schemas.clear();
            opened.counts = Some(HashMap::new());
            opened.start_end_ns = None;
            warnings.push(&name, format!("{reason}; the file is scanned instead"));
            let is_cut = opened
                .scan(&mut reader, warnings)
                .map_err(BagError::io(&name))?;
            if is_cut && opened.units.is_empty() && opened.channels.is_empty() {
                // a recorder that was killed at its start leaves such a file
                warnings.push(&name, cut_before("topic", length));
            }
        }
        Ok(opened)
    }

    /// Returns the topics of the file, one per channel.
    pub fn topics(&self) -> impl Iterator<Item = Topic> {
        self.channels.values().map(|channel| self.topic(channel))
    }

    /// Returns the topic of a channel, with the type from the channel's schema.
    pub fn topic(&self, channel: &Channel) -> Topic {
        let schema = self.schemas.get(&channel.schema_id);
        let serialization = match channel.message_encoding.as_str() {
            "" => schema.map_or("", |schema| serialization_of(&schema.encoding)),
            stated => stated,
        };
        Topic {
            name: channel.topic.clone(),
            type_name: schema.map(|schema| schema.name.clone()).unwrap_or_default(),
            serialization_format: serialization.to_owned(),
            message_count: (self.counts.as_ref())
                .map(|counts| counts.get(&channel.id).copied().unwrap_or(0)),
        }
    }

    /// The error tells why the summary is not usable.
    fn read_summary(&mut self, reader: &mut BufReader<File>) -> Result<(), String> {
        let mut tail = [0; TAIL];
        let footer_at = self
            .length
            .checked_sub(TAIL as u64)
            .ok_or("no footer (truncated, or still being written)")?;
        reader
            .seek(SeekFrom::Start(footer_at))
            .and_then(|_| reader.read_exact(&mut tail))
            .map_err(|e| e.to_string())?;
        // The unwraps: constant ranges of an array, of the length of their type.
        let head = record_head(tail[..9].try_into().unwrap());
        if !tail.ends_with(mcap::MAGIC) || head != (op::FOOTER, 20) {
            return Err("no footer (truncated, or still being written)".into());
        }
        let (summary_at, crc) = footer(tail[9..29].try_into().unwrap());
        if summary_at == 0 {
            return Err("no summary, so no index".into());
        }
        let section = footer_at
            .checked_sub(summary_at)
            .ok_or("summary outside the file")?;
        if crc != 0 && crc != summary_crc(reader, summary_at, section, &tail)? {
            return Err("damaged summary (checksum)".into());
        }
        let mut found = None;
        let mut rest = section;
        reader
            .seek(SeekFrom::Start(summary_at))
            .map_err(|e| e.to_string())?;
        while rest > 0 {
            let (opcode, body) = next_record(reader, rest)?;
            rest -= RECORD_HEAD + body.len() as u64;
            let known = match opcode {
                op::SCHEMA | op::CHANNEL => self.define(opcode, &body),
                op::CHUNK_INDEX => self.add_indexed(&body, summary_at),
                op::STATISTICS => statistics(&body).map(|s| found = Some(s)),
                _ => Some(()),
            };
            known.ok_or_else(|| format!("damaged summary (record of opcode {opcode})"))?;
        }
        if (found.as_ref()).is_some_and(|s| s.chunk_count as usize != self.units.len()) {
            return Err("incomplete index of chunks".into());
        }
        let empty = found.as_ref().is_some_and(|s| s.message_count == 0);
        if !empty && (self.units.is_empty() || self.channels.is_empty()) {
            return Err("no index of chunks or channels".into());
        }
        let counted = found
            .iter()
            .flat_map(|s| s.counts.iter().map(|count| &count.0));
        let indexed = self
            .units
            .iter()
            .flat_map(|unit| unit.channels.iter().flatten());
        if counted
            .chain(indexed)
            .any(|id| !self.channels.contains_key(id))
        {
            return Err("incomplete list of channels".into());
        }
        let start = self.units.iter().map(|unit| unit.start_ns).min();
        let end = self.units.iter().map(|unit| unit.end_ns).max();
        self.start_end_ns = match &found {
            Some(s) => (!empty).then_some((s.start_ns, s.end_ns)),
            None => start.zip(end),
        };
        self.counts = found.map(|s| s.counts.into_iter().collect());
        self.units.sort_by_key(|unit| unit.offset);
        Ok(())
    }

    pub fn define(&mut self, opcode: u8, body: &[u8]) -> Option<()> {
        if opcode == op::SCHEMA {
            let schema = schema(body)?;
            self.schemas.insert(schema.id, schema);
        } else {
            let channel = channel(body)?;
            self.channels.insert(channel.id, channel);
        }
        Some(())
    }

    fn add_indexed(&mut self, body: &[u8], summary_at: u64) -> Option<()> {
        let index = chunk_index(body)?;
        if index.offset.checked_add(index.length)? > summary_at {
            return None;
        }
        self.units.push(Unit {
            is_chunk: true,
            offset: index.offset,
            length: index.length,
            start_ns: index.start_ns,
            end_ns: index.end_ns,
            channels: (!index.channels.is_empty()).then(|| index.channels.into()),
        });
        Some(())
    }
}

fn unreadable(name: &Path, reason: String) -> BagError {
    BagError::Unreadable {
        path: name.to_owned(),
        kind: "MCAP",
        reason,
    }
}

/// Returns why a file of `length` bytes that starts with `start`, the magic and the head of a
/// record, cannot be read.
fn start_problem(start: &[u8], length: u64) -> Option<String> {
    if length == 0 {
        return Some(EMPTY.to_owned());
    }
    let Some(head) = start.strip_prefix(mcap::MAGIC) else {
        return Some(if mcap::MAGIC.starts_with(start) {
            cut_before("record", length)
        } else {
            "it does not start with the MCAP magic".to_owned()
        });
    };
    match head.try_into().map(record_head) {
        Ok((op::HEADER, body)) if length - start.len() as u64 >= body => None,
        Ok((op::HEADER, _)) | Err(_) => Some(cut_before("record", length)),
        Ok(_) => Some("it does not start with a header record".to_owned()),
    }
}

/// Returns the reason for a file that ends before its first `part`.
fn cut_before(part: &str, length: u64) -> String {
    format!("it ends at byte {length}, before its first {part}")
}

/// Returns the serialization that belongs to a schema encoding, if the channel does not give it.
fn serialization_of(schema_encoding: &str) -> &'static str {
    match schema_encoding {
        "ros2msg" | "ros2idl" | "omgidl" => "cdr",
        "ros1msg" => "ros1",
        "protobuf" => "protobuf",
        "jsonschema" => "json",
        _ => "",
    }
}

/// Returns the next record of the summary, which has `rest` more bytes.
fn next_record(reader: &mut BufReader<File>, rest: u64) -> Result<(u8, Vec<u8>), String> {
    let mut head = [0; RECORD_HEAD as usize];
    reader.read_exact(&mut head).map_err(|e| e.to_string())?;
    let (opcode, length) = record_head(head);
    if rest < RECORD_HEAD || length > (rest - RECORD_HEAD).min(MAX_RECORD) {
        return Err("damaged summary (length of a record)".into());
    }
    let mut body = Vec::new();
    reader
        .by_ref()
        .take(length)
        .read_to_end(&mut body)
        .map_err(|e| e.to_string())?;
    Ok((opcode, body))
}

/// Computes the checksum of the summary and of the footer up to the checksum itself.
fn summary_crc(
    reader: &mut BufReader<File>,
    at: u64,
    length: u64,
    tail: &[u8; TAIL],
) -> Result<u32, String> {
    let mut hasher = crc32fast::Hasher::new();
    let mut block = vec![0; 64 << 10];
    reader
        .seek(SeekFrom::Start(at))
        .map_err(|e| e.to_string())?;
    let mut rest = reader.take(length);
    loop {
        match rest.read(&mut block).map_err(|e| e.to_string())? {
            0 => break,
            n => hasher.update(&block[..n]),
        }
    }
    hasher.update(&tail[..RECORD_HEAD as usize + 16]);
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{Qos, Recording, RecordingWriter, TopicSpec};

    #[test]
    fn a_file_that_ends_before_its_first_topic_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole");
        let mut writer = RecordingWriter::create(&whole, false).unwrap();
        writer
            .add_topic(&TopicSpec {
                name: "/image",
                type_name: "sensor_msgs/msg/Image",
                definition: "",
                qos: Qos {
                    depth: 1,
                    reliable: true,
                    transient_local: false,
                },
            })
            .unwrap();
        let bytes = fs::read(writer.finish().unwrap().mcap).unwrap();
        let cut = folder.path().join("cut.mcap");
        let reason = |length: usize| {
            fs::write(&cut, &bytes[..length]).unwrap();
            Recording::open(&cut).err().map(|error| error.to_string())
        };
        assert!(reason(0).unwrap().ends_with("it is empty (0 bytes)"));
        let readable = (1..bytes.len()).find(|&length| {
            let Some(text) = reason(length) else {
                return true;
            };
            let end = format!(": it ends at byte {length}, before its first record");
            assert!(text.ends_with(&end), "{text}");
            false
        });
        let length = readable.unwrap();
        reason(length);
        let warnings = Recording::open(&cut).unwrap().warnings().to_vec();
        let end = format!("it ends at byte {length}, before its first topic");
        assert!(warnings.iter().any(|w| w.contains(&end)), "{warnings:?}");
        fs::write(&cut, b"no recording").unwrap();
        let error = Recording::open(&cut).unwrap_err().to_string();
        assert!(error.contains("the MCAP magic"), "{error}");
    }

    #[test]
    fn a_database_that_is_empty_or_ends_in_its_first_page_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db3");
        let reason = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            Recording::open(&path).unwrap_err().to_string()
        };
        assert!(reason(b"").ends_with("it is empty (0 bytes)"));
        let mut start = b"SQLite format 3\0\x10\0".to_vec();
        start.resize(100, 0);
        let text = reason(&start);
        assert!(
            text.ends_with("it ends at byte 100, within its first page"),
            "{text}"
        );
    }
}
