//! An MCAP file, opened: its topics, and where its messages are.
//!
//! A file with a summary is read by it. One without (still being written, truncated, damaged, or
//! written so) is scanned from the start, which gives the same table of units; so both are read in
//! the order of log time, with memory for a few units only. Records that stand outside of chunks
//! in a file that has a chunk index are not read: no writer of rosbag2 makes such files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use mcap::records::op;

use super::Topic;
use super::compression::PlainFile;
use super::error::{BagError, Warnings};
use super::mcap_chunk::{CUT_OFF, Loaded, Unit};
use super::mcap_records::{
    Channel, MESSAGE_HEAD, RECORD_HEAD, channel, chunk_index, footer, message_head, record_head,
    schema, statistics,
};

/// Footer record and end magic.
const TAIL: usize = RECORD_HEAD as usize + 20 + mcap::MAGIC.len();
/// Messages outside of chunks are taken together up to this many bytes.
const MAX_RUN: u64 = 1 << 20;
/// A longer definition, or record of the summary, is taken for damage.
const MAX_RECORD: u64 = 64 << 20;

/// An MCAP file, as far as it can be read.
#[derive(Debug, Clone)]
pub(super) struct McapFile {
    pub file: PlainFile,
    pub length: u64,
    /// In the order of the file.
    pub units: Vec<Unit>,
    pub channels: HashMap<u16, Channel>,
    /// Whether damage was looked for already, and warned of, when the file was opened.
    pub scanned: bool,
    schemas: HashMap<u16, String>,
    /// Messages of each channel; none where the file does not say.
    counts: Option<HashMap<u16, u64>>,
    /// First and last log time in nanoseconds.
    pub start_end_ns: Option<(u64, u64)>,
}

impl McapFile {
    /// Read the summary, or scan the file where it has none.
    pub fn open(file: PlainFile, warnings: &mut Warnings) -> Result<Self, BagError> {
        let name = file.name.clone();
        let handle = File::open(&file.path).map_err(BagError::io(&name))?;
        let length = handle.metadata().map_err(BagError::io(&name))?.len();
        let mut reader = BufReader::new(handle);
        let mut start = [0; mcap::MAGIC.len() + RECORD_HEAD as usize];
        let complete = reader.read_exact(&mut start).is_ok();
        let (magic, head) = start.split_at(mcap::MAGIC.len());
        let reason = match head.try_into().map(record_head) {
            _ if magic != mcap::MAGIC => Some("it does not start with the MCAP magic"),
            Ok((op::HEADER, body)) if complete && length - start.len() as u64 >= body => None,
            _ => Some("it holds no record"),
        };
        if let Some(reason) = reason {
            return Err(BagError::Unreadable {
                path: name,
                kind: "MCAP",
                reason: reason.into(),
            });
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
            opened
                .scan(&mut reader, warnings)
                .map_err(BagError::io(&name))?;
        }
        Ok(opened)
    }

    /// The topics of the file, one for each channel.
    pub fn topics(&self) -> impl Iterator<Item = Topic> {
        self.channels.values().map(|channel| Topic {
            name: channel.topic.clone(),
            type_name: self
                .schemas
                .get(&channel.schema_id)
                .cloned()
                .unwrap_or_default(),
            serialization_format: channel.message_encoding.clone(),
            message_count: (self.counts.as_ref())
                .map(|counts| counts.get(&channel.id).copied().unwrap_or(0)),
        })
    }

    /// The error says why the summary cannot be used.
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
            .ok_or("summary outside of the file")?;
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

    fn define(&mut self, opcode: u8, body: &[u8]) -> Option<()> {
        if opcode == op::SCHEMA {
            let schema = schema(body)?;
            self.schemas.insert(schema.id, schema.name);
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

    /// Find everything that can be read, from the start to the end or to where framing is lost.
    fn scan(&mut self, reader: &mut BufReader<File>, warnings: &mut Warnings) -> io::Result<()> {
        let name = self.file.name.clone();
        let mut at = mcap::MAGIC.len() as u64;
        reader.seek(SeekFrom::Start(at))?;
        loop {
            let there = self.length - at;
            let mut head = [0; RECORD_HEAD as usize];
            if there < RECORD_HEAD {
                warnings.push(&name, format!("cut off at byte {}", self.length));
                return Ok(());
            }
            reader.read_exact(&mut head)?;
            let (opcode, body) = record_head(head);
            let complete = body <= there - RECORD_HEAD;
            match opcode {
                op::DATA_END | op::FOOTER => return Ok(()),
                0 => {
                    warnings.push(&name, format!("no record at byte {at}; the rest is lost"));
                    return Ok(());
                }
                op::CHUNK => {
                    let length = RECORD_HEAD.saturating_add(body).min(there);
                    self.scan_chunk(reader, at, length, warnings)?;
                }
                op::SCHEMA | op::CHANNEL if complete && body <= MAX_RECORD => {
                    let mut definition = Vec::new();
                    reader.by_ref().take(body).read_to_end(&mut definition)?;
                    if self.define(opcode, &definition).is_none() {
                        warnings.push(&name, format!("damaged definition at byte {at}"));
                    }
                }
                op::MESSAGE if complete && body >= MESSAGE_HEAD => {
                    let mut head = [0; MESSAGE_HEAD as usize];
                    reader.read_exact(&mut head)?;
                    let (channel, log_time_ns) = message_head(head);
                    self.add_loose(at, RECORD_HEAD + body, channel, log_time_ns);
                }
                _ => {}
            }
            if !complete {
                warnings.push(
                    &name,
                    format!(
                        "the record at byte {at} is {CUT_OFF}, at byte {}",
                        self.length
                    ),
                );
                return Ok(());
            }
            at += RECORD_HEAD + body;
            skip_to(reader, at)?;
        }
    }

    fn scan_chunk(
        &mut self,
        reader: &mut BufReader<File>,
        offset: u64,
        length: u64,
        warnings: &mut Warnings,
    ) -> io::Result<()> {
        let mut unit = Unit {
            is_chunk: true,
            offset,
            length,
            start_ns: 0,
            end_ns: 0,
            channels: None,
        };
        let loaded = Loaded::read(reader, self.length, &unit, 4 << 20)?;
        // Being cut off is said by the caller, of whatever record it happens to.
        if let Some(damage) = loaded.damage.as_deref().filter(|d| *d != CUT_OFF) {
            warnings.push(&self.file.name, format!("chunk at byte {offset}: {damage}"));
        }
        for (opcode, body) in &loaded.definitions {
            // One that is damaged leaves its channel unknown, which reading warns of.
            let _ = self.define(*opcode, body);
        }
        let (Some(first), Some(last)) = (loaded.entries.first(), loaded.entries.last()) else {
            return Ok(());
        };
        (unit.start_ns, unit.end_ns) = (first.log_time_ns, last.log_time_ns);
        let mut channels: Vec<_> = loaded.entries.iter().map(|e| e.channel).collect();
        channels.iter().for_each(|&channel| self.count(channel));
        channels.sort_unstable();
        channels.dedup();
        unit.channels = Some(channels.into());
        self.widen(unit.start_ns, unit.end_ns);
        self.units.push(unit);
        Ok(())
    }

    /// A message outside of chunks: a run of its own, or part of the run that ends before it.
    fn add_loose(&mut self, offset: u64, length: u64, channel: u16, log_time_ns: u64) {
        self.count(channel);
        self.widen(log_time_ns, log_time_ns);
        if let Some(run) = self.units.last_mut()
            && !run.is_chunk
            && run.length < MAX_RUN
        {
            run.length = offset + length - run.offset;
            run.start_ns = run.start_ns.min(log_time_ns);
            run.end_ns = run.end_ns.max(log_time_ns);
            return;
        }
        self.units.push(Unit {
            is_chunk: false,
            offset,
            length,
            start_ns: log_time_ns,
            end_ns: log_time_ns,
            channels: None,
        });
    }

    fn count(&mut self, channel: u16) {
        let counts = self.counts.get_or_insert_default();
        *counts.entry(channel).or_default() += 1;
    }

    fn widen(&mut self, start_ns: u64, end_ns: u64) {
        let (start, end) = self.start_end_ns.unwrap_or((start_ns, end_ns));
        self.start_end_ns = Some((start.min(start_ns), end.max(end_ns)));
    }
}

/// The next record of the summary, of which `rest` bytes are left.
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

/// The checksum of the summary and of the footer up to the checksum itself.
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

/// Go to `at`, keeping what is buffered when that is near.
fn skip_to(reader: &mut BufReader<File>, at: u64) -> io::Result<()> {
    let here = reader.stream_position()?;
    reader.seek_relative(at.wrapping_sub(here) as i64)
}
