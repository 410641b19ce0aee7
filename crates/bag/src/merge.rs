//! Merges the messages of all files of a recording by log time.
//!
//! A file is opened when its first message is due and closed after its last, so that a split
//! recording takes the resources of one file. Files that overlap in time are read together.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use super::compression::{MessageCompression, decompress_message};
use super::error::BagError;
use super::source::BagFile;
use super::stream::{Findings, ReadFilter, Stream};
use super::{MessageHead, Topic};

struct Active {
    name: PathBuf,
    stream: Box<dyn Stream>,
}

/// The selected messages of a recording; see [`Recording::read`](super::Recording::read).
pub struct Messages {
    /// The recording's path.
    path: PathBuf,
    /// Files that are not open yet, by their start.
    pending: VecDeque<BagFile>,
    /// Open files, in the same order.
    active: Vec<Active>,
    wanted: ReadFilter,
    compression: MessageCompression,
    packed: Vec<u8>,
    found: Findings,
    last_ns: u64,
    warned_of_order: bool,
    /// The number of messages read per topic; `None` after the comparison with the recording's
    /// counts.
    counts: Option<Vec<u64>>,
    /// Whether a file was opened, and the error of one that could not be opened before that.
    opened: bool,
    error: Option<BagError>,
}

impl Messages {
    pub(super) fn new(
        path: PathBuf,
        files: Vec<BagFile>,
        wanted: ReadFilter,
        compression: MessageCompression,
        found: Findings,
    ) -> Result<Self, BagError> {
        let mut messages = Self {
            path,
            pending: VecDeque::new(),
            active: Vec::new(),
            wanted,
            compression,
            packed: Vec::new(),
            found,
            last_ns: 0,
            warned_of_order: false,
            counts: Some(Vec::new()),
            opened: false,
            error: None,
        };
        for mut file in files {
            // Without a start in metadata.yaml, the file must be opened to find it.
            if file.start_ns.is_none()
                && let Err(error) = file.open(&mut messages.found.warnings)
            {
                messages.fail(error);
                continue;
            }
            messages.pending.push_back(file);
        }
        let by_start = |file: &BagFile| file.start_ns;
        messages.pending.make_contiguous().sort_by_key(by_start);
        messages.earliest()?;
        Ok(messages)
    }

    /// Reads the next message in the order of log time. Its bytes replace the content of `data`.
    /// Returns `None` after the last message.
    ///
    /// Equal times come in the order of the files' starts, then of their position in the file.
    ///
    /// # Errors
    /// Only if no file can be opened. Any other damage is a warning.
    pub fn next_into(&mut self, data: &mut Vec<u8>) -> Result<Option<MessageHead>, BagError> {
        while let Some((log_time_ns, index)) = self.earliest()? {
            let active = &mut self.active[index];
            let Some(topic) = active.stream.take(data, &mut self.found) else {
                continue;
            };
            if self.compression.applies_to(data) {
                std::mem::swap(data, &mut self.packed);
                if let Err(e) = decompress_message(&self.packed, data) {
                    self.found.warnings.push(
                        &active.name,
                        format!("the message logged at {log_time_ns} ns is lost: {e}"),
                    );
                    continue;
                }
            }
            if log_time_ns < self.last_ns && !self.warned_of_order {
                self.warned_of_order = true;
                self.found.warnings.push(
                    &active.name,
                    "messages are out of order: its index or metadata.yaml gives wrong times",
                );
            }
            self.last_ns = log_time_ns;
            if let Some(counts) = &mut self.counts {
                counts.resize(counts.len().max(topic + 1), 0);
                counts[topic] += 1;
            }
            return Ok(Some(MessageHead { topic, log_time_ns }));
        }
        data.clear();
        self.compare_counts();
        Ok(None)
    }

    /// Finds damage that is not visible otherwise, such as messages lost before the index was
    /// written.
    fn compare_counts(&mut self) {
        let counts = self.counts.take().unwrap_or_default();
        if self.wanted.start_ns > 0 || self.wanted.end_ns.is_some() {
            return;
        }
        let Findings { warnings, topics } = &mut self.found;
        // By name, because metadata.yaml may not list every type.
        let (mut read, mut stated) = (BTreeMap::new(), BTreeMap::new());
        for (index, topic) in topics.as_slice().iter().enumerate() {
            let name = topic.name.as_str();
            *read.entry(name).or_insert(0) += counts.get(index).copied().unwrap_or(0);
            if let Some(count) = topic.message_count {
                let sum: &mut u64 = stated.entry(name).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        for (name, stated) in stated {
            if let Some(&read) = read.get(name)
                && stated != read
                && topics.is_wanted(name)
            {
                let text =
                    format!("{name}: messages read: {read}, stated in metadata.yaml: {stated}");
                warnings.push(&self.path, text);
            }
        }
    }

    /// Returns the topics of the messages: first those of the recording, then those found only in
    /// its files.
    pub fn topics(&self) -> &[Topic] {
        self.found.topics.as_slice()
    }

    /// Returns the warnings so far, with the names of the files. Each message may add more.
    pub fn warnings(&self) -> &[String] {
        self.found.warnings.as_slice()
    }

    /// Adds a warning from the reader of the messages.
    pub fn warn(&mut self, text: String) {
        self.found.warnings.add(text);
    }

    /// Returns the log time of the next message, and the open file with it.
    fn earliest(&mut self) -> Result<Option<(u64, usize)>, BagError> {
        loop {
            let found = &mut self.found;
            self.active
                .retain_mut(|active| active.stream.peek(found).is_some());
            let next = (self.active.iter_mut().enumerate())
                .filter_map(|(index, active)| Some((active.stream.peek(found)?, index)))
                .min();
            let due = self.pending.front().is_some_and(|file| {
                next.is_none_or(|(time, _)| file.start_ns.unwrap_or(0) <= time)
            });
            if !due {
                return match self.error.take() {
                    Some(error) if next.is_none() => Err(error),
                    _ => Ok(next),
                };
            }
            if let Some(file) = self.pending.pop_front() {
                self.activate(file);
            }
        }
    }

    fn activate(&mut self, file: BagFile) {
        let after_end = |start| self.wanted.end_ns.is_some_and(|end| start >= end);
        if file.start_ns.is_some_and(after_end) {
            return;
        }
        let name = file.path.clone();
        match file.into_stream(&self.wanted, &mut self.found) {
            Ok(stream) => {
                self.opened = true;
                if let Some(error) = self.error.take() {
                    self.found.warnings.push_error(&error);
                }
                self.active.push(Active { name, stream });
            }
            Err(error) => self.fail(error),
        }
    }

    /// Handles a file that cannot be opened: an error if no file could be opened so far, otherwise
    /// a warning.
    fn fail(&mut self, error: BagError) {
        if self.opened || self.error.is_some() {
            self.found.warnings.push_error(&error);
        } else {
            self.error = Some(error);
        }
    }
}
