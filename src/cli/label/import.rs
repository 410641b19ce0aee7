//! `shuffledet label import`: checks corrected labels and assigns them to topics and stamps.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};

use super::ANNOTATIONS;
use super::frames::frames_of;
use crate::cli::terminal;
use crate::cli::{Status, output_paths};
use shuffledet_core::bounded_file::DATA_LIMIT;
use shuffledet_core::text;
use shuffledet_eval::annotations::Annotations;
use shuffledet_eval::corrected::KnownImages;
use shuffledet_eval::ground_truth::GroundTruthError;
use shuffledet_eval::truth::read_coco;
use shuffledet_eval::{Problem, Problems};
use shuffledet_report::format::counted;

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("against").args(["export", "recording"]).required(true),
    after_help = "\
Exit code: 0 if there was no problem, 2 if labels were left out or need a check (see the
warnings), 1 on an error."
)]
pub struct ImportArgs {
    /// COCO annotations that the labelling tool exported
    #[arg(value_name = "FILE")]
    corrected: PathBuf,

    /// The folder that `label export` wrote
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,

    /// The recording, if that folder is missing; category names are then not checked
    #[arg(long, value_name = "BAG")]
    recording: Option<PathBuf>,

    /// The annotations to write, for `eval BAG --annotations`
    #[arg(long, value_name = "OUT.json")]
    output: Option<PathBuf>,

    /// Overwrite an existing output
    #[arg(long, requires = "output")]
    force: bool,

    /// Treat every problem as an error and write nothing
    #[arg(long)]
    strict: bool,
}

pub fn run(args: &ImportArgs) -> anyhow::Result<Status> {
    if let Some(output) = &args.output {
        output_paths::check_file(output, args.force)?;
    }
    let (truth, mut problems) = read_coco(&args.corrected).map_err(GroundTruthError::from)?;
    // nothing is measured here, so that images without objects are as good as others
    problems.forget(Problem::NoObjects);
    let (known, from) = known(args)?;
    let labels = known.assign(truth, &mut problems);
    if labels.images.is_empty() {
        bail!(
            "{}: no image of this file is in {}",
            args.corrected.display(),
            from.display()
        );
    }
    tell(&problems);
    if args.strict
        && let Err(problem) = problems.strictly()
    {
        bail!("{problem}");
    }
    if let Some(output) = &args.output {
        labels
            .write(output)
            .with_context(|| output.display().to_string())?;
    }
    writeln!(
        terminal::stdout(),
        "{} of {} in {}, with {}",
        counted(labels.images.len() as u64, "image"),
        known.images.len(),
        from.display(),
        counted(labels.annotations.len() as u64, "label")
    )?;
    Ok(match problems.strictly() {
        Ok(()) => Status::Success,
        Err(_) => Status::SomeFailed,
    })
}

pub(super) fn read_export(path: &Path) -> anyhow::Result<Annotations> {
    let text = text::read(path, DATA_LIMIT).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "{}: expected a file that label export wrote",
            path.display()
        )
    })
}

fn known(args: &ImportArgs) -> anyhow::Result<(KnownImages, PathBuf)> {
    if let Some(recording) = &args.recording {
        let images = frames_of(recording)?;
        let known = KnownImages {
            images,
            categories: None,
        };
        return Ok((known, recording.clone()));
    }
    // clap ensures that one of them is given
    let path = args.export.as_deref().unwrap_or(Path::new(""));
    let path = path.join(ANNOTATIONS);
    let Annotations {
        images, categories, ..
    } = read_export(&path)?;
    let categories = categories.into_iter().map(|labelled| labelled.category);
    let known = KnownImages {
        images,
        categories: Some(categories.collect()),
    };
    Ok((known, path))
}

fn tell(problems: &Problems) {
    for (problem, occurrences) in problems.iter() {
        let first = occurrences.first.join("; ");
        let _ = writeln!(
            terminal::stderr(),
            "warning: {}: {first}",
            problem.counted(occurrences.count)
        );
    }
}
