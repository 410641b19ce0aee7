//! The options that select the ground truth, and the data set that they describe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use super::cameras::CameraSelection;
use super::import::read_calibration;
use super::values;
use shuffledet_bag::Recording;
use shuffledet_core::Labels;
use shuffledet_core::file_sha256;
use shuffledet_core::sha256;
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_eval::subject::{CameraPlacement, DatasetDescription, EvaluationSettings};
use shuffledet_eval::truth::{
    Format, ImageFiles, TruthError, read_bag, read_coco, read_kitti, read_yolo,
};
use shuffledet_eval::{ClassMap, ImageSource, Problems, Truth, regions};
use shuffledet_harness::images::Images;
use shuffledet_harness::run::settings;
use shuffledet_image::folder::images_in;
use shuffledet_image::size::image_size;

#[derive(Debug, Args)]
#[command(next_help_heading = "Ground truth")]
pub struct TruthArgs {
    /// A rosbag2 recording with annotated images, or a folder of images
    #[arg(
        value_name = "BAG|DIR",
        required_unless_present = "images",
        conflicts_with = "images"
    )]
    recording: Option<PathBuf>,

    /// A folder of images; other files in it are ignored
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,

    /// A COCO JSON file, or a folder of KITTI or YOLO labels; for a recording, COCO JSON with topic
    /// and stamp_ns
    #[arg(long, value_name = "FILE|DIR", required_unless_present = "truth_topic")]
    annotations: Option<PathBuf>,

    /// Format of the annotations: coco, kitti or yolo [default: detected from the files]
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(Format::ALL.map(Format::name)),
        hide_possible_values = true, requires = "annotations")]
    format: Option<String>,

    /// A topic of the recording with the ground truth as Detection2DArray
    #[arg(
        long,
        value_name = "T",
        requires = "recording",
        conflicts_with = "annotations"
    )]
    truth_topic: Option<String>,

    /// The image topic that --truth-topic annotates [default: the only image topic]
    #[arg(long, value_name = "T", requires = "truth_topic")]
    topic: Option<String>,

    /// YAML file that maps classes of the model to categories of the data set, such as `bus:
    /// vehicle`
    #[arg(long, value_name = "FILE")]
    class_map: Option<PathBuf>,

    /// YAML file with regions of the images to ignore
    #[arg(long, value_name = "FILE")]
    ignore: Option<PathBuf>,

    /// Fail at the first problem with the annotations or the images
    #[arg(long)]
    pub strict: bool,

    /// Evaluate only the first N images
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Height of the camera above the ground in metres; adds figures by distance; needs
    /// --camera-info
    #[arg(long, value_name = "M", value_parser = values::positive, requires = "camera_info", help_heading = "Distance")]
    camera_height: Option<f64>,

    /// Calibration of the camera in the format of the ROS package camera_calibration
    #[arg(
        long,
        value_name = "YAML",
        requires = "camera_height",
        help_heading = "Distance"
    )]
    camera_info: Option<PathBuf>,

    /// Downward pitch of the camera in degrees
    #[arg(
        long,
        value_name = "DEG",
        requires = "camera_height",
        default_value = "0",
        allow_negative_numbers = true,
        help_heading = "Distance"
    )]
    camera_pitch: f64,
}

/// The images and objects to evaluate.
pub struct DataSet {
    pub truth: Truth,
    /// Problems of the annotations and of the mapping from the model's classes.
    pub problems: Problems,
    pub images: Images,
    pub description: DatasetDescription,
    /// Category of each class of the model.
    pub categories: Vec<Option<u64>>,
    /// The settings of the evaluation.
    pub settings: EvaluationSettings,
}

impl TruthArgs {
    /// Returns the folder or recording.
    pub fn input(&self) -> &Path {
        let input = self.images.as_deref().or(self.recording.as_deref());
        // clap ensures that one of them is given
        input.unwrap_or(Path::new(""))
    }

    /// Returns the recording, unless the positional argument is a folder of images.
    fn recording(&self) -> Option<&Path> {
        let path = self.recording.as_deref()?;
        let has_images = || images_in(path).is_ok_and(|images| !images.is_empty());
        let is_images = path.is_dir() && !path.join("metadata.yaml").exists() && has_images();
        (!is_images).then_some(path)
    }

    /// Returns the input files, which must not be overwritten.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        let files = [
            &self.annotations,
            &self.class_map,
            &self.ignore,
            &self.camera_info,
        ];
        let files = files.into_iter().filter_map(Option::as_deref);
        files.chain([self.input()])
    }

    /// Reads the ground truth for a model with the classes `labels` and the detector settings
    /// `detector`.
    pub fn load(&self, labels: &Labels, detector: &DetectorSettings) -> anyhow::Result<DataSet> {
        let map = self
            .class_map
            .as_deref()
            .map(|path| ClassMap::read(path, labels));
        let map = map.transpose()?.unwrap_or_default();
        let camera = self.camera()?;
        let images = match self.recording() {
            Some(path) => Images::Recording(Recording::open(path)?),
            None => Images::Folder(self.input().to_owned()),
        };
        let read = match (&self.annotations, &self.truth_topic) {
            (Some(path), _) => self.read_annotations(path, &map)?,
            (None, topic) => {
                self.read_topic(topic.as_deref().unwrap_or_default(), &images, &map)?
            }
        };
        let Read {
            mut truth,
            mut problems,
            annotations,
            format,
            sha256,
        } = read;
        check_sources(&truth, &images, &annotations)?;
        let sha256 = sha256.map_or_else(|| truth_sha256(&truth), Ok)?;
        if let Some(path) = &self.ignore {
            regions::apply(&mut truth, &regions::read(path)?);
        }
        truth.images.truncate(self.limit.unwrap_or(usize::MAX));
        if truth.images.is_empty() {
            bail!("{annotations}: contains no images to evaluate");
        }
        let categories = map.resolve(labels, &truth.categories, &mut problems);
        if categories.iter().all(Option::is_none) {
            return Err(no_class(annotations, labels, &truth).into());
        }
        if self.strict {
            problems
                .strictly()
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("--strict: {annotations}"))?;
        }
        let hash = |path: &Option<PathBuf>| path.as_deref().map(file_sha256).transpose();
        Ok(DataSet {
            settings: EvaluationSettings {
                class_map: by_name(labels, &categories, &truth),
                class_map_sha256: hash(&self.class_map)?,
                ignore_sha256: hash(&self.ignore)?,
                limit: self.limit.map(|limit| limit as u64),
                camera,
                ..settings(detector)
            },
            description: DatasetDescription {
                annotations,
                format: format.to_owned(),
                sha256,
                images_in: self.input().display().to_string(),
                image_count: truth.images.len() as u64,
                categories: truth.categories.clone(),
            },
            categories,
            problems,
            images,
            truth,
        })
    }

    fn read_annotations(&self, path: &Path, map: &ClassMap) -> anyhow::Result<Read> {
        let known = Format::ALL.into_iter();
        let named = known
            .into_iter()
            .find(|f| Some(f.name()) == self.format.as_deref());
        let format = named.map_or_else(|| Format::guess(path), Ok)?;
        let folder = self.input();
        if self.recording().is_some() && format != Format::Coco {
            bail!(
                "{}: {} labels cannot be assigned to the messages of a recording; use COCO JSON with topic and stamp_ns",
                path.display(),
                format.name()
            );
        }
        let (mut truth, mut problems) = match format {
            Format::Coco => read_coco(path)?,
            Format::Kitti | Format::Yolo => {
                let images = ImageFiles {
                    folder,
                    files: &images_in(folder)?,
                    size: &|path| image_size(path).ok(),
                };
                match format {
                    Format::Kitti => read_kitti(path, images, map)?,
                    _ => read_yolo(path, images, map)?,
                }
            }
        };
        if format == Format::Coco {
            truth.rename(map);
            truth.check_renamed(path, &mut problems)?;
        }
        let sha256 = path.is_file().then(|| file_sha256(path)).transpose()?;
        Ok(Read {
            truth,
            problems,
            annotations: path.display().to_string(),
            format: format.name(),
            sha256,
        })
    }

    fn read_topic(&self, topic: &str, images: &Images, map: &ClassMap) -> anyhow::Result<Read> {
        let Images::Recording(recording) = images else {
            bail!("--truth-topic {topic}: expected a recording, found a folder of images");
        };
        let wanted: Vec<String> = self.topic.iter().cloned().collect();
        let selected = CameraSelection::new(recording, &wanted, self.input())?;
        if selected.cameras.is_empty() {
            let window = (Duration::ZERO, None);
            return Err(selected
                .nothing(recording, self.input(), window, &[])
                .into());
        }
        let cameras = selected.cameras;
        let [camera] = cameras.as_slice() else {
            let topics: Vec<String> = cameras.into_iter().map(|camera| camera.topic).collect();
            let topics = topics.join(", ");
            return Err(TruthError::SeveralCameras { topics }.into());
        };
        let (truth, problems) = read_bag(recording, topic, &camera.topic, map)?;
        Ok(Read {
            truth,
            problems,
            annotations: topic.to_owned(),
            format: "bag",
            sha256: None,
        })
    }

    fn camera(&self) -> anyhow::Result<Option<CameraPlacement>> {
        let (Some(height_m), Some(path)) = (self.camera_height, &self.camera_info) else {
            return Ok(None);
        };
        let option = || format!("--camera-info {}", path.display());
        let info = read_calibration(path).with_context(option)?;
        let camera = CameraPlacement::new(info, height_m, self.camera_pitch);
        camera.ground().with_context(option)?;
        Ok(Some(camera))
    }
}

/// Returns the error for annotations that have none of the model's classes.
fn no_class(annotations: String, labels: &Labels, truth: &Truth) -> TruthError {
    let few = |names: Vec<&str>| {
        let more = if names.len() > 8 { ", ..." } else { "" };
        let first: Vec<&str> = names.into_iter().take(8).collect();
        format!("{}{more}", first.join(", "))
    };
    TruthError::NoClass {
        annotations,
        categories: few(truth.categories.iter().map(|c| c.name.as_str()).collect()),
        classes: few(labels.names().collect()),
    }
}

/// Maps each label to the name of its category. Labels without one are absent.
fn by_name(labels: &Labels, categories: &[Option<u64>], truth: &Truth) -> BTreeMap<String, String> {
    let name = |id: u64| truth.categories.iter().find(|category| category.id == id);
    let mapped = labels.names().zip(categories);
    mapped
        .filter_map(|(label, &id)| Some((label.to_owned(), name(id?)?.name.clone())))
        .collect()
}

/// The annotations as read.
struct Read {
    truth: Truth,
    problems: Problems,
    annotations: String,
    format: &'static str,
    sha256: Option<String>,
}

/// Fails if annotations of image files are given with a recording, or the reverse.
fn check_sources(truth: &Truth, images: &Images, annotations: &str) -> anyhow::Result<()> {
    let fits = |source: &ImageSource| match images {
        Images::Folder(_) => matches!(source, ImageSource::File { .. }),
        Images::Recording(_) => matches!(source, ImageSource::Message { .. }),
    };
    let Some(stranger) = truth.images.iter().find(|image| !fits(&image.source)) else {
        return Ok(());
    };
    let title = stranger.source.title();
    match images {
        Images::Folder(_) => bail!(
            "{annotations}: {title} refers to a message of a recording; give the recording instead of --images"
        ),
        Images::Recording(_) => bail!(
            "{annotations}: {title} refers to an image file; give its folder with --images, or add topic and stamp_ns to each image"
        ),
    }
}

/// Returns the sha256 of the ground truth as read, for annotations that are not a single file.
fn truth_sha256(truth: &Truth) -> serde_json::Result<String> {
    let mut text = serde_json::to_vec(&truth.categories)?;
    for image in &truth.images {
        let parts = json!([image.id, image.source, image.objects]);
        serde_json::to_writer(&mut text, &parts)?;
    }
    Ok(sha256(&text))
}
