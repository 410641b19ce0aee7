//! The options that select the ground truth, and the data set that they describe.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::cameras::CameraSelection;
use super::import::read_calibration;
use super::values;
use shuffledet_bag::Recording;
use shuffledet_core::Labels;
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_eval::ground_truth::{
    AnnotationSource, GroundTruth, GroundTruthError, GroundTruthOptions, ImageFolder, ImageLocation,
};
use shuffledet_eval::subject::{CameraPlacement, EvaluationSettings};
use shuffledet_eval::truth::Format;
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

/// The ground truth and its images.
pub struct DataSet {
    pub ground_truth: GroundTruth,
    pub images: Images,
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
        let camera = self.camera()?;
        let images = match self.recording() {
            Some(path) => Images::Recording(Recording::open(path)?),
            None => Images::Folder(self.input().to_owned()),
        };
        let image_topic = match &self.truth_topic {
            Some(topic) => self.image_topic(topic, &images)?,
            None => String::new(),
        };
        let options = GroundTruthOptions {
            annotations: match (&self.annotations, &images) {
                (None, Images::Recording(recording)) => AnnotationSource::Topic {
                    recording,
                    topic: self.truth_topic.as_deref().unwrap_or_default(),
                    image_topic: &image_topic,
                },
                (path, _) => AnnotationSource::Path {
                    path: path.as_deref().unwrap_or(Path::new("")),
                    format: self.format(),
                },
            },
            images: match &images {
                Images::Recording(_) => ImageLocation::Recording,
                Images::Folder(path) => ImageLocation::Folder(ImageFolder {
                    path,
                    list: &|path| Ok(images_in(path)?),
                    size: &|path| image_size(path).ok(),
                }),
            },
            images_in: self.input(),
            class_map: self.class_map.as_deref(),
            ignore: self.ignore.as_deref(),
            limit: self.limit,
            strict: self.strict,
        };
        let settings = EvaluationSettings {
            camera,
            ..settings(detector)
        };
        let ground_truth = options.read(labels, settings)?;
        Ok(DataSet {
            ground_truth,
            images,
        })
    }

    fn format(&self) -> Option<Format> {
        let name = self.format.as_deref()?;
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Returns the image topic that the topic `truth` annotates.
    fn image_topic(&self, truth: &str, images: &Images) -> anyhow::Result<String> {
        let Images::Recording(recording) = images else {
            bail!("--truth-topic {truth}: expected a recording, found a folder of images");
        };
        let wanted: Vec<String> = self.topic.iter().cloned().collect();
        let selected = CameraSelection::new(recording, &wanted, self.input())?;
        match selected.cameras.as_slice() {
            [camera] => Ok(camera.topic.clone()),
            [] => {
                let window = (Duration::ZERO, None);
                let error = selected.nothing(recording, self.input(), window, &[]);
                Err(error.into())
            }
            cameras => {
                let topics: Vec<&str> = cameras.iter().map(|c| c.topic.as_str()).collect();
                let topics = topics.join(", ");
                Err(GroundTruthError::SeveralCameras { topics }.into())
            }
        }
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
