//! The selected messages of one file, as its storage provides them.

use std::collections::HashSet;

use super::error::Warnings;
use super::topics::TopicTable;

/// A selection, resolved against a recording's topics.
#[derive(Debug, Clone)]
pub(super) struct ReadFilter {
    /// The names of all topics of the recording.
    pub recorded: HashSet<String>,
    pub start_ns: u64,
    /// Exclusive.
    pub end_ns: Option<u64>,
}

impl ReadFilter {
    pub fn is_recorded(&self, name: &str) -> bool {
        self.recorded.contains(name)
    }

    pub fn includes(&self, log_time_ns: u64) -> bool {
        self.overlaps(log_time_ns, log_time_ns)
    }

    /// Whether a message logged from `first_ns` to `last_ns` can be selected.
    pub fn overlaps(&self, first_ns: u64, last_ns: u64) -> bool {
        last_ns >= self.start_ns && self.end_ns.is_none_or(|end| first_ns < end)
    }
}

/// What reading finds: topics and warnings.
#[derive(Debug)]
pub(super) struct Findings {
    pub warnings: Warnings,
    pub topics: TopicTable,
}

/// The selected messages of one file in the order of log time.
pub(super) trait Stream: Send {
    /// Returns the log time of the next message in nanoseconds; `None` after the last.
    fn peek(&mut self, found: &mut Findings) -> Option<u64>;

    /// Reads the next message: its bytes into `data` (cleared first). Returns its topic.
    ///
    /// Returns `None` if this message cannot be read. A warning was added, and the next message may
    /// be fine.
    fn take(&mut self, data: &mut Vec<u8>, found: &mut Findings) -> Option<usize>;
}
