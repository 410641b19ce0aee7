//! `label export --hard`: finds the frames that would teach most, before they are exported.

use anyhow::Context;
use clap::Args;

use super::run::FrameRun;
use crate::cli::model_watch::ModelWatch;
use shuffledet_core::Outcome;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::pipeline::{FrameWorker, RunError, Source};
use shuffledet_harness::labelling::hard::{
    Annotator, Choice, HardnessWorker, RankedFrames, hardest,
};
use shuffledet_report::format::counted;

#[derive(Debug, Args)]
pub struct HardArgs {
    /// Export the N frames that would teach most: with scores near the threshold, and few of each
    /// scene (docs/evaluation.md says how they are ranked)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Selection")]
    pub hard: Option<u64>,

    /// A second model for --hard: frames on which the two disagree come first
    #[arg(
        long,
        value_name = "NAME|PATH",
        requires = "hard",
        help_heading = "Selection"
    )]
    pub second_model: Option<String>,
}

/// Chooses the frames to export, by their positions in the source that `frames` opens; all of them
/// without `--hard`. Returns `None` if the user stopped the run.
pub fn choose<S: Source>(
    args: &HardArgs,
    frames: impl FnOnce() -> anyhow::Result<S>,
    loaded: &LoadedModel,
    second: impl FnOnce() -> anyhow::Result<Option<LoadedModel>>,
    run: FrameRun<'_>,
) -> anyhow::Result<Option<Choice>>
where
    RunError<S::Error, anyhow::Error>: std::error::Error + Send + Sync + 'static,
{
    let Some(count) = args.hard else {
        return Ok(Some(Choice::All));
    };
    let ranked = RankedFrames::default();
    let second = second()?;
    let workers = workers(loaded, second.as_ref(), &ranked)?;
    let mut watch = ModelWatch::new([Some(loaded), second.as_ref()].into_iter().flatten());
    let mut failed = 0;
    let stopped = run.all(&mut frames()?, workers, &mut watch, |frame, outcome| {
        if let Outcome::Failed(failure) = outcome {
            failed += 1;
            let stamp_ns = frame.stamp.to_ns();
            tracing::debug!(
                "frame with stamp {stamp_ns} ns: not ranked: {}",
                failure.message
            );
        }
        Ok(())
    })?;
    if failed > 0 {
        tracing::warn!(
            "--hard: {} failed and cannot be chosen",
            counted(failed, "frame")
        );
    }
    if stopped {
        return Ok(None);
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Ok(Some(Choice::Only(hardest(ranked.take(), count))))
}

fn workers(
    loaded: &LoadedModel,
    second: Option<&LoadedModel>,
    ranked: &RankedFrames,
) -> anyhow::Result<Vec<Box<dyn FrameWorker>>> {
    let count = loaded.config.threads.workers.get();
    let firsts = annotators(loaded, loaded, count)?;
    let mut seconds = match second {
        Some(second) => annotators(second, loaded, count).context("--second-model")?,
        None => Vec::new(),
    }
    .into_iter();
    let camera = &loaded.config.input;
    let worker = |first| -> Box<dyn FrameWorker> {
        let second = seconds.next();
        Box::new(HardnessWorker::new(first, second, camera, ranked.clone()))
    };
    Ok(firsts.into_iter().map(worker).collect())
}

/// Creates the detectors of `loaded`, with its classes as those of `first`.
fn annotators(
    loaded: &LoadedModel,
    first: &LoadedModel,
    count: usize,
) -> anyhow::Result<Vec<Annotator>> {
    let labels = &first.model.description.labels;
    let names = loaded.model.description.labels.names();
    let classes: Vec<_> = names.map(|name| labels.class_id(name)).collect();
    let annotator = |detector| Annotator {
        detector,
        settings: loaded.settings().clone(),
        classes: classes.clone(),
    };
    let detectors = loaded.low_score_detectors(count)?;
    Ok(detectors.into_iter().map(annotator).collect())
}
