//! What diagnostics say about parts that are or were stuck.

use std::time::{Duration, Instant};

use super::{Consequence, Part, Stuck};
use crate::diagnostics::Status;
use shuffledet_msg::Level;

/// The parts that are stuck, and those that were replaced lately.
#[derive(Debug, Default)]
pub struct StuckNotes {
    notes: Vec<Note>,
}

#[derive(Debug)]
struct Note {
    part: Part,
    text: String,
    /// Until when it is reported; `None` until the part moves.
    until: Option<Instant>,
}

impl StuckNotes {
    /// How long a replaced worker is reported.
    pub const KEPT: Duration = Duration::from_secs(10);

    /// Adds a part that is stuck as of `now`.
    pub fn add(&mut self, now: Instant, stuck: &Stuck, cameras: &[String]) {
        let replaced = matches!(stuck.then, Consequence::Replaced(_));
        self.notes.push(Note {
            part: stuck.part,
            text: stuck.text(cameras),
            until: replaced.then(|| now + Self::KEPT),
        });
    }

    /// Removes what was reported until `part` moves.
    pub fn moves(&mut self, part: Part) {
        self.notes
            .retain(|note| note.part != part || note.until.is_some());
    }

    /// Returns the texts to report at `now`.
    pub fn texts(&mut self, now: Instant) -> Vec<String> {
        self.notes
            .retain(|note| note.until.is_none_or(|until| now < until));
        self.notes.iter().map(|note| note.text.clone()).collect()
    }
}

/// Returns the detector's status with nothing but these problems, for a report that needs no other
/// part of the node. `node` is the node's name without its namespace.
pub fn stuck_status(node: &str, texts: &[String]) -> Status {
    Status {
        level: Level::Error,
        name: format!("{node}: detector"),
        message: texts.join("; "),
        hardware_id: String::new(),
        values: Vec::new(),
    }
}
