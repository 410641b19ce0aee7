//! Images through every setting: first for what is found, by all threads; then a sample for how long it takes, by one.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::run::Task;
use shuffledet_core::Detection;
use shuffledet_detector::pipeline::worker::decode;
use shuffledet_detector::pipeline::{Frame, Transport};
use shuffledet_detector::{
    LoadError, Loaded,
    detect::{DetectError, Detector, DetectorSettings},
};
use shuffledet_eval::sweep::Detections;
use shuffledet_eval::{Found, ImageRecord, TruthImage};
use shuffledet_image::{BgrView, ImageDecoder};
use shuffledet_infer::InferError;

/// Settings for which the model runs once.
pub struct Group {
    pub loaded: Loaded,
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
    Infer(#[from] InferError),
    #[error("{0}")]
    Source(String),
    #[error("a thread of the sweep panicked; this is a mistake in shuffledet, please report it")]
    Panicked,
}

/// Fills a frame with the next image, numbered by its index; false when there is none left.
pub type NextImage<'a> = dyn FnMut(&mut Frame) -> Result<bool, String> + Send + 'a;

/// Takes every image of `source` through all settings; each thread has sessions of its own. `count` settings are in the
/// groups; `done` is called after each image. Ends early when `stop` is set.
pub fn detect(
    groups: &[Group],
    count: usize,
    images: &[TruthImage],
    source: &mut NextImage<'_>,
    threads: usize,
    stop: &AtomicBool,
    done: impl Fn() + Sync,
) -> Result<Detections, SweepError> {
    let source = Mutex::new(source);
    let all = Mutex::new(Detections {
        found: vec![BTreeMap::new(); count],
        failures: BTreeMap::new(),
        images: 0,
    });
    let one_thread = || -> Result<(), SweepError> {
        let mut lane = Lane::new(groups)?;
        let mut frame = Frame::new();
        while !stop.load(Ordering::Relaxed) {
            frame.reset();
            {
                // held while a message is read; a panic elsewhere does not spoil the source
                let mut source = source
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
                if !source(&mut frame).map_err(SweepError::Source)? {
                    break;
                }
            }
            let result = lane.process(groups, images, &frame);
            let mut all = all.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            all.images += 1;
            match result {
                Ok(found) => {
                    for (setting, found) in found {
                        all.found[setting].insert(frame.sequence, found);
                    }
                }
                Err(failure) => {
                    all.failures.insert(frame.sequence, failure);
                }
            }
            drop(all);
            done();
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1))
            .map(|_| scope.spawn(one_thread))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|result| result.unwrap_or(Err(SweepError::Panicked)))
            .collect::<Result<Vec<()>, _>>()
    })?;
    let mut all = all
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if !stop.load(Ordering::Relaxed) {
        for index in 0..images.len() as u64 {
            if !all.found[0].contains_key(&index) {
                let missing = || format!("{}: not in the recording", ImageRecord::MISSING);
                all.failures.entry(index).or_insert_with(missing);
            }
        }
    }
    Ok(all)
}

/// A thread's own: a decoder, and a session for each group.
struct Lane {
    decoder: ImageDecoder,
    detectors: Vec<Detector>,
}

/// One that decodes as the parameters say, which are the same for all groups but for what the grid changes.
fn decoder(groups: &[Group]) -> ImageDecoder {
    let mut decoder = ImageDecoder::new();
    if let Some(group) = groups.first() {
        decoder.set_jpeg_scale(group.loaded.config.input.jpeg_scale);
    }
    decoder
}

impl Lane {
    fn new(groups: &[Group]) -> Result<Self, SweepError> {
        let detectors = groups.iter().map(|group| group.loaded.detector());
        Ok(Self {
            decoder: decoder(groups),
            detectors: detectors.collect::<Result<_, _>>()?,
        })
    }

    /// What each setting finds, or why the image cannot be processed.
    fn process(
        &mut self,
        groups: &[Group],
        images: &[TruthImage],
        frame: &Frame,
    ) -> Result<Vec<(usize, Vec<Found>)>, String> {
        if frame.message.is_empty() {
            // what the source could not read it says in place of a coordinate frame
            return Err(format!("{}: {}", ImageRecord::MISSING, frame.frame_id));
        }
        let readable = frame.unreadable.clone().map_or(Ok(()), Err);
        let image = readable
            .and_then(|()| decode(&mut self.decoder, frame.transport, &frame.message))
            .map_err(|failure| format!("{}: {}", failure.reason, failure.message))?;
        let mut results = Vec::new();
        for (group, detector) in groups.iter().zip(&mut self.detectors) {
            let task = Task {
                images,
                categories: &group.categories,
            };
            let each = |setting, detections: &[Detection], _| {
                results.push((
                    setting,
                    detections.iter().filter_map(|d| task.found(d)).collect(),
                ));
            };
            run_group(detector, &image, group, each)
                .map_err(|error| format!("{}: {error}", error.reason()))?;
        }
        Ok(results)
    }
}

/// Runs the model once, and what follows it for each setting. `each` gets the setting's position in the grid, its
/// detections, and the time from the image to them.
fn run_group(
    detector: &mut Detector,
    image: &BgrView<'_>,
    group: &Group,
    mut each: impl FnMut(usize, &[Detection], Duration),
) -> Result<(), DetectError> {
    let started = Instant::now();
    let letterbox = detector.prepare(image)?;
    let (outputs, reader) = detector.infer()?;
    let shared = started.elapsed();
    for (setting, settings) in &group.settings {
        reader.set_settings(settings);
        let started = Instant::now();
        reader.read(&outputs)?;
        let detections = reader.suppress(letterbox);
        let own = started.elapsed();
        each(*setting, detections, shared + own);
    }
    Ok(())
}

/// An image of the sample, in memory.
pub struct Message {
    pub transport: Transport,
    pub bytes: Vec<u8>,
}

/// Milliseconds from a message's bytes to its detections, by position in the grid, then by message. One thread, and
/// one group after the other, as each would run by itself; the first message warms up. Messages that fail are left out.
pub fn measure(
    groups: &[Group],
    count: usize,
    messages: &[Message],
    stop: &AtomicBool,
) -> Result<Vec<Vec<f64>>, SweepError> {
    let mut times = vec![Vec::new(); count];
    let mut decoder = decoder(groups);
    for group in groups {
        let mut detector = group.loaded.detector()?;
        let warming = messages.iter().take(1).map(|message| (message, false));
        for (message, counts) in warming.chain(messages.iter().map(|message| (message, true))) {
            if stop.load(Ordering::Relaxed) {
                return Ok(times);
            }
            let started = Instant::now();
            let Ok(image) = decode(&mut decoder, message.transport, &message.bytes) else {
                continue;
            };
            let decoded = started.elapsed();
            let each = |setting: usize, _: &[Detection], rest| {
                if counts {
                    times[setting].push((decoded + rest).as_secs_f64() * 1e3);
                }
            };
            // the first pass has told of what fails
            let _ = run_group(&mut detector, &image, group, each);
        }
    }
    Ok(times)
}
