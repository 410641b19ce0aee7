//! Detects in one picture after another, and prints and draws what is found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::output::{self, DetectedImage};
use crate::cli::{Status, explain, output_paths};
use shuffledet_detector::LoadedModel;
use shuffledet_detector::classify::SecondStage;
use shuffledet_detector::detect::Detector;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, ImageDecoder, Pixels};

/// JPEG quality of drawn images.
const JPEG_QUALITY: i32 = 90;

/// A run over pictures. A picture that fails is reported, and the run goes on.
pub struct ImageRun<'a> {
    loaded: &'a LoadedModel,
    as_json: bool,
    draw: Option<&'a Path>,
    force: bool,
    decoder: ImageDecoder,
    model: Model,
    encoder: JpegEncoder,
    status: Status,
}

/// The networks of a run.
struct Model {
    detector: Detector,
    second_stage: Option<SecondStage>,
}

impl<'a> ImageRun<'a> {
    /// Creates the sessions, and the folder `draw`.
    pub fn new(
        loaded: &'a LoadedModel,
        as_json: bool,
        draw: Option<&'a Path>,
        force: bool,
    ) -> anyhow::Result<Self> {
        let model = Model {
            detector: loaded.detector()?,
            second_stage: loaded.second_stage()?,
        };
        let mut decoder = ImageDecoder::new();
        if model.second_stage.is_none() {
            decoder.set_jpeg_scale(loaded.config.input.jpeg_scale);
        }
        decoder.set_limits(loaded.config.input.limits);
        if let Some(folder) = draw {
            fs::create_dir_all(folder).with_context(|| format!("--draw {}", folder.display()))?;
        }
        Ok(Self {
            loaded,
            as_json,
            draw,
            force,
            decoder,
            model,
            encoder: JpegEncoder::new(JPEG_QUALITY)?,
            status: Status::Success,
        })
    }

    /// Returns the path of a drawn image with this name; `None` if images are not drawn.
    pub fn target(&self, name: &str) -> Option<PathBuf> {
        Some(self.draw?.join(name))
    }

    /// Returns whether pictures failed.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Detects in the bytes of an image file, and draws it at `target`. Errors: an output cannot be
    /// written.
    pub fn file(
        &mut self,
        name: &str,
        bytes: io::Result<Vec<u8>>,
        target: Option<&Path>,
    ) -> anyhow::Result<()> {
        let regions = &self.loaded.config.input.regions;
        let detected = bytes.map_err(anyhow::Error::from).and_then(|bytes| {
            let detector = &self.model.detector;
            let in_input = |image| detector.size_in_input(image, regions);
            let image = self.decoder.file_pixels(&bytes, in_input)?;
            let detected = self.model.detect(image, self.loaded)?;
            Ok((bytes, detected))
        });
        let Some((bytes, detected)) = self.taken(name, detected) else {
            return Ok(());
        };
        if let Some(damage) = detected.damage {
            tracing::warn!("{name}: {damage}");
        }
        output::print(self.as_json, &self.loaded.labels, name, &detected)?;
        let Some(target) = target.filter(|target| self.may_write(target)) else {
            return Ok(());
        };
        let image = self.decoder.decode_file(&bytes)?;
        let labels = &self.loaded.labels;
        output::write_drawn(target, &mut self.encoder, &image, &detected, labels)
            .with_context(|| format!("--draw {}", target.display()))
    }

    /// Detects in a picture of a camera, of the time `stamp_ns`, and draws it at `target`. Errors: an
    /// output cannot be written.
    pub fn picture(
        &mut self,
        name: &str,
        image: &BgrView<'_>,
        stamp_ns: Option<u64>,
        target: Option<&Path>,
    ) -> anyhow::Result<()> {
        let detected = self.model.detect(Pixels::Bgr(*image), self.loaded);
        let Some(mut detected) = self.taken(name, detected) else {
            return Ok(());
        };
        detected.stamp_ns = stamp_ns;
        output::print(self.as_json, &self.loaded.labels, name, &detected)?;
        let Some(target) = target.filter(|target| self.may_write(target)) else {
            return Ok(());
        };
        let labels = &self.loaded.labels;
        output::write_drawn(target, &mut self.encoder, image, &detected, labels)
            .with_context(|| format!("--draw {}", target.display()))
    }

    /// Returns a result, or reports why there is none.
    fn taken<T>(&mut self, name: &str, result: anyhow::Result<T>) -> Option<T> {
        let reported = |error: anyhow::Error| {
            explain(&error.context(name.to_owned()));
            self.status = Status::SomeFailed;
        };
        result.map_err(reported).ok()
    }

    /// Returns whether a drawn image may be written, or reports why not.
    fn may_write(&mut self, target: &Path) -> bool {
        let checked = output_paths::check_file(target, self.force);
        self.taken("--draw", checked).is_some()
    }
}

impl Model {
    fn detect(&mut self, image: Pixels<'_>, loaded: &LoadedModel) -> anyhow::Result<DetectedImage> {
        let regions = &loaded.config.input.regions;
        let mut detections = self.detector.detect_in(image, regions)?.to_vec();
        if let Some(second_stage) = &mut self.second_stage {
            second_stage.between_frames();
            let classified = second_stage.classify(&image, &mut detections);
            classified.context("the classifier")?;
        }
        Ok(DetectedImage {
            size: image.image_size(),
            stamp_ns: None,
            damage: image.damage(),
            inputs: self.detector.inputs().map(|input| input.used).collect(),
            detections,
        })
    }
}
