//! How long a training is, and the learning rate of each step.

use std::f64::consts::PI;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What ends a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Minutes, with all evaluations.
    Minutes(f64),
    /// Passes over the samples.
    Epochs(f64),
    /// Steps of the optimiser.
    Steps(u64),
}

/// Steps before a run of a given time is planned, the first of which are slower than the others.
pub const TRIAL_STEPS: u64 = 8;
pub const SLOW_STEPS: u64 = 2;
/// Steps over which the learning rate rises.
const WARM_UP: u64 = 50;
/// The share of the learning rate that the last step has.
const LAST: f64 = 0.05;
/// The most evaluations of a run.
const MOST_EVALUATIONS: u64 = 20;
/// The most time that evaluations take, as a share of the run's.
const EVALUATION_SHARE: f64 = 0.15;

/// The steps of a run. Stored in its checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `None` until a run of a given time has been tried.
    pub steps: Option<u64>,
    /// Steps between two evaluations.
    pub interval: u64,
}

impl Plan {
    /// Plans a run over `samples` pictures in batches; a run of a given time is planned later.
    pub fn new(length: Length, samples: usize, batch_size: usize) -> Self {
        let steps = match length {
            Length::Minutes(_) => None,
            Length::Epochs(epochs) => Some(
                (epochs * samples as f64 / batch_size as f64)
                    .ceil()
                    .max(1.0) as u64,
            ),
            Length::Steps(steps) => Some(steps.max(1)),
        };
        let epoch = (samples as u64).div_ceil(batch_size as u64);
        let interval = match steps {
            Some(steps) => epoch.max(steps.div_ceil(MOST_EVALUATIONS)).min(steps),
            None => u64::MAX,
        };
        Self { steps, interval }
    }

    /// Plans the steps that fit into `left`, after `done` steps. `step` is the time of a step, `evaluation` that of an
    /// evaluation, of which the end of a run has `last`.
    pub fn fit(
        &mut self,
        done: u64,
        left: Duration,
        step: Duration,
        evaluation: Duration,
        last: u32,
    ) {
        let for_steps = left.saturating_sub(evaluation * last).as_secs_f64();
        let evaluation = evaluation.as_secs_f64().max(1e-3);
        let evaluations = (EVALUATION_SHARE * for_steps / evaluation) as u64;
        let evaluations = evaluations.clamp(1, MOST_EVALUATIONS);
        // the last one is among those of the end
        let for_steps = for_steps - (evaluations - 1) as f64 * evaluation;
        let more = (for_steps / step.as_secs_f64().max(1e-6)).max(0.0) as u64;
        self.steps = Some(done + more.max(1));
        if self.interval == u64::MAX {
            self.interval = (done + more).div_ceil(evaluations).max(1);
        }
    }

    /// Returns the factor of the learning rate at `step`, in (0, 1]: a rise, then half a cosine.
    pub fn rate(&self, step: u64) -> f64 {
        let steps = self.steps.unwrap_or(u64::MAX);
        let warm_up = WARM_UP.min(steps / 5).max(1);
        let rise = ((step + 1) as f64 / warm_up as f64).min(1.0);
        let share = (step as f64 / steps as f64).min(1.0);
        rise * (LAST + (1.0 - LAST) * 0.5 * (1.0 + (PI * share).cos()))
    }

    /// Whether an evaluation follows step number `done`.
    pub fn evaluates_after(&self, done: u64) -> bool {
        self.ends_after(done) || done.is_multiple_of(self.interval)
    }

    /// Whether half of the steps are done. Before, the learning rate is high, and the AP may lie below the start's for a
    /// while.
    pub fn is_late(&self, done: u64) -> bool {
        self.steps.is_some_and(|steps| done >= steps / 2)
    }

    pub fn ends_after(&self, done: u64) -> bool {
        self.steps.is_some_and(|steps| done >= steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn epochs_are_passes_over_the_samples() {
        let plan = Plan::new(Length::Epochs(2.0), 100, 16);
        assert_eq!((plan.steps, plan.interval), (Some(13), 7));
        assert!(plan.evaluates_after(7) && !plan.evaluates_after(8) && plan.evaluates_after(13));
        let many = Plan::new(Length::Epochs(200.0), 16, 16);
        assert_eq!((many.steps, many.interval), (Some(200), 10));
    }

    #[test]
    fn a_run_of_a_given_time_has_the_steps_that_fit() {
        let mut plan = Plan::new(Length::Minutes(10.0), 100, 16);
        assert!(!plan.evaluates_after(100) && plan.rate(1000) == 1.0);
        let second = Duration::from_secs(1);
        plan.fit(10, 600 * second, second, 10 * second, 4);
        // 560 s: 8 evaluations, of which 7 within, leave 490 s
        assert_eq!((plan.steps, plan.interval), (Some(500), 63));
        plan.fit(100, Duration::ZERO, second, 10 * second, 4);
        assert_eq!(plan.steps, Some(101));
    }

    proptest! {
        #[test]
        fn rates_are_factors(step in 0u64..2000, steps in 1u64..1000) {
            let rate = Plan { steps: Some(steps), interval: 1 }.rate(step);
            prop_assert!(rate > 0.0 && rate <= 1.0);
        }
    }
}
