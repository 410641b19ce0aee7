//! A run over every frame of a source, until it ends or the user stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::model_watch::ModelWatch;
use crate::cli::progress;
use shuffledet_core::Outcome;
use shuffledet_detector::pipeline::{
    Frame, FrameWorker, Pace, RunError, SharedSettings, Source, run as run_pipeline,
};

/// How the frames are run.
#[derive(Clone, Copy)]
pub struct FrameRun<'a> {
    pub tuning: &'a Arc<SharedSettings>,
    pub limit: Option<u64>,
    pub stop: &'a AtomicBool,
    /// The number of frames, if it is known.
    pub frames: Option<u64>,
}

impl FrameRun<'_> {
    /// Processes every frame of `source` and passes it to `add`. Returns whether the user stopped
    /// the run. `watch` looks at the models' files meanwhile.
    pub fn all<S: Source>(
        self,
        source: &mut S,
        mut workers: Vec<Box<dyn FrameWorker>>,
        watch: &mut ModelWatch<'_>,
        mut add: impl FnMut(&Frame, &Outcome) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool>
    where
        RunError<S::Error, anyhow::Error>: std::error::Error + Send + Sync + 'static,
    {
        let bar = progress::bar(self.frames, false);
        let ran = run_pipeline(
            source,
            self.tuning,
            &mut workers,
            Pace::Lossless,
            self.limit,
            self.stop,
            |frame, outcome| {
                bar.inc(1);
                watch.look()?;
                add(frame, outcome)
            },
        );
        bar.finish_and_clear();
        watch.finish()?;
        match ran {
            Err(RunError::Sink(error)) => Err(error),
            ran => {
                ran?;
                Ok(self.stop.load(Ordering::Relaxed))
            }
        }
    }
}
