//! The run of a live node, which outlives a worker that hangs: workers own their threads, and a
//! worker that was given up is replaced and its frame accounted for. Between two frames a thread takes
//! the worker of another model, if the settings are of that model.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::mailbox::{Mailboxes, Next};
use super::order::{Finished, InOrder};
use super::progress::{FrameProgress, Progress, StageTimes, Turn, stuck};
use super::run::{Admission, Channels, Pace, Reader, RunError, panicked, process};
use super::{Frame, FrameWorker, SharedSettings, Source};
use shuffledet_core::{Mark, Outcome, Stage};

/// The progress of the threads of a live run.
#[derive(Debug)]
pub struct LiveProgress {
    /// By worker.
    pub workers: Vec<Arc<Progress>>,
    pub reader: Arc<Progress>,
    pub publisher: Arc<Progress>,
    pub times: Arc<StageTimes>,
}

impl LiveProgress {
    /// Creates the progress of at most `workers` workers.
    pub fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Arc::default()).collect(),
            reader: Arc::default(),
            publisher: Arc::default(),
            times: Arc::default(),
        }
    }
}

/// How often the caller of a run looks for workers that were given up.
const LOOK: Duration = Duration::from_millis(100);
/// The same while it waits for the last frames.
const LOOK_AT_END: Duration = Duration::from_millis(2);
/// How long a thread may take to end after its last frame.
const FAREWELL: Duration = Duration::from_millis(300);

/// Processes every frame of `source` until the source ends or `stop` is set, and finishes the frames
/// in progress. `publish` sends a frame, `count` counts it with its final outcome: a frame whose
/// worker or publisher was given up has failed as stuck, and one in which a stage panicked has failed
/// as well.
pub fn run_live<S: Source<Error = Infallible>, W: FrameWorker + 'static, P: Send>(
    source: &mut S,
    tuning: &Arc<SharedSettings>,
    crew: &Arc<Crew<W>>,
    stop: &AtomicBool,
    mut publish: impl FnMut(&mut Frame, &Outcome) -> Result<(), P>,
    mut count: impl FnMut(&Frame, &Outcome),
) -> Result<(), RunError<Infallible, P>> {
    let Channels {
        recycle,
        pool,
        mailboxes,
        done,
        finished,
    } = Channels::new(crew.size(), Pace::Live, tuning);
    crew.begin(&mailboxes);
    let progress = Arc::clone(crew.progress());
    let mut posts = Vec::new();
    for (place, progress) in progress.workers.iter().enumerate().take(crew.size()) {
        let mut post = Post {
            place,
            crew: Arc::clone(crew),
            progress: Arc::clone(progress),
            copy: Arc::default(),
            thread: None,
        };
        let started = post.start(&mailboxes, &done);
        posts.push(post);
        if let Err(error) = started {
            mailboxes.close();
            collect(posts);
            return Err(RunError::Thread(error));
        }
    }

    let ran = thread::scope(|scope| {
        let reader = Reader {
            source,
            admission: Some(Admission::new(tuning)),
            pace: Pace::Live,
            limit: None,
            stop,
            pool,
            mailboxes: &mailboxes,
            done: done.clone(),
            progress: Arc::clone(&progress.reader),
        };
        let reader = thread::Builder::new()
            .name("reader".into())
            .spawn_scoped(scope, || reader.run())
            .map_err(RunError::Thread)?;
        let mut in_order = InOrder::default();
        let published = 'run: loop {
            // in this order: after the reader's end nothing comes without a ticket
            let reader_ended = reader.is_finished();
            let wait = if reader_ended { LOOK_AT_END } else { LOOK };
            // the channel stays open, because replacements need it
            let arrived = finished.recv_timeout(wait).ok();
            let is_over = arrived.is_none() && reader_ended;
            progress.publisher.beat();
            let given_up = posts.iter_mut().filter(|post| post.progress.is_given_up());
            let given_up: Vec<_> = given_up
                .map(|post| {
                    let frame = post.copy_of_frame();
                    // without a thread the post does not move, and the watchdog finds it again
                    if let Err(error) = post.replace(&mailboxes, &done) {
                        tracing::error!("cannot start a thread for another worker: {error}");
                    }
                    (frame, stuck("worker"))
                })
                // a worker that was being made has no frame
                .filter(|(frame, _)| frame.ticket.is_some())
                .collect();
            for finished in arrived.into_iter().chain(given_up) {
                in_order.push(finished);
                while let Some((mut frame, outcome)) = in_order.pop() {
                    frame.trace.mark(Mark::Ordered);
                    let turn = progress.publisher.begin(&frame);
                    frame.progress = Some(FrameProgress::new(&progress.publisher, turn));
                    frame.enter(Stage::Publish);
                    let sent = catch_unwind(AssertUnwindSafe(|| publish(&mut frame, &outcome)));
                    let outcome = match sent {
                        _ if !progress.publisher.end(turn) => stuck("publisher"),
                        Ok(Ok(())) => outcome,
                        Ok(Err(error)) => break 'run Err(RunError::Sink(error)),
                        Err(panic) => panicked(panic.as_ref()),
                    };
                    for stage in [Stage::Track, Stage::Publish] {
                        if let Some(took) = frame.trace.duration(stage) {
                            progress.times.record(stage, took);
                        }
                    }
                    // counting takes locks
                    progress.publisher.beat();
                    if catch_unwind(AssertUnwindSafe(|| count(&frame, &outcome))).is_err() {
                        tracing::error!("counting a frame panicked; please report it");
                    }
                    // the reader has ended: then nobody needs the frame
                    let _ = recycle.send(frame);
                }
            }
            if is_over && mailboxes.all_taken_before(in_order.next_ticket()) {
                break Ok(());
            }
        };
        progress.publisher.rest();
        if published.is_err() {
            stop.store(true, Ordering::Relaxed);
            mailboxes.close();
        }
        // wakes a reader that waits for a frame
        drop((finished, recycle));
        let read = reader.join().map_err(|_| RunError::Panic);
        published.and(read.map(drop))
    });
    mailboxes.close();
    collect(posts);
    ran
}

/// The place of one worker, which one thread after another may hold.
struct Post<W> {
    place: usize,
    crew: Arc<Crew<W>>,
    progress: Arc<Progress>,
    /// The frame in the worker's hands, without its image.
    copy: Arc<Mutex<Box<Frame>>>,
    thread: Option<JoinHandle<()>>,
}

impl<W: FrameWorker + 'static> Post<W> {
    /// Starts a thread that takes a worker from the crew and works until the mailboxes are closed.
    fn start(&mut self, mailboxes: &Arc<Mailboxes>, done: &SyncSender<Finished>) -> io::Result<()> {
        self.copy = Arc::default();
        let thread = PostThread {
            place: self.place,
            crew: Arc::clone(&self.crew),
            progress: Arc::clone(&self.progress),
            copy: Arc::clone(&self.copy),
            mailboxes: Arc::clone(mailboxes),
            done: done.clone(),
        };
        let turn = self.progress.beat();
        let work = move || thread.work(turn);
        let thread = thread::Builder::new().name("worker".into()).spawn(work)?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Starts a thread with a new worker in place of the one before, which is left alone.
    fn replace(
        &mut self,
        mailboxes: &Arc<Mailboxes>,
        done: &SyncSender<Finished>,
    ) -> io::Result<()> {
        self.progress.forgive();
        self.thread = None;
        self.start(mailboxes, done)
    }

    /// Takes the copy of the frame in the worker's hands.
    fn copy_of_frame(&self) -> Box<Frame> {
        std::mem::take(&mut *lock(&self.copy))
    }
}

/// The thread of a post.
struct PostThread<W> {
    place: usize,
    crew: Arc<Crew<W>>,
    progress: Arc<Progress>,
    copy: Arc<Mutex<Box<Frame>>>,
    mailboxes: Arc<Mailboxes>,
    done: SyncSender<Finished>,
}

impl<W: FrameWorker + 'static> PostThread<W> {
    /// Processes frames until the mailboxes are closed, or until the thread is given up. `turn` is
    /// that of its start.
    fn work(&self, turn: Turn) {
        let mut model = self.mailboxes.model();
        let Some(mut worker) = self.worker(model, turn) else {
            return;
        };
        if !self.progress.end(turn) {
            return;
        }
        loop {
            let next = self.mailboxes.take_for(model);
            let (mut frame, next_model) = match next {
                Next::Frame(frame) => {
                    let next_model = frame.model_number;
                    (Some(frame), next_model)
                }
                Next::Model(next_model) => (None, next_model),
                Next::End => break,
            };
            let turn = match &frame {
                Some(frame) => {
                    lock(&self.copy).copy_head(frame);
                    self.progress.begin(frame)
                }
                None => {
                    // the frame before is accounted for
                    lock(&self.copy).ticket = None;
                    self.progress.beat()
                }
            };
            if next_model != model {
                self.crew.leave(model, self.place, worker);
                worker = match self.worker(next_model, turn) {
                    Some(worker) => worker,
                    None => return,
                };
                model = next_model;
            }
            let outcome = frame.as_mut().map(|frame| {
                frame.progress = Some(FrameProgress::new(&self.progress, turn));
                process(&mut worker, frame)
            });
            if !self.progress.end(turn) {
                // the frame has failed as stuck, and another thread is in this one's place
                return;
            }
            if let Some((frame, outcome)) = frame.zip(outcome) {
                for stage in Stage::ALL {
                    if let Some(took) = frame.trace.duration(stage) {
                        self.crew.progress().times.record(stage, took);
                    }
                }
                if self.done.send((frame, outcome)).is_err() {
                    break;
                }
            }
        }
        self.crew.leave(model, self.place, worker);
    }

    /// Returns the worker for `model`. Without one the turn does not end, and the watchdog finds it.
    fn worker(&self, model: u64, turn: Turn) -> Option<W> {
        // making a session is no stage of a frame: the frames wait
        self.progress.enter(turn, Stage::Queue);
        let made = self.crew.worker(model, self.place);
        made.inspect_err(|error| tracing::error!("cannot make another worker: {error}"))
            .ok()
    }
}

/// Waits for threads that end, which leave their workers to the crew, and leaves the others alone:
/// they make a worker, or hang.
fn collect<W>(posts: Vec<Post<W>>) {
    let limit = Instant::now() + FAREWELL;
    for post in posts {
        if let Some(thread) = post.thread {
            while !thread.is_finished() && Instant::now() < limit {
                thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // a thread that panicked has lost its worker, and the next run makes another one
                let _ = thread.join();
            }
        }
        // whoever is at work still is not waited for
        post.progress.rest();
        post.progress.forgive();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
