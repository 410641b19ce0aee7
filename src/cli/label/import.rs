//! `shuffledet label import`: corrected labels, checked and keyed by topic and stamp.
//!
//! Labelling tools keep what COCO defines. They number images anew, put a folder or a mark before their file's names, and
//! drop keys of others; an image is known again by the end of its file's name.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::ANNOTATIONS;
use crate::cli::Status;
use crate::eval::annotations::{Annotation, Annotations, Info, LabelledCategory, LabelledImage};
use crate::eval::truth::read_coco;
use crate::eval::{ImageSource, Problem, Problems, Truth};
use crate::report::format::counted;

#[derive(Debug, Args)]
#[command(after_help = "\
Exit code: 0 when nothing was wrong, 2 when something was left out or is to be looked at (it is told), 1 on an error.")]
pub struct ImportArgs {
    /// COCO annotations, as the labelling tool exports them
    #[arg(value_name = "FILE")]
    corrected: PathBuf,

    /// The folder that `label export` wrote
    #[arg(long, value_name = "DIR")]
    export: PathBuf,

    /// The annotations to write, for `eval BAG --annotations`
    #[arg(long, value_name = "OUT.json")]
    output: Option<PathBuf>,

    /// Replace the output if it exists
    #[arg(long, requires = "output")]
    force: bool,

    /// Take every problem for an error, and write nothing
    #[arg(long)]
    strict: bool,
}

pub fn run(args: &ImportArgs) -> anyhow::Result<Status> {
    if let Some(output) = args.output.as_deref().filter(|path| path.exists())
        && !args.force
    {
        bail!("{} exists; use --force to replace it", output.display());
    }
    let exported = args.export.join(ANNOTATIONS);
    let original = read_export(&exported)?;
    let (truth, mut problems) = read_coco(&args.corrected)?;
    let labels = keyed(truth, &original, &mut problems);
    if labels.images.is_empty() {
        bail!(
            "{}: none of its images is one of {}",
            args.corrected.display(),
            exported.display()
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
    println!(
        "{} of {} exported, with {}",
        counted(labels.images.len() as u64, "image"),
        original.images.len(),
        counted(labels.annotations.len() as u64, "label")
    );
    let clean = problems.strictly().is_ok();
    Ok(if clean {
        Status::Success
    } else {
        Status::SomeFailed
    })
}

fn read_export(path: &Path) -> anyhow::Result<Annotations> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{}: expected what label export writes", path.display()))
}

/// The corrected labels under the images of the export, in its order and with its ids.
fn keyed(truth: Truth, original: &Annotations, problems: &mut Problems) -> Annotations {
    let mut by_id: HashMap<u64, (&LabelledImage, Vec<Annotation>)> = HashMap::new();
    for image in truth.images {
        let name = match &image.source {
            ImageSource::File { file_name } => file_name.clone(),
            ImageSource::Message { topic, stamp_ns } => format!("{topic} at {stamp_ns} ns"),
        };
        let found = match &image.source {
            ImageSource::Message { topic, stamp_ns } => {
                let same = |own: &&LabelledImage| own.topic == *topic && own.stamp_ns == *stamp_ns;
                original.images.iter().find(same)
            }
            ImageSource::File { file_name } => named(original, file_name),
        };
        let Some(own) = found else {
            problems.add(
                Problem::UnknownImage,
                format!("{name}: is none of the export"),
            );
            continue;
        };
        if [image.width, image.height] != [own.width, own.height] && image.width > 0 {
            let found = format!("{}x{} in the labels", image.width, image.height);
            problems.add(
                Problem::ImageSize,
                format!("{name}: {found}, {}x{} exported", own.width, own.height),
            );
        }
        let annotations = image.objects.iter().map(|object| Annotation {
            id: 0,
            image_id: own.id,
            category_id: object.category_id,
            bbox: object.bbox,
            area: object.area,
            iscrowd: object.iscrowd.into(),
            segmentation: Vec::new(),
            score: None,
        });
        if by_id.insert(own.id, (own, annotations.collect())).is_some() {
            problems.add(Problem::DuplicateImage, name);
        }
    }
    let known: HashSet<&str> = original
        .categories
        .iter()
        .map(|c| c.category.name.as_str())
        .collect();
    for category in truth
        .categories
        .iter()
        .filter(|c| !known.contains(c.name.as_str()))
    {
        problems.add(Problem::UnmappedCategory, category.name.clone());
    }
    let mut labels = Annotations {
        info: Info {
            description: "corrected labels".to_owned(),
        },
        licenses: Vec::new(),
        categories: (truth.categories.into_iter())
            .map(|category| LabelledCategory {
                category,
                supercategory: String::new(),
            })
            .collect(),
        images: Vec::new(),
        annotations: Vec::new(),
    };
    for image in &original.images {
        if let Some((own, annotations)) = by_id.remove(&image.id) {
            labels.images.push(own.clone());
            for annotation in annotations {
                let id = labels.annotations.len() as u64 + 1;
                labels.annotations.push(Annotation { id, ..annotation });
            }
        }
    }
    labels
}

/// The exported image whose file's name ends `file_name`, behind a folder or a mark and a hyphen.
fn named<'a>(original: &'a Annotations, file_name: &str) -> Option<&'a LabelledImage> {
    let base = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let same = |name: &str| {
        let before = base.strip_suffix(name);
        before.is_some_and(|before| before.is_empty() || before.ends_with('-'))
    };
    original.images.iter().find(|image| same(&image.file_name))
}

fn tell(problems: &Problems) {
    for (problem, occurrences) in problems.iter() {
        let first = occurrences.first.join("; ");
        eprintln!("warning: {} {}: {first}", occurrences.count, problem.text());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_the_end_of_its_name() {
        let image = |id: u64, file_name: &str| LabelledImage {
            id,
            file_name: file_name.to_owned(),
            width: 10,
            height: 10,
            topic: "/a".to_owned(),
            stamp_ns: 0,
            frame_id: String::new(),
        };
        let original = Annotations {
            info: Info {
                description: String::new(),
            },
            licenses: Vec::new(),
            categories: Vec::new(),
            images: vec![
                image(1, "a_1.000000001.jpg"),
                image(2, "b_a_1.000000001.jpg"),
            ],
            annotations: Vec::new(),
        };
        let id = |name: &str| named(&original, name).map(|image| image.id);
        assert_eq!(id("a_1.000000001.jpg"), Some(1));
        assert_eq!(id("images/b_a_1.000000001.jpg"), Some(2));
        assert_eq!(id("data/upload/1/3f2a-a_1.000000001.jpg"), Some(1));
        assert_eq!(id("a_2.jpg"), None);
    }
}
