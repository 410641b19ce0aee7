//! SIGINT and SIGTERM: the first signal ends the run in order, the second one immediately.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use shuffledet_core::process_limits::check_files;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a program that is ended by SIGINT.
const INTERRUPTED: i32 = 130;

/// Returns a flag that the first signal sets. The signal thread lives as long as the process; it
/// holds nothing that must be released.
pub fn listen() -> io::Result<Arc<AtomicBool>> {
    // tokio panics if it cannot open what it needs for signals
    check_files(8).map_err(io::Error::other)?;
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _context = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let flag = Arc::clone(&stop);
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if flag.swap(true, Ordering::Relaxed) {
                        process::exit(INTERRUPTED);
                    }
                }
            });
        })?;
    Ok(stop)
}
