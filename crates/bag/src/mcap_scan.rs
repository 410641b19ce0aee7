//! Scans an MCAP file without a usable summary.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use mcap::records::op;

use super::error::Warnings;
use super::mcap_chunk::{CUT_OFF, LoadedChunk, Unit};
use super::mcap_file::{MAX_RECORD, McapFile};
use super::mcap_records::{MESSAGE_HEAD, RECORD_HEAD, message_head, record_head};

/// Messages outside chunks are grouped up to this many bytes.
const MAX_RUN: u64 = 1 << 20;

impl McapFile {
    /// Finds everything readable, from the start to the end or to the first broken record frame.
    /// Returns whether the file is cut off.
    pub fn scan(
        &mut self,
        reader: &mut BufReader<File>,
        warnings: &mut Warnings,
    ) -> io::Result<bool> {
        let name = self.file.name.clone();
        let mut at = mcap::MAGIC.len() as u64;
        reader.seek(SeekFrom::Start(at))?;
        loop {
            let there = self.length - at;
            let mut head = [0; RECORD_HEAD as usize];
            if there < RECORD_HEAD {
                warnings.push(&name, format!("cut off at byte {}", self.length));
                return Ok(true);
            }
            reader.read_exact(&mut head)?;
            let (opcode, body) = record_head(head);
            let complete = body <= there - RECORD_HEAD;
            match opcode {
                op::DATA_END | op::FOOTER => return Ok(false),
                0 => {
                    warnings.push(&name, format!("no record at byte {at}; the rest is lost"));
                    return Ok(false);
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
                return Ok(true);
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
        let loaded = LoadedChunk::read(reader, self.length, &unit, 4 << 20)?;
        // The caller reports truncation, for any record.
        if let Some(damage) = loaded.damage.as_deref().filter(|d| *d != CUT_OFF) {
            warnings.push(&self.file.name, format!("chunk at byte {offset}: {damage}"));
        }
        for (opcode, body) in &loaded.definitions {
            // A damaged definition leaves its channel unknown, and reading warns about that.
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

    /// Adds a message outside chunks: as a new run, or to the run before it.
    fn add_loose(&mut self, offset: u64, length: u64, channel: u16, log_time_ns: u64) {
        self.count(channel);
        self.widen(log_time_ns, log_time_ns);
        if let Some(run) = self.units.last_mut()
            && !run.is_chunk
            && run.offset + run.length == offset
            && run.length < MAX_RUN
        {
            run.length += length;
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

/// Moves to `at`, and keeps the buffer if `at` is near.
fn skip_to(reader: &mut BufReader<File>, at: u64) -> io::Result<()> {
    let here = reader.stream_position()?;
    reader.seek_relative(at.wrapping_sub(here) as i64)
}
