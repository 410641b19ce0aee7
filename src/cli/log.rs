//! Writes log lines to standard error, and warnings to the page of a run.

use std::io;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::terminal::{self, shows_colour};
use crate::view::log::PageLayer;

/// Logs events of at least the severity `level`. RUST_LOG overrides it.
pub fn start(level: Level) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("shuffledet={level}")));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(terminal::stderr)
        .with_ansi(shows_colour(&io::stderr()))
        .with_target(false)
        .without_time();
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(PageLayer)
        .init();
}
