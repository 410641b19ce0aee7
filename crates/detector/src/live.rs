//! The detectors of a live node, and how they share the cores out.

use std::thread;
use std::time::{Duration, Instant};

use super::{DetectError, Detector, LoadError, Loaded};
use crate::config::Threads;
use shuffledet_image::BgrView;
use shuffledet_infer::{Patience, Provider};

impl Loaded {
    /// The detectors of a live node, warm, and how they share the cores out. They serve at once, and change to a provider
    /// that builds slowly when it is ready.
    pub fn live_detectors(&self) -> Result<(Vec<Detector>, Threads), LoadError> {
        let opened = |threads: Threads| {
            let options = &threads.apply(self.config.session.clone());
            let patience = Patience::ServeMeanwhile;
            let mut detectors = self.open_many(threads.workers.get(), options, patience)?;
            // the first run of a session costs many times the others
            for detector in &mut detectors {
                time_one(detector)?;
            }
            Ok::<_, LoadError>(detectors)
        };
        let threads = self.config.threads;
        let mut narrow = opened(threads)?;
        // where another provider serves or is in the making, the CPU's threads do not matter
        let options = &self.config.session;
        let on_cpu = narrow
            .iter()
            .all(|detector| detector.session().provider() == Provider::Cpu);
        let stays = on_cpu && !options.providers.iter().any(|p| p.builds_slowly());
        let Some(wider) = self.config.wider_threads.filter(|_| stays) else {
            return Ok((narrow, threads));
        };
        let mut wide = opened(wider)?;
        let times = compare(&mut narrow[0], &mut wide[0])?;
        let [one, more] = times.map(|time| time.as_secs_f64() * 1e3);
        let wins = more <= WORTH * one;
        let (chosen, detectors) = if wins {
            (wider, wide)
        } else {
            (threads, narrow)
        };
        tracing::info!(
            "runtime.mode auto: a frame takes {one:.2} ms with {} thread(s), {more:.2} ms with {}: {} worker(s) of {} \
             thread(s) each",
            threads.intra_op,
            wider.intra_op,
            chosen.workers,
            chosen.intra_op
        );
        Ok((detectors, chosen))
    }
}

/// What share of a frame's time more threads may leave to be worth the cores that they take from other frames.
const WORTH: f64 = 0.75;

/// The mean time of a frame with each, which a few slow ones count in. Frames come one by one, as a camera's do: threads
/// that have slept meanwhile take longer than those of frames that follow each other at once.
fn compare(one: &mut Detector, other: &mut Detector) -> Result<[Duration; 2], DetectError> {
    const ROUNDS: u32 = 10;
    const PAUSE: Duration = Duration::from_millis(10);
    let mut times = [Duration::ZERO; 2];
    for _ in 0..ROUNDS {
        // in turn, so that what else the machine does hits both alike
        for (time, detector) in times.iter_mut().zip([&mut *one, &mut *other]) {
            thread::sleep(PAUSE);
            *time += time_one(detector)?;
        }
    }
    Ok(times.map(|time| time / ROUNDS))
}

/// How long a grey picture takes.
fn time_one(detector: &mut Detector) -> Result<Duration, DetectError> {
    static GREY: [u8; 3 * 640 * 480] = [114; 3 * 640 * 480];
    let started = Instant::now();
    if let Some(image) = BgrView::new(640, 480, 3 * 640, &GREY) {
        detector.detect(&image)?;
    }
    Ok(started.elapsed())
}
