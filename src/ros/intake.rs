//! Receives images. r2r keeps ten messages per subscription, drops the newest one if its queue is
//! full, and calls the waker on the receiving thread. So the waker itself takes each message, and
//! none waits in r2r's queue.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_util::stream::{Stream, StreamExt};

use super::Executor;
use super::arrivals::{Arrival, Arrivals, most_waiting};
use super::join::join_within;
use super::shared::Shared;
use super::source::RosClock;
use super::subscriptions::{ImageTopic, SubscribeError, subscribe};
use shuffledet_core::{DropReason, Mark, Outcome, StampAnomaly};
use shuffledet_detector::pipeline::stamps::StampCheck;
use shuffledet_detector::pipeline::{Frame, Progress};
use shuffledet_msg::HeaderView;
use shuffledet_node::transport::{Choice, Verdict};

/// The raw messages of one subscription.
pub type MessageStream = Box<dyn Stream<Item = Vec<u8>> + Unpin + Send>;

/// The subscriptions of all cameras while the node is active.
pub struct Intake {
    arrivals: Arc<Arrivals>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How long the thread may take to end. It waits for the executor, which may hang.
const END: Duration = Duration::from_secs(1);

/// Interval of the check whether a camera needs another subscription.
const LOOK: Duration = Duration::from_millis(100);

impl Intake {
    /// Subscribes to every camera from a separate thread, which later also handles silent cameras.
    pub fn start(executor: &Executor, shared: &Arc<Shared>, clock: &RosClock) -> io::Result<Self> {
        let arrivals = Arc::<Arrivals>::default();
        let listener = |camera| Listener::new(camera, shared, clock, &arrivals);
        let listeners: Vec<_> = (0..shared.cameras.len()).map(listener).collect();
        let (executor, (stop, stopped)) = (executor.clone(), channel());
        let progress = Arc::clone(&shared.progress);
        let thread = thread::Builder::new()
            .name("intake".into())
            .spawn(move || {
                tend(&listeners, &executor, &stopped, &progress.intake);
                progress.intake.rest();
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
    /// Ends the subscriptions and the pipeline's source.
    fn drop(&mut self) {
        drop(self.stop.take());
        match self
            .thread
            .take()
            .map(|thread| join_within(thread, END, || false))
        {
            Some(None) => tracing::error!("the intake thread does not end; it is left alone"),
            Some(Some(Err(_))) => tracing::error!(
                "the intake thread panicked; this is an error in shuffledet, please report it"
            ),
            Some(Some(Ok(()))) | None => (),
        }
        self.arrivals.close();
    }
}

/// Maintains the subscriptions until it is stopped.
fn tend(
    listeners: &[Arc<Listener>],
    executor: &Executor,
    stopped: &Receiver<()>,
    progress: &Progress,
) {
    for listener in listeners {
        progress.beat();
        listener.subscribe(executor);
    }
    while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        for listener in listeners {
            progress.beat();
            if listener.needs_subscription() {
                listener.subscribe(executor);
            }
        }
    }
    for listener in listeners {
        listener
            .lock()
            .subscriptions
            .iter_mut()
            .for_each(|s| s.stream = None);
    }
}

/// One camera. Its waker takes the messages of its subscriptions, always on the executor's thread.
struct Listener {
    camera: usize,
    topics: Vec<ImageTopic>,
    shared: Arc<Shared>,
    clock: RosClock,
    arrivals: Arc<Arrivals>,
    state: Mutex<State>,
}

struct State {
    /// By topic.
    subscriptions: Vec<Subscription>,
    choice: Choice,
    stamps: StampCheck,
}

struct Subscription {
    /// `None` while not subscribed.
    stream: Option<MessageStream>,
    /// Depth of the middleware's queue, current and maximum.
    depth: usize,
    most: usize,
    /// Whether the subscription failed; there is no second attempt.
    refused: bool,
}

impl Listener {
    fn new(
        camera: usize,
        shared: &Arc<Shared>,
        clock: &RosClock,
        arrivals: &Arc<Arrivals>,
    ) -> Arc<Self> {
        let topics = {
            let mut camera = shared.camera(camera);
            camera.subscribed = None;
            camera.topics.clone()
        };
        let subscription = |topic: &ImageTopic| Subscription {
            stream: None,
            depth: topic.qos.depth,
            most: topic.qos.depth,
            refused: false,
        };
        let state = State {
            subscriptions: topics.iter().map(subscription).collect(),
            choice: Choice::default(),
            stamps: StampCheck::default(),
        };
        Arc::new(Self {
            camera,
            topics,
            shared: Arc::clone(shared),
            clock: clock.clone(),
            arrivals: Arc::clone(arrivals),
            state: Mutex::new(state),
        })
    }

    /// Returns whether the chosen topic is silent or a subscription must be replaced.
    fn needs_subscription(&self) -> bool {
        let silence = self.shared.silence(self.camera);
        let state = self.lock();
        state
            .subscriptions
            .iter()
            .any(|s| s.stream.is_some() && s.depth > s.most)
            || (state.choice.silent_for(Instant::now()) > Some(silence)
                && state
                    .subscriptions
                    .iter()
                    .any(|s| s.stream.is_none() && !s.refused))
    }

    /// Subscribes if there is no subscription or if its queue is too deep.
    fn subscribe(self: &Arc<Self>, executor: &Executor) {
        for (index, topic) in self.topics.iter().enumerate() {
            let depth = {
                let subscription = &self.lock().subscriptions[index];
                let fits = subscription.depth <= subscription.most;
                if subscription.refused || (subscription.stream.is_some() && fits) {
                    continue;
                }
                subscription.most
            };
            let mut topic = topic.clone();
            topic.qos.depth = depth;
            let listener = Arc::clone(self);
            let made = executor.call(move |node| {
                let stream = subscribe(node, &topic)?;
                {
                    let subscription = &mut listener.lock().subscriptions[index];
                    (subscription.stream, subscription.depth) = (Some(stream), depth);
                }
                // from now on its messages call the waker
                listener.drain();
                Ok::<_, SubscribeError>(())
            });
            match made {
                Ok(Ok(())) => tracing::info!("subscribed to {}", self.topics[index].name),
                Ok(Err(error)) => {
                    tracing::error!("{error}");
                    self.lock().subscriptions[index].refused = true;
                }
                // the node is ending
                Err(_) => return,
            }
        }
    }

    /// Takes every message that has arrived.
    fn drain(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut context = Context::from_waker(&waker);
        let silence = self.shared.silence(self.camera);
        let mut state = self.lock();
        for index in 0..self.topics.len() {
            while let Some(stream) = &mut state.subscriptions[index].stream
                && let Poll::Ready(Some(message)) = stream.poll_next_unpin(&mut context)
            {
                self.take(&mut state, index, message, silence);
            }
        }
    }

    fn take(&self, state: &mut State, index: usize, message: Vec<u8>, silence: Duration) {
        let (at, now_ns) = (Instant::now(), self.clock.now_ns());
        let header = HeaderView::parse_first(&message);
        // the same as for a frame with an unreadable header
        let stamp_ns = header.map_or(now_ns, |header| header.stamp.to_ns());
        let (topic, before) = (&self.topics[index], state.choice.transport());
        let verdict = state.choice.arrived(topic.transport, stamp_ns, at, silence);
        if state.choice.transport() != before {
            tracing::info!("images arrive on {}", topic.name);
            self.shared.camera(self.camera).subscribed = Some(topic.clone());
        }
        let subscription = &mut state.subscriptions[index];
        match verdict {
            Verdict::Take => (),
            Verdict::Leave => return,
            Verdict::Unsubscribe => {
                subscription.stream = None;
                return;
            }
        }
        if !topic.depth_given {
            let most = most_waiting(message.len());
            // a small difference does not justify a new subscription
            if 2 * most < subscription.depth {
                subscription.most = most;
            }
        }
        let anomaly = state.stamps.check(stamp_ns, now_ns);
        self.note(at, stamp_ns, anomaly);
        let superseded = self.arrivals.push(Arrival {
            camera: self.camera,
            transport: topic.transport,
            message,
            at,
            now_ns,
            stamp_lag_ns: (stamp_ns != 0).then(|| now_ns.saturating_sub(stamp_ns)),
            anomaly,
        });
        if let Some(superseded) = superseded {
            self.supersede(&superseded);
        }
    }

    /// Reports the arrival of an image to diagnostics.
    fn note(&self, at: Instant, stamp_ns: i64, anomaly: Option<StampAnomaly>) {
        let mut camera = self.shared.camera(self.camera);
        let expected_hz = camera.expected_hz;
        camera.window.received(at);
        match anomaly {
            Some(StampAnomaly::Zero | StampAnomaly::Duplicate) => (),
            Some(StampAnomaly::OutOfOrder) => camera.rhythm.overtaken(),
            _ => camera.rhythm.stamped(stamp_ns, expected_hz),
        }
    }

    /// Counts an image that the pipeline did not read.
    fn supersede(&self, arrival: &Arrival) {
        let mut frame = Frame::new();
        frame.anomaly = arrival.anomaly;
        frame.stamp_lag_ns = arrival.stamp_lag_ns;
        frame.trace.mark_at(Mark::Received, arrival.at);
        frame.trace.mark(Mark::Ordered);
        let outcome = Outcome::Dropped(DropReason::Superseded);
        self.shared
            .camera(self.camera)
            .window
            .record(&frame, &outcome);
    }

    /// Locks the state, which is valid after each message.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Listener {
    fn wake(self: Arc<Self>) {
        self.drain();
    }
}
