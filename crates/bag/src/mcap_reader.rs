//! Reads the messages of one MCAP file in the order of log time.
//!
//! Units that overlap in time are loaded together. If they exceed the memory budget, the units that
//! are due last are dropped and loaded again when they are due.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader};

use mcap::records::op;

use super::error::BagError;
use super::mcap_chunk::{Content, Entry, LoadedChunk, Unit};
use super::mcap_file::McapFile;
use super::mcap_records::channel;
use super::stream::{Findings, ReadFilter, Stream};

/// The memory budget for the content of loaded units, in bytes. A unit that exceeds the remaining
/// budget, which is at least half, goes to a temporary file.
const MEMORY: usize = 64 << 20;

/// A message that is due: log time, offset of its unit, slot.
type Due = Reverse<(u64, u64, usize)>;

struct Slot {
    unit: Unit,
    /// The selected messages that were not returned yet.
    entries: VecDeque<Entry>,
    content: Option<Content>,
}

impl Slot {
    fn memory(&self) -> usize {
        self.content.as_ref().map_or(0, |content| content.memory)
    }

    fn due_ns(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.log_time_ns)
    }
}

pub(super) struct McapStream {
    file: McapFile,
    reader: BufReader<File>,
    wanted: ReadFilter,
    /// The topic of each known channel; `None` if it is not selected.
    topics: HashMap<u16, Option<usize>>,
    /// Units that are not loaded yet, in the order of their start.
    units: VecDeque<Unit>,
    slots: Vec<Option<Slot>>,
    due: BinaryHeap<Due>,
    warned_of_channel: bool,
}

impl McapStream {
    /// Creates the reader without reading anything yet.
    pub fn new(
        mut file: McapFile,
        wanted: &ReadFilter,
        found: &mut Findings,
    ) -> Result<Self, BagError> {
        let handle = File::open(&file.file.path).map_err(BagError::io(&file.file.name))?;
        let topics: HashMap<u16, Option<usize>> = file
            .channels
            .values()
            .map(|channel| (channel.id, found.topics.index(file.topic(channel))))
            .collect();
        let mut units = std::mem::take(&mut file.units);
        units.retain(|unit| {
            let channels = unit.channels.as_deref();
            // The chunk itself may define an unknown channel.
            let has = |id| topics.get(id).is_none_or(Option::is_some);
            wanted.overlaps(unit.start_ns, unit.end_ns)
                && channels.is_none_or(|channels| channels.iter().any(has))
        });
        units.sort_by_key(|unit| (unit.start_ns, unit.offset));
        Ok(Self {
            file,
            reader: BufReader::new(handle),
            wanted: wanted.clone(),
            topics,
            units: units.into(),
            slots: Vec::new(),
            due: BinaryHeap::new(),
            warned_of_channel: false,
        })
    }

    /// Drops content until half of the memory budget is free. Returns the number of free bytes.
    fn make_room(&mut self) -> usize {
        loop {
            let used: usize = self.slots.iter().flatten().map(Slot::memory).sum();
            if used <= MEMORY / 2 {
                return MEMORY - used;
            }
            let held = self.slots.iter_mut().flatten().filter(|s| s.memory() > 0);
            if let Some(last) = held.max_by_key(|slot| slot.due_ns()) {
                last.content = None;
            }
        }
    }

    fn load(&mut self, unit: Unit, found: &mut Findings) -> io::Result<()> {
        let budget = self.make_room();
        let loaded = LoadedChunk::read(&mut self.reader, self.file.length, &unit, budget)?;
        if let (Some(damage), false) = (&loaded.damage, self.file.scanned) {
            found.warnings.push(
                &self.file.file.name,
                format!("chunk at byte {}: {damage}", unit.offset),
            );
        }
        for (opcode, body) in &loaded.definitions {
            if *opcode == op::SCHEMA {
                // A damaged definition leaves the types of its channels unknown.
                let _ = self.file.define(*opcode, body);
            } else if let Some(channel) = channel(body) {
                let topic = || found.topics.index(self.file.topic(&channel));
                self.topics.entry(channel.id).or_insert_with(topic);
            }
        }
        let mut entries = VecDeque::from(loaded.entries);
        let unknown = |id| !self.topics.contains_key(&id);
        if !self.warned_of_channel && entries.iter().any(|e| unknown(e.channel)) {
            self.warned_of_channel = true;
            found.warnings.push(
                &self.file.file.name,
                "messages on undefined channels are skipped",
            );
        }
        entries.retain(|entry| {
            self.wanted.includes(entry.log_time_ns)
                && self.topics.get(&entry.channel).is_some_and(Option::is_some)
        });
        let Some(first) = entries.front() else {
            return Ok(());
        };
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.slots.len());
        self.due
            .push(Reverse((first.log_time_ns, unit.offset, slot)));
        let filled = Some(Slot {
            unit,
            entries,
            content: Some(loaded.content),
        });
        match free {
            Some(free) => self.slots[free] = filled,
            None => self.slots.push(filled),
        }
        Ok(())
    }

    /// Reads the next message of a slot, its data into `data`; `None` if the slot is empty.
    fn next_of(&mut self, index: usize, data: &mut Vec<u8>) -> Option<(Entry, io::Result<()>)> {
        let slot = self.slots.get_mut(index)?.as_mut()?;
        let entry = slot.entries.pop_front()?;
        let unit_offset = slot.unit.offset;
        let content = match slot.content.take() {
            Some(content) => Ok(content),
            None => {
                let unit = slot.unit.clone();
                self.reload(&unit)
            }
        };
        let slot = self.slots[index].as_mut()?;
        let read = content.and_then(|mut content| {
            let read = content.message(entry, data);
            slot.content = Some(content);
            read
        });
        match slot.due_ns() {
            Some(time) => self.due.push(Reverse((time, unit_offset, index))),
            None => self.slots[index] = None,
        }
        Some((entry, read))
    }

    fn reload(&mut self, unit: &Unit) -> io::Result<Content> {
        let budget = self.make_room();
        let loaded = LoadedChunk::read(&mut self.reader, self.file.length, unit, budget)?;
        Ok(loaded.content)
    }
}

impl Stream for McapStream {
    fn peek(&mut self, found: &mut Findings) -> Option<u64> {
        // A unit that may have an earlier message must be loaded before a message is returned.
        while let Some(unit) = self.units.front() {
            if let Some(Reverse((time, offset, _))) = self.due.peek()
                && (*time, *offset) < (unit.start_ns, unit.offset)
            {
                break;
            }
            let unit = self.units.pop_front()?;
            let offset = unit.offset;
            if let Err(e) = self.load(unit, found) {
                let text = format!("chunk at byte {offset}: {e}");
                found.warnings.push(&self.file.file.name, text);
            }
        }
        self.due.peek().map(|Reverse((time, _, _))| *time)
    }

    fn take(&mut self, data: &mut Vec<u8>, found: &mut Findings) -> Option<usize> {
        let Reverse((_, _, index)) = self.due.pop()?;
        let (entry, read) = self.next_of(index, data)?;
        if let Err(e) = read {
            let text = format!("a message is lost: {e}");
            found.warnings.push(&self.file.file.name, text);
            return None;
        }
        self.topics.get(&entry.channel).copied().flatten()
    }
}
