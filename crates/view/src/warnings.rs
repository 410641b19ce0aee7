//! The last warnings and errors of the log.

use std::collections::VecDeque;

use serde::Serialize;
use shuffledet_core::printable::printable;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// From 0, in the order of the log.
    pub number: u64,
    /// Milliseconds since the epoch.
    pub time_ms: u64,
    pub is_error: bool,
    pub text: String,
    /// How often it came, one after another.
    pub times: u64,
}

/// The last lines, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    kept: VecDeque<LogLine>,
    next: u64,
}

impl Lines {
    const MOST: usize = 40;
    /// In characters.
    const LONGEST: usize = 600;

    pub fn push(&mut self, time_ms: u64, is_error: bool, text: &str) {
        let text: String = printable(text).chars().take(Self::LONGEST).collect();
        if let Some(last) = self.kept.back_mut()
            && (last.is_error, &last.text) == (is_error, &text)
        {
            last.times += 1;
            last.time_ms = time_ms;
            return;
        }
        if self.kept.len() == Self::MOST {
            self.kept.pop_front();
        }
        self.kept.push_back(LogLine {
            number: self.next,
            time_ms,
            is_error,
            text,
            times: 1,
        });
        self.next += 1;
    }

    pub fn all(&self) -> Vec<LogLine> {
        self.kept.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_line_is_counted_and_old_ones_go() {
        let mut lines = Lines::default();
        lines.push(1, false, "slow");
        lines.push(2, false, "slow");
        assert_eq!((lines.all()[0].times, lines.all()[0].time_ms), (2, 2));
        for i in 0..100 {
            lines.push(i, true, &format!("{i}{}", "x".repeat(10_000)));
        }
        let all = lines.all();
        assert_eq!(all.len(), Lines::MOST);
        assert_eq!(all.last().unwrap().number, 100);
        assert!(all.iter().all(|line| line.text.len() <= Lines::LONGEST));
    }

    #[test]
    fn a_line_cannot_control_a_terminal() {
        let mut lines = Lines::default();
        lines.push(1, false, "a\u{1b}[31mb");
        assert_eq!(lines.all()[0].text, "a\\u001b[31mb");
    }
}
