//! What the cores are used for: how many frames at once, and how many threads for each.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw::RawRuntime;
use shuffledet_infer::SessionOptions;

/// How to choose workers and threads where they are not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Latency,
    Throughput,
    Auto,
}

/// How the work is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    /// Frames worked on in parallel.
    pub workers: NonZeroUsize,
    /// Threads within one run of the model.
    pub intra_op: NonZeroUsize,
}

impl Threads {
    /// Of `mode` on a machine of `cores` for `cameras`, as far as `runtime` leaves it open. [`Mode::Auto`] is the one of
    /// most frames a second: what else it might be is measured where frames are live.
    pub fn new(runtime: &RawRuntime, mode: Mode, cores: NonZeroUsize, cameras: usize) -> Self {
        let share =
            |of: NonZeroUsize| NonZeroUsize::new(cores.get() / of).unwrap_or(NonZeroUsize::MIN);
        let workers = NonZeroUsize::new(runtime.workers);
        let intra_op = NonZeroUsize::new(runtime.intra_op_threads);
        let (workers, intra_op) = match (workers, intra_op, mode) {
            (Some(workers), Some(intra_op), _) => (workers, intra_op),
            (None, Some(intra_op), _) => (share(intra_op), intra_op),
            (Some(workers), None, Mode::Latency) => (workers, share(workers)),
            (workers, None, Mode::Throughput | Mode::Auto) => {
                (workers.unwrap_or(cores), NonZeroUsize::MIN)
            }
            (None, None, Mode::Latency) => {
                // a frame of each camera at once
                let cameras = NonZeroUsize::new(cameras).unwrap_or(NonZeroUsize::MIN);
                let workers = cameras.min(cores);
                (workers, share(workers))
            }
        };
        Self { workers, intra_op }
    }

    /// `options`, so shared out.
    pub fn apply(self, options: SessionOptions) -> SessionOptions {
        SessionOptions {
            intra_op_threads: self.intra_op.get(),
            ..options
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(workers: usize, intra_op_threads: usize, mode: Mode, cameras: usize) -> [usize; 2] {
        let runtime = RawRuntime {
            workers,
            intra_op_threads,
            ..RawRuntime::default()
        };
        let cores = NonZeroUsize::new(8).unwrap();
        let threads = Threads::new(&runtime, mode, cores, cameras);
        [threads.workers, threads.intra_op].map(NonZeroUsize::get)
    }

    #[test]
    fn throughput_has_a_frame_on_each_core() {
        assert_eq!(threads(0, 0, Mode::Throughput, 3), [8, 1]);
        assert_eq!(threads(0, 0, Mode::Auto, 3), [8, 1]);
    }

    #[test]
    fn latency_gives_each_cameras_frame_its_share_of_the_cores() {
        let of_cameras = |cameras| threads(0, 0, Mode::Latency, cameras);
        assert_eq!(
            [1, 2, 3, 8, 20].map(of_cameras),
            [[1, 8], [2, 4], [3, 2], [8, 1], [8, 1]]
        );
    }

    #[test]
    fn what_is_given_stands_and_the_rest_follows() {
        for mode in [Mode::Latency, Mode::Throughput, Mode::Auto] {
            assert_eq!(threads(3, 5, mode, 1), [3, 5]);
            assert_eq!(threads(0, 4, mode, 1), [2, 4]);
            assert_eq!(threads(0, 99, mode, 1), [1, 99]);
        }
        assert_eq!(threads(2, 0, Mode::Latency, 1), [2, 4]);
        assert_eq!(threads(2, 0, Mode::Throughput, 1), [2, 1]);
    }
}
