//! The thread that owns the ROS node: it spins, and between two spins does what others ask of the node. r2r's node is
//! not to be touched from two threads, and a spin cannot be woken.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;

/// The longest that one spin waits for something to happen: what a request to the node waits at most.
const SPIN: Duration = Duration::from_millis(2);

/// How long the middleware is given to tell the others that the node is gone: it does so from threads of its own, and a
/// process that ends sooner stays in their graph until its lease runs out.
const FAREWELL: Duration = Duration::from_millis(100);

type Request = Box<dyn FnOnce(&mut r2r::Node) + Send>;

/// Requests to the node go through here; clones go to the same one.
#[derive(Clone)]
pub struct Executor {
    requests: Sender<Request>,
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
        answer.recv().map_err(|_| ExecutorGone)
    }
}

/// The executor's thread, to be ended in order.
pub struct ExecutorThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Starts spinning `node`, once the first request has given it a service or a subscription.
pub fn start(node: r2r::Node) -> io::Result<(Executor, ExecutorThread)> {
    let (requests, received) = channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = thread::Builder::new()
        .name("executor".into())
        .spawn(move || spin(node, &received, &stopped))?;
    Ok((Executor { requests }, ExecutorThread { stop, thread }))
}

impl ExecutorThread {
    /// Waits until the thread has ended, which by itself it never should.
    pub async fn ended(&self) {
        while !self.thread.is_finished() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends the spinning and destroys the node.
    pub fn join(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!(
                "the executor panicked; this is a mistake in shuffledet, please report it"
            );
        }
    }
}

fn spin(mut node: r2r::Node, requests: &Receiver<Request>, stop: &AtomicBool) {
    // rcl calls it an error to wait for nothing: the first request gives the node something
    let Ok(first) = requests.recv() else { return };
    first(&mut node);
    while !stop.load(Ordering::Relaxed) {
        loop {
            match requests.try_recv() {
                Ok(request) => request(&mut node),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        node.spin_once(SPIN);
    }
    drop(node);
    thread::sleep(FAREWELL);
}
