//! The parameter services of a node, its events, and `~/reload`. r2r's own handler supports no ranges,
//! no rejections and no events.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, StreamExt};
use r2r::rcl_interfaces::msg;
use r2r::rcl_interfaces::srv::{
    DescribeParameters, GetParameterTypes, GetParameters, ListParameters, SetParameters,
    SetParametersAtomically,
};
use r2r::std_srvs::srv::Trigger;
use r2r::{Node, QosProfile};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::error::{RosError, explained};
use super::executor::{Executor, ExecutorGone};
use super::model_change::ModelChanger;
use super::page::PageChange;
use super::parameter_events::Events;
use super::parameter_messages::{descriptor, from_message, message};
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

/// Puts a change of parameters into effect, or rejects it.
pub type Apply = dyn Fn(&Config, &DetectorSettings) -> Result<(), String>;

/// Answers the six parameter services of the node and `~/reload`, and publishes the events, until the
/// node is gone. A change that needs another model is answered when that has taken over, and other
/// requests meanwhile. The first event declares every parameter. It is published when there is a
/// subscription, or after a second: rclcpp publishes it during creation, before discovery, when no
/// other process can receive it. `apply` is called while `set` is locked. Changes of
/// `from_page` are made as those of a service are.
///
/// # Errors
/// Fails if the services or the publisher cannot be created.
pub async fn serve(
    executor: Executor,
    set: Arc<Mutex<ParameterSet>>,
    mut from_page: mpsc::Receiver<PageChange>,
    changer: Arc<ModelChanger>,
    apply: Box<Apply>,
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
            node.create_service::<Trigger::Service>("~/reload", QosProfile::services_default())?,
        ))
    };
    let made = executor.call(move |node| explained(|| open(node)))?;
    let (events, mut list, mut get, mut types, mut describe, mut set_each, mut set_all, mut reload) =
        made?;
    // a poisoned lock still holds a valid set, which changes in one step
    let lock = || set.lock().unwrap_or_else(PoisonError::into_inner);
    let declared = lock()
        .declared()
        .map(|(definition, value)| (definition.name.clone(), value.clone()))
        .collect();
    events.set_declared(Change {
        new: declared,
        ..Change::default()
    });
    let setter = Rc::new(Setter {
        set: Arc::clone(&set),
        changer,
        apply,
        events,
    });
    let of_events = Rc::clone(&setter);
    let heard = async move { of_events.events.heard().await };
    tokio::pin!(heard);
    let mut waiting = true;
    loop {
        let answered = tokio::select! {
            () = &mut heard, if waiting => {
                waiting = false;
                setter.events.publish_declared();
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
                let (parameters, setter) = (std::mem::take(&mut request.message.parameters), Rc::clone(&setter));
                answer(Box::pin(async move {
                    let mut results = Vec::new();
                    for parameter in parameters {
                        results.push(setter.set(vec![parameter]).await);
                    }
                    warn_of(explained(|| request.respond(SetParameters::Response { results })));
                }));
                Ok(())
            }
            Some(mut request) = set_all.next() => {
                let (parameters, setter) = (std::mem::take(&mut request.message.parameters), Rc::clone(&setter));
                answer(Box::pin(async move {
                    let result = setter.set(parameters).await;
                    warn_of(explained(|| request.respond(SetParametersAtomically::Response { result })));
                }));
                Ok(())
            }
            Some(request) = reload.next() => {
                let setter = Rc::clone(&setter);
                answer(Box::pin(async move {
                    let response = setter.reload().await;
                    warn_of(explained(|| request.respond(response)));
                }));
                Ok(())
            }
            Some(request) = from_page.recv() => {
                let setter = Rc::clone(&setter);
                answer(Box::pin(async move {
                    let changed = setter.change(request.changes).await;
                    let changed = changed.map(|change| setter.events.publish(change));
                    // a viewer that has gone needs no answer
                    let _ = request.result.send(changed);
                }));
                Ok(())
            }
            else => return Ok(()),
        };
        warn_of(answered);
    }
}

/// Logs that a request was not answered.
fn warn_of(answered: Result<(), RosError>) {
    if let Err(error) = answered {
        tracing::warn!("cannot answer a parameter request: {error}");
    }
}

/// Runs what answers a request: at once, or beside the other requests if it has to wait.
fn answer(mut work: Pin<Box<dyn Future<Output = ()>>>) {
    if (&mut work).now_or_never().is_none() {
        spawn_local(work);
    }
}

/// Sets parameters and publishes what changed.
struct Setter {
    set: Arc<Mutex<ParameterSet>>,
    changer: Arc<ModelChanger>,
    apply: Box<Apply>,
    events: Events,
}

impl Setter {
    /// Sets all of `parameters` or none.
    async fn set(&self, parameters: Vec<msg::Parameter>) -> msg::SetParametersResult {
        let changes: Result<Vec<_>, _> = parameters.into_iter().map(from_message).collect();
        let changed = match changes {
            Ok(changes) => self.change(changes).await,
            Err(reason) => Err(reason),
        };
        let (successful, reason) = match changed {
            Ok(change) => {
                self.events.publish(change);
                (true, String::new())
            }
            Err(reason) => (false, reason),
        };
        msg::SetParametersResult { successful, reason }
    }

    async fn change(&self, changes: NamedValues) -> Result<Change, String> {
        {
            // a poisoned lock still holds a valid set, which changes in one step
            let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
            if !set.needs_sessions(&changes) {
                return set.set(&changes, &*self.apply);
            }
        }
        let changed = self.changer.change(changes).await?;
        Ok(changed.parameters)
    }

    async fn reload(&self) -> Trigger::Response {
        match self.changer.change(Vec::new()).await {
            Ok(changed) => {
                self.events.publish(changed.parameters);
                Trigger::Response {
                    success: true,
                    message: format!("{} runs", changed.model),
                }
            }
            Err(message) => Trigger::Response {
                success: false,
                message,
            },
        }
    }
}
