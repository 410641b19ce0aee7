//! The times of the runs of the model on one picture.

use std::time::{Duration, Instant};

use shuffledet_core::{Mark, Trace};

/// Adds up the steps that are repeated for each region, so that the marks of a frame give the sums:
/// as if all tensors were prepared first, then all runs made, then all boxes decoded.
pub(super) struct RunTimes {
    began: Instant,
    last: Instant,
    /// Time and number of each of [`RunTimes::STEPS`].
    steps: [(Duration, u32); 3],
}

impl RunTimes {
    /// The marks at the ends of the steps, in order.
    const STEPS: [Mark; 3] = [Mark::Prepared, Mark::Inferred, Mark::Boxed];

    /// Begins at the mark [`Mark::Decoded`] of `trace`.
    pub fn new(trace: &Trace) -> Self {
        let began = trace.at(Mark::Decoded).unwrap_or_else(Instant::now);
        Self {
            began,
            last: began,
            steps: [(Duration::ZERO, 0); 3],
        }
    }

    /// Ends the step of `mark` now, and sets the marks of all steps that have ended once.
    pub fn end(&mut self, mark: Mark, trace: &mut Trace) {
        self.end_at(mark, Instant::now(), trace);
    }

    fn end_at(&mut self, mark: Mark, now: Instant, trace: &mut Trace) {
        let spent = now.saturating_duration_since(self.last);
        self.last = now;
        let mut end = self.began;
        for (step, (time, count)) in Self::STEPS.into_iter().zip(&mut self.steps) {
            if step == mark {
                *time += spent;
                *count += 1;
            }
            end += *time;
            if *count > 0 {
                trace.mark_at(step, end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::Stage;

    #[test]
    fn each_stage_is_the_sum_over_the_regions() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let mut trace = Trace::default();
        trace.mark_at(Mark::Decoded, at(10));
        let mut times = RunTimes::new(&trace);
        for (mark, ms) in [
            (Mark::Prepared, 11),
            (Mark::Inferred, 18),
            (Mark::Boxed, 20),
        ] {
            times.end_at(mark, at(ms), &mut trace);
            assert_eq!(trace.at(mark), Some(at(ms)));
        }
        for (mark, ms) in [
            (Mark::Prepared, 23),
            (Mark::Inferred, 28),
            (Mark::Boxed, 29),
        ] {
            times.end_at(mark, at(ms), &mut trace);
        }
        let ms = |stage| trace.duration(stage).map(|time| time.as_millis());
        let stages = [Stage::Letterbox, Stage::Infer, Stage::Boxes].map(ms);
        assert_eq!(stages, [Some(4), Some(12), Some(3)]);
        assert_eq!(trace.at(Mark::Boxed), Some(at(29)));
    }

    #[test]
    fn a_step_that_no_run_ended_has_no_mark() {
        let mut trace = Trace::default();
        trace.mark(Mark::Decoded);
        let mut times = RunTimes::new(&trace);
        times.end(Mark::Prepared, &mut trace);
        assert!(trace.at(Mark::Prepared).is_some() && trace.at(Mark::Inferred).is_none());
    }
}
