//! Ends processes in order.

use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Waits until `process` has ended, for some seconds at most, and then kills it. A killed process
/// leaves its shared memory of DDS in `/dev/shm`, up to 35 MB each.
pub fn await_end(process: &mut Child) {
    let limit = Instant::now() + GRACE;
    while Instant::now() < limit {
        if !matches!(process.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = process.kill();
    let _ = process.wait();
}

/// Sends SIGTERM, and waits as [`await_end`] does.
pub fn terminate(process: &mut Child) {
    if matches!(process.try_wait(), Ok(None)) {
        let id = process.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
    }
    await_end(process);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_asked_to_end() {
        let mut process = Command::new("sleep").arg("60").spawn().unwrap();
        let began = Instant::now();
        terminate(&mut process);
        assert!(began.elapsed() < GRACE);
        assert!(process.try_wait().unwrap().is_some());
        // again, of one that has ended
        terminate(&mut process);
    }
}
