//! Ends processes in order.

use std::fs;
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

/// Returns the resident memory of the process `id` in bytes.
pub fn resident_bytes(id: u32) -> u64 {
    1024 * status(id, "VmRSS:")
}

/// Returns the number of threads of the process `id`.
pub fn threads(id: u32) -> u64 {
    status(id, "Threads:")
}

/// Returns the number in a line of the status of the process `id`.
fn status(id: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_threads() {
        let id = std::process::id();
        assert!(resident_bytes(id) > 100_000 && threads(id) >= 2);
    }

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
