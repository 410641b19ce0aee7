//! Passes warnings and errors of the log to the page.

use std::fmt::{self, Write};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use shuffledet_view::Hub;

/// The hub of the process's page, which comes after the log.
static HUB: RwLock<Weak<Hub>> = RwLock::new(Weak::new());

/// Shows warnings and errors from now on on the page of `hub`, as long as it exists.
pub fn show_on(hub: &Arc<Hub>) {
    *HUB.write().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(hub);
}

/// Takes the warnings and errors of the program.
pub struct PageLayer;

impl<S: Subscriber> Layer<S> for PageLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || !metadata.target().starts_with("shuffledet") {
            return;
        }
        let hub = HUB.read().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(hub) = hub {
            let mut text = EventText::default();
            event.record(&mut text);
            hub.log(*metadata.level() == Level::ERROR, &text.0);
        }
    }
}

/// The message of an event, followed by its fields.
#[derive(Default)]
pub struct EventText(pub String);

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // writing to a String cannot fail
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
