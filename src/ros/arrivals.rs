//! The queue of images between the subscriptions and the pipeline.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shuffledet_core::StampAnomaly;
use shuffledet_detector::pipeline::Transport;

/// An image as it arrived.
pub struct Arrival {
    pub camera: usize,
    pub transport: Transport,
    pub message: Vec<u8>,
    pub at: Instant,
    /// Arrival time by the node's clock.
    pub now_ns: i64,
    /// How far the stamp is behind the arrival; `None` if the stamp is zero.
    pub stamp_lag_ns: Option<i64>,
    pub anomaly: Option<StampAnomaly>,
}

/// The result of waiting for an image.
pub enum Popped {
    Arrival(Arrival),
    /// None has come in time.
    Nothing,
    /// None will come.
    Closed,
}

/// Images that the pipeline has not read yet, oldest first.
#[derive(Default)]
pub struct Arrivals {
    state: Mutex<WaitingImages>,
    changed: Condvar,
}

#[derive(Default)]
struct WaitingImages {
    images: VecDeque<Arrival>,
    closed: bool,
}

/// Maximum number of waiting images per camera. The pipeline reads them at once unless it is
/// blocked.
const MOST_WAITING: usize = 64;
/// Maximum memory for the waiting images of one camera, in this queue and in the middleware. It
/// also limits their age to the time that copying them takes.
const MOST_WAITING_BYTES: usize = 64 << 20;
/// Minimum number of images that may wait, whatever their size.
const LEAST_WAITING: usize = 2;

/// Returns how many images of this size may wait.
pub fn most_waiting(bytes: usize) -> usize {
    (MOST_WAITING_BYTES / bytes.max(1)).max(LEAST_WAITING)
}

impl Arrivals {
    /// Adds an image. Returns the oldest image of the same camera if too many wait.
    pub fn push(&self, arrival: Arrival) -> Option<Arrival> {
        let mut waiting = self.lock();
        let camera = arrival.camera;
        waiting.images.push_back(arrival);
        self.changed.notify_one();
        let of_camera = |image: &Arrival| image.camera == camera;
        let (mut count, mut bytes) = (0, 0);
        for image in waiting.images.iter().filter(|image| of_camera(image)) {
            count += 1;
            bytes += image.message.len();
        }
        let too_large = bytes > MOST_WAITING_BYTES && count > LEAST_WAITING;
        if count <= MOST_WAITING && !too_large {
            return None;
        }
        let oldest = waiting.images.iter().position(of_camera)?;
        waiting.images.remove(oldest)
    }

    /// Waits at most `limit` for the next image.
    pub fn pop(&self, limit: Duration) -> Popped {
        let empty = |waiting: &mut WaitingImages| !waiting.closed && waiting.images.is_empty();
        let waited = self.changed.wait_timeout_while(self.lock(), limit, empty);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return Popped::Closed;
        }
        match waiting.images.pop_front() {
            Some(arrival) => Popped::Arrival(arrival),
            None => Popped::Nothing,
        }
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Locks the queue. Each change is one push or removal, so a panic leaves the queue valid.
    fn lock(&self) -> MutexGuard<'_, WaitingImages> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(camera: usize, message: Vec<u8>) -> Arrival {
        Arrival {
            camera,
            transport: Transport::Raw,
            message,
            at: Instant::now(),
            now_ns: 0,
            stamp_lag_ns: None,
            anomaly: None,
        }
    }

    #[test]
    fn of_a_camera_that_is_not_read_the_newest_wait_and_the_others_are_given_back() {
        let arrivals = Arrivals::default();
        assert!(arrivals.push(arrival(1, vec![100])).is_none());
        let pushed = (0..70).filter_map(|i| arrivals.push(arrival(0, vec![i])));
        let given_back: Vec<u8> = pushed.map(|superseded| superseded.message[0]).collect();
        assert_eq!(given_back, [0, 1, 2, 3, 4, 5]);
        let pop = || match arrivals.pop(Duration::ZERO) {
            Popped::Arrival(arrival) => Some(arrival.message[0]),
            Popped::Nothing | Popped::Closed => None,
        };
        let read: Vec<u8> = std::iter::from_fn(pop).collect();
        let expected: Vec<u8> = std::iter::once(100).chain(6..70).collect();
        assert_eq!(read, expected);
        arrivals.close();
        assert!(matches!(arrivals.pop(Duration::ZERO), Popped::Closed));
    }

    #[test]
    fn of_large_images_two_wait() {
        let arrivals = Arrivals::default();
        let large = |first| {
            let mut message = vec![0; 40 << 20];
            message[0] = first;
            arrival(0, message)
        };
        assert!(arrivals.push(large(1)).is_none());
        assert!(arrivals.push(large(2)).is_none());
        let superseded = arrivals.push(large(3)).unwrap();
        assert_eq!(superseded.message[0], 1);
    }
}
