//! Writes log lines to standard error.

use std::io;

use tracing::Level;
use tracing_subscriber::EnvFilter;

use crate::cli::terminal::{self, shows_colour};

/// Logs events of at least the severity `level`. RUST_LOG overrides it.
pub fn start(level: Level) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("shuffledet={level}")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(terminal::stderr)
        .with_ansi(shows_colour(&io::stderr()))
        .with_target(false)
        .without_time()
        .init();
}
