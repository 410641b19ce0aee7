//! What a thread is doing, readable from another thread that must not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Frame;
use shuffledet_core::{Failure, Outcome, Stage};
use shuffledet_msg::Stamp;

/// The progress of one thread. The thread writes it, a watchdog reads it: there are only atomics, so
/// neither waits for the other.
///
/// Work is a turn: [`Progress::begin`], steps, [`Progress::end`]. Between turns the thread may rest
/// for any time. The watchdog can take a turn from a thread that does not move
/// ([`Progress::give_up`]); a late `end` then returns false, so that a frame has one outcome.
#[derive(Debug, Default)]
pub struct Progress {
    /// The number of the turn, shifted by two, and its state.
    turn: AtomicU64,
    /// Changes with every step.
    steps: AtomicU64,
    /// The position in [`Stage::ALL`], or [`NONE`].
    stage: AtomicU64,
    /// The index of the frame's camera, or [`NONE`].
    camera: AtomicU64,
    /// Seconds and nanoseconds of the frame's stamp.
    stamp: AtomicU64,
}

const NONE: u64 = u64::MAX;

const RESTING: u64 = 0;
const BUSY: u64 = 1;
const GIVEN_UP: u64 = 2;
const STATE: u64 = 3;

/// A turn of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(u64);

/// The work of a thread at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    pub turn: Turn,
    /// Equal in two looks only if the thread has not moved in between.
    pub steps: u64,
    pub stage: Option<Stage>,
    /// The camera and the stamp of the frame in hand, if there is one.
    pub frame: Option<(usize, Stamp)>,
}

impl Progress {
    /// Begins a turn without a frame, at no stage.
    pub fn beat(&self) -> Turn {
        self.start(NONE, 0)
    }

    /// Begins a turn with `frame`.
    pub fn begin(&self, frame: &Frame) -> Turn {
        let (sec, nanosec) = (frame.stamp.sec, frame.stamp.nanosec);
        let stamp = u64::from(sec.cast_unsigned()) << 32 | u64::from(nanosec);
        self.start(frame.camera as u64, stamp)
    }

    fn start(&self, camera: u64, stamp: u64) -> Turn {
        // the turn rests while its fields change, so that no look mixes two turns
        let next = (self.turn.load(Ordering::SeqCst) >> 2) + 1;
        self.turn.store(next << 2 | RESTING, Ordering::SeqCst);
        self.stage.store(NONE, Ordering::SeqCst);
        self.camera.store(camera, Ordering::SeqCst);
        self.stamp.store(stamp, Ordering::SeqCst);
        self.steps.fetch_add(1, Ordering::SeqCst);
        self.turn.store(next << 2 | BUSY, Ordering::SeqCst);
        Turn(next)
    }

    /// Goes on to `stage`. Does nothing after the turn was given up.
    pub fn enter(&self, turn: Turn, stage: Stage) {
        if self.turn.load(Ordering::SeqCst) == (turn.0 << 2 | BUSY) {
            self.stage.store(stage as u64, Ordering::SeqCst);
            self.steps.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Ends the turn. Returns false if it was given up.
    pub fn end(&self, turn: Turn) -> bool {
        self.change(turn, RESTING)
    }

    /// Ends whatever turn there is, because the thread waits for work.
    pub fn rest(&self) {
        let turn = Turn(self.turn.load(Ordering::SeqCst) >> 2);
        self.end(turn);
    }

    /// Takes the turn from its thread. Returns false if it has just ended.
    pub fn give_up(&self, turn: Turn) -> bool {
        self.change(turn, GIVEN_UP)
    }

    /// Returns whether the last turn was given up.
    pub fn is_given_up(&self) -> bool {
        self.turn.load(Ordering::SeqCst) & STATE == GIVEN_UP
    }

    /// Marks that a turn that was given up is dealt with.
    pub fn forgive(&self) {
        let turn = self.turn.load(Ordering::SeqCst) & !STATE;
        let (given_up, resting) = (turn | GIVEN_UP, turn | RESTING);
        let order = Ordering::SeqCst;
        // nothing to do if it was not given up
        let _ = self.turn.compare_exchange(given_up, resting, order, order);
    }

    fn change(&self, turn: Turn, state: u64) -> bool {
        let (from, to) = (turn.0 << 2 | BUSY, turn.0 << 2 | state);
        self.turn
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Returns the number of steps so far.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Returns what the thread is doing; `None` while it rests, or if it moves during the look.
    pub fn look(&self) -> Option<Activity> {
        let before = self.turn.load(Ordering::SeqCst);
        if before & STATE != BUSY {
            return None;
        }
        let stage = self.stage.load(Ordering::SeqCst);
        let (camera, stamp) = (
            self.camera.load(Ordering::SeqCst),
            self.stamp.load(Ordering::SeqCst),
        );
        let steps = self.steps();
        if self.turn.load(Ordering::SeqCst) != before {
            return None;
        }
        let stamp = Stamp {
            sec: ((stamp >> 32) as u32).cast_signed(),
            nanosec: stamp as u32,
        };
        Some(Activity {
            turn: Turn(before >> 2),
            steps,
            stage: Stage::ALL.get(stage as usize).copied(),
            frame: (camera != NONE).then_some((camera as usize, stamp)),
        })
    }
}

/// The part of a [`Progress`] that a frame carries through its stages.
#[derive(Debug, Clone)]
pub struct FrameProgress {
    progress: Arc<Progress>,
    turn: Turn,
}

impl FrameProgress {
    pub fn new(progress: &Arc<Progress>, turn: Turn) -> Self {
        let progress = Arc::clone(progress);
        Self { progress, turn }
    }

    pub fn enter(&self, stage: Stage) {
        self.progress.enter(self.turn, stage);
    }
}

/// Returns the outcome of a frame whose turn was given up.
pub fn stuck(during: &'static str) -> Outcome {
    Outcome::Failed(Failure {
        reason: "stuck",
        message: format!("the {during} did not go on within diagnostics.stuck_after_ms").into(),
    })
}

/// How long stages take, counted without locks.
#[derive(Debug)]
pub struct StageTimes {
    bins: [[AtomicU64; BINS]; Stage::ALL.len()],
}

/// Four bins for each doubling, from 1 ms to two minutes.
const BINS: usize = 68;

impl Default for StageTimes {
    fn default() -> Self {
        Self {
            bins: [const { [const { AtomicU64::new(0) }; BINS] }; Stage::ALL.len()],
        }
    }
}

impl StageTimes {
    pub fn record(&self, stage: Stage, took: Duration) {
        let ms = took.as_secs_f64() * 1e3;
        // casts saturate: less than 1 ms is in the first bin
        let bin = (4.0 * ms.max(1.0).log2()).ceil() as usize;
        self.bins[stage as usize][bin.min(BINS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the duration that 99 % of the stage's runs did not exceed, rounded up by at most 19 %;
    /// zero without any.
    pub fn p99(&self, stage: Stage) -> Duration {
        let counts = self.bins[stage as usize]
            .each_ref()
            .map(|bin| bin.load(Ordering::Relaxed));
        let total: u64 = counts.iter().sum();
        let mut left = (total * 99).div_ceil(100);
        for (bin, &count) in counts.iter().enumerate() {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(count);
            if left == 0 {
                return Duration::from_secs_f64(2f64.powf(bin as f64 / 4.0) / 1e3);
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use proptest::prelude::*;

    fn frame(camera: usize, sec: i32) -> Frame {
        Frame {
            camera,
            stamp: Stamp { sec, nanosec: 7 },
            ..Frame::default()
        }
    }

    #[test]
    fn a_look_shows_stage_camera_and_stamp() {
        let progress = Progress::default();
        assert_eq!(progress.look(), None);
        let turn = progress.begin(&frame(3, -5));
        progress.enter(turn, Stage::Infer);
        let activity = progress.look().unwrap();
        assert_eq!(activity.stage, Some(Stage::Infer));
        assert_eq!(
            activity.frame,
            Some((
                3,
                Stamp {
                    sec: -5,
                    nanosec: 7
                }
            ))
        );
        assert!(progress.end(turn) && progress.look().is_none());
        progress.beat();
        assert_eq!(progress.look().unwrap().frame, None);
    }

    #[test]
    fn a_turn_that_was_given_up_ends_once() {
        let progress = Progress::default();
        let late = progress.begin(&frame(0, 1));
        assert!(progress.give_up(late) && !progress.give_up(late));
        assert!(progress.is_given_up() && progress.look().is_none());
        // the next thread in its place
        let next = progress.begin(&frame(0, 2));
        progress.enter(late, Stage::Draw);
        assert!(!progress.end(late));
        assert_eq!(progress.look().unwrap().stage, None);
        assert!(progress.end(next) && !progress.give_up(next));
    }

    #[test]
    fn a_turn_has_one_end_whoever_is_first() {
        for _ in 0..2000 {
            let progress = Progress::default();
            let turn = progress.begin(&frame(0, 1));
            let ends = thread::scope(|scope| {
                let ended = scope.spawn(|| progress.end(turn));
                let given_up = scope.spawn(|| progress.give_up(turn));
                [ended.join().unwrap(), given_up.join().unwrap()]
            });
            assert!(ends[0] != ends[1]);
        }
    }

    #[test]
    fn no_look_mixes_two_turns() {
        let progress = Progress::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..100_000 {
                    let turn = progress.begin(&frame(n, n as i32));
                    progress.end(turn);
                }
                progress.begin(&frame(1 << 30, 1 << 30));
            });
            let mut last = 0;
            while last < 1 << 30 {
                if let Some((camera, stamp)) = progress.look().and_then(|activity| activity.frame) {
                    assert!(camera == stamp.sec as usize && camera >= last);
                    last = camera;
                }
            }
        });
    }

    proptest! {
        #[test]
        fn p99_is_at_most_a_fifth_above_the_exact_one(mut ms in prop::collection::vec(1.0f64..60_000.0, 1..300)) {
            let times = StageTimes::default();
            for &ms in &ms {
                times.record(Stage::Infer, Duration::from_secs_f64(ms / 1e3));
            }
            ms.sort_by(f64::total_cmp);
            let exact = ms[(ms.len() * 99).div_ceil(100) - 1];
            let found = times.p99(Stage::Infer).as_secs_f64() * 1e3;
            prop_assert!(exact <= found * 1.0001 && found <= exact * 1.2, "{} {}", exact, found);
            prop_assert_eq!(times.p99(Stage::Draw), Duration::ZERO);
        }
    }
}
