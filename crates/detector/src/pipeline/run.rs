//! The threads and channels of a run: one thread reads the source, several process whole frames,
//! and the caller's thread publishes the results in order.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::mailbox::{Mailboxes, WhenFull};
use super::order::{Finished, InOrder};
use super::progress::Progress;
use super::rate::RateLimit;
use super::settings::SettingsReader;
use super::{Frame, FrameWorker, SharedSettings, Source};
use shuffledet_core::{DropReason, Failure, Mark, Outcome};

/// The speed at which a source is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as the workers can process; no frame is dropped.
    Lossless,
    /// At this multiple of the recorded speed, with the rules of a live node: the newest frame of
    /// each camera replaces a waiting one, and frames that are too old are dropped.
    Recorded(f64),
    /// As frames arrive, with the same rules.
    Live,
}

/// Why a run ended early. Results up to then have been published.
#[derive(Debug, Error)]
pub enum RunError<S, P> {
    #[error("reading: {0}")]
    Source(S),
    #[error("writing: {0}")]
    Sink(P),
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    #[error("a thread panicked; this is a bug in shuffledet, please report it")]
    Panic,
}

/// Processes every frame of `source` with one of `workers` and passes it to `publish` with its
/// outcome, in the order in which workers took them. In a lossless run that is the order of
/// reception. Superseded frames are passed at once. `publish` marks [`Mark::Published`]. The run
/// ends after the source's last frame, after `limit` frames, on an error, or when `stop` is set. It
/// then finishes the frames in progress, except after an error of `publish`.
pub fn run<S: Source, W: FrameWorker, P: Send>(
    source: &mut S,
    tuning: &Arc<SharedSettings>,
    workers: &mut [W],
    pace: Pace,
    limit: Option<u64>,
    stop: &AtomicBool,
    mut publish: impl FnMut(&mut Frame, &Outcome) -> Result<(), P>,
) -> Result<(), RunError<S::Error, P>> {
    let Channels {
        recycle,
        pool,
        mailboxes,
        done,
        finished,
    } = Channels::new(workers.len(), pace, tuning);
    let mailboxes = &*mailboxes;

    thread::scope(|scope| {
        let reader = Reader {
            source,
            admission: (pace != Pace::Lossless).then(|| Admission::new(tuning)),
            pace,
            limit,
            stop,
            pool,
            mailboxes,
            done: done.clone(),
            progress: Arc::default(),
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
        let start_error = threads
            .iter()
            .find_map(|thread| thread.as_ref().err().map(failed_to_start));
        if start_error.is_some() || reader.is_err() {
            mailboxes.close();
        }
        let published = match &start_error {
            None => publish_in_order(&finished, &recycle, &mut publish),
            Some(_) => Ok(()),
        };
        // wakes threads that wait for a free frame or for work
        drop((finished, recycle));
        if published.is_err() {
            stop.store(true, Ordering::Relaxed);
            mailboxes.close();
        }
        let read = reader
            .map_err(RunError::Thread)?
            .join()
            .map_err(|_| RunError::Panic)?;
        match start_error {
            Some(error) => Err(RunError::Thread(error)),
            None => published
                .map_err(RunError::Sink)
                .and(read.map_err(RunError::Source)),
        }
    })
}

/// The channels and the mailboxes of a run.
pub(super) struct Channels {
    /// Takes empty frames.
    pub recycle: SyncSender<Box<Frame>>,
    pub pool: Receiver<Box<Frame>>,
    pub mailboxes: Arc<Mailboxes>,
    pub done: SyncSender<Finished>,
    pub finished: Receiver<Finished>,
}

impl Channels {
    /// Creates the channels of a run with so many workers, and its empty frames.
    pub fn new(workers: usize, pace: Pace, tuning: &Arc<SharedSettings>) -> Self {
        let cameras = tuning.get().cameras.len();
        // per worker one in progress and one finished that waits for its turn, one in each mailbox,
        // and two in transit
        let frames = 2 * workers + cameras + 2;
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
        let mailboxes = Arc::new(Mailboxes::new(cameras, when_full, Arc::clone(tuning)));
        let (done, finished) = sync_channel(frames);
        Self {
            recycle,
            pool,
            mailboxes,
            done,
            finished,
        }
    }
}

fn work<W: FrameWorker>(worker: &mut W, mailboxes: &Mailboxes, done: &SyncSender<Finished>) {
    while let Some(mut frame) = mailboxes.take() {
        let outcome = process(worker, &mut frame);
        if done.send((frame, outcome)).is_err() {
            return;
        }
    }
}

/// Processes a frame. A panic on one frame must not end the other threads, nor block the reader that
/// waits for this frame.
pub(super) fn process<W: FrameWorker>(worker: &mut W, frame: &mut Frame) -> Outcome {
    let processed = catch_unwind(AssertUnwindSafe(|| worker.process(frame)));
    processed.unwrap_or_else(|panic| {
        frame.detections.clear();
        panicked(panic.as_ref())
    })
}

/// Returns the outcome of a frame in one of whose stages the program panicked.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("without a message");
    let message =
        format!("a stage panicked ({text}); this is a bug in shuffledet, please report it");
    Outcome::Failed(Failure {
        reason: "panic",
        message: message.into(),
    })
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
            // the reader has ended: then nobody needs the frame
            let _ = recycle.send(frame);
        }
    }
    Ok(())
}

/// How often the reader shows that it waits.
const BEAT: Duration = Duration::from_secs(1);

pub(super) struct Reader<'a, S> {
    pub source: &'a mut S,
    pub admission: Option<Admission>,
    pub pace: Pace,
    pub limit: Option<u64>,
    pub stop: &'a AtomicBool,
    pub pool: Receiver<Box<Frame>>,
    pub mailboxes: &'a Mailboxes,
    pub done: SyncSender<Finished>,
    pub progress: Arc<Progress>,
}

impl<S: Source> Reader<'_, S> {
    pub fn run(self) -> Result<(), S::Error> {
        let (mailboxes, progress) = (self.mailboxes, Arc::clone(&self.progress));
        let read = self.read();
        mailboxes.close();
        progress.rest();
        read
    }

    fn read(mut self) -> Result<(), S::Error> {
        let mut clock = None;
        for sequence in 0..self.limit.unwrap_or(u64::MAX) {
            let mut frame = loop {
                self.progress.beat();
                match self.pool.recv_timeout(BEAT) {
                    Ok(frame) => break frame,
                    Err(RecvTimeoutError::Timeout) => (),
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            };
            frame.reset();
            frame.sequence = sequence;
            if self.pace != Pace::Live {
                // live, the time until a frame arrives is the camera's
                frame.trace.mark(Mark::ReadStarted);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            match self.next_into(&mut frame) {
                Ok(true) => (),
                Ok(false) => return Ok(()),
                Err(ReadError::Source(error)) => return Err(error),
                Err(ReadError::Panic(outcome)) => {
                    if frame.trace.at(Mark::Received).is_none() {
                        frame.trace.mark(Mark::Received);
                    }
                    if self.done.send((frame, outcome)).is_err() {
                        return Ok(());
                    }
                    continue;
                }
            }
            let read = Instant::now();
            self.progress.begin(&frame);
            if let Pace::Recorded(rate) = self.pace {
                let clock = clock.get_or_insert(PlayClock {
                    start_error: read,
                    zero_ns: frame.log_time_ns,
                    rate,
                });
                if !sleep_until(clock.due(frame.log_time_ns), self.stop) {
                    return Ok(());
                }
                // the time spent waiting is not reading time
                let reading = frame.trace.at(Mark::ReadStarted).map(|start| read - start);
                let received = Instant::now();
                let start_error = reading.and_then(|reading| received.checked_sub(reading));
                frame
                    .trace
                    .mark_at(Mark::ReadStarted, start_error.unwrap_or(received));
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

    /// Reads the next frame. A panic on a live frame fails that frame alone; a recording whose reading
    /// panics is not read further.
    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, ReadError<S::Error>> {
        let mut next = || self.source.next_into(frame).map_err(ReadError::Source);
        if self.pace != Pace::Live {
            return next();
        }
        let read = catch_unwind(AssertUnwindSafe(next));
        read.unwrap_or_else(|panic| Err(ReadError::Panic(panicked(panic.as_ref()))))
    }
}

/// Why a frame cannot be read.
enum ReadError<E> {
    Source(E),
    Panic(Outcome),
}

/// Decides which frames are processed, by the settings of their camera.
pub(super) struct Admission {
    settings: SettingsReader,
    /// By camera; `None` for a camera without a limit.
    limits: Vec<Option<RateLimit>>,
}

impl Admission {
    pub fn new(tuning: &Arc<SharedSettings>) -> Self {
        Self {
            settings: SettingsReader::new(Arc::clone(tuning)),
            limits: vec![None; tuning.get().cameras.len()],
        }
    }

    /// Returns why the frame is not processed, or `None`.
    fn refuse(&mut self, frame: &Frame) -> Option<DropReason> {
        if let Some(anomaly) = frame.anomaly.filter(|anomaly| anomaly.drops()) {
            return Some(DropReason::Stamp(anomaly));
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
        // the state of another limit is not valid for this one
        let kept = limit.filter(|kept| kept.rate_hz() == rate_hz);
        let limit = limit.insert(kept.unwrap_or_else(|| RateLimit::new(rate_hz, received)));
        (!limit.admits(received)).then_some(DropReason::RateLimited)
    }
}

/// Maps log times to the instants at which messages are due.
struct PlayClock {
    start_error: Instant,
    zero_ns: u64,
    rate: f64,
}

impl PlayClock {
    fn due(&self, log_time_ns: u64) -> Instant {
        let offset_s = log_time_ns.saturating_sub(self.zero_ns) as f64 / 1e9 / self.rate;
        // after a gap of more than a century, the message is due at once
        let offset = Duration::try_from_secs_f64(offset_s).unwrap_or_default();
        self.start_error
            .checked_add(offset)
            .unwrap_or(self.start_error)
    }
}

/// Returns false if `stop` was set before that time.
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
