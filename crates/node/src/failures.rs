//! Limits log lines about failed and damaged frames: the first of each reason in full, then counts
//! at intervals.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use shuffledet_msg::Stamp;

/// The minimum time between two lines for one camera and one reason.
const PAUSE: Duration = Duration::from_secs(10);

/// A problem of a frame that the log reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameProblem {
    /// It has no detections.
    Failed,
    /// It was processed although its image is damaged.
    Damaged,
}

impl fmt::Display for FrameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FrameProblem::Failed => "failed",
            FrameProblem::Damaged => "arrived damaged",
        })
    }
}

/// The failed and damaged frames of one camera that the log has to report.
#[derive(Debug, Default)]
pub struct FailureLog {
    by_reason: BTreeMap<(FrameProblem, &'static str), Told>,
}

#[derive(Debug)]
struct Told {
    /// When the last line was written.
    at: Instant,
    /// Number of frames with the problem since then.
    more: u64,
    /// The last of these frames.
    last: Option<(Stamp, String)>,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureLine {
    pub problem: FrameProblem,
    pub reason: &'static str,
    /// Stamp of the reported frame: the first one, or the last of `more`.
    pub stamp: Stamp,
    pub text: String,
    /// Number of frames with this problem and reason since the previous line; `None` for a frame
    /// that is reported at once.
    pub more: Option<(u64, Duration)>,
}

impl fmt::Display for FailureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            problem,
            reason,
            text,
            ..
        } = self;
        let (sec, nanosec) = (self.stamp.sec, self.stamp.nanosec);
        match self.more {
            None => write!(
                f,
                "frame with stamp {sec}.{nanosec:09} {problem}: {reason}: {text}"
            ),
            Some((more, within)) => write!(
                f,
                "{more} more frames {problem} within {} s: {reason}; the last one has stamp {sec}.{nanosec:09}: {text}",
                within.as_secs()
            ),
        }
    }
}

impl FailureLog {
    /// Notes a frame that has a problem at `now`. Returns a line if the frame is reported at once,
    /// because its reason was not reported for ten seconds.
    pub fn note(
        &mut self,
        now: Instant,
        (problem, reason): (FrameProblem, &'static str),
        stamp: Stamp,
        text: &str,
    ) -> Option<FailureLine> {
        if let Some(told) = self.by_reason.get_mut(&(problem, reason))
            && (told.more > 0 || now.saturating_duration_since(told.at) < PAUSE)
        {
            told.more += 1;
            let (last_stamp, last_text) = told.last.get_or_insert_with(|| (stamp, String::new()));
            *last_stamp = stamp;
            last_text.clear();
            last_text.push_str(text);
            return None;
        }
        let told = Told {
            at: now,
            more: 0,
            last: None,
        };
        self.by_reason.insert((problem, reason), told);
        Some(FailureLine {
            problem,
            reason,
            stamp,
            text: text.to_owned(),
            more: None,
        })
    }

    /// Returns the lines that are due at `now` about frames that were only counted. The caller asks
    /// at intervals, even if no frames arrive.
    pub fn due(&mut self, now: Instant) -> Vec<FailureLine> {
        self.by_reason
            .iter_mut()
            .filter_map(|(&(problem, reason), told)| {
                let within = now.saturating_duration_since(told.at);
                if within < PAUSE {
                    return None;
                }
                let (stamp, text) = told.last.take()?;
                let more = std::mem::take(&mut told.more);
                told.at = now;
                Some(FailureLine {
                    problem,
                    reason,
                    stamp,
                    text,
                    more: Some((more, within)),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::FrameProblem::{Damaged, Failed};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn stamp(sec: i32) -> Stamp {
        Stamp { sec, nanosec: 5 }
    }

    #[test]
    fn the_log_had_no_details_of_failed_frames() {
        let (mut log, start) = (FailureLog::default(), Instant::now());
        let first = log.note(start, (Failed, "decode_failed"), stamp(7), "no JPEG");
        assert_eq!(
            first.unwrap().to_string(),
            "frame with stamp 7.000000005 failed: decode_failed: no JPEG"
        );
        for i in 1..250 {
            let at = start + i * SECOND / 30;
            let counted = log.note(at, (Failed, "decode_failed"), stamp(i as i32), "cut off");
            assert_eq!(counted, None);
            assert_eq!(log.due(at), []);
        }
        let [line] = log.due(start + 10 * SECOND).try_into().unwrap();
        assert_eq!(
            line.to_string(),
            "249 more frames failed within 10 s: decode_failed; the last one has stamp 249.000000005: cut off"
        );
        assert_eq!(log.due(start + 30 * SECOND), []);
    }

    #[test]
    fn reasons_do_not_hide_each_other() {
        let (mut log, start) = (FailureLog::default(), Instant::now());
        for reason in ["decode_failed", "bad_output"] {
            assert!(log.note(start, (Failed, reason), stamp(1), "a").is_some());
            assert!(log.note(start, (Failed, reason), stamp(2), "b").is_none());
        }
        assert_eq!(log.due(start + 10 * SECOND).len(), 2);
    }

    #[test]
    fn a_reason_never_has_two_lines_within_ten_seconds() {
        let (mut log, start) = (FailureLog::default(), Instant::now());
        let mut told = Vec::new();
        for tenth in 0..1000 {
            let now = start + tenth * SECOND / 10;
            // a frame now and then, and long pauses
            if tenth % 7 == 0 && tenth % 300 < 150 {
                told.extend(log.note(now, (Failed, "panic"), stamp(0), "").map(|_| now));
            }
            told.extend(log.due(now).iter().map(|_| now));
        }
        assert!(told.len() >= 8, "{told:?}");
        assert!(told.windows(2).all(|pair| pair[1] - pair[0] >= PAUSE));
    }

    #[test]
    fn after_a_quiet_time_a_frame_is_told_in_full() {
        let (mut log, start) = (FailureLog::default(), Instant::now());
        assert!(log.note(start, (Failed, "panic"), stamp(1), "a").is_some());
        assert_eq!(log.due(start + 60 * SECOND), []);
        let again = log.note(start + 60 * SECOND, (Failed, "panic"), stamp(2), "b");
        assert_eq!(again.unwrap().more, None);
    }

    #[test]
    fn damaged_frames_are_not_called_failed() {
        let (mut log, start) = (FailureLog::default(), Instant::now());
        let damaged = (Damaged, "damaged_image");
        assert!(
            log.note(start, (Failed, "damaged_image"), stamp(1), "cut")
                .is_some()
        );
        let first = log.note(start, damaged, stamp(2), "bad code");
        assert_eq!(
            first.unwrap().to_string(),
            "frame with stamp 2.000000005 arrived damaged: damaged_image: bad code"
        );
        assert_eq!(log.note(start, damaged, stamp(3), "bad code"), None);
        let [line] = log.due(start + 10 * SECOND).try_into().unwrap();
        assert_eq!(
            line.to_string(),
            "1 more frames arrived damaged within 10 s: damaged_image; the last one has stamp 3.000000005: bad code"
        );
    }
}
