//! The watchdog: a thread that owes nothing to the parts that it watches. It reads atomics, listens
//! to signals by itself, and ends the process if nothing else does. It hands its findings to a
//! second thread, which writes them to the log and to `/diagnostics`, and which may hang.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use r2r::PublisherUntyped;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{MissedTickBehavior, interval};

use super::error::explained;
use super::exit;
use super::signals::Signals;
use super::source::RosClock;
use shuffledet_detector::pipeline::{LiveProgress, Progress};
use shuffledet_msg::Stamp;
use shuffledet_node::diagnostics;
use shuffledet_node::watch::{
    Finding, Limits, PERIOD, Part, StuckNotes, Watch, WatchedPart, stuck_status,
};

/// The progress of every part of the node.
#[derive(Debug)]
pub struct NodeProgress {
    pub live: Arc<LiveProgress>,
    pub intake: Arc<Progress>,
    pub executor: Arc<Progress>,
    pub health: Arc<Progress>,
    pub control: Arc<Progress>,
    /// `diagnostics.stuck_after_ms`
    stuck_after_ms: AtomicU64,
}

impl NodeProgress {
    /// Creates the progress of a node with at most `workers` workers.
    pub fn new(workers: usize, stuck_after: Duration) -> Self {
        let progress = Self {
            live: Arc::new(LiveProgress::new(workers)),
            intake: Arc::default(),
            executor: Arc::default(),
            health: Arc::default(),
            control: Arc::default(),
            stuck_after_ms: AtomicU64::new(0),
        };
        progress.set_stuck_after(stuck_after);
        progress
    }

    pub fn set_stuck_after(&self, stuck_after: Duration) {
        let ms = u64::try_from(stuck_after.as_millis()).unwrap_or(u64::MAX);
        self.stuck_after_ms.store(ms, Ordering::Relaxed);
    }

    /// Returns how long a frame in hand may take until it is given up.
    pub fn longest(&self) -> Duration {
        let limits = Limits {
            stuck_after: self.stuck_after(),
            times: &self.live.times,
        };
        limits.of_slowest_stage()
    }

    fn stuck_after(&self) -> Duration {
        Duration::from_millis(self.stuck_after_ms.load(Ordering::Relaxed))
    }

    fn parts(&self) -> Vec<WatchedPart> {
        let workers = self.live.workers.iter().enumerate();
        let workers = workers.map(|(index, progress)| (Part::Worker(index), progress));
        let others = [
            (Part::Reader, &self.live.reader),
            (Part::Publisher, &self.live.publisher),
            (Part::Intake, &self.intake),
            (Part::Executor, &self.executor),
            (Part::Health, &self.health),
            (Part::Control, &self.control),
        ];
        let watched = |(part, progress): (Part, &Arc<Progress>)| WatchedPart {
            part,
            progress: Arc::clone(progress),
        };
        workers.chain(others).map(watched).collect()
    }
}

/// What the findings are reported with.
pub struct Reports {
    /// Used by one thread only.
    pub publisher: Mutex<PublisherUntyped>,
    pub clock: RosClock,
    /// The node's name without its namespace.
    pub node: String,
    /// The names of the cameras.
    pub cameras: Vec<String>,
}

/// The handle of the watchdog, which lives as long as the process.
#[derive(Clone)]
pub struct Watchdog(Arc<State>);

struct State {
    node: OnceLock<(Arc<NodeProgress>, Vec<WatchedPart>)>,
    reports: OnceLock<Reports>,
    notes: Mutex<StuckNotes>,
    /// The exit code of the end that is under way; [`RUNNING`] if there is none.
    ending: AtomicI32,
}

const RUNNING: i32 = -1;

/// Maximum number of findings that wait for their report.
const MOST_WAITING: usize = 64;

/// How long the report of the last findings may take.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A report to write.
enum Report {
    Finding(Finding),
    /// The process ends; the answer is awaited.
    End(Finding, SyncSender<()>),
}

impl Watchdog {
    /// Starts the watchdog. From now on a signal ends the process within a second or so.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = Signals::listen(&runtime)?;
        let watchdog = Self(Arc::new(State {
            node: OnceLock::new(),
            reports: OnceLock::new(),
            notes: Mutex::default(),
            ending: AtomicI32::new(RUNNING),
        }));
        let (report, reports) = sync_channel(MOST_WAITING);
        let reporter = watchdog.clone();
        thread::Builder::new()
            .name("alarm".into())
            .spawn(move || reporter.report(&reports))?;
        let watching = watchdog.clone();
        thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || watching.watch(&runtime, signals, &report))?;
        Ok(watchdog)
    }

    /// Watches the parts of the node.
    pub fn watch_node(&self, progress: &Arc<NodeProgress>) {
        let parts = progress.parts();
        // a process has one node
        let _ = self.0.node.set((Arc::clone(progress), parts));
    }

    /// Reports findings with `reports` from now on.
    pub fn report_with(&self, reports: Reports) {
        // a process has one node
        let _ = self.0.reports.set(reports);
    }

    /// Ends the process with `code` if it does not end by itself in time.
    pub fn end(&self, code: i32) {
        let (running, order) = (RUNNING, Ordering::SeqCst);
        // the first code holds
        let _ = self.0.ending.compare_exchange(running, code, order, order);
    }

    /// Returns what is or was stuck, for `/diagnostics`.
    pub fn stuck(&self) -> Vec<String> {
        self.notes(|notes| notes.texts(Instant::now()))
    }

    fn notes<T>(&self, with: impl FnOnce(&mut StuckNotes) -> T) -> T {
        with(&mut self.0.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The watchdog's thread.
    fn watch(&self, runtime: &Runtime, mut signals: Signals, report: &SyncSender<Report>) {
        runtime.block_on(async {
            let mut watch = Watch::default();
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = signals.any() => self.end(0),
                    _ = ticks.tick() => (),
                }
                self.look(&mut watch, report);
            }
        });
    }

    fn look(&self, watch: &mut Watch, report: &SyncSender<Report>) {
        let ending = self.0.ending.load(Ordering::SeqCst);
        if ending != RUNNING {
            watch.begin_end(ending);
        }
        let nothing = LiveProgress::new(0);
        let (parts, live, stuck_after) = match self.0.node.get() {
            Some((progress, parts)) => (&parts[..], &*progress.live, progress.stuck_after()),
            None => (&[][..], &nothing, Duration::MAX),
        };
        let limits = Limits {
            stuck_after,
            times: &live.times,
        };
        for finding in watch.look(Instant::now(), parts, &limits) {
            let Finding::End { code, .. } = finding else {
                // a reporter that hangs reports nothing
                let _ = report.try_send(Report::Finding(finding));
                continue;
            };
            let (told, is_told) = sync_channel(1);
            if report.try_send(Report::End(finding, told)).is_ok() {
                // whether or not it is told, the process ends
                let _ = is_told.recv_timeout(LAST_WORDS);
            }
            exit::whatever_hangs(code);
        }
    }

    /// The reporter's thread.
    fn report(&self, reports: &Receiver<Report>) {
        /// The time between two reports of a part that stays stuck.
        const REPEAT: Duration = Duration::from_secs(1);
        loop {
            match reports.recv_timeout(REPEAT) {
                Ok(Report::Finding(finding)) => self.tell(&finding),
                Ok(Report::End(finding, told)) => {
                    self.tell(&finding);
                    // the watchdog may have stopped waiting
                    let _ = told.send(());
                }
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.publish();
        }
    }

    /// Writes a finding to the log and keeps it for diagnostics.
    fn tell(&self, finding: &Finding) {
        let cameras = self.0.reports.get().map_or(&[][..], |with| &with.cameras);
        match finding {
            Finding::Stuck(stuck) => {
                tracing::error!("{}", stuck.text(cameras));
                self.notes(|notes| notes.add(Instant::now(), stuck, cameras));
            }
            Finding::Moves(part) => {
                tracing::warn!("{part} moves again");
                self.notes(|notes| notes.moves(*part));
            }
            Finding::End { code, because_of } => {
                let parts: Vec<_> = because_of.iter().map(ToString::to_string).collect();
                let parts = match &parts[..] {
                    [] => "the end takes too long".to_owned(),
                    parts => format!("{} does not move", parts.join(", ")),
                };
                tracing::error!("{parts}: the process ends at once with exit code {code}");
            }
        }
    }

    /// Publishes what is stuck, if there is something.
    fn publish(&self) {
        let texts = self.stuck();
        let Some(with) = self.0.reports.get().filter(|_| !texts.is_empty()) else {
            return;
        };
        let stamp = Stamp::from_ns(with.clock.now_ns()).unwrap_or_default();
        let (mut message, status) = (Vec::new(), stuck_status(&with.node, &texts));
        let publisher = with.publisher.lock();
        let publisher = publisher.unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = diagnostics::write(&mut message, stamp, &[status]) {
            tracing::error!("cannot write /diagnostics: {error}");
        } else if let Err(error) = explained(|| publisher.publish_raw(&message)) {
            tracing::error!("cannot publish /diagnostics: {error}");
        }
    }
}
