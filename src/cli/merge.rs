//! `shuffledet merge`: from shards to the evaluation that they are of.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Status;
use super::evaluation_outputs::EvaluationOutputArgs;
use shuffledet_bag::Recording;
use shuffledet_eval::{Evaluation, ImageSource, join};
use shuffledet_harness::images::Images;

#[derive(Debug, Args)]
#[command(after_help = "\
The result is what one run over all images gives; times are those of the shards.
Exit code: as that of eval.")]
pub struct MergeArgs {
    /// What `eval --shard I/N --output` wrote, every one of the N
    #[arg(value_name = "SHARD.json", required = true)]
    shards: Vec<PathBuf>,

    /// Where the images are, for the pictures of the report [default: where they were evaluated]
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
        // elsewhere than on the machine that evaluated them they need not be
        None => images_of(
            &evaluation,
            Path::new(&evaluation.subject.dataset.images_in),
        )
        .ok(),
    };
    args.outputs
        .finish(&evaluation, images.as_ref(), budget.as_ref(), Vec::new())
}

/// The images of an evaluation, in `path`.
pub(super) fn images_of(evaluation: &Evaluation, path: &Path) -> anyhow::Result<Images> {
    let first = evaluation.images.first().map(|image| &image.source);
    Ok(match first {
        Some(ImageSource::Message { .. }) => Images::Recording(Recording::open(path)?),
        _ => Images::Folder(path.to_owned()),
    })
}
