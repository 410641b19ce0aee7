//! How far the pipeline itself goes with many workers: a model that only waits takes no core, so that what is left is what
//! the workers share, reader, mailboxes, order and publisher. Prints the frames a second of 1 to 64 workers over those of
//! one, and over their number.

use shuffledet_testing::written;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use shuffledet_core::{InputSize, Mark};
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_detector::detect::settings::Thresholds;
use shuffledet_detector::model::Manifest;
use shuffledet_detector::pipeline::{
    CameraSettings, Frame, Pace, RuntimeSettings, SharedSettings, Source, TrackingSettings,
    Transport, run,
};
use shuffledet_detector::sink::ResultMessages;
use shuffledet_msg::{HeaderView, ImageView};

/// What the model takes: long against what a small picture needs of a core.
const PAUSE: Duration = Duration::from_millis(100);
const FRAMES_OF_A_WORKER: usize = 20;
const WORKERS: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Gives the same message `left` times.
struct Repeated {
    message: Vec<u8>,
    left: usize,
}

impl Source for Repeated {
    type Error = Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        frame.transport = Transport::Raw;
        frame.message.extend_from_slice(&self.message);
        frame.read_header();
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        Ok(more)
    }
}

fn main() {
    let manifest = Manifest::shipped().expect("the shipped manifest is tested");
    let model = manifest
        .model("fastestdet_352")
        .and_then(|model| manifest.describe(model))
        .expect("a shipped model");
    // no boxes: what they cost is the worker's
    let thresholds = Thresholds {
        score: Some(1.0),
        ..Thresholds::default()
    };
    let tuning = Arc::new(SharedSettings::new(RuntimeSettings {
        model: 0,
        detector: DetectorSettings::new(&thresholds, &model).expect("no class is named"),
        tracking: TrackingSettings::default(),
        cameras: vec![CameraSettings::EVERY_FRAME],
    }));
    let mut message = Vec::new();
    let image = ImageView {
        header: HeaderView::default(),
        height: 64,
        width: 64,
        encoding: "bgr8",
        is_bigendian: false,
        step: 192,
        data: &[0; 192 * 64],
    };
    image.write(&mut message).expect("a small picture");
    println!("workers   frames a second   over one   over their number");
    let mut of_one = None;
    for count in WORKERS {
        let mut workers: Vec<_> = (0..count)
            .map(|_| written::worker(&model, InputSize::Native, &tuning, PAUSE))
            .collect();
        let total = FRAMES_OF_A_WORKER * count;
        let mut source = Repeated {
            message: message.clone(),
            left: total,
        };
        let (mut results, stop) = (ResultMessages::default(), AtomicBool::new(false));
        let started = Instant::now();
        let ran = run(
            &mut source,
            &tuning,
            &mut workers,
            Pace::Lossless,
            None,
            &stop,
            |frame, _| {
                let written = results.detections(frame, &model.labels).map(|_| ());
                frame.trace.mark(Mark::Published);
                written
            },
        );
        ran.expect("nothing can fail");
        let rate = total as f64 / started.elapsed().as_secs_f64();
        let over_one = rate / *of_one.get_or_insert(rate);
        let share = over_one / count as f64;
        println!("{count:>7} {rate:>17.1} {over_one:>10.2} {share:>19.3}");
    }
}
