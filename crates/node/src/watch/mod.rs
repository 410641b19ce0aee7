//! The watchdog's decisions: which part of the node is stuck, what follows from it, and when the
//! process has to end. It reads the [`Progress`] of the parts, which are atomics, and asks nobody.
//!
//! A part is stuck if it is at work and has not moved for its limit of the watchdog's own time. That
//! time stands still while the watchdog does not run, so nothing is stuck because the process was
//! stopped, the machine slept, or all of it was slow.

mod clock;
mod notes;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shuffledet_core::Stage;
use shuffledet_detector::pipeline::{Activity, Progress, StageTimes, Turn};
use shuffledet_msg::Stamp;

use clock::WatchClock;
pub use notes::{StuckNotes, stuck_status};

/// The time between two looks.
pub const PERIOD: Duration = Duration::from_millis(100);

/// Workers that are replaced within [`WINDOW`] before the process ends.
pub const MOST_REPLACED: usize = 3;
pub const WINDOW: Duration = Duration::from_secs(60);

/// A part that cannot be replaced ends the process after this many times its limit.
pub const PATIENCE: u32 = 3;

/// How long the end of the process may take without any progress, and in all.
pub const GRACE: Duration = Duration::from_secs(1);
pub const LONGEST_END: Duration = Duration::from_secs(3);

/// The exit code of a node that has to be started again: EX_TEMPFAIL of `sysexits.h`.
pub const STUCK_EXIT_CODE: i32 = 75;

/// A part of the node with a thread of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// By index. Only workers can be replaced.
    Worker(usize),
    Reader,
    Publisher,
    Intake,
    Executor,
    Health,
    /// The thread that serves parameters and lifecycle.
    Control,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Worker(index) => write!(f, "worker {index}"),
            Part::Reader => f.write_str("the reader"),
            Part::Publisher => f.write_str("the publisher"),
            Part::Intake => f.write_str("the intake"),
            Part::Executor => f.write_str("the executor"),
            Part::Health => f.write_str("the health thread"),
            Part::Control => f.write_str("the thread of parameters and lifecycle"),
        }
    }
}

/// A part and its progress.
#[derive(Debug, Clone)]
pub struct WatchedPart {
    pub part: Part,
    pub progress: Arc<Progress>,
}

/// The time after which a part that waits reports itself, and the least limit of such a part.
pub const BEAT: Duration = Duration::from_secs(1);
const LEAST_OF_BEATING: Duration = BEAT.saturating_mul(3);

/// How long a part may be at one step.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// `diagnostics.stuck_after_ms`.
    pub stuck_after: Duration,
    pub times: &'a StageTimes,
}

impl Limits<'_> {
    /// Returns the limit of `part` at `stage`: ten times the stage's p99 if that is more than the
    /// parameter. A frame that waits ([`Stage::Queue`]) waits for a session, which takes long to make.
    pub fn of_part(&self, part: Part, stage: Option<Stage>) -> Duration {
        let limit = match stage {
            None => self.stuck_after,
            Some(Stage::Queue) => self.stuck_after.saturating_mul(10),
            Some(stage) => self.stuck_after.max(self.times.p99(stage) * 10),
        };
        match part {
            Part::Reader | Part::Health | Part::Control => limit.max(LEAST_OF_BEATING),
            _ => limit,
        }
    }

    /// Returns the longest limit of a frame that does not wait for a session.
    pub fn of_slowest_stage(&self) -> Duration {
        let waits = [Stage::Queue, Stage::Total, Stage::Latency];
        let stages = Stage::ALL.iter().filter(|stage| !waits.contains(stage));
        let p99 = stages.map(|&stage| self.times.p99(stage)).max();
        self.stuck_after.max(p99.unwrap_or_default() * 10)
    }
}

/// A part that does not move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    pub part: Part,
    pub stage: Option<Stage>,
    /// The camera's index and the stamp of the frame in hand.
    pub frame: Option<(usize, Stamp)>,
    pub since: Duration,
    pub then: Consequence,
}

/// What follows from a part that is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// It is replaced, as so many workers before it within [`WINDOW`], itself included.
    Replaced(usize),
    /// The process ends if the part does not move for that much longer.
    EndsAfter(Duration),
    /// The process ends, because too many workers were replaced.
    Ends,
}

impl Stuck {
    /// Describes it, with the names of the cameras.
    pub fn text(&self, cameras: &[String]) -> String {
        let (part, since) = (self.part, self.since.as_secs_f64());
        let mut text = match self.stage {
            Some(Stage::Queue) => format!("{part} has been waiting for a session for {since:.1} s"),
            Some(stage) => format!("{part} has been at {} for {since:.1} s", stage.name()),
            None => format!("{part} has not moved for {since:.1} s"),
        };
        if let Some((camera, stamp)) = self.frame {
            let camera = cameras.get(camera).map_or("?", String::as_str);
            let Stamp { sec, nanosec } = stamp;
            text += &format!(", with the frame of camera {camera} with stamp {sec}.{nanosec:09}");
        }
        text += &match self.then {
            Consequence::Replaced(nth) => format!(
                "; it is replaced ({nth} of at most {MOST_REPLACED} within {} s)",
                WINDOW.as_secs()
            ),
            Consequence::EndsAfter(after) => format!(
                "; the node ends with exit code {STUCK_EXIT_CODE} if this lasts {:.1} s longer",
                after.as_secs_f64()
            ),
            Consequence::Ends => format!(
                "; the node ends with exit code {STUCK_EXIT_CODE}, because {MOST_REPLACED} workers were \
                 replaced within {} s",
                WINDOW.as_secs()
            ),
        };
        text
    }
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Stuck(Stuck),
    /// A part that was stuck moves again.
    Moves(Part),
    /// The process must end with this code now, because of these parts.
    End {
        code: i32,
        because_of: Vec<Part>,
    },
}

/// The watchdog's memory between two looks.
#[derive(Debug, Default)]
pub struct Watch {
    clock: WatchClock,
    /// By part.
    seen: Vec<Seen>,
    /// When workers were replaced, oldest first.
    replaced: VecDeque<Duration>,
    ending: Option<Ending>,
}

/// What was last seen of a part.
#[derive(Debug, Default, Clone)]
struct Seen {
    /// The turn and the steps; `None` while it rests.
    at: Option<(Turn, u64)>,
    since: Duration,
    /// The limit beyond which it was found to be stuck.
    stuck: Option<Duration>,
}

/// An end of the process that is under way.
#[derive(Debug)]
struct Ending {
    code: i32,
    began: Duration,
    /// The steps of the parts that the end consists of, and when they last changed.
    steps: u64,
    moved: Duration,
}

impl Watch {
    /// Looks at `parts` at `now`. The list must be the same at every look, except that it is empty
    /// until the node has parts. Turns of workers and of the publisher that are stuck are given up,
    /// so that their frames count as failed.
    pub fn look(
        &mut self,
        now: Instant,
        parts: &[WatchedPart],
        limits: &Limits<'_>,
    ) -> Vec<Finding> {
        let now = self.clock.advance(now);
        self.seen.resize_with(parts.len(), Seen::default);
        if self.ending.is_some() {
            return self.end_in_time(now, parts).into_iter().collect();
        }
        let mut findings = Vec::new();
        for (index, watched) in parts.iter().enumerate() {
            findings.extend(self.examine(index, watched, now, limits));
        }
        let is_last = |finding: &Finding| matches!(finding, Finding::Stuck(stuck) if stuck.then == Consequence::Ends);
        if let Some(Finding::Stuck(last)) = findings.iter().find(|finding| is_last(finding)) {
            let because_of = vec![last.part];
            let code = STUCK_EXIT_CODE;
            findings.push(Finding::End { code, because_of });
        }
        findings
    }

    /// Begins the end of the process with this exit code: from now on it may take [`GRACE`] without
    /// progress. The first code holds.
    pub fn begin_end(&mut self, code: i32) {
        let began = self.clock.now();
        self.ending.get_or_insert(Ending {
            code,
            began,
            steps: 0,
            moved: began,
        });
    }

    fn examine(
        &mut self,
        index: usize,
        watched: &WatchedPart,
        now: Duration,
        limits: &Limits<'_>,
    ) -> Option<Finding> {
        let WatchedPart { part, progress } = watched;
        let seen = &mut self.seen[index];
        let activity = progress.look();
        let at = activity.map(|activity| (activity.turn, activity.steps));
        // a publisher whose turn was given up still does not move
        let stays = seen.at.is_some() && (at == seen.at || progress.is_given_up());
        if !stays {
            (seen.at, seen.since) = (at, now);
            return seen.stuck.take().map(|_| Finding::Moves(*part));
        }
        let since = now.saturating_sub(seen.since);
        if let Some(limit) = seen.stuck {
            let is_over = since >= limit.saturating_mul(PATIENCE);
            return is_over.then(|| Finding::End {
                code: STUCK_EXIT_CODE,
                because_of: vec![*part],
            });
        }
        let Activity {
            turn, stage, frame, ..
        } = activity?;
        let limit = limits.of_part(*part, stage);
        if since < limit {
            return None;
        }
        let then = if let Part::Worker(_) = part {
            if !progress.give_up(turn) {
                // it has just ended
                return None;
            }
            *seen = Seen::default();
            self.count_replacement(now)
        } else {
            if *part == Part::Publisher && !progress.give_up(turn) {
                return None;
            }
            seen.stuck = Some(limit);
            Consequence::EndsAfter(limit.saturating_mul(PATIENCE).saturating_sub(since))
        };
        Some(Finding::Stuck(Stuck {
            part: *part,
            stage,
            frame,
            since,
            then,
        }))
    }

    fn count_replacement(&mut self, now: Duration) -> Consequence {
        while self
            .replaced
            .front()
            .is_some_and(|&at| now.saturating_sub(at) >= WINDOW)
        {
            self.replaced.pop_front();
        }
        if self.replaced.len() >= MOST_REPLACED {
            return Consequence::Ends;
        }
        self.replaced.push_back(now);
        Consequence::Replaced(self.replaced.len())
    }

    /// Returns the end if it is time for it, with the parts that have not moved since.
    fn end_in_time(&mut self, now: Duration, parts: &[WatchedPart]) -> Option<Finding> {
        let ending = self.ending.as_mut()?;
        // the others move as long as they live
        let works = |part: Part| matches!(part, Part::Worker(_) | Part::Control);
        let steps = parts
            .iter()
            .filter(|watched| works(watched.part))
            .map(|watched| watched.progress.steps())
            .fold(0, u64::wrapping_add);
        if steps != ending.steps {
            (ending.steps, ending.moved) = (steps, now);
        }
        for (seen, watched) in self.seen.iter_mut().zip(parts) {
            let at = watched
                .progress
                .look()
                .map(|activity| (activity.turn, activity.steps));
            if seen.at != at {
                (seen.at, seen.since) = (at, now);
            }
        }
        let is_due = now.saturating_sub(ending.moved) >= GRACE
            || now.saturating_sub(ending.began) >= LONGEST_END;
        let began = ending.began;
        let still = |seen: &Seen| seen.at.is_some() && seen.since <= began + GRACE / 2;
        let parts = self.seen.iter().zip(parts);
        is_due.then(|| Finding::End {
            code: ending.code,
            because_of: parts
                .filter(|(seen, _)| still(seen))
                .map(|(_, watched)| watched.part)
                .collect(),
        })
    }
}
