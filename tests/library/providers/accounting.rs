//! Frames through the pipeline while a provider fails: none is lost, none is counted twice.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use shuffledet_core::Cause;
use shuffledet_core::Mark;
use shuffledet_core::test_card;
use shuffledet_detector::detect::settings::Thresholds;
use shuffledet_detector::detect::{Detector, DetectorSettings};
use shuffledet_detector::metrics::Tally;
use shuffledet_detector::pipeline::{
    Annotate, CameraSettings, Frame, Pace, RuntimeSettings, SharedSettings, Source,
    TrackingSettings, Transport, Worker, run,
};
use shuffledet_image::BgrView;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_infer::{Provider, ProviderStatuses, WhileBuilding};
use shuffledet_msg::{CompressedImageView, HeaderView};

use crate::providers::scripted::{Behaviour, GOOD, Scripted, model, open};

struct Images {
    message: Vec<u8>,
    left: usize,
}

impl Source for Images {
    type Error = Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        frame.transport = Transport::Compressed;
        frame.message.extend_from_slice(&self.message);
        frame.read_header();
        Ok(true)
    }
}

fn message() -> Vec<u8> {
    let (width, height) = (64, 48);
    let card = test_card::pixels(width, height);
    let image = BgrView::new(width, height, 3 * width as usize, &card).unwrap();
    let jpeg = JpegEncoder::new(90).unwrap().encode(&image).unwrap();
    let image = CompressedImageView {
        header: HeaderView::default(),
        format: "jpeg",
        data: &jpeg,
    };
    let mut message = Vec::new();
    image.write(&mut message).unwrap();
    message
}

#[test]
fn every_frame_has_one_outcome_while_providers_come_and_go() {
    const FRAMES: usize = 200;
    const WORKERS: usize = 3;
    let backend = Scripted::new(|provider, _| {
        Ok(match provider {
            // the self-test and nine frames
            Provider::Cuda => Behaviour {
                fails_at: 10,
                error: Cause::DeviceLost,
                ..GOOD
            },
            _ => GOOD,
        })
    });
    let model = model();
    let settings = DetectorSettings::new(&Thresholds::default(), &model).unwrap();
    let tuning = Arc::new(SharedSettings::new(RuntimeSettings {
        model: 0,
        detector: settings.clone(),
        tracking: TrackingSettings::default(),
        cameras: vec![CameraSettings::EVERY_FRAME],
    }));
    let labels = Arc::new(model.labels.clone());
    let provider_statuses = Arc::<ProviderStatuses>::default();
    let providers = [Provider::Cuda, Provider::Cpu];
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let opened = open(
                &backend,
                &providers,
                false,
                WhileBuilding::Wait,
                &provider_statuses,
            )
            .unwrap();
            let detector = Detector::with_session(opened, &model, settings.clone());
            Worker::new(detector, labels.clone(), tuning.clone(), Annotate::None).unwrap()
        })
        .collect();
    let mut tally = Tally::default();
    let mut images = Images {
        message: message(),
        left: FRAMES,
    };
    let publish = |frame: &mut Frame, outcome: &_| {
        frame.trace.mark(Mark::Published);
        tally.record(frame, outcome, "camera", &labels);
        Ok::<(), Infallible>(())
    };
    let stop = AtomicBool::new(false);
    run(
        &mut images,
        &tuning,
        &mut workers,
        Pace::Lossless,
        None,
        &stop,
        publish,
    )
    .unwrap();

    let failures: u64 = provider_statuses.statuses()[0].failures;
    assert!(
        failures >= WORKERS as u64,
        "{:?}",
        provider_statuses.statuses()
    );
    // a frame that failed last is noted between it and the next, which never came
    let failed = tally.frames.failed["provider_failed"];
    assert!((failures..=failures + WORKERS as u64).contains(&failed));
    assert_eq!(tally.frames.failed.len(), 1);
    assert_eq!(tally.frames.received, FRAMES as u64);
    assert_eq!(tally.frames.published + failed, tally.frames.received);
    assert!(
        tally.failures[0].reason.contains("device lost"),
        "{:?}",
        tally.failures[0]
    );
}
