//! Messages of the cameras as frames: what the subscriptions bring, stamped and handed on at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{SelectAll, Stream, StreamExt};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

use super::shared::Shared;
use crate::pipeline::stamps::StampCheck;
use crate::pipeline::{Frame, Oddity, Source, Transport};

/// The raw messages of one subscription.
pub type MessageStream = Box<dyn Stream<Item = Vec<u8>> + Unpin + Send>;

/// A subscription that was made, and whose it is.
pub struct Subscribed {
    pub camera: usize,
    pub transport: Transport,
    pub messages: MessageStream,
}

type Tagged = Box<dyn Stream<Item = (usize, Transport, Vec<u8>)> + Unpin + Send>;

/// How soon a request to stop is seen.
const POLL: Duration = Duration::from_millis(20);

/// All cameras as one source. r2r holds ten messages of a subscription and throws the newest away when they are full:
/// they are taken from it as they come, and what is superseded is dropped, and counted, by the mailboxes.
pub struct LiveSource {
    runtime: Runtime,
    /// Subscriptions that are still to come: few, one a camera.
    subscribed: UnboundedReceiver<Subscribed>,
    messages: SelectAll<Tagged>,
    stamps: Vec<StampCheck>,
    shared: Arc<Shared>,
    clock: RosClock,
    stop: Arc<AtomicBool>,
}

/// The node's clock: the system's, or `/clock` under `use_sim_time`.
#[derive(Clone)]
pub struct RosClock(pub Arc<Mutex<r2r::Clock>>);

impl RosClock {
    /// Nanoseconds since the epoch; 0 when the clock does not answer.
    pub fn now_ns(&self) -> i64 {
        let mut clock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.get_now().unwrap_or_default();
        i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl LiveSource {
    pub fn new(
        subscribed: UnboundedReceiver<Subscribed>,
        shared: Arc<Shared>,
        clock: RosClock,
        stop: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()?,
            subscribed,
            messages: SelectAll::new(),
            stamps: vec![StampCheck::default(); shared.cameras.len()],
            shared,
            clock,
            stop,
        })
    }

    /// The next message of any camera; `None` when it is time to stop.
    fn next_message(&mut self) -> Option<(usize, Transport, Vec<u8>)> {
        let Self {
            runtime,
            subscribed,
            messages,
            stop,
            ..
        } = self;
        runtime.block_on(async {
            loop {
                if stop.load(Ordering::Relaxed) {
                    return None;
                }
                tokio::select! {
                    Some(new) = subscribed.recv() => {
                        let (camera, transport) = (new.camera, new.transport);
                        let tag = move |bytes| (camera, transport, bytes);
                        messages.push(Box::new(new.messages.map(tag)));
                    }
                    Some(message) = messages.next(), if !messages.is_empty() => return Some(message),
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        })
    }
}

impl Source for LiveSource {
    type Error = std::convert::Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Self::Error> {
        let Some((camera, transport, message)) = self.next_message() else {
            return Ok(false);
        };
        frame.camera = camera;
        frame.transport = transport;
        frame.message = message;
        frame.read_header();
        self.shared.camera(camera).window.received(Instant::now());
        let (now_ns, stamp_ns) = (self.clock.now_ns(), frame.stamp.to_ns());
        frame.log_time_ns = u64::try_from(now_ns).unwrap_or_default();
        frame.oddity = self.stamps[camera].check(stamp_ns, now_ns);
        let tells_age = frame.oddity.is_none_or(Oddity::tells_age);
        let age_ns = if tells_age {
            now_ns.saturating_sub(stamp_ns)
        } else {
            0
        };
        frame.age_on_receipt = Duration::from_nanos(u64::try_from(age_ns).unwrap_or_default());
        Ok(true)
    }
}
