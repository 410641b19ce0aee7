//! Chooses between the raw and the compressed topic of a camera, if its images may arrive on
//! either.
//!
//! The messages that arrive decide, not the graph: with a discovery server, a node does not
//! discover a publisher without a matching subscription, and a publisher of another type sends
//! nothing usable.

use std::time::{Duration, Instant};

use shuffledet_detector::pipeline::Transport;

/// The chosen transport of one camera.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice(Option<ChosenTransport>);

#[derive(Debug, Clone, Copy)]
struct ChosenTransport {
    transport: Transport,
    since: Instant,
    /// Arrival time of the last image on this transport.
    last: Instant,
    last_stamp_ns: i64,
    /// The newest stamp accepted from the other transport when this one replaced it.
    taken_ns: Option<i64>,
}

/// The decision on an image that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Take,
    /// Ignore the image: the other topic provides it.
    Leave,
    /// Ignore the image and unsubscribe from its topic.
    Unsubscribe,
}

/// How long after the first compressed image raw images still take precedence.
const PREFERENCE: Duration = Duration::from_secs(1);
/// A stamp that is further behind comes from another clock or another run of the camera.
const SAME_RUN_NS: i64 = 10_000_000_000;

impl Choice {
    /// Returns the transport in use; `None` until an image has arrived.
    pub fn transport(&self) -> Option<Transport> {
        self.0.map(|chosen| chosen.transport)
    }

    /// Returns the time since the last image on the chosen topic; `None` until an image has
    /// arrived.
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        self.0
            .map(|chosen| now.saturating_duration_since(chosen.last))
    }

    /// Decides on an image that arrived at `now` by `transport`. A topic that is silent for
    /// `silence` loses its precedence.
    pub fn arrived(
        &mut self,
        transport: Transport,
        stamp_ns: i64,
        now: Instant,
        silence: Duration,
    ) -> Verdict {
        let new = ChosenTransport {
            transport,
            since: now,
            last: now,
            last_stamp_ns: stamp_ns,
            taken_ns: None,
        };
        let Some(chosen) = &mut self.0 else {
            self.0 = Some(new);
            return Verdict::Take;
        };
        if chosen.transport == transport {
            chosen.last = now;
            if chosen.has_taken(stamp_ns) {
                return Verdict::Leave;
            }
            chosen.last_stamp_ns = stamp_ns;
            return Verdict::Take;
        }
        if now.saturating_duration_since(chosen.last) > silence {
            *chosen = new;
            return Verdict::Take;
        }
        let early = now.saturating_duration_since(chosen.since) <= PREFERENCE;
        if transport == Transport::Compressed || !early {
            return Verdict::Unsubscribe;
        }
        *chosen = ChosenTransport {
            taken_ns: Some(chosen.last_stamp_ns),
            ..new
        };
        if chosen.has_taken(stamp_ns) {
            Verdict::Leave
        } else {
            Verdict::Take
        }
    }
}

impl ChosenTransport {
    /// Returns whether the image with this stamp has already arrived by the other transport.
    fn has_taken(&self, stamp_ns: i64) -> bool {
        self.taken_ns.is_some_and(|taken| {
            stamp_ns <= taken && taken.saturating_sub(stamp_ns) < SAME_RUN_NS && stamp_ns != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use Transport::{Compressed, Raw};
    use Verdict::{Leave, Take, Unsubscribe};

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SILENCE: Duration = Duration::from_millis(1000);

    /// The verdicts on images as (milliseconds, transport, stamp).
    fn verdicts(images: &[(u32, Transport, i64)]) -> Vec<Verdict> {
        let (start, mut choice) = (Instant::now(), Choice::default());
        images
            .iter()
            .map(|&(ms, transport, stamp)| {
                choice.arrived(transport, stamp, start + ms * MS, SILENCE)
            })
            .collect()
    }

    #[test]
    fn the_first_that_delivers_is_taken_and_the_other_let_go() {
        let images = [
            (0, Raw, 1),
            (1, Compressed, 1),
            (33, Raw, 2),
            (34, Compressed, 2),
        ];
        assert_eq!(verdicts(&images), [Take, Unsubscribe, Take, Unsubscribe]);
        let images = [
            (0, Compressed, 1),
            (900, Compressed, 2),
            (1100, Raw, 3),
            (1200, Compressed, 4),
        ];
        assert_eq!(verdicts(&images), [Take, Take, Unsubscribe, Take]);
    }

    #[test]
    fn raw_is_preferred_within_a_second_and_no_picture_comes_twice() {
        // raw ones are two pictures late
        let images = [
            (0, Compressed, 10),
            (33, Compressed, 11),
            (66, Compressed, 12),
            (67, Raw, 10),
            (99, Compressed, 13),
            (100, Raw, 11),
            (133, Raw, 12),
            (166, Raw, 13),
            (200, Raw, 14),
        ];
        let expected = [
            Take,
            Take,
            Take,
            Leave,
            Unsubscribe,
            Leave,
            Leave,
            Take,
            Take,
        ];
        assert_eq!(verdicts(&images), expected);
        // without stamps none can be told from another
        let images = [(0, Compressed, 0), (10, Raw, 0), (43, Raw, 0)];
        assert_eq!(verdicts(&images), [Take, Take, Take]);
    }

    #[test]
    fn a_camera_that_comes_back_otherwise_is_heard_again() {
        for (first, second) in [(Raw, Compressed), (Compressed, Raw)] {
            let images = [
                (0, first, 1),
                (5000, first, 2),
                (5999, second, 3),
                (6001, second, 4),
                (6002, first, 4),
            ];
            let verdicts = verdicts(&images);
            assert_eq!(verdicts[1..4], [Take, Unsubscribe, Take], "{second:?}");
            assert_ne!(verdicts[4], Take);
        }
    }
}
