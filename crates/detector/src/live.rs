//! The detectors of a live node, and how they share the cores.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::detect::{DetectError, Detector, NetworkOpener};
use super::{LoadError, LoadedModel};
use crate::config::Threads;
use crate::pipeline::{Annotate, SharedSettings, Worker};
use shuffledet_image::BgrView;
use shuffledet_infer::{Provider, WhileBuilding};

impl LoadedModel {
    /// Creates the warm detectors of a live node and distributes the cores. They can serve at once.
    /// A provider that builds slowly takes over when it is ready.
    pub fn live_detectors(&self) -> Result<(Vec<Detector>, Threads), LoadError> {
        let opened = |threads: Threads| {
            let options = &threads.apply(self.config.session.clone());
            let while_building = WhileBuilding::ServeMeanwhile;
            let mut detectors = self.open_many(threads.workers.get(), options, while_building)?;
            // the first run of a session takes much longer than the others
            for detector in &mut detectors {
                time_one(detector)?;
            }
            Ok::<_, LoadError>(detectors)
        };
        let threads = self.config.threads;
        let mut narrow = opened(threads)?;
        // if another provider serves or is being built, the number of CPU threads does not matter
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

impl LoadedModel {
    /// Creates a warm worker in place of one of [`LoadedModel::live_detectors`], with sessions of its
    /// own.
    ///
    /// # Errors
    /// No session can be created, or the test run fails.
    pub fn live_worker(
        &self,
        threads: Threads,
        tuning: &Arc<SharedSettings>,
        annotate: Annotate,
    ) -> Result<Worker, LoadError> {
        let detector = self.tested_detector(&self.live_opener(threads))?;
        self.worker(detector, tuning, annotate)
    }

    /// Creates warm workers that take over from those of another model, one after another: the
    /// other model's frames need the cores meanwhile.
    ///
    /// # Errors
    /// No session can be created, or the test run fails.
    pub fn successors(
        &self,
        threads: Threads,
        tuning: &Arc<SharedSettings>,
        annotate: Annotate,
    ) -> Result<Vec<Worker>, LoadError> {
        let opener = self.live_opener(threads);
        let successor = |_| {
            let detector = self.tested_detector(&opener)?;
            self.worker(detector, tuning, annotate)
        };
        (0..threads.workers.get()).map(successor).collect()
    }

    /// Creates a session, runs the model once, and drops the session.
    ///
    /// # Errors
    /// No session can be created, or the test run fails.
    pub fn test(&self, threads: Threads) -> Result<(), LoadError> {
        self.tested_detector(&self.live_opener(threads)).map(drop)
    }

    fn live_opener(&self, threads: Threads) -> Arc<NetworkOpener> {
        let options = threads.apply(self.config.session.clone());
        self.opener(&options, WhileBuilding::ServeMeanwhile)
    }

    fn tested_detector(&self, opener: &Arc<NetworkOpener>) -> Result<Detector, LoadError> {
        let mut detector = Detector::with_opener(opener, self.choice(), self.settings().clone())?;
        time_one(&mut detector)?;
        Ok(detector)
    }
}

/// The maximum time per frame with more threads, relative to one thread, at which they are worth
/// their cores.
const WORTH: f64 = 0.75;

/// Measures the mean time per frame of each detector, including slow frames. Frames come one by
/// one, as from a camera: threads that slept in between take longer than in a continuous run.
fn compare(one: &mut Detector, other: &mut Detector) -> Result<[Duration; 2], DetectError> {
    const ROUNDS: u32 = 10;
    const PAUSE: Duration = Duration::from_millis(10);
    let mut times = [Duration::ZERO; 2];
    for _ in 0..ROUNDS {
        // in turn, so that other load on the machine affects both alike
        for (time, detector) in times.iter_mut().zip([&mut *one, &mut *other]) {
            thread::sleep(PAUSE);
            *time += time_one(detector)?;
        }
    }
    Ok(times.map(|time| time / ROUNDS))
}

/// Measures the time of one grey image at the resolution of the first session.
fn time_one(detector: &mut Detector) -> Result<Duration, DetectError> {
    static GREY: [u8; 3 * 640 * 480] = [114; 3 * 640 * 480];
    let started = Instant::now();
    if let Some(image) = BgrView::new(640, 480, 3 * 640, &GREY) {
        detector.detect_at_base(&image)?;
    }
    Ok(started.elapsed())
}
