//! The node's events on `/parameter_events`.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use r2r::rcl_interfaces::msg;
use r2r::{Clock, Node, Publisher, QosProfile};

use super::error::explained;
use super::parameter_messages::parameters;
use shuffledet_node::parameters::Change;

/// The node's events on `/parameter_events`.
pub struct Events {
    node: String,
    clock: Arc<Mutex<Clock>>,
    publisher: Publisher<msg::ParameterEvent>,
    /// The first event until it is published.
    declared: Cell<Option<Change>>,
}

impl Events {
    pub fn new(node: &mut Node) -> r2r::Result<Self> {
        let qos = QosProfile::parameter_events();
        Ok(Self {
            node: node.fully_qualified_name()?,
            clock: node.get_ros_clock(),
            publisher: node.create_publisher("/parameter_events", qos)?,
            declared: Cell::default(),
        })
    }

    /// Sets the first event, which is published before every other one.
    pub fn set_declared(&self, declared: Change) {
        self.declared.set(Some(declared));
    }

    /// Waits for a subscription, for as long as discovery usually takes.
    pub async fn heard(&self) {
        const DISCOVERY: Duration = Duration::from_secs(1);
        const LOOK: Duration = Duration::from_millis(20);
        /// The subscriber notices the match later and loses earlier messages.
        const MUTUAL: Duration = Duration::from_millis(200);
        let began = Instant::now();
        let heard = || {
            matches!(
                self.publisher.get_inter_process_subscription_count(),
                Ok(1..)
            )
        };
        while !heard() && began.elapsed() < DISCOVERY {
            tokio::time::sleep(LOOK).await;
        }
        tokio::time::sleep(MUTUAL).await;
    }

    pub fn publish_declared(&self) {
        if let Some(declared) = self.declared.take() {
            self.send(declared);
        }
    }

    /// Publishes the declaration of the parameters before the first change.
    pub fn publish(&self, change: Change) {
        self.publish_declared();
        self.send(change);
    }

    /// Publishes an event and logs a failure.
    fn send(&self, change: Change) {
        let now = self
            .clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_now();
        let publish = || {
            self.publisher.publish(&msg::ParameterEvent {
                stamp: Clock::to_builtin_time(&now?),
                node: self.node.clone(),
                new_parameters: parameters(change.new),
                changed_parameters: parameters(change.changed),
                deleted_parameters: parameters(change.deleted),
            })
        };
        let published = explained(publish);
        if let Err(error) = published {
            tracing::warn!("cannot publish on /parameter_events: {error}");
        }
    }
}
