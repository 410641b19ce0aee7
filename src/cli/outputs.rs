//! What a replay writes, where, and in which order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::Args;
use tempfile::NamedTempFile;

use shuffledet_core::Labels;
use shuffledet_core::Summary;
use shuffledet_core::whole_file::{beside, keep};
use shuffledet_core::{Mark, Outcome};
use shuffledet_detector::Loaded;
use shuffledet_detector::metrics::Tally;
use shuffledet_detector::model::class_ids::ClassIdForm;
use shuffledet_detector::pipeline::{Annotate, Camera, Frame};
use shuffledet_detector::sink::{
    CocoFile, PictureFolder, PreviewSample, ResultMessages, ResultRecording, write_label_info,
};
use shuffledet_report::html::{self, ReplayReport};

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write detections and latency as ROS 2 messages: OUT.mcap with metadata.yaml beside it, or a folder
    #[arg(long, value_name = "OUT.mcap")]
    output: Option<PathBuf>,

    /// Copy the images into the output recording, too
    #[arg(long, requires = "output")]
    with_images: bool,

    /// Write the detections as COCO results with stamp, topic and frame
    #[arg(long, value_name = "OUT.json")]
    detections: Option<PathBuf>,

    /// Write a report: one HTML file with latencies, detections over time and twelve frames
    #[arg(long, value_name = "OUT.html")]
    report: Option<PathBuf>,

    /// Write every frame with its boxes, as JPEG
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,

    /// Replace outputs that exist
    #[arg(long)]
    force: bool,
}

/// Width of the report's pictures in pixels.
const PREVIEW_WIDTH: u32 = 640;

impl OutputArgs {
    /// Which frames need an annotated picture.
    pub fn annotate(&self) -> Annotate {
        match (&self.draw, &self.report) {
            (Some(_), _) => Annotate::All {
                max_width: u32::MAX,
            },
            (None, Some(_)) => Annotate::Some {
                max_width: PREVIEW_WIDTH,
            },
            (None, None) => Annotate::None,
        }
    }

    /// Fails where an output exists and may not be replaced, or would replace `input`. The recording is otherwise
    /// checked when it is created.
    fn check(&self, input: &Path) -> anyhow::Result<()> {
        for (option, path) in [
            ("--output", &self.output),
            ("--detections", &self.detections),
            ("--report", &self.report),
        ] {
            // what cannot be resolved does not exist
            if let Some(path) = path
                && let (Ok(output), Ok(input)) = (path.canonicalize(), input.canonicalize())
                && (output.starts_with(&input) || input.starts_with(&output))
            {
                bail!(
                    "{option} {}: would write over the recording that is read; choose another",
                    path.display()
                );
            }
        }
        let filled = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut dir| dir.next().is_some());
        let files = [&self.detections, &self.report].into_iter().flatten();
        for path in files.filter(|path| path.exists()) {
            if path.is_dir() {
                bail!(
                    "{} is a folder; expected the name of a file",
                    path.display()
                );
            }
            if !self.force {
                bail!("{} exists; use --force to replace it", path.display());
            }
        }
        match &self.draw {
            Some(folder) if folder.is_file() => {
                bail!("--draw {}: is a file, not a folder", folder.display())
            }
            Some(folder) if !self.force && filled(folder) => {
                bail!(
                    "{} is not empty; use --force to write into it",
                    folder.display()
                )
            }
            _ => Ok(()),
        }
    }

    /// Opens every output of a run over `input`. Nothing is touched where one of them may not be: the recording,
    /// which replaces what is there, comes last, after those that leave nothing behind when they are dropped.
    pub fn create(
        &self,
        input: &Path,
        cameras: &[Camera],
        loaded: &Loaded,
    ) -> anyhow::Result<Outputs<'_>> {
        self.check(input)?;
        let (labels, class_ids) = (&loaded.labels, &loaded.class_ids);
        let label_info = match loaded.config.class_id {
            ClassIdForm::Name => None,
            ClassIdForm::Index | ClassIdForm::Coco => {
                let (threshold, mut table) = (loaded.settings().least_threshold(), Vec::new());
                write_label_info(labels, class_ids, threshold, &mut table)?;
                Some(table)
            }
        };
        let coco = self.detections.as_ref().map(|path| {
            CocoFile::create(path).with_context(|| format!("--detections {}", path.display()))
        });
        let coco = coco.transpose()?;
        let report = self
            .report
            .as_ref()
            .map(|path| beside(path).with_context(|| format!("--report {}", path.display())));
        let report = report.transpose()?;
        let new_folder = self.draw.as_ref().filter(|folder| !folder.exists());
        let pictures = self.draw.as_ref().map(|path| {
            PictureFolder::create(path).with_context(|| format!("--draw {}", path.display()))
        });
        let pictures = pictures.transpose()?;
        let recording = self.output.as_ref().map(|path| {
            ResultRecording::create(path, self.force, cameras, self.with_images, label_info)
        });
        let recording = recording.transpose().inspect_err(|_| {
            // goes if it is empty, as it is; if it cannot go, the error that is told matters more
            let _ = new_folder.map(fs::remove_dir);
        })?;
        Ok(Outputs {
            args: self,
            recording,
            coco,
            report,
            pictures,
            previews: PreviewSample::default(),
            messages: ResultMessages::new(class_ids.clone()),
        })
    }
}

/// The open outputs of a run.
pub struct Outputs<'a> {
    args: &'a OutputArgs,
    recording: Option<ResultRecording>,
    coco: Option<CocoFile>,
    /// To become the report at the end.
    report: Option<NamedTempFile>,
    pictures: Option<PictureFolder>,
    previews: PreviewSample,
    messages: ResultMessages,
}

impl Outputs<'_> {
    /// Hands a frame to every output, and marks when its detections are out.
    pub fn publish(
        &mut self,
        frame: &mut Frame,
        outcome: &Outcome,
        camera: &Camera,
        labels: &Labels,
    ) -> anyhow::Result<()> {
        if *outcome == Outcome::Published {
            let detections = self.messages.detections(frame, labels)?;
            if let Some(recording) = &mut self.recording {
                recording.write_detections(frame, detections)?;
            }
            frame.trace.mark(Mark::Published);
        } else if let Some(recording) = &mut self.recording {
            recording.write_image(frame)?;
        }
        if let Some(recording) = &mut self.recording {
            recording.write_latency(frame, outcome, &camera.topic, &mut self.messages)?;
        }
        if let Some(coco) = &mut self.coco {
            coco.write(frame, &camera.topic, labels)
                .context("--detections")?;
        }
        if let Some(pictures) = &self.pictures {
            pictures.write(frame, &camera.topic).context("--draw")?;
        }
        if self.args.report.is_some() {
            self.previews.offer(frame, &camera.topic, labels);
        }
        Ok(())
    }

    /// Completes every output; gives the paths of what was written.
    pub fn finish(
        self,
        summary: &Summary,
        tally: &Tally,
        configuration_yaml: &str,
    ) -> anyhow::Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        if let Some(recording) = self.recording {
            let recording = recording.finish()?;
            written.extend([recording.mcap, recording.metadata]);
        }
        if let (Some(coco), Some(path)) = (self.coco, &self.args.detections) {
            coco.finish()
                .with_context(|| format!("--detections {}", path.display()))?;
            written.push(path.clone());
        }
        if let (Some(file), Some(path)) = (self.report, &self.args.report) {
            let report = html::render(&ReplayReport {
                summary,
                histograms: &tally.histograms,
                timeline: &tally.timeline,
                previews: &self.previews.finish(),
                configuration_yaml,
                generated_at: SystemTime::now(),
            })?;
            fs::write(file.path(), report)
                .and_then(|()| keep(file, path))
                .with_context(|| format!("--report {}", path.display()))?;
            written.push(path.clone());
        }
        written.extend(self.args.draw.clone());
        Ok(written)
    }
}
