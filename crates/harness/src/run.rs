//! From images to records, through the same pipeline as every other frame.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::vec;

use shuffledet_bag::{BagError, Recording};
use shuffledet_core::Detection;
use shuffledet_core::{Mark, Outcome, Stage};
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_detector::pipeline::source::RecordingSource;
use shuffledet_detector::pipeline::{
    Frame, ImageTopics, Pace, RunError, Source, Transport, Tuning, Worker, run as run_pipeline,
};
use shuffledet_eval::record::as_written;
use shuffledet_eval::subject::EvaluationSettings;
use shuffledet_eval::{Found, ImageRecord, ImageSource, TruthImage, image_path};
use shuffledet_msg::cdr::CdrError;
use shuffledet_msg::{CompressedImageView, HeaderView};

/// How detections of `detector` are counted, with no class map, regions, limit or camera.
pub fn settings(detector: &DetectorSettings) -> EvaluationSettings {
    EvaluationSettings {
        score_threshold: as_written(detector.least_threshold()),
        nms_iou_threshold: as_written(detector.nms_iou_threshold),
        max_detections: detector.max_detections,
        clip: detector.clip,
        class_map: BTreeMap::new(),
        class_map_sha256: None,
        ignore_sha256: None,
        limit: None,
        camera: None,
    }
}

/// The images that are evaluated, and what stands in them.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// All of the data set, by index.
    pub images: &'a [TruthImage],
    /// By class of the model: the category that its detections are of; those of `None` are left out.
    pub categories: &'a [Option<u64>],
}

/// Takes the images of `pending`, which `source` gives, through the pipeline. `done` gets each as it is finished, in the
/// order of the source; those that it does not have, at the end. Ends early when `stop` is set.
pub fn run<S: Source, P: Send>(
    task: Task<'_>,
    pending: &[u64],
    source: &mut S,
    tuning: &Arc<Tuning>,
    workers: &mut [Worker],
    stop: &AtomicBool,
    mut done: impl FnMut(ImageRecord) -> Result<(), P>,
) -> Result<(), RunError<S::Error, P>> {
    let mut missing: BTreeSet<u64> = pending.iter().copied().collect();
    run_pipeline(
        source,
        tuning,
        workers,
        Pace::Lossless,
        None,
        stop,
        |frame, outcome| {
            frame.trace.mark(Mark::Published);
            missing.remove(&frame.sequence);
            done(task.record(frame, outcome))
        },
    )?;
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    for index in missing {
        let failure = format!("{}: not in the recording", ImageRecord::MISSING);
        let record = ImageRecord {
            failure: Some(failure),
            ..task.images[index as usize].record(index)
        };
        done(record).map_err(RunError::Sink)?;
    }
    Ok(())
}

impl Task<'_> {
    /// What became of an image; the frame's number is its index.
    fn record(&self, frame: &Frame, outcome: &Outcome) -> ImageRecord {
        // sources give out indices of `images`, which a slice's length bounds
        let image = self.images[frame.sequence as usize].record(frame.sequence);
        let failure = match outcome {
            Outcome::Published => None,
            Outcome::Dropped(reason) => Some(format!("{}: dropped", reason.name())),
            // what the source could not read it says in place of a coordinate frame
            Outcome::Failed(_) if frame.message.is_empty() => {
                Some(format!("{}: {}", ImageRecord::MISSING, frame.frame_id))
            }
            Outcome::Failed(failure) => Some(format!("{}: {}", failure.reason, failure.message)),
        };
        let (width, height) = frame.size.unwrap_or((image.width, image.height));
        let other =
            image.width > 0 && image.height > 0 && (width, height) != (image.width, image.height);
        let ms = |stage| Some(frame.trace.duration(stage)?.as_secs_f64() * 1e3);
        // nothing is published
        let stages = Stage::ALL.iter().filter(|&&stage| stage != Stage::Publish);
        let stages = stages
            .filter(|_| failure.is_none())
            .filter_map(|&stage| Some((stage.name().to_owned(), ms(stage)?)));
        ImageRecord {
            width,
            height,
            annotated_size: other.then_some([image.width, image.height]),
            detections: frame
                .detections
                .iter()
                .filter_map(|d| self.found(d))
                .collect(),
            stages_ms: stages.collect(),
            failure,
            ..image
        }
    }

    pub(super) fn found(&self, detection: &Detection) -> Option<Found> {
        let bbox = detection.bbox;
        Some(Found {
            category_id: self.categories.get(detection.class_id).copied().flatten()?,
            bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(as_written),
            score: as_written(detection.score),
        })
    }
}

/// Image files as messages.
pub struct FileSource<'a> {
    folder: &'a Path,
    images: &'a [TruthImage],
    pending: vec::IntoIter<u64>,
}

impl<'a> FileSource<'a> {
    /// Those of `images` in `folder` whose indices are `pending`.
    pub fn new(folder: &'a Path, images: &'a [TruthImage], pending: Vec<u64>) -> Self {
        Self {
            folder,
            images,
            pending: pending.into_iter(),
        }
    }
}

impl Source for FileSource<'_> {
    type Error = Infallible;

    /// A file that cannot be read becomes an empty message, with the reason in place of a coordinate frame.
    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        let Some(index) = self.pending.next() else {
            return Ok(false);
        };
        frame.sequence = index;
        frame.camera = 0;
        frame.transport = Transport::Compressed;
        let source = self.images.get(index as usize).map(|image| &image.source);
        let read = match source {
            Some(ImageSource::File { file_name }) => {
                wrap(&image_path(self.folder, file_name), frame)
            }
            _ => Err("is no file, but a message of a recording".to_owned()),
        };
        if let Err(problem) = read {
            frame.message.clear();
            frame.frame_id.push_str(&problem);
        }
        Ok(true)
    }
}

/// Makes a message of the file's very bytes.
fn wrap(path: &Path, frame: &mut Frame) -> Result<(), String> {
    let file = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let image = CompressedImageView {
        header: HeaderView::default(),
        format: "",
        data: &file,
    };
    let too_long = |error: CdrError| format!("{}: {error}", path.display());
    image.write(&mut frame.message).map_err(too_long)
}

/// The messages of a recording that are annotated; the others are passed over.
pub struct MessageSource {
    messages: RecordingSource,
    /// By camera, the index of the image of each stamp that is still to come.
    pending: Vec<HashMap<i64, u64>>,
}

impl MessageSource {
    /// The images of `pending`, each with its index. Topics that the recording does not have as images are left out, and
    /// their images missing.
    pub fn new<'a>(
        recording: &Recording,
        pending: impl IntoIterator<Item = (u64, &'a ImageSource)>,
    ) -> Result<Self, BagError> {
        let mut by_topic: HashMap<&str, HashMap<i64, u64>> = HashMap::new();
        for (index, source) in pending {
            if let ImageSource::Message { topic, stamp_ns } = source {
                by_topic.entry(topic).or_default().insert(*stamp_ns, index);
            }
        }
        let (mut wanted, mut stamps) = (Vec::new(), Vec::new());
        for camera in ImageTopics::of(recording).cameras {
            if let Some(pending) = by_topic.remove(camera.topic.as_str()) {
                wanted.push(camera);
                stamps.push(pending);
            }
        }
        Ok(Self {
            messages: RecordingSource::new(recording, wanted, Duration::ZERO, None)?,
            pending: stamps,
        })
    }

    /// What was wrong with the recording so far.
    pub fn warnings(&self) -> &[String] {
        self.messages.warnings()
    }

    /// How many topics its images are on.
    pub fn cameras(&self) -> usize {
        self.pending.len()
    }
}

impl Source for MessageSource {
    type Error = BagError;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, BagError> {
        while self.pending.iter().any(|stamps| !stamps.is_empty()) {
            if !self.messages.next_into(frame)? {
                return Ok(false);
            }
            let stamps = &mut self.pending[frame.camera];
            if let Some(index) = stamps.remove(&frame.stamp.to_ns()) {
                frame.sequence = index;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where the images are.
#[derive(Debug)]
pub enum Images {
    Folder(PathBuf),
    Recording(Recording),
}
