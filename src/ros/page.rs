//! The node's page in the browser (`web.port`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::shared::Shared;
use crate::view::{log, parameter_views};
use shuffledet_detector::config::WebConfig;
use shuffledet_node::lifecycle::Lifecycle;
use shuffledet_node::parameters::{NamedValues, ParameterSet, ParameterValue};
use shuffledet_view::{Control, Limits, ParameterView, Place, RunFacts, ServeError, Served};

/// A change of parameters from the page, and where its result goes.
pub struct PageChange {
    pub changes: NamedValues,
    pub result: oneshot::Sender<Result<(), String>>,
}

/// What viewers of the node see besides its frames, and what they may do.
pub struct NodeControl {
    pub node: String,
    pub shared: Arc<Shared>,
    pub lifecycle: Arc<Lifecycle>,
    pub parameters: Arc<Mutex<ParameterSet>>,
    /// To the services, which apply every change.
    pub changes: mpsc::Sender<PageChange>,
    pub allow_changes: bool,
}

/// Serves the page, if a port is set.
///
/// # Errors
/// The port is taken, or the address is not of this machine.
pub fn serve(web: &WebConfig, control: NodeControl) -> Result<Option<Served>, ServeError> {
    let (Some(port), Some((hub, _))) = (web.port, control.shared.page.clone()) else {
        return Ok(None);
    };
    log::show_on(&hub);
    let place = Place {
        address: web.address,
        port,
        allowed_hosts: web.allowed_hosts.clone(),
    };
    let served = Served::start(
        &place,
        Limits::default(),
        hub,
        Arc::new(control),
        "web.port",
    )?;
    tracing::info!("the page of this node: {}", served.url());
    Ok(Some(served))
}

impl NodeControl {
    fn parameter_set(&self) -> MutexGuard<'_, ParameterSet> {
        // a poisoned lock still holds a valid set, which changes in one step
        self.parameters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control for NodeControl {
    fn facts(&self) -> RunFacts {
        let model = self.shared.model();
        RunFacts {
            title: self.node.clone(),
            model: model.served.identity.name.clone(),
            state: self.lifecycle.state().label().to_owned(),
            providers: model.provider_statuses.statuses(),
        }
    }

    fn parameters(&self) -> Vec<ParameterView> {
        parameter_views(&self.parameter_set())
    }

    fn parameters_yaml(&self) -> Result<String, String> {
        let yaml = self.parameter_set().config().to_ros_yaml();
        yaml.map_err(|error| error.to_string())
    }

    fn parameters_fixed(&self) -> Option<String> {
        let fixed = "Viewers may look only; start the node with web.allow_changes true to change parameters here.";
        (!self.allow_changes).then(|| fixed.to_owned())
    }

    fn set_parameter(&self, name: &str, value: &Value) -> Result<(), String> {
        const ENDING: &str = "the node is ending";
        let value = ParameterValue::from_untyped(value).map_err(|why| format!("{name}: {why}"))?;
        let (result, changed) = oneshot::channel();
        let change = PageChange {
            changes: vec![(name.to_owned(), value)],
            result,
        };
        let sent = self.changes.blocking_send(change);
        sent.map_err(|_| ENDING.to_owned())?;
        changed.blocking_recv().map_err(|_| ENDING.to_owned())?
    }
}
