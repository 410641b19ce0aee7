//! Distribution of the cores: the number of frames in parallel, and the threads per frame.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw::RawRuntime;
use shuffledet_infer::SessionOptions;

/// How to choose workers and threads that are not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Latency,
    Throughput,
    Auto,
}

/// The distribution of the cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    /// The number of frames processed in parallel.
    pub workers: NonZeroUsize,
    /// The number of threads within one inference.
    pub intra_op: NonZeroUsize,
}

impl Threads {
    /// Distributes `cores` over `cameras` by `mode`, as far as `runtime` does not set the values.
    /// [`Mode::Auto`] gives the values for the highest throughput; a live node measures the
    /// alternative.
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
                // one frame of each camera at a time
                let cameras = NonZeroUsize::new(cameras).unwrap_or(NonZeroUsize::MIN);
                let workers = cameras.min(cores);
                (workers, share(workers))
            }
        };
        Self { workers, intra_op }
    }

    /// Returns `options` with this number of threads.
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
