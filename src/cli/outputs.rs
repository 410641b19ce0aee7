//! The outputs of `replay`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::Args;
use tempfile::NamedTempFile;

use super::output_paths;
use shuffledet_core::Labels;
use shuffledet_core::Summary;
use shuffledet_core::whole_file::{beside, keep};
use shuffledet_core::{Mark, Outcome};
use shuffledet_detector::LoadedModel;
use shuffledet_detector::metrics::Tally;
use shuffledet_detector::model::class_ids::ClassIdForm;
use shuffledet_detector::pipeline::{Annotate, Camera, Frame};
use shuffledet_detector::sink::{
    CocoFile, MotFile, PictureFolder, PreviewSample, RecordingContents, ResultMessages,
    ResultRecording, TrackPictures, write_label_info,
};
use shuffledet_report::html::{self, ReplayReport};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write detections and latency as a ROS 2 recording: an .mcap file with metadata.yaml beside
    /// it, or a folder
    #[arg(long, value_name = "OUT.mcap")]
    output: Option<PathBuf>,

    /// Copy the images to the output recording
    #[arg(long, requires = "output")]
    with_images: bool,

    /// Leave out the annotations, which Foxglove draws over the images, from the output recording
    #[arg(long, requires = "output")]
    no_annotations: bool,

    /// Write the detections as a COCO results file with stamp, topic and frame_id
    #[arg(long, value_name = "OUT.json")]
    detections: Option<PathBuf>,

    /// Write the tracks of one image topic in the format of the MOT challenge
    #[arg(long, value_name = "OUT.txt")]
    mot: Option<PathBuf>,

    /// Write a report: one HTML file with latencies, detections over time, tracks and twelve sample
    /// frames
    #[arg(long, value_name = "OUT.html")]
    report: Option<PathBuf>,

    /// Write every frame with its boxes to this folder as JPEG
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,

    /// Overwrite existing outputs
    #[arg(long)]
    force: bool,
}

/// Width of the report's pictures in pixels.
const PREVIEW_WIDTH: u32 = 640;

impl OutputArgs {
    /// Returns whether nothing is written.
    pub fn is_empty(&self) -> bool {
        let paths = [
            &self.output,
            &self.detections,
            &self.mot,
            &self.report,
            &self.draw,
        ];
        paths.into_iter().all(Option::is_none)
    }

    /// Returns which frames need an annotated picture.
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

    /// Fails if an output exists without `--force`, or would overwrite the recording `input`, the
    /// model or another output. The output recording is checked further when it is created.
    fn check(&self, input: &Path, model: &Path) -> anyhow::Result<()> {
        let outputs = [
            ("--output", &self.output),
            ("--detections", &self.detections),
            ("--mot", &self.mot),
            ("--report", &self.report),
            ("--draw", &self.draw),
        ];
        let outputs = outputs.into_iter();
        let outputs = outputs.filter_map(|(option, path)| Some((option, path.as_deref()?)));
        let description = model.with_extension("yaml");
        let inputs = [model, description.as_path()].into_iter();
        output_paths::check_distinct(outputs.clone(), inputs)?;
        // a folder of pictures may hold other files too
        for (option, path) in outputs.filter(|(option, _)| *option != "--draw") {
            // a path that cannot be resolved does not exist
            if let (Ok(output), Ok(input)) = (path.canonicalize(), input.canonicalize())
                && (output.starts_with(&input) || input.starts_with(&output))
            {
                bail!(
                    "{option} {}: would overwrite the input recording; choose another path",
                    path.display()
                );
            }
        }
        let files = [&self.detections, &self.mot, &self.report]
            .into_iter()
            .flatten();
        for path in files.filter(|path| path.exists()) {
            if path.is_dir() {
                bail!("{}: expected a file, found a folder", path.display());
            }
            output_paths::check_file(path, self.force)?;
        }
        match &self.draw {
            Some(folder) if folder.is_file() => {
                bail!(
                    "--draw {}: expected a folder, found a file",
                    folder.display()
                )
            }
            Some(folder) => output_paths::check_folder("--draw", folder, self.force),
            None => Ok(()),
        }
    }

    /// Opens every output of a run over `input`. `in_space` says of each camera whether its tracks have
    /// distances. If one of them fails, no existing file is changed:
    /// the recording, which overwrites files, is opened last, and the others leave nothing when
    /// dropped.
    pub fn create(
        &self,
        input: &Path,
        cameras: &[Camera],
        loaded: &LoadedModel,
        in_space: &[bool],
    ) -> anyhow::Result<Outputs<'_>> {
        self.check(input, &loaded.model.path)?;
        if self.mot.is_some() {
            check_tracks(cameras, loaded.config.tracking.enabled)?;
        }
        let (labels, class_ids) = (&loaded.labels, &loaded.served.class_ids);
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
        let mot = self
            .mot
            .as_ref()
            .map(|path| MotFile::create(path).with_context(|| format!("--mot {}", path.display())));
        let mot = mot.transpose()?;
        let report = self
            .report
            .as_ref()
            .map(|path| beside(path).with_context(|| format!("--report {}", path.display())));
        let report = report.transpose()?;
        let track_pictures = report.as_ref().filter(|_| loaded.config.tracking.enabled);
        let track_pictures = track_pictures.map(|_| TrackPictures::new(loaded.config.input.limits));
        let track_pictures = track_pictures.transpose()?;
        let new_folder = self.draw.as_ref().filter(|folder| !folder.exists());
        let pictures = self.draw.as_ref().map(|path| {
            PictureFolder::create(path).with_context(|| format!("--draw {}", path.display()))
        });
        let pictures = pictures.transpose()?;
        let recording = self.output.as_ref().map(|path| {
            let contents = RecordingContents {
                images: self.with_images,
                annotations: !self.no_annotations,
                tracks: loaded.config.tracking.enabled,
                label_info,
            };
            ResultRecording::create(path, self.force, cameras, contents, in_space)
        });
        let recording = recording.transpose().inspect_err(|_| {
            // removes the folder, which is empty; the reported error matters more than a failure here
            let _ = new_folder.map(fs::remove_dir);
        })?;
        Ok(Outputs {
            args: self,
            recording,
            coco,
            mot,
            report,
            pictures,
            previews: PreviewSample::default(),
            track_pictures,
            messages: ResultMessages::new(class_ids.clone()),
        })
    }
}

/// Fails if the tracks of a run cannot be written in the format of the MOT challenge.
fn check_tracks(cameras: &[Camera], enabled: bool) -> anyhow::Result<()> {
    if !enabled {
        bail!("--mot: expected tracking.enabled true, found false; set it or leave out --mot");
    }
    if cameras.len() > 1 {
        let topics: Vec<_> = cameras.iter().map(|camera| camera.topic.as_str()).collect();
        bail!(
            "--mot: expected one image topic, found {} ({}); choose one with --topic",
            topics.len(),
            topics[..topics.len().min(5)].join(", ")
        );
    }
    Ok(())
}

/// The open outputs of a run.
pub struct Outputs<'a> {
    args: &'a OutputArgs,
    recording: Option<ResultRecording>,
    coco: Option<CocoFile>,
    mot: Option<MotFile>,
    /// Becomes the report at the end.
    report: Option<NamedTempFile>,
    pictures: Option<PictureFolder>,
    previews: PreviewSample,
    /// For the report.
    track_pictures: Option<TrackPictures>,
    messages: ResultMessages,
}

impl Outputs<'_> {
    /// Passes a frame to every output and marks when its detections are published.
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
                recording.write_annotations(frame, labels, &mut self.messages)?;
                recording.write_tracks(frame, self.messages.tracks(frame, labels)?)?;
                recording.write_tracks_3d(frame, labels, &mut self.messages)?;
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
        if let Some(mot) = &mut self.mot {
            mot.write(frame).context("--mot")?;
        }
        if let Some(pictures) = &self.pictures {
            pictures.write(frame, &camera.topic).context("--draw")?;
        }
        if self.args.report.is_some() {
            self.previews.offer(frame, &camera.topic, labels);
        }
        if let Some(pictures) = &mut self.track_pictures {
            pictures.offer(frame, &camera.topic);
        }
        Ok(())
    }

    /// Leaves no output but the pictures of single frames, because the results must not be used.
    ///
    /// # Errors
    /// The recording cannot be removed.
    pub fn discard(self) -> anyhow::Result<()> {
        // the others are complete or absent
        Ok(self.recording.map_or(Ok(()), ResultRecording::discard)?)
    }

    /// Completes every output and returns the written paths.
    pub fn finish(
        self,
        summary: &Summary,
        tally: &Tally,
        labels: &Labels,
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
        if let (Some(mot), Some(path)) = (self.mot, &self.args.mot) {
            mot.finish()
                .with_context(|| format!("--mot {}", path.display()))?;
            written.push(path.clone());
        }
        if let (Some(file), Some(path)) = (self.report, &self.args.report) {
            let strips = self.track_pictures.map(|pictures| pictures.finish(labels));
            let report = html::render(&ReplayReport {
                summary,
                histograms: &tally.histograms,
                timeline: &tally.timeline,
                previews: &self.previews.finish(),
                strips: &strips.unwrap_or_default(),
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
