//! Checks that the system gives this process threads and open files, for libraries that would hang or panic
//! without them.

use std::fs::File;
use std::io;
use std::sync::RwLock;
use std::thread;
use std::time::Duration;

use thiserror::Error;

/// The system refuses what the process needs.
#[derive(Debug, Error)]
pub enum ProcessLimit {
    #[error(
        "cannot start {wanted} more threads: {source}; raise the limit of processes (`ulimit -u`, `pids.max` of the \
         container), or set runtime.workers and runtime.intra_op_threads lower"
    )]
    Threads { wanted: usize, source: io::Error },
    #[error(
        "cannot open {wanted} more files: {source}; raise the limit of open files (`ulimit -n`)"
    )]
    Files { wanted: usize, source: io::Error },
}

/// Starts `wanted` threads that exist at the same time, and ends them.
///
/// # Errors
/// One of them cannot be started.
pub fn check_threads(wanted: usize) -> Result<(), ProcessLimit> {
    /// Enough for a thread that only waits.
    const STACK: usize = 64 << 10;
    if wanted == 0 {
        return Ok(());
    }
    let gate = RwLock::new(());
    let started = thread::scope(|scope| {
        // the threads wait until this ends
        let _closed = gate.write();
        (0..wanted).try_for_each(|_| {
            let waiting = thread::Builder::new().stack_size(STACK);
            waiting.spawn_scoped(scope, || drop(gate.read())).map(drop)
        })
    });
    // the system counts an ended thread for a moment longer
    thread::sleep(Duration::from_millis(5));
    started.map_err(|source| ProcessLimit::Threads { wanted, source })
}

/// Opens `wanted` files at the same time, and closes them.
///
/// # Errors
/// One of them cannot be opened.
pub fn check_files(wanted: usize) -> Result<(), ProcessLimit> {
    let files: io::Result<Vec<File>> = (0..wanted).map(|_| File::open("/dev/null")).collect();
    match files {
        Ok(_) => Ok(()),
        Err(source) => Err(ProcessLimit::Files { wanted, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_gives_is_there_and_what_it_does_not_give_is_named() {
        check_threads(8).unwrap();
        check_files(8).unwrap();
        let text = check_files(100_000_000).unwrap_err().to_string();
        assert!(text.contains("ulimit -n"), "{text}");
    }
}
