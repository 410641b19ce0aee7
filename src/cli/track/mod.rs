//! `shuffledet track`: tracks the objects of a file of detections.

mod input;
mod output;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::parameters::ParameterArgs;
use super::{Status, output_paths};
use crate::cli::terminal;
use input::{Detections, FrameList, MotionList};
use output::{MotText, TrackRows};
use shuffledet_core::whole_file;
use shuffledet_detector::config::Config;
use shuffledet_track::{Settings, Step, TrackIds, Tracker};

#[derive(Debug, Args)]
#[command(after_help = "\
Each topic is one camera. The detections of a frame follow each other in the file, and frames are in
the order in which they were received. The score thresholds of the model are those of
detector.score_threshold and detector.class_score_thresholds, if they are set; otherwise the lowest
score so far counts. docs/formats.md describes the files.")]
pub struct TrackArgs {
    /// Detections as `replay --detections` writes them
    #[arg(value_name = "DETECTIONS.json")]
    detections: PathBuf,

    /// Write the detections that belong to a track, with track_id, state and age_s
    #[arg(long, value_name = "TRACKS.json", help_heading = "Output")]
    output: PathBuf,

    /// Write the tracks in the format of the MOT challenge, too
    #[arg(long, value_name = "OUT.txt", help_heading = "Output")]
    mot: Option<PathBuf>,

    /// Also write the predicted boxes of tracks that a frame does not show
    #[arg(long, help_heading = "Output")]
    coasting: bool,

    /// JSON array of {"topic", "stamp_ns"}: all frames, also those without detections
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    frames: Option<PathBuf>,

    /// JSON array of {"topic", "stamp_ns", "affine": [a, b, tx, c, d, ty]}: the motion of the
    /// picture, x' = a x + b y + tx and y' = c x + d y + ty, from the frame before to that frame
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    motion: Option<PathBuf>,

    #[command(flatten)]
    parameters: ParameterArgs,

    /// Overwrite existing outputs
    #[arg(long, help_heading = "Output")]
    force: bool,

    /// Print only warnings and errors
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

pub fn run(args: &TrackArgs) -> anyhow::Result<Status> {
    let outputs = [
        ("--output", Some(&args.output)),
        ("--mot", args.mot.as_ref()),
    ];
    let outputs = outputs
        .into_iter()
        .filter_map(|(option, path)| Some((option, path?.as_path())));
    let inputs = [
        Some(&args.detections),
        args.frames.as_ref(),
        args.motion.as_ref(),
    ];
    output_paths::check_files(
        outputs,
        inputs.into_iter().flatten().map(PathBuf::as_path),
        args.force,
    )?;
    let config = args.parameters.config()?;
    let detections = Detections::read(&args.detections)?;
    let motion = args
        .motion
        .as_deref()
        .map(MotionList::read)
        .transpose()?
        .unwrap_or_default();
    let listed = args.frames.as_deref().map(FrameList::read).transpose()?;
    let frames = match &listed {
        Some(list) => list.join(&detections)?,
        None => detections.frames(),
    };
    let mut mot = args
        .mot
        .as_ref()
        .map(|_| MotText::new(&detections, listed.is_some()))
        .transpose()?;
    let settings = settings(&config, &detections);
    let mut cameras: BTreeMap<&str, Camera> = BTreeMap::new();
    let (mut rows, ids) = (TrackRows::new(&detections, args.coasting), TrackIds::new());
    for frame in &frames {
        let new = || Camera::new(settings.clone());
        let camera = cameras.entry(frame.topic).or_insert_with(new);
        let before = camera.latest_ns.replace(frame.stamp_ns);
        let motion = before.and_then(|before| motion.between(frame.topic, before, frame.stamp_ns));
        let boxes = detections.boxes(&frame.rows);
        let step = camera
            .tracker
            .update(frame.stamp_ns, &boxes, motion.as_ref(), &ids);
        if let (Step::Restart, Some(before)) = (step, before) {
            let back_s = before.saturating_sub(frame.stamp_ns) as f64 * 1e-9;
            tracing::warn!(
                "{}: the stamp went back by {back_s:.3} s; all tracks begin again with new ids",
                frame.topic
            );
        }
        rows.add(frame, &camera.tracker, mot.as_mut());
    }
    let count = rows.tracks();
    write(&args.output, &rows.finish()?, "--output")?;
    if let (Some(path), Some(mot)) = (&args.mot, mot) {
        write(path, &mot.finish(), "--mot")?;
    }
    if !args.quiet {
        writeln!(
            terminal::stdout(),
            "{} detections in {} frames: {count} tracks",
            detections.len(),
            frames.len()
        )?;
        for path in [Some(&args.output), args.mot.as_ref()]
            .into_iter()
            .flatten()
        {
            writeln!(terminal::stdout(), "{}", path.display())?;
        }
    }
    Ok(Status::Success)
}

/// One topic.
struct Camera {
    tracker: Tracker,
    latest_ns: Option<i64>,
}

impl Camera {
    fn new(settings: Settings) -> Self {
        Self {
            tracker: Tracker::new(settings),
            latest_ns: None,
        }
    }
}

/// Returns the settings for the classes that the detections have.
fn settings(config: &Config, detections: &Detections) -> Settings {
    let classes: Vec<&str> = detections.labels().collect();
    let given = &config.thresholds;
    let own = classes.iter().map(|&class| {
        given
            .class_score_thresholds
            .get(class)
            .copied()
            .or(given.score)
    });
    // without a threshold for each class, scores are judged by the lowest
    let thresholds = own.collect::<Option<Vec<f32>>>().unwrap_or_default();
    config.tracking.settings(&classes, thresholds)
}

fn write(path: &Path, text: &[u8], option: &str) -> anyhow::Result<()> {
    whole_file::write(path, text).with_context(|| format!("{option} {}", path.display()))
}
