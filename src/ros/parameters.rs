//! The parameter services of a node and its events on `/parameter_events`. r2r's own handler
//! supports no ranges, no rejections and no events.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use r2r::rcl_interfaces::msg;
use r2r::rcl_interfaces::srv::{
    DescribeParameters, GetParameterTypes, GetParameters, ListParameters, SetParameters,
    SetParametersAtomically,
};
use r2r::{Clock, Node, Publisher, QosProfile};
use thiserror::Error;
use tokio::sync::mpsc;

use super::error::{RosError, explained};
use super::executor::{Executor, ExecutorGone};
use super::page::PageChange;
use super::parameter_messages::{descriptor, from_message, message, parameters};
use shuffledet_detector::config::Config;
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_node::parameters::{Change, NamedValues, ParameterSet};

/// The reason why a node's parameters cannot be served.
#[derive(Debug, Error)]
pub enum ParameterServiceError {
    #[error(transparent)]
    Gone(#[from] ExecutorGone),
    #[error("cannot open the parameter services: {0}")]
    Ros(#[from] RosError),
}

/// Answers the six parameter services of the node and publishes the events until the node is gone.
/// The first event declares every parameter. It is published when there is a subscription, or after
/// a second: rclcpp publishes it during creation, before discovery, when no other process can
/// receive it. `apply` puts a change into effect or rejects it while `set` is locked. Changes of
/// `from_page` are made as those of a service are.
///
/// # Errors
/// Fails if the services or the publisher cannot be created.
pub async fn serve(
    executor: Executor,
    set: Arc<Mutex<ParameterSet>>,
    mut from_page: mpsc::Receiver<PageChange>,
    mut apply: impl FnMut(&Config, &DetectorSettings) -> Result<(), String>,
) -> Result<(), ParameterServiceError> {
    let open = |node: &mut Node| {
        let services = QosProfile::parameters();
        r2r::Result::Ok((
            Events::new(node)?,
            node.create_service::<ListParameters::Service>("~/list_parameters", services.clone())?,
            node.create_service::<GetParameters::Service>("~/get_parameters", services.clone())?,
            node.create_service::<GetParameterTypes::Service>(
                "~/get_parameter_types",
                services.clone(),
            )?,
            node.create_service::<DescribeParameters::Service>(
                "~/describe_parameters",
                services.clone(),
            )?,
            node.create_service::<SetParameters::Service>("~/set_parameters", services.clone())?,
            node.create_service::<SetParametersAtomically::Service>(
                "~/set_parameters_atomically",
                services,
            )?,
        ))
    };
    let made = executor.call(move |node| explained(|| open(node)))?;
    let (events, mut list, mut get, mut types, mut describe, mut set_each, mut set_all) = made?;
    // a poisoned lock still holds a valid set, which changes in one step
    let lock = || set.lock().unwrap_or_else(PoisonError::into_inner);
    let declared = lock()
        .declared()
        .map(|(definition, value)| (definition.name.clone(), value.clone()))
        .collect();
    events.declared.set(Some(Change {
        new: declared,
        ..Change::default()
    }));
    let heard = events.heard();
    tokio::pin!(heard);
    let mut waiting = true;
    let mut change = |changes: NamedValues| {
        let change = lock().set(&changes, &mut apply)?;
        events.publish(change);
        Ok(())
    };
    let asked = |parameters: Vec<msg::Parameter>| {
        let changes = parameters.into_iter().map(from_message);
        changes.collect::<Result<NamedValues, String>>()
    };
    let answer = |changed: Result<(), String>| msg::SetParametersResult {
        successful: changed.is_ok(),
        reason: changed.err().unwrap_or_default(),
    };
    loop {
        let answered = tokio::select! {
            () = &mut heard, if waiting => {
                waiting = false;
                events.publish_declared();
                Ok(())
            }
            Some(request) = list.next() => {
                let listed = lock().list(&request.message.prefixes, request.message.depth);
                let (names, prefixes) = (listed.names, listed.prefixes);
                let result = msg::ListParametersResult { names, prefixes };
                explained(|| request.respond(ListParameters::Response { result }))
            }
            Some(request) = get.next() => {
                let set = lock();
                let values = request.message.names.iter().map(|name| message(set.get(name)));
                let values = values.collect();
                drop(set);
                explained(|| request.respond(GetParameters::Response { values }))
            }
            Some(request) = types.next() => {
                let set = lock();
                let names = request.message.names.iter();
                let types = names.map(|name| set.get(name).parameter_type() as u8).collect();
                drop(set);
                explained(|| request.respond(GetParameterTypes::Response { types }))
            }
            Some(request) = describe.next() => {
                let set = lock();
                let names = request.message.names.iter();
                let descriptors = names.map(|name| descriptor(name, set.describe(name))).collect();
                drop(set);
                explained(|| request.respond(DescribeParameters::Response { descriptors }))
            }
            Some(mut request) = set_each.next() => {
                let parameters = std::mem::take(&mut request.message.parameters).into_iter();
                let results = parameters
                    .map(|parameter| answer(asked(vec![parameter]).and_then(&mut change)))
                    .collect();
                explained(|| request.respond(SetParameters::Response { results }))
            }
            Some(mut request) = set_all.next() => {
                let parameters = std::mem::take(&mut request.message.parameters);
                let result = answer(asked(parameters).and_then(&mut change));
                explained(|| request.respond(SetParametersAtomically::Response { result }))
            }
            Some(request) = from_page.recv() => {
                // a viewer that has gone needs no answer
                let _ = request.result.send(change(request.changes));
                Ok(())
            }
            else => return Ok(()),
        };
        if let Err(error) = answered {
            tracing::warn!("cannot answer a parameter request: {error}");
        }
    }
}

/// The node's events on `/parameter_events`.
struct Events {
    node: String,
    clock: Arc<Mutex<Clock>>,
    publisher: Publisher<msg::ParameterEvent>,
    /// The first event until it is published.
    declared: Cell<Option<Change>>,
}

impl Events {
    fn new(node: &mut Node) -> r2r::Result<Self> {
        let qos = QosProfile::parameter_events();
        Ok(Self {
            node: node.fully_qualified_name()?,
            clock: node.get_ros_clock(),
            publisher: node.create_publisher("/parameter_events", qos)?,
            declared: Cell::default(),
        })
    }

    /// Waits for a subscription, for as long as discovery usually takes.
    async fn heard(&self) {
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

    fn publish_declared(&self) {
        if let Some(declared) = self.declared.take() {
            self.send(declared);
        }
    }

    /// Publishes the declaration of the parameters before the first change.
    fn publish(&self, change: Change) {
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
