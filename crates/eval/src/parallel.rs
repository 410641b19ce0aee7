//! Work on several threads, with results that do not depend on their number.

use std::panic::resume_unwind;
use std::thread;

/// Returns `work` of each item in the items' order, done by up to `threads` threads. A thread that
/// the system refuses does not matter: its share is done here.
pub fn map<I: Sync, T: Send>(items: &[I], threads: usize, work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let share = items.len().div_ceil(threads.max(1)).max(1);
    let of_share = |items: &[I]| items.iter().map(&work).collect::<Vec<T>>();
    thread::scope(|scope| {
        let shares: Vec<_> = items
            .chunks(share)
            .map(|items| {
                let started = thread::Builder::new().spawn_scoped(scope, || of_share(items));
                (items, started)
            })
            .collect();
        let done = shares.into_iter().map(|(items, started)| match started {
            // a panic in there is one here
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => of_share(items),
        });
        done.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let items: Vec<u32> = (0..10).collect();
        let expected: Vec<u32> = (0..10).map(|item| item * item).collect();
        for threads in [0, 1, 3, 20] {
            assert_eq!(map(&items, threads, |item| item * item), expected);
        }
        assert!(map(&[], 3, |item: &u32| *item).is_empty());
    }
}
