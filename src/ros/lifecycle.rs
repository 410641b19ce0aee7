//! The services and the topic of a managed node. Names, types and answers are those of
//! rclcpp_lifecycle, so that `ros2 lifecycle`, launch and lifecycle managers work as with any node.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{BoxStream, StreamExt};
use r2r::lifecycle_msgs::{msg, srv};
use r2r::{Node, QosProfile, ServiceRequest, WrappedServiceTypeSupport};
use thiserror::Error;
use tokio::task::spawn_blocking;

use super::error::{RosError, explained};
use shuffledet_node::lifecycle::{Lifecycle, Request, State, TRANSITIONS, Transition};

/// A service or topic that cannot be created.
#[derive(Debug, Error)]
#[error("cannot open {name}: {source}")]
pub struct OpenError {
    name: &'static str,
    source: RosError,
}

type Requests<T> = BoxStream<'static, ServiceRequest<T>>;

/// The lifecycle services, visible in ROS but not served yet: requests wait.
pub struct LifecycleServices {
    lifecycle: Arc<Lifecycle>,
    get_state: Requests<srv::GetState::Service>,
    change_state: Requests<srv::ChangeState::Service>,
    get_available_states: Requests<srv::GetAvailableStates::Service>,
    get_available_transitions: Requests<srv::GetAvailableTransitions::Service>,
    get_transition_graph: Requests<srv::GetAvailableTransitions::Service>,
}

impl LifecycleServices {
    /// Creates the services and the topic `~/transition_event` (reliable, volatile, depth 10, as in
    /// rcl), which publishes every later transition.
    pub fn open(node: &mut Node, lifecycle: Arc<Lifecycle>) -> Result<Self, OpenError> {
        publish_events(node, &lifecycle)?;
        Ok(Self {
            lifecycle,
            get_state: open_service(node, "~/get_state")?,
            change_state: open_service(node, "~/change_state")?,
            get_available_states: open_service(node, "~/get_available_states")?,
            get_available_transitions: open_service(node, "~/get_available_transitions")?,
            get_transition_graph: open_service(node, "~/get_transition_graph")?,
        })
    }

    /// Answers requests until the node is gone. A change runs on a separate thread, so that other
    /// requests are answered meanwhile.
    pub async fn serve(self) {
        let lifecycle = &self.lifecycle;
        tokio::join!(
            self.get_state.for_each(|request| {
                let current_state = state_message(lifecycle.state());
                respond(request, srv::GetState::Response { current_state });
                ready(())
            }),
            self.change_state
                .for_each_concurrent(None, |request| change(Arc::clone(lifecycle), request)),
            self.get_available_states.for_each(|request| {
                let available_states = available_states();
                respond(
                    request,
                    srv::GetAvailableStates::Response { available_states },
                );
                ready(())
            }),
            self.get_available_transitions.for_each(|request| {
                respond(request, descriptions(lifecycle.state().transitions()));
                ready(())
            }),
            self.get_transition_graph.for_each(|request| {
                respond(request, descriptions(TRANSITIONS.iter()));
                ready(())
            }),
        );
    }
}

fn open_service<T>(node: &mut Node, name: &'static str) -> Result<Requests<T>, OpenError>
where
    T: WrappedServiceTypeSupport + 'static,
{
    let requests = explained(|| node.create_service::<T>(name, QosProfile::services_default()))
        .map_err(|source| OpenError { name, source })?;
    Ok(requests.boxed())
}

/// Publishes transition events. They contain the transition and its time by the node's clock, which
/// rcl of Jazzy leaves empty.
fn publish_events(node: &mut Node, lifecycle: &Lifecycle) -> Result<(), OpenError> {
    let name = "~/transition_event";
    let publisher = explained(|| node.create_publisher(name, QosProfile::default()))
        .map_err(|source| OpenError { name, source })?;
    let clock = node.get_ros_clock();
    lifecycle.observe(move |transition| {
        let now = lock(&clock).get_now().unwrap_or_default();
        let event = msg::TransitionEvent {
            timestamp: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            transition: transition_message(transition),
            start_state: state_message(transition.start),
            goal_state: state_message(transition.goal),
        };
        if let Err(error) = explained(|| publisher.publish(&event)) {
            tracing::warn!("cannot publish {name}: {error}");
        }
    });
    Ok(())
}

/// Changes the state and answers. As in rclcpp, success means that the callback succeeded: a node
/// that fails to configure and is unconfigured again did not succeed. A label takes precedence over
/// the number.
async fn change(lifecycle: Arc<Lifecycle>, request: ServiceRequest<srv::ChangeState::Service>) {
    let transition = request.message.transition.clone();
    let changed = spawn_blocking(move || {
        let asked = if transition.label.is_empty() {
            Request::Id(transition.id)
        } else {
            Request::Label(&transition.label)
        };
        lifecycle.change(asked)
    })
    .await;
    let success = match changed {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!("{error}");
            false
        }
        Err(error) => {
            tracing::error!("the lifecycle thread failed: {error}");
            false
        }
    };
    respond(request, srv::ChangeState::Response { success });
}

fn respond<T: WrappedServiceTypeSupport + 'static>(
    request: ServiceRequest<T>,
    response: T::Response,
) {
    if let Err(error) = explained(|| request.respond(response)) {
        tracing::warn!("cannot answer a lifecycle request: {error}");
    }
}

/// Returns rcl's list of states, which starts with `unknown`.
fn available_states() -> Vec<msg::State> {
    let unknown = msg::State {
        id: 0,
        label: "unknown".to_owned(),
    };
    let states = State::ALL.into_iter().map(state_message);
    std::iter::once(unknown).chain(states).collect()
}

fn descriptions<'a>(
    transitions: impl Iterator<Item = &'a Transition>,
) -> srv::GetAvailableTransitions::Response {
    let description = |transition: &Transition| msg::TransitionDescription {
        transition: transition_message(transition),
        start_state: state_message(transition.start),
        goal_state: state_message(transition.goal),
    };
    srv::GetAvailableTransitions::Response {
        available_transitions: transitions.map(description).collect(),
    }
}

fn state_message(state: State) -> msg::State {
    msg::State {
        id: state.id(),
        label: state.label().to_owned(),
    }
}

fn transition_message(transition: &Transition) -> msg::Transition {
    msg::Transition {
        id: transition.id,
        label: transition.label.to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
