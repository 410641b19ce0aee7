//! `shuffledet label export`: exports frames with detections for labelling.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use clap::Args;

use super::import::read_export;
use super::{ANNOTATIONS, IMAGES, file_name, prefixes};
use crate::cli::cameras::CameraSelection;
use crate::cli::parameters::ParameterArgs;
use crate::cli::replay::make_workers;
use crate::cli::{Status, existing, interrupt, progress};
use shuffledet_bag::{BagError, Recording};
use shuffledet_core::Labels;
use shuffledet_core::Outcome;
use shuffledet_core::whole_file::{beside, keep};
use shuffledet_detector::pipeline::source::RecordingSource;
use shuffledet_detector::pipeline::{
    Annotate, Camera, Frame, ImageTopics, Pace, RunError, Source, Transport, run as run_pipeline,
};
use shuffledet_eval::Category;
use shuffledet_eval::annotations::{
    Annotation, Annotations, Info, LabelledCategory, LabelledImage,
};
use shuffledet_image::ImageDecoder;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_msg::{CompressedImageView, ImageView};
use shuffledet_report::format::counted;

#[derive(Debug, Args)]
#[command(after_help = "\
The command writes images/ and annotations/instances_default.json to DIR. CVAT imports them as
COCO 1.0, and Label Studio imports them with label-studio-converter (docs/evaluation.md). Correct
the labels there, then run:
shuffledet label import CORRECTED.json --export DIR --output labels.json
shuffledet eval BAG --annotations labels.json")]
pub struct ExportArgs {
    /// A rosbag2 folder, or a single MCAP or SQLite3 file
    #[arg(value_name = "BAG")]
    recording: PathBuf,

    /// The folder to write
    #[arg(long, value_name = "DIR")]
    output: PathBuf,

    /// An image topic to read; may be repeated [default: every image topic]
    #[arg(long, value_name = "T", help_heading = "Selection")]
    topic: Vec<String>,

    /// Export every Nth frame of each topic
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Selection")]
    every: u64,

    /// Maximum number of frames to export
    #[arg(long, value_name = "N", help_heading = "Selection")]
    limit: Option<u64>,

    /// Confidence threshold for labels, in [0, 1] [default: detector.score_threshold]
    #[arg(long, value_name = "SCORE", help_heading = "Parameters")]
    score_threshold: Option<f32>,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Overwrite an earlier export in this folder
    #[arg(long)]
    force: bool,
}

/// JPEG quality for frames that are not JPEG yet: labels follow edges, which must stay sharp.
const JPEG_QUALITY: i32 = 95;

/// A source that yields every Nth frame of each camera.
struct ThinnedSource {
    source: RecordingSource,
    every: u64,
    seen: Vec<u64>,
}

impl Source for ThinnedSource {
    type Error = BagError;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, BagError> {
        while self.source.next_into(frame)? {
            let seen = &mut self.seen[frame.camera];
            *seen += 1;
            if (*seen - 1).is_multiple_of(self.every) {
                return Ok(true);
            }
            frame.message.clear();
        }
        Ok(false)
    }
}

pub fn run(args: &ExportArgs) -> anyhow::Result<Status> {
    let annotations = args.output.join(ANNOTATIONS);
    let images = args.output.join(IMAGES);
    // a path that cannot be resolved does not exist
    if let (Ok(output), Ok(input)) = (args.output.canonicalize(), args.recording.canonicalize())
        && output.starts_with(&input)
    {
        bail!(
            "--output {}: is inside the input recording; choose another folder",
            args.output.display()
        );
    }
    existing::check_folder("--output", &args.output, args.force)?;
    let earlier = read_export(&annotations).ok();
    let threshold = args.score_threshold;
    let threshold = threshold.map(|score| format!("detector.score_threshold={score}"));
    let loaded = args.parameters.load_with(threshold)?;
    let recording = Recording::open(&args.recording)?;
    let selected = CameraSelection::new(&recording, &args.topic, &args.recording)?;
    let cameras = &selected.cameras;
    let mut source = ThinnedSource {
        source: selected.filled_source(&recording, &args.recording)?,
        every: args.every,
        seen: vec![0; cameras.len()],
    };
    let tuning = Arc::new(loaded.lossless_tuning(cameras.len()));
    let mut workers = make_workers(&loaded, &tuning, Annotate::None)?;
    let stop = interrupt::listen().context("listening for signals")?;
    fs::create_dir_all(&images).with_context(|| images.display().to_string())?;

    let mut export = Export {
        images,
        labels: &loaded.labels,
        first_id: first_id(&loaded.labels),
        cameras,
        prefixes: prefixes(&ImageTopics::of(&recording).cameras),
        seen: HashSet::new(),
        decoder: ImageDecoder::new(),
        encoder: JpegEncoder::new(JPEG_QUALITY)?,
        annotations: empty(
            &loaded.labels,
            &loaded.model.description.name,
            &args.recording,
        ),
        failed: 0,
    };
    let bar = progress::bar(None, false);
    let ran = run_pipeline(
        &mut source,
        &tuning,
        &mut workers,
        Pace::Lossless,
        args.limit,
        &stop,
        |frame, outcome| {
            bar.inc(1);
            export.add(frame, outcome)
        },
    );
    bar.finish_and_clear();
    // the frames exported before an error or a signal can be labelled
    let written = export.annotations.write(&annotations);
    match ran {
        Err(RunError::Sink(error)) => return Err(error),
        ran => ran?,
    }
    written.with_context(|| annotations.display().to_string())?;
    if let Some(earlier) = earlier {
        remove_others(&earlier, &export)?;
    }
    for warning in source.source.warnings() {
        tracing::warn!("{warning}");
    }
    let Annotations {
        images,
        annotations: boxes,
        ..
    } = &export.annotations;
    println!(
        "{} with {} in {}",
        counted(images.len() as u64, "frame"),
        counted(boxes.len() as u64, "label"),
        args.output.display()
    );
    Ok(if stop.load(Ordering::Relaxed) {
        Status::Interrupted
    } else if export.failed > 0 {
        Status::SomeFailed
    } else {
        Status::Success
    })
}

/// Returns the offset of the model's category ids: CVAT ignores category 0.
fn first_id(labels: &Labels) -> u64 {
    (0..labels.count())
        .any(|class| labels.category_id(class) == 0)
        .into()
}

/// Removes the frames of an earlier export that this one does not contain, so that nobody labels
/// them.
fn remove_others(earlier: &Annotations, export: &Export<'_>) -> anyhow::Result<()> {
    let images = &export.annotations.images;
    let written: HashSet<&str> = images
        .iter()
        .map(|image| image.file_name.as_str())
        .collect();
    for image in &earlier.images {
        let name = Path::new(&image.file_name);
        // only files in this folder, whatever path the file states
        if written.contains(image.file_name.as_str()) || name.file_name() != Some(name.as_os_str())
        {
            continue;
        }
        let path = export.images.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| path.display().to_string());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns annotations with the model's classes and without images.
fn empty(labels: &Labels, model: &str, recording: &Path) -> Annotations {
    let category = |class_id: usize| LabelledCategory {
        category: Category {
            id: first_id(labels) + u64::from(labels.category_id(class_id)),
            name: labels.name(class_id).to_owned(),
        },
        supercategory: String::new(),
    };
    Annotations {
        info: Info {
            description: format!(
                "detections of {model} in {}, to be corrected",
                recording.display()
            ),
        },
        licenses: Vec::new(),
        categories: (0..labels.count()).map(category).collect(),
        images: Vec::new(),
        annotations: Vec::new(),
    }
}

struct Export<'a> {
    images: PathBuf,
    labels: &'a Labels,
    /// Offset of the category ids.
    first_id: u64,
    cameras: &'a [Camera],
    /// Prefix of the file names by topic, for every camera.
    prefixes: HashMap<String, String>,
    /// Camera and stamp of each written frame.
    seen: HashSet<(usize, i64)>,
    decoder: ImageDecoder,
    encoder: JpegEncoder,
    annotations: Annotations,
    failed: u64,
}

impl Export<'_> {
    fn add(&mut self, frame: &Frame, outcome: &Outcome) -> anyhow::Result<()> {
        let topic = &self.cameras[frame.camera].topic;
        let (stamp, stamp_ns) = (frame.stamp, frame.stamp.to_ns());
        if let Outcome::Failed(failure) = outcome {
            tracing::warn!(
                "{topic}: frame with stamp {stamp_ns} ns failed: {}",
                failure.message
            );
            self.failed += 1;
            return Ok(());
        }
        let Some((width, height)) = frame.size else {
            return Ok(());
        };
        if !self.seen.insert((frame.camera, stamp_ns)) {
            tracing::warn!(
                "{topic}: left out a second frame with stamp {stamp_ns} ns, because labels refer to the stamp"
            );
            return Ok(());
        }
        let file_name = file_name(&self.prefixes[topic], stamp);
        let path = self.images.join(&file_name);
        let jpeg = self.jpeg(frame)?;
        let write = || {
            let mut file = beside(&path)?;
            file.write_all(&jpeg)?;
            keep(file, &path)
        };
        write().with_context(|| path.display().to_string())?;
        let image_id = self.annotations.images.len() as u64 + 1;
        self.annotations.images.push(LabelledImage {
            id: image_id,
            file_name,
            width,
            height,
            topic: topic.clone(),
            stamp_ns,
            frame_id: frame.frame_id.clone(),
        });
        for detection in &frame.detections {
            let bbox = detection.bbox;
            let bbox = [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(hundredths);
            self.annotations.annotations.push(Annotation {
                id: self.annotations.annotations.len() as u64 + 1,
                image_id,
                category_id: self.first_id + u64::from(self.labels.category_id(detection.class_id)),
                bbox,
                area: bbox[2] * bbox[3],
                iscrowd: 0,
                segmentation: Vec::new(),
                score: Some(f64::from(detection.score)),
            });
        }
        Ok(())
    }

    /// Returns the frame as a JPEG file: its own bytes if it is one.
    fn jpeg(&mut self, frame: &Frame) -> anyhow::Result<Vec<u8>> {
        let image = match frame.transport {
            Transport::Raw => self
                .decoder
                .decode_raw(&ImageView::parse(&frame.message)?)?,
            Transport::Compressed => {
                let view = CompressedImageView::parse(&frame.message)?;
                if view.data.starts_with(b"\xff\xd8") {
                    return Ok(view.data.to_vec());
                }
                self.decoder.decode_compressed(&view)?
            }
        };
        Ok(self.encoder.encode(&image)?)
    }
}

/// Rounds a coordinate: finer than any labels, and shorter in the file.
fn hundredths(pixels: f32) -> f64 {
    (f64::from(pixels) * 100.0).round() / 100.0
}
