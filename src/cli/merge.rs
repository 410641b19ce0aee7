//! `shuffledet merge`: merges the shards of an evaluation.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Status;
use super::evaluation_outputs::EvaluationOutputArgs;
use shuffledet_bag::Recording;
use shuffledet_eval::{Evaluation, ImageSource, join};
use shuffledet_harness::images::Images;

#[derive(Debug, Args)]
#[command(after_help = "\
The result equals one run over all images; the times are those of the shards.
Exit code: the same as for eval.")]
pub struct MergeArgs {
    /// The outputs of all N runs of `eval --shard I/N --output`
    #[arg(value_name = "SHARD.json", required = true)]
    shards: Vec<PathBuf>,

    /// Location of the images for the report [default: the location recorded in the shards]
    #[arg(long, value_name = "DIR|BAG", requires = "report")]
    images: Option<PathBuf>,

    #[command(flatten)]
    outputs: EvaluationOutputArgs,
}

pub fn run(args: &MergeArgs) -> anyhow::Result<Status> {
    let images = args.images.as_deref();
    let inputs = args.shards.iter().map(PathBuf::as_path).chain(images);
    args.outputs.check(inputs, None)?;
    let budget = args.outputs.budget()?;
    let mut shards = Vec::with_capacity(args.shards.len());
    for path in &args.shards {
        shards.push((path.clone(), Evaluation::read(path)?));
    }
    let evaluation = join(shards)?;
    if let Some((budget, path)) = &budget {
        budget.check_classes(path, &evaluation.subject.dataset.categories)?;
    }
    let budget = budget.map(|(budget, _)| budget);
    let images = match images {
        Some(path) => Some(images_of(&evaluation, path)?),
        // on another machine than the one of the evaluation, the images may be missing
        None => images_of(
            &evaluation,
            Path::new(&evaluation.subject.dataset.images_in),
        )
        .ok(),
    };
    args.outputs
        .finish(&evaluation, images.as_ref(), budget.as_ref(), Vec::new())
}

/// Returns the images of an evaluation in `path`.
pub(super) fn images_of(evaluation: &Evaluation, path: &Path) -> anyhow::Result<Images> {
    let first = evaluation.images.first().map(|image| &image.source);
    Ok(match first {
        Some(ImageSource::Message { .. }) => Images::Recording(Recording::open(path)?),
        _ => Images::Folder(path.to_owned()),
    })
}
