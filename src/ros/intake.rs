//! The thread that takes images off the subscriptions as they come. r2r keeps ten messages of a subscription and throws the
//! newest away when they are full: whoever reads them must never wait for anything else.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::{Stream, StreamExt};
use tokio::sync::oneshot;

use super::Executor;
use super::shared::Shared;
use super::source::RosClock;
use super::subscriptions::{ImageTopic, subscribe};
use crate::msg::HeaderView;
use crate::node::transport::{Choice, Verdict};
use crate::pipeline::stamps::StampCheck;
use crate::pipeline::{DropReason, Frame, Mark, Oddity, Outcome, Transport};

/// The raw messages of one subscription.
pub type MessageStream = Box<dyn Stream<Item = Vec<u8>> + Unpin + Send>;

/// An image as it came.
pub struct Arrival {
    pub camera: usize,
    pub transport: Transport,
    pub message: Vec<u8>,
    pub at: Instant,
    /// By the node's clock.
    pub now_ns: i64,
    /// How far the stamp is behind that; `None` of one that is zero.
    pub stamp_lag_ns: Option<i64>,
    pub oddity: Option<Oddity>,
}

/// Images that the pipeline has not read yet, oldest first.
#[derive(Default)]
pub struct Arrivals {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    images: VecDeque<Arrival>,
    closed: bool,
}

/// The most images of one camera that wait for the pipeline: it reads them at once unless it is held up.
const MOST_WAITING: usize = 4;

impl Arrivals {
    /// Gives back the oldest image of the same camera where too many wait.
    fn push(&self, arrival: Arrival) -> Option<Arrival> {
        let mut waiting = self.lock();
        let camera = arrival.camera;
        waiting.images.push_back(arrival);
        self.changed.notify_one();
        let of_camera = |image: &Arrival| image.camera == camera;
        let count = waiting
            .images
            .iter()
            .filter(|image| of_camera(image))
            .count();
        if count <= MOST_WAITING {
            return None;
        }
        let oldest = waiting.images.iter().position(of_camera)?;
        waiting.images.remove(oldest)
    }

    /// The next image as soon as there is one; `None` when no more will come.
    pub fn pop(&self) -> Option<Arrival> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some(arrival) = waiting.images.pop_front() {
                return Some(arrival);
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Each change is one push or removal: a thread that panicked has left the queue whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The subscriptions of all cameras, as long as the node is active.
pub struct Intake {
    arrivals: Arc<Arrivals>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Intake {
    /// Subscribes to every camera, and takes what comes.
    pub fn start(executor: &Executor, shared: &Arc<Shared>, clock: &RosClock) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        let arrivals = Arc::<Arrivals>::default();
        let (stop, stopped) = oneshot::channel();
        let listener = |camera| Listener {
            camera,
            executor: executor.clone(),
            shared: Arc::clone(shared),
            clock: clock.clone(),
            arrivals: Arc::clone(&arrivals),
            streams: Vec::new(),
            choice: Choice::default(),
            stamps: StampCheck::default(),
        };
        let listeners: Vec<_> = (0..shared.cameras.len()).map(listener).collect();
        let closing = Arc::clone(&arrivals);
        let thread = thread::Builder::new()
            .name("intake".into())
            .spawn(move || {
                let listen = join_all(listeners.into_iter().map(Listener::listen));
                runtime.block_on(async {
                    tokio::select! {
                        // told to stop, or dropped
                        _ = stopped => (),
                        _ = listen => (),
                    }
                });
                closing.close();
            })?;
        Ok(Self {
            arrivals,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub fn arrivals(&self) -> Arc<Arrivals> {
        Arc::clone(&self.arrivals)
    }
}

impl Drop for Intake {
    /// Lets go of the subscriptions; the pipeline's source ends.
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|t| t.join().is_err()) {
            tracing::error!(
                "the intake panicked; this is a mistake in shuffledet, please report it"
            );
            self.arrivals.close();
        }
    }
}

/// One camera's subscriptions.
struct Listener {
    camera: usize,
    executor: Executor,
    shared: Arc<Shared>,
    clock: RosClock,
    arrivals: Arc<Arrivals>,
    /// By the camera's topics: `None` where it is not subscribed to.
    streams: Vec<Option<MessageStream>>,
    choice: Choice,
    stamps: StampCheck,
}

impl Listener {
    /// Takes the camera's images for ever.
    async fn listen(mut self) {
        let topics = {
            let mut camera = self.shared.camera(self.camera);
            camera.subscribed = None;
            camera.topics.clone()
        };
        self.streams.resize_with(topics.len(), || None);
        self.subscribe(&topics);
        let names: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
        tracing::info!("subscribed to {}", names.join(" and "));
        loop {
            let (look, silence) = self.next_look(Instant::now());
            tokio::select! {
                (index, message) = next(&mut self.streams) => {
                    self.take(&topics, index, message, silence);
                }
                () = tokio::time::sleep(look) => {
                    if self.choice.silent_for(Instant::now()) > Some(silence) {
                        self.subscribe(&topics);
                    }
                }
            }
        }
    }

    /// When to see next whether the camera is silent, and after how long it is.
    fn next_look(&self, now: Instant) -> (Duration, Duration) {
        let silence = self.shared.silence(self.camera);
        let left = self
            .choice
            .silent_for(now)
            .and_then(|silent| silence.checked_sub(silent))
            .unwrap_or(silence);
        // a look too early would find that it is not silent yet
        (left + Duration::from_millis(10), silence)
    }

    /// Subscribes to those of `topics` that it is not subscribed to.
    fn subscribe(&mut self, topics: &[ImageTopic]) {
        for (topic, stream) in topics.iter().zip(&mut self.streams) {
            if stream.is_some() {
                continue;
            }
            match subscribe(&self.executor, topic) {
                Ok(made) => *stream = Some(made),
                Err(error) => tracing::error!("{error}"),
            }
        }
    }

    fn take(&mut self, topics: &[ImageTopic], index: usize, message: Vec<u8>, silence: Duration) {
        let (at, now_ns) = (Instant::now(), self.clock.now_ns());
        let header = HeaderView::parse_first(&message);
        // as a frame does whose header cannot be read
        let stamp_ns = header.map_or(now_ns, |header| header.stamp.to_ns());
        let topic = &topics[index];
        let before = self.choice.transport();
        let verdict = self.choice.arrived(topic.transport, stamp_ns, at, silence);
        if self.choice.transport() != before {
            tracing::info!("images come on {}", topic.name);
            self.shared.camera(self.camera).subscribed = Some(topic.clone());
        }
        match verdict {
            Verdict::Take => (),
            Verdict::Leave => return,
            Verdict::Unsubscribe => {
                tracing::debug!("images come on {}, too, which is not needed", topic.name);
                self.streams[index] = None;
                return;
            }
        }
        let oddity = self.stamps.check(stamp_ns, now_ns);
        self.note(at, stamp_ns, oddity);
        let superseded = self.arrivals.push(Arrival {
            camera: self.camera,
            transport: topic.transport,
            message,
            at,
            now_ns,
            stamp_lag_ns: (stamp_ns != 0).then(|| now_ns.saturating_sub(stamp_ns)),
            oddity,
        });
        if let Some(superseded) = superseded {
            self.supersede(&superseded);
        }
    }

    /// Tells diagnostics that an image came.
    fn note(&self, at: Instant, stamp_ns: i64, oddity: Option<Oddity>) {
        let mut camera = self.shared.camera(self.camera);
        let expected_hz = camera.expected_hz;
        camera.window.received(at);
        match oddity {
            Some(Oddity::Zero | Oddity::Duplicate) => (),
            Some(Oddity::OutOfOrder) => camera.rhythm.overtaken(),
            _ => camera.rhythm.stamped(stamp_ns, expected_hz),
        }
    }

    /// Counts an image that the pipeline never read.
    fn supersede(&self, arrival: &Arrival) {
        let mut frame = Frame::new();
        frame.oddity = arrival.oddity;
        frame.stamp_lag_ns = arrival.stamp_lag_ns;
        frame.trace.mark_at(Mark::Received, arrival.at);
        frame.trace.mark(Mark::Ordered);
        let outcome = Outcome::Dropped(DropReason::Superseded);
        self.shared
            .camera(self.camera)
            .window
            .record(&frame, &outcome);
    }
}

/// The next message, and the index of its stream. Streams that have ended, as the node's do when it is gone, give none.
async fn next(streams: &mut [Option<MessageStream>]) -> (usize, Vec<u8>) {
    poll_fn(|context| {
        for (index, stream) in streams.iter_mut().enumerate() {
            if let Some(stream) = stream
                && let Poll::Ready(Some(message)) = stream.poll_next_unpin(context)
            {
                return Poll::Ready((index, message));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(camera: usize, stamp: u8) -> Arrival {
        Arrival {
            camera,
            transport: Transport::Raw,
            message: vec![stamp],
            at: Instant::now(),
            now_ns: 0,
            stamp_lag_ns: None,
            oddity: None,
        }
    }

    #[test]
    fn of_a_camera_that_is_not_read_the_newest_wait_and_the_others_are_given_back() {
        let arrivals = Arrivals::default();
        assert!(arrivals.push(arrival(1, 100)).is_none());
        let pushed = (0..10).filter_map(|i| arrivals.push(arrival(0, i)));
        let given_back: Vec<u8> = pushed.map(|superseded| superseded.message[0]).collect();
        assert_eq!(given_back, [0, 1, 2, 3, 4, 5]);
        let read: Vec<u8> = (0..5).map(|_| arrivals.pop().unwrap().message[0]).collect();
        assert_eq!(read, [100, 6, 7, 8, 9]);
        arrivals.close();
        assert!(arrivals.pop().is_none());
    }
}
