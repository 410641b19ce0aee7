//! Frames through whole workers, one or several, give what each gives alone.

use std::convert::Infallible;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::collection::vec;
use proptest::prelude::*;

use shuffledet_core::Detection;
use shuffledet_core::{Mark, Outcome};
use shuffledet_detector::detect::DetectorSettings;
use shuffledet_detector::detect::settings::Thresholds;
use shuffledet_detector::pipeline::{
    CameraSettings, Frame, Pace, RuntimeSettings, SharedSettings, Source, TrackingSettings, Worker,
    run,
};
use shuffledet_infer::Provider;

use crate::pictures::damage::{SCALES, Sent, sent};
use crate::pictures::tiny;

/// A camera for each scale, and a threshold that some cells pass.
pub fn tuning() -> Arc<SharedSettings> {
    let thresholds = Thresholds {
        score: Some(0.5),
        ..Thresholds::default()
    };
    let camera = |jpeg_scale| CameraSettings {
        jpeg_scale,
        ..CameraSettings::EVERY_FRAME
    };
    Arc::new(SharedSettings::new(RuntimeSettings {
        model: 0,
        detector: DetectorSettings::new(&thresholds, &tiny::model()).unwrap(),
        tracking: TrackingSettings::default(),
        cameras: SCALES.map(camera).to_vec(),
    }))
}

struct Messages<'a>(slice::Iter<'a, Sent>);

impl Source for Messages<'_> {
    type Error = Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        let Some(sent) = self.0.next() else {
            return Ok(false);
        };
        let scale = SCALES.iter().position(|&scale| scale == sent.scale);
        frame.camera = scale.unwrap();
        frame.transport = sent.transport;
        frame.message.extend_from_slice(&sent.message);
        frame.read_header();
        Ok(true)
    }
}

/// What became of a frame.
#[derive(Debug, Clone, PartialEq)]
struct Became {
    outcome: Outcome,
    size: Option<(u32, u32)>,
    detections: Vec<Detection>,
    drawn: Option<Vec<u8>>,
}

/// By the order received.
fn through(workers: &mut [Worker], tuning: &Arc<SharedSettings>, sequence: &[Sent]) -> Vec<Became> {
    let mut results = Vec::new();
    let publish = |frame: &mut Frame, outcome: &Outcome| {
        frame.trace.mark(Mark::Published);
        results.push(Became {
            outcome: outcome.clone(),
            size: frame.size,
            detections: frame.detections.clone(),
            drawn: frame.annotated.as_ref().map(|drawn| drawn.jpeg.clone()),
        });
        Ok::<(), Infallible>(())
    };
    let (mut source, stop) = (Messages(sequence.iter()), AtomicBool::new(false));
    let pace = Pace::Lossless;
    run(&mut source, tuning, workers, pace, None, &stop, publish).unwrap();
    results
}

fn workers<const N: usize>(tuning: &Arc<SharedSettings>) -> [Worker; N] {
    [(); N].map(|()| tiny::worker(tiny::unchanged, &[Provider::Cpu], tuning))
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_among_others_becomes_what_it_becomes_alone(sequence in vec(sent(), 1..12)) {
        let tuning = tuning();
        let alone: Vec<Became> = sequence
            .iter()
            .flat_map(|sent| through(&mut workers::<1>(&tuning), &tuning, slice::from_ref(sent)))
            .collect();
        let (mut one, mut several) = (workers::<1>(&tuning), workers::<3>(&tuning));
        for workers in [&mut one[..], &mut several[..]] {
            for round in 0..2 {
                let together = through(workers, &tuning, &sequence);
                prop_assert_eq!(together.len(), alone.len());
                for ((together, alone), sent) in together.iter().zip(&alone).zip(&sequence) {
                    prop_assert!(
                        together == alone, "{} workers, round {}: {}: {:?} alone, {:?} among others",
                        workers.len(), round, sent.what, alone, together
                    );
                }
            }
        }
    }
}

#[test]
fn the_tiny_model_finds_something_else_in_another_picture() {
    let tuning = tuning();
    let picture = |seed| Sent {
        what: String::new(),
        transport: shuffledet_detector::pipeline::Transport::Compressed,
        message: crate::pictures::corpus::compressed_message(&crate::pictures::corpus::jpeg(
            40,
            24,
            seed,
            |_| (),
        )),
        scale: SCALES[0],
    };
    let found = through(
        &mut workers::<1>(&tuning),
        &tuning,
        &[picture(1), picture(2), picture(1)],
    );
    assert!(!found[0].detections.is_empty() && found[0].drawn.is_some());
    assert_ne!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
}
