//! The thread that owns the ROS node: it spins, and between two spins does what others ask of the node. r2r's node is
//! not to be touched from two threads. A spin ends when a message comes, so a request wakes it with one: see [`Waker`].

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

/// The longest that one spin waits for something to happen, when a request wakes it.
const SPIN: Duration = Duration::from_millis(250);
/// The same where nothing wakes it: what a request to the node waits at most.
const POLL: Duration = Duration::from_millis(2);

/// The topic that wakes, hidden from `ros2 topic list` by its underscore.
const WAKE: &str = "~/_wake";

/// How long the middleware is given to tell the others that the node is gone: it does so from threads of its own, and a
/// process that ends sooner stays in their graph until its lease runs out.
const FAREWELL: Duration = Duration::from_millis(100);

type Request = Box<dyn FnOnce(&mut r2r::Node) + Send>;

/// Requests to the node go through here; clones go to the same one.
#[derive(Clone)]
pub struct Executor {
    requests: Sender<Request>,
    waker: Arc<Waker>,
}

/// Ends a spin early, by an empty message from the node to itself: r2r's spin waits for the node's subscriptions and
/// services, and for no guard condition of ours.
struct Waker {
    /// `None` where it cannot be made, by a security policy that does not know it.
    publisher: Mutex<Option<Publisher<Empty>>>,
    /// The executor waits, or is about to: who takes this back wakes it.
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
            // what is not woken looks by itself
            let _ = publisher.publish(&Empty::default());
        }
    }
}

/// The executor's thread has ended: the program is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the ROS node is shutting down")]
pub struct ExecutorGone;

impl Executor {
    /// Runs `f` on the executor's thread, between two spins, and waits for what it gives (some milliseconds).
    pub fn call<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut r2r::Node) -> T + Send + 'static,
    ) -> Result<T, ExecutorGone> {
        let (reply, answer): (SyncSender<T>, Receiver<T>) = sync_channel(1);
        let request = move |node: &mut r2r::Node| {
            // the caller waits for the answer: it cannot be gone
            let _ = reply.send(f(node));
        };
        self.requests
            .send(Box::new(request))
            .map_err(|_| ExecutorGone)?;
        self.waker.wake();
        answer.recv().map_err(|_| ExecutorGone)
    }
}

/// The executor's thread, to be ended in order.
pub struct ExecutorThread {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    /// Closed when the thread ends.
    running: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

/// Starts spinning `node`.
pub fn start(node: r2r::Node) -> io::Result<(Executor, ExecutorThread)> {
    let (requests, received) = channel();
    let (alive, running) = oneshot::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let waker = Arc::new(Waker {
        publisher: Mutex::default(),
        waiting: AtomicBool::new(false),
    });
    let woken_by = Arc::clone(&waker);
    let thread = thread::Builder::new()
        .name("executor".into())
        .spawn(move || {
            let _alive: oneshot::Sender<()> = alive;
            spin(node, &received, &stopped, &woken_by);
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
    /// Waits until the thread has ended, which by itself it never should.
    pub async fn ended(&mut self) {
        // nothing is ever sent: the channel closes
        let _ = (&mut self.running).await;
    }

    /// Ends the spinning and destroys the node.
    pub fn join(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.waker.wake();
        if self.thread.join().is_err() {
            tracing::error!(
                "the executor panicked; this is a mistake in shuffledet, please report it"
            );
        }
    }
}

fn spin(mut node: r2r::Node, requests: &Receiver<Request>, stop: &AtomicBool, waker: &Waker) {
    let mut wakes = match open_waker(&mut node, waker) {
        Ok(wakes) => wakes,
        Err(error) => {
            tracing::debug!("{WAKE}: {error}: the node polls");
            // rcl calls it an error to wait for nothing: the first request gives the node something
            let Ok(first) = requests.recv() else { return };
            first(&mut node);
            Box::new(futures_util::stream::empty())
        }
    };
    // trusted once it has been seen to work
    let mut woken = false;
    waker.publish();
    while !stop.load(Ordering::SeqCst) {
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

/// Both ends of the topic that wakes.
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
