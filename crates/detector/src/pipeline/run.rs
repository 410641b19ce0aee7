//! The threads and channels: one reads the source, several work on whole frames, and the caller's publishes what they
//! did, in order.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::mailbox::{Mailboxes, WhenFull};
use super::order::{Finished, InOrder};
use super::rate::RateLimit;
use super::tuning::Follower;
use super::{Frame, FrameWorker, Source, Tuning};
use shuffledet_core::{DropReason, Failure, Mark, Outcome};

/// How fast a recording is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as the workers can; nothing is dropped.
    Lossless,
    /// At this multiple of the speed at which it was recorded, with the rules of a live node: the newest frame of each
    /// camera wins, and an old one is dropped.
    Recorded(f64),
    /// As frames come, with those rules.
    Live,
}

/// Why a run ended early. What came before it has been published.
#[derive(Debug, Error)]
pub enum RunError<S, P> {
    #[error("reading: {0}")]
    Source(S),
    #[error("writing: {0}")]
    Sink(P),
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    #[error("a thread panicked; this is a mistake in shuffledet, please report it")]
    Panic,
}

/// Takes every frame of `source` through one of `workers` and hands it to `publish` with its outcome: in the order in
/// which workers took them, which in a lossless run is the order received; superseded ones at once. `publish` marks
/// [`Mark::Published`]. Ends after the source's last frame, `limit` frames, an error, or when `stop` is set; the frames
/// in hand are finished then, except after an error of `publish`.
pub fn run<S: Source, W: FrameWorker, P: Send>(
    source: &mut S,
    tuning: &Arc<Tuning>,
    workers: &mut [W],
    pace: Pace,
    limit: Option<u64>,
    stop: &AtomicBool,
    mut publish: impl FnMut(&mut Frame, &Outcome) -> Result<(), P>,
) -> Result<(), RunError<S::Error, P>> {
    let cameras = tuning.get().cameras.len();
    // in each worker's hand one and a finished one that waits for its turn, in each mailbox one, and two on the way
    let frames = 2 * workers.len() + cameras + 2;
    let (recycle, pool) = sync_channel(frames);
    for _ in 0..frames {
        // cannot fail: the channel holds `frames`, and `pool` is alive
        let _ = recycle.send(Box::new(Frame::new()));
    }
    let when_full = if pace == Pace::Lossless {
        WhenFull::Keep
    } else {
        WhenFull::Replace
    };
    let mailboxes = &Mailboxes::new(cameras, when_full, Arc::clone(tuning));
    let (done, finished) = sync_channel::<Finished>(frames);

    thread::scope(|scope| {
        let reader = Reader {
            source,
            admission: (pace != Pace::Lossless).then(|| Admission::new(tuning, cameras)),
            pace,
            limit,
            stop,
            pool,
            mailboxes,
            done: done.clone(),
        };
        let mut threads = Vec::new();
        for worker in workers {
            let done = done.clone();
            let work = move || work(worker, mailboxes, &done);
            threads.push(
                thread::Builder::new()
                    .name("worker".into())
                    .spawn_scoped(scope, work),
            );
        }
        let reader = thread::Builder::new()
            .name("reader".into())
            .spawn_scoped(scope, || reader.run());
        drop(done);
        let failed_to_start = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        let started = threads
            .iter()
            .find_map(|thread| thread.as_ref().err().map(failed_to_start));
        if started.is_some() || reader.is_err() {
            mailboxes.close();
        }
        let published = match &started {
            None => publish_in_order(&finished, &recycle, &mut publish),
            Some(_) => Ok(()),
        };
        // wakes whoever waits for room or for a frame
        drop((finished, recycle));
        if published.is_err() {
            stop.store(true, Ordering::Relaxed);
            mailboxes.close();
        }
        let read = reader
            .map_err(RunError::Thread)?
            .join()
            .map_err(|_| RunError::Panic)?;
        match started {
            Some(error) => Err(RunError::Thread(error)),
            None => published
                .map_err(RunError::Sink)
                .and(read.map_err(RunError::Source)),
        }
    })
}

fn work<W: FrameWorker>(worker: &mut W, mailboxes: &Mailboxes, done: &SyncSender<Finished>) {
    while let Some(mut frame) = mailboxes.take() {
        // a mistake of ours on one frame must not end the others, nor leave the reader waiting for this one
        let processed = catch_unwind(AssertUnwindSafe(|| worker.process(&mut frame)));
        let outcome = processed.unwrap_or_else(|_| {
            let message =
                "a stage panicked; this is a mistake in shuffledet, please report it".into();
            Outcome::Failed(Failure {
                reason: "panic",
                message,
            })
        });
        if done.send((frame, outcome)).is_err() {
            return;
        }
    }
}

fn publish_in_order<P>(
    finished: &Receiver<Finished>,
    recycle: &SyncSender<Box<Frame>>,
    publish: &mut impl FnMut(&mut Frame, &Outcome) -> Result<(), P>,
) -> Result<(), P> {
    let mut in_order = InOrder::default();
    for done in finished {
        in_order.push(done);
        while let Some((mut frame, outcome)) = in_order.pop() {
            frame.trace.mark(Mark::Ordered);
            publish(&mut frame, &outcome)?;
            // the reader is gone at the end: then nobody needs the frame
            let _ = recycle.send(frame);
        }
    }
    Ok(())
}

struct Reader<'a, S> {
    source: &'a mut S,
    admission: Option<Admission>,
    pace: Pace,
    limit: Option<u64>,
    stop: &'a AtomicBool,
    pool: Receiver<Box<Frame>>,
    mailboxes: &'a Mailboxes,
    done: SyncSender<Finished>,
}

impl<S: Source> Reader<'_, S> {
    fn run(self) -> Result<(), S::Error> {
        let mailboxes = self.mailboxes;
        let read = self.read();
        mailboxes.close();
        read
    }

    fn read(mut self) -> Result<(), S::Error> {
        let mut clock = None;
        for sequence in 0..self.limit.unwrap_or(u64::MAX) {
            let Ok(mut frame) = self.pool.recv() else {
                return Ok(());
            };
            frame.reset();
            frame.sequence = sequence;
            if self.pace != Pace::Live {
                // live, the time until a frame comes is the camera's
                frame.trace.mark(Mark::ReadStarted);
            }
            if self.stop.load(Ordering::Relaxed) || !self.source.next_into(&mut frame)? {
                return Ok(());
            }
            let read = Instant::now();
            if let Pace::Recorded(rate) = self.pace {
                let clock = clock.get_or_insert(PlayClock {
                    started: read,
                    zero_ns: frame.log_time_ns,
                    rate,
                });
                if !sleep_until(clock.due(frame.log_time_ns), self.stop) {
                    return Ok(());
                }
                // the time spent waiting is no part of reading
                let reading = frame.trace.at(Mark::ReadStarted).map(|start| read - start);
                let received = Instant::now();
                let started = reading.and_then(|reading| received.checked_sub(reading));
                frame
                    .trace
                    .mark_at(Mark::ReadStarted, started.unwrap_or(received));
                frame.trace.mark_at(Mark::Received, received);
            } else if frame.trace.at(Mark::Received).is_none() {
                frame.trace.mark_at(Mark::Received, read);
            }
            let refused = self
                .admission
                .as_mut()
                .and_then(|admission| admission.refuse(&frame));
            let dropped = match refused {
                Some(reason) => Some((frame, reason)),
                None => self
                    .mailboxes
                    .push(frame)
                    .map(|frame| (frame, DropReason::Superseded)),
            };
            if let Some((frame, reason)) = dropped
                && self.done.send((frame, Outcome::Dropped(reason))).is_err()
            {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Which frames are worked on at all, by the settings of their camera.
struct Admission {
    settings: Follower,
    /// By camera; `None` of one without a limit.
    limits: Vec<Option<RateLimit>>,
}

impl Admission {
    fn new(tuning: &Arc<Tuning>, cameras: usize) -> Self {
        Self {
            settings: Follower::new(Arc::clone(tuning)),
            limits: vec![None; cameras],
        }
    }

    /// Why the frame is not worked on, if it is not.
    fn refuse(&mut self, frame: &Frame) -> Option<DropReason> {
        if let Some(oddity) = frame.oddity.filter(|oddity| oddity.drops()) {
            return Some(DropReason::Stamp(oddity));
        }
        let camera = self
            .settings
            .current()
            .0
            .cameras
            .get(frame.camera)
            .copied()?;
        if !camera.enabled {
            return Some(DropReason::Disabled);
        }
        let received = frame.trace.at(Mark::Received)?;
        let limit = self.limits.get_mut(frame.camera)?;
        let Some(rate_hz) = camera.max_rate_hz else {
            *limit = None;
            return None;
        };
        // what was left of another limit says nothing of this one
        let kept = limit.filter(|kept| kept.rate_hz() == rate_hz);
        let limit = limit.insert(kept.unwrap_or_else(|| RateLimit::new(rate_hz, received)));
        (!limit.admits(received)).then_some(DropReason::RateLimited)
    }
}

/// When a message of a log time is due.
struct PlayClock {
    started: Instant,
    zero_ns: u64,
    rate: f64,
}

impl PlayClock {
    fn due(&self, log_time_ns: u64) -> Instant {
        let offset_s = log_time_ns.saturating_sub(self.zero_ns) as f64 / 1e9 / self.rate;
        // a gap of more than a century is due at once rather than never
        let offset = Duration::try_from_secs_f64(offset_s).unwrap_or_default();
        self.started.checked_add(offset).unwrap_or(self.started)
    }
}

/// False when `stop` was set before it was time.
fn sleep_until(due: Instant, stop: &AtomicBool) -> bool {
    const NAP: Duration = Duration::from_millis(50);
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(NAP));
    }
}
