//! The thread that owns the ROS node: it spins, and between two spins it runs the requests of other
//! threads, because two threads must not use r2r's node. A spin ends when a message arrives, so a
//! request wakes the thread with one: see [`Waker`].

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use r2r::std_msgs::msg::Empty;
use r2r::{Publisher, QosProfile};
use thiserror::Error;
use tokio::sync::oneshot;

use super::error::{RosError, explained};
use shuffledet_detector::pipeline::Progress;

/// Maximum duration of a spin if a request can end it.
const SPIN: Duration = Duration::from_millis(250);
/// Maximum duration of a spin if nothing can end it; a request waits at most this long.
const POLL: Duration = Duration::from_millis(2);

/// The topic of the wake-up message; the underscore hides it from `ros2 topic list`.
const WAKE: &str = "~/_wake";

/// Time for the middleware to announce that the node is gone. It does so from its own threads; if
/// the process ends earlier, the node stays in the graph of others until its lease expires.
const FAREWELL: Duration = Duration::from_millis(100);

type Request = Box<dyn FnOnce(&mut r2r::Node) + Send>;

/// A handle for requests to the node; clones share the node.
#[derive(Clone)]
pub struct Executor {
    requests: Sender<Request>,
    waker: Arc<Waker>,
}

/// Ends a spin early with an empty message from the node to itself: r2r's spin waits for the node's
/// subscriptions and services, but not for a guard condition of ours.
struct Waker {
    /// `None` if a security policy forbids the topic.
    publisher: Mutex<Option<Publisher<Empty>>>,
    /// Whether the executor waits or is about to; whoever clears the flag wakes it.
    waiting: AtomicBool,
}

impl Waker {
    fn wake(&self) {
        if self.waiting.swap(false, Ordering::SeqCst) {
            self.publish();
        }
    }

    fn publish(&self) {
        let publisher = self
            .publisher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(publisher) = &*publisher {
            // without a wake-up the executor polls
            let _ = publisher.publish(&Empty::default());
        }
    }
}

/// The executor's thread has ended, and the program is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the ROS node is shutting down")]
pub struct ExecutorGone;

impl Executor {
    /// Runs `f` on the executor's thread between two spins and waits for its result (some
    /// milliseconds).
    pub fn call<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut r2r::Node) -> T + Send + 'static,
    ) -> Result<T, ExecutorGone> {
        let (reply, answer): (SyncSender<T>, Receiver<T>) = sync_channel(1);
        let request = move |node: &mut r2r::Node| {
            // the caller waits for the answer, so it still exists
            let _ = reply.send(f(node));
        };
        self.requests
            .send(Box::new(request))
            .map_err(|_| ExecutorGone)?;
        self.waker.wake();
        answer.recv().map_err(|_| ExecutorGone)
    }
}

/// The handle that ends the executor's thread in order.
pub struct ExecutorThread {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    /// Closed when the thread ends.
    running: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

/// Starts spinning `node`. `progress` is that of the thread.
pub fn start(node: r2r::Node, progress: &Arc<Progress>) -> io::Result<(Executor, ExecutorThread)> {
    let (requests, received) = channel();
    let (alive, running) = oneshot::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let waker = Arc::new(Waker {
        publisher: Mutex::default(),
        waiting: AtomicBool::new(false),
    });
    let woken_by = Arc::clone(&waker);
    let progress = Arc::clone(progress);
    let thread = thread::Builder::new()
        .name("executor".into())
        .spawn(move || {
            let _alive: oneshot::Sender<()> = alive;
            spin(node, &received, &stopped, &woken_by, &progress);
            progress.rest();
        })?;
    let executor = Executor {
        requests,
        waker: Arc::clone(&waker),
    };
    let thread = ExecutorThread {
        stop,
        waker,
        running,
        thread,
    };
    Ok((executor, thread))
}

impl ExecutorThread {
    /// Waits until the thread has ended, which it should not do by itself.
    pub async fn ended(&mut self) {
        // nothing is sent; the channel closes
        let _ = (&mut self.running).await;
    }

    /// Ends the spinning and destroys the node.
    pub fn join(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.waker.wake();
        if self.thread.join().is_err() {
            tracing::error!(
                "the executor panicked; this is an error in shuffledet, please report it"
            );
        }
    }
}

fn spin(
    mut node: r2r::Node,
    requests: &Receiver<Request>,
    stop: &AtomicBool,
    waker: &Waker,
    progress: &Progress,
) {
    let mut wakes = match open_waker(&mut node, waker) {
        Ok(wakes) => wakes,
        Err(error) => {
            tracing::debug!("{WAKE}: {error}; the node polls instead");
            // rcl reports an error if there is nothing to wait for; the first request changes that
            let Ok(first) = requests.recv() else { return };
            first(&mut node);
            Box::new(futures_util::stream::empty())
        }
    };
    // used after it has worked once
    let mut woken = false;
    waker.publish();
    while !stop.load(Ordering::SeqCst) {
        progress.beat();
        waker.waiting.store(true, Ordering::SeqCst);
        match requests.try_recv() {
            Ok(request) => request(&mut node),
            Err(TryRecvError::Empty) if stop.load(Ordering::SeqCst) => break,
            Err(TryRecvError::Empty) => {
                node.spin_once(if woken { SPIN } else { POLL });
                while let Some(Some(_)) = wakes.next().now_or_never() {
                    woken = true;
                }
            }
            Err(TryRecvError::Disconnected) => return,
        }
    }
    drop(node);
    thread::sleep(FAREWELL);
}

type Wakes = Box<dyn Stream<Item = Empty> + Unpin>;

/// Creates both ends of the wake-up topic.
fn open_waker(node: &mut r2r::Node, waker: &Waker) -> Result<Wakes, RosError> {
    let qos = || QosProfile::default().keep_last(1);
    let wakes = explained(|| node.subscribe::<Empty>(WAKE, qos()))?;
    let publisher = explained(|| node.create_publisher::<Empty>(WAKE, qos()))?;
    *waker
        .publisher
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(publisher);
    Ok(Box::new(wakes))
}
