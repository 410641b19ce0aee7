//! Counts how many runs of a target pass its first check.

use std::sync::atomic::{AtomicU64, Ordering};

pub use libfuzzer_sys;
pub use shuffledet_targets::{Target, target};

static RUNS: AtomicU64 = AtomicU64::new(0);
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Runs the target once. Prints the share of runs that passed, after 1, 2, 4 ... thousand runs.
pub fn run(target: &Target, input: &[u8]) {
    let passed = u64::from((target.run)(input));
    let runs = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
    let passed = PASSED.fetch_add(passed, Ordering::Relaxed) + passed;
    if runs.is_multiple_of(1000) && (runs / 1000).is_power_of_two() {
        let share = 100 * passed / runs;
        eprintln!(
            "{}: {passed} of {runs} runs ({share} %) passed the first check",
            target.name
        );
    }
}

/// Makes a program of libFuzzer from the target of that name.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        static TARGET: std::sync::LazyLock<$crate::Target> =
            std::sync::LazyLock::new(|| $crate::target($name));

        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| $crate::run(&TARGET, input));
    };
}
