//! Yields the images of the cameras as frames.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::arrivals::{Arrivals, Popped};
use super::shared::Shared;
use shuffledet_core::{Mark, StampAnomaly};
use shuffledet_detector::pipeline::{Frame, Source};
use shuffledet_node::watch::BEAT;

/// All cameras as one source.
pub struct LiveSource {
    arrivals: Arc<Arrivals>,
    shared: Arc<Shared>,
}

/// The node's clock: the system clock, or `/clock` with `use_sim_time`.
#[derive(Clone)]
pub struct RosClock(pub Arc<Mutex<r2r::Clock>>);

impl RosClock {
    /// Returns nanoseconds since the epoch; 0 if the clock fails.
    pub fn now_ns(&self) -> i64 {
        let mut clock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.get_now().unwrap_or_default();
        i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl LiveSource {
    pub fn new(arrivals: Arc<Arrivals>, shared: Arc<Shared>) -> Self {
        Self { arrivals, shared }
    }

    pub fn arrivals(&self) -> Arc<Arrivals> {
        Arc::clone(&self.arrivals)
    }
}

impl Source for LiveSource {
    type Error = std::convert::Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Self::Error> {
        let arrival = loop {
            self.shared.progress.live.reader.beat();
            match self.arrivals.pop(BEAT) {
                Popped::Arrival(arrival) => break arrival,
                Popped::Nothing => (),
                Popped::Closed => return Ok(false),
            }
        };
        frame.camera = arrival.camera;
        frame.transport = arrival.transport;
        frame.calibration = self.shared.calibration(arrival.camera);
        frame.message = arrival.message;
        frame.trace.mark_at(Mark::Received, arrival.at);
        frame.log_time_ns = u64::try_from(arrival.now_ns).unwrap_or_default();
        frame.read_header();
        frame.anomaly = arrival.anomaly;
        frame.stamp_lag_ns = arrival.stamp_lag_ns;
        let tells_age = frame.anomaly.is_none_or(StampAnomaly::tells_age);
        let age_ns = arrival.stamp_lag_ns.filter(|_| tells_age).unwrap_or(0);
        frame.age_on_receipt = Duration::from_nanos(u64::try_from(age_ns).unwrap_or_default());
        Ok(true)
    }
}
