//! Waits for threads that may hang.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Waits at most `limit` for the end of a thread, and not longer than until it hangs. `None`: it has
/// not ended, and is left alone.
pub fn join_within<T>(
    thread: JoinHandle<T>,
    limit: Duration,
    hangs: impl Fn() -> bool,
) -> Option<thread::Result<T>> {
    const POLL: Duration = Duration::from_millis(2);
    let began = Instant::now();
    while !thread.is_finished() {
        if began.elapsed() >= limit || hangs() {
            return None;
        }
        thread::sleep(POLL);
    }
    Some(thread.join())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_that_hangs_is_left_alone() {
        let (end, ended) = channel::<()>();
        let hangs = thread::spawn(move || ended.recv());
        assert!(join_within(hangs, Duration::from_millis(20), || false).is_none());
        drop(end);
        let quick = thread::spawn(|| 7);
        let joined = join_within(quick, Duration::from_secs(10), || false);
        assert_eq!(joined.and_then(Result::ok), Some(7));
    }
}
