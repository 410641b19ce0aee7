//! Images through every setting of a grid: first all of them for what is found, by several workers; then a sample for
//! how long it takes, by one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use super::feed::{Feed, MissingImages};
use super::images::{ImageReader, Images, MissingImage, NextImage};
use super::run::Task;
use shuffledet_bag::BagError;
use shuffledet_core::{Mark, Outcome};
use shuffledet_detector::config::Config;
use shuffledet_detector::detect::{Detector, DetectorSettings, OutputReader};
use shuffledet_detector::pipeline::variants::{DetectorVariants, VariantWorker};
use shuffledet_detector::pipeline::{
    CameraSettings, Frame, FrameWorker, Pace, RunError, Transport, run,
};
use shuffledet_detector::{LoadError, LoadedModel};
use shuffledet_eval::sweep::Detections;
use shuffledet_eval::{DetectionResult, Failure, TruthImage};

/// Settings for which the model runs once.
pub struct Group {
    pub loaded: LoadedModel,
    /// By class of the model: the category that its detections are of.
    pub categories: Vec<Option<u64>>,
    /// Position in the grid, and what follows the model.
    pub settings: Vec<(usize, DetectorSettings)>,
}

/// Why a sweep ends early.
#[derive(Debug, Error)]
pub enum SweepError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Run(#[from] RunError<BagError, Infallible>),
}

/// Takes every image of `truth`, which `images` reads, through all settings; each of `workers` has sessions of its own.
/// `count` settings are in the groups; `done` is called after each image. Ends early when `stop` is set.
pub fn detect(
    groups: &[Group],
    count: usize,
    truth: &[TruthImage],
    images: &mut ImageReader<'_>,
    workers: usize,
    stop: &AtomicBool,
    mut done: impl FnMut(),
) -> Result<Detections, SweepError> {
    let mut all = Detections {
        found: vec![BTreeMap::new(); count],
        failures: BTreeMap::new(),
        damage: BTreeMap::new(),
        images: 0,
    };
    let Some(first) = groups.first() else {
        return Ok(all);
    };
    let mut workers = sweep_workers(groups, truth, count, workers.max(1))?;
    let tuning = Arc::new(
        first
            .loaded
            .lossless_tuning(vec![first.loaded.config.input; images.cameras()]),
    );
    let missing = &MissingImages::default();
    run(
        &mut Feed { images, missing },
        &tuning,
        &mut workers,
        Pace::Lossless,
        None,
        stop,
        |frame, outcome| {
            frame.trace.mark(Mark::Published);
            all.images += 1;
            if let (Some(index), Outcome::Failed(failure)) = (frame.image, outcome) {
                all.failures.insert(index, failure.into());
            }
            if let (Some(index), Some(damage)) = (frame.image, frame.damage) {
                all.damage.insert(index, damage.to_string());
            }
            done();
            Ok(())
        },
    )?;
    for missing in missing.take() {
        all.images += 1;
        all.failures.insert(missing.index, missing.into());
        done();
    }
    for worker in workers {
        for (all, found) in all.found.iter_mut().zip(worker.found) {
            all.extend(found);
        }
    }
    if !stop.load(Ordering::Relaxed) {
        for index in 0..truth.len() as u64 {
            if !all.found[0].contains_key(&index) {
                let missing = || Failure::from(MissingImage::not_in_recording(index));
                all.failures.entry(index).or_insert_with(missing);
            }
        }
    }
    Ok(all)
}

/// Workers with a session for each group. Those of a group are opened in parallel.
fn sweep_workers<'a>(
    groups: &'a [Group],
    truth: &'a [TruthImage],
    count: usize,
    workers: usize,
) -> Result<Vec<SweepWorker<'a>>, SweepError> {
    let mut detectors: Vec<Vec<DetectorVariants>> = (0..workers).map(|_| Vec::new()).collect();
    for group in groups {
        let opened = group.loaded.detectors(workers)?;
        for (detectors, detector) in detectors.iter_mut().zip(opened) {
            detectors.push(group.variants(detector));
        }
    }
    Ok(detectors
        .into_iter()
        .map(|detectors| SweepWorker {
            worker: variant_worker(groups, detectors),
            groups,
            truth,
            found: vec![BTreeMap::new(); count],
        })
        .collect())
}

/// One that decodes as the parameters say, which are the same for all groups but for what the grid changes.
fn variant_worker(groups: &[Group], detectors: Vec<DetectorVariants>) -> VariantWorker {
    let first = groups.first();
    let camera = first.map_or(CameraSettings::EVERY_FRAME, |group| {
        group.loaded.config.input
    });
    VariantWorker::new(detectors, &camera)
}

impl Group {
    /// Groups the settings that share a model, its sessions and its runs, and loads the models. The
    /// positions are those in `configs`; no class has a category yet.
    ///
    /// # Errors
    /// A model cannot be loaded, or lacks a class that a setting names.
    pub fn for_settings(configs: &[Config]) -> Result<Vec<Self>, LoadError> {
        let mut groups: Vec<Group> = Vec::new();
        for (position, config) in configs.iter().enumerate() {
            let group = groups.iter_mut().find(|group| {
                let other = &group.loaded.config;
                other.model == config.model
                    && other.session == config.session
                    && other.input_size == config.input_size
                    && other.input_budget == config.input_budget
                    && other.input.regions == config.input.regions
            });
            match group {
                Some(group) => {
                    let model = &group.loaded.model.description;
                    let settings = DetectorSettings::new(&config.thresholds, model)?;
                    group.settings.push((position, settings));
                }
                None => {
                    let loaded = LoadedModel::new(config.clone())?;
                    groups.push(Group {
                        settings: vec![(position, loaded.settings().clone())],
                        categories: Vec::new(),
                        loaded,
                    });
                }
            }
        }
        Ok(groups)
    }

    fn variants(&self, detector: Detector) -> DetectorVariants {
        let settings = self.settings.iter();
        DetectorVariants {
            detector,
            regions: self.loaded.config.input.regions,
            readers: settings
                .map(|(_, settings)| OutputReader::new(settings.clone()))
                .collect(),
        }
    }
}

/// Keeps what each setting finds in the images that it works on.
struct SweepWorker<'a> {
    worker: VariantWorker,
    groups: &'a [Group],
    truth: &'a [TruthImage],
    /// By position in the grid, then by index of the image.
    found: Vec<BTreeMap<u64, Vec<DetectionResult>>>,
}

impl FrameWorker for SweepWorker<'_> {
    fn process(&mut self, frame: &mut Frame) -> Outcome {
        let mut found: Vec<(usize, Vec<DetectionResult>)> = Vec::new();
        let outcome = self.worker.process(frame, |variant| {
            let group = &self.groups[variant.detector];
            let task = Task {
                images: self.truth,
                categories: &group.categories,
            };
            let (position, _) = group.settings[variant.setting];
            let detections = variant.detections.iter();
            found.push((position, detections.filter_map(|d| task.found(d)).collect()));
        });
        if let (Some(index), Outcome::Published) = (frame.image, &outcome) {
            for (position, found) in found {
                self.found[position].insert(index, found);
            }
        }
        outcome
    }
}

/// An image of the sample, in memory.
pub struct Message {
    pub transport: Transport,
    pub bytes: Vec<u8>,
}

/// Reads at most `most` of the images of `truth`, which are in `images`, evenly from those that did
/// not fail in the first pass.
///
/// # Errors
/// The recording cannot be read.
pub fn sample(
    images: &Images,
    truth: &[TruthImage],
    found: &Detections,
    most: u64,
) -> Result<Vec<Message>, BagError> {
    let usable = (0..truth.len() as u64).filter(|index| !found.failures.contains_key(index));
    let usable: Vec<u64> = usable.collect();
    let step = usable.len().div_ceil(most as usize).max(1);
    let chosen: Vec<u64> = usable.into_iter().step_by(step).collect();
    let mut reader = ImageReader::new(images, truth, &chosen)?;
    let (mut frame, mut messages) = (Frame::new(), Vec::new());
    loop {
        match reader.next_image(&mut frame)? {
            NextImage::Read => messages.push(Message {
                transport: frame.transport,
                bytes: std::mem::take(&mut frame.message),
            }),
            // the first pass has told of it
            NextImage::Missing(_) => {}
            NextImage::End => return Ok(messages),
        }
        frame.reset();
    }
}

/// Measures the milliseconds from a message's bytes to its detections: by position in the grid, then by message. One
/// thread, and one group after the other, as each would run by itself; the first message warms up. Messages that fail
/// are left out.
pub fn measure(
    groups: &[Group],
    count: usize,
    messages: &[Message],
    stop: &AtomicBool,
) -> Result<Vec<Vec<f64>>, SweepError> {
    let mut times = vec![Vec::new(); count];
    let mut frame = Frame::new();
    for group in groups {
        let detector = group.loaded.detector().map_err(LoadError::Session)?;
        let mut worker = variant_worker(groups, vec![group.variants(detector)]);
        let warming = messages.iter().take(1).map(|message| (message, false));
        for (message, counts) in warming.chain(messages.iter().map(|message| (message, true))) {
            if stop.load(Ordering::Relaxed) {
                return Ok(times);
            }
            frame.reset();
            frame.transport = message.transport;
            frame.message.extend_from_slice(&message.bytes);
            // the first pass has told of what fails
            worker.process(&mut frame, |variant| {
                if counts {
                    let (position, _) = group.settings[variant.setting];
                    times[position].push(variant.work.as_secs_f64() * 1e3);
                }
            });
        }
    }
    Ok(times)
}
