//! The end times of a frame's stages on the monotonic clock, and the durations between them.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// An event in the processing of a frame, in chronological order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The source began to read the message (replay only).
    ReadStarted,
    /// The process has the message's bytes.
    Received,
    /// A worker took the frame from its mailbox.
    Dequeued,
    /// The message is an image: BGR, or luma and chroma.
    Decoded,
    /// The input tensor is filled.
    Prepared,
    /// The session has run.
    Inferred,
    /// Candidate boxes are decoded from the raw outputs.
    Boxed,
    /// Non-maximum suppression is done.
    Suppressed,
    /// The boxes of the second stage are classified, if there is one.
    Classified,
    /// The annotated image is drawn, if requested.
    Drawn,
    /// Every earlier frame is published: the sink starts with this one.
    Ordered,
    /// The detections have their tracks, if objects are tracked.
    Tracked,
    /// The detections message is built and written to the recording, if there is one.
    Published,
}

const MARKS: usize = Mark::Published as usize + 1;

/// A named part of a frame's time. The order is the order of every table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading the message from the recording.
    Read,
    /// Waiting: for a worker, then for earlier frames to be published.
    Queue,
    /// From the message's bytes to an image: BGR, or luma and chroma.
    Decode,
    /// Resize, padding, normalisation and layout: from the image to the input tensor.
    Letterbox,
    /// The ONNX Runtime session.
    Infer,
    /// From raw outputs to candidate boxes.
    Boxes,
    /// Non-maximum suppression and clipping.
    Nms,
    /// The classifier of the second stage, on all boxes of the frame.
    Classify,
    /// Drawing the annotated image, if requested.
    Draw,
    /// Finding the track of each detection, if objects are tracked.
    Track,
    /// Building the detections message and passing it to the recording. Other sinks run after it
    /// and are not timed.
    Publish,
    /// All work for the detections: the sum of every stage except `queue` and `draw`.
    Total,
    /// From reception to publication, including waiting.
    Latency,
}

impl Stage {
    /// In the order of every table.
    pub const ALL: [Stage; 13] = [
        Stage::Read,
        Stage::Queue,
        Stage::Decode,
        Stage::Letterbox,
        Stage::Infer,
        Stage::Boxes,
        Stage::Nms,
        Stage::Classify,
        Stage::Draw,
        Stage::Track,
        Stage::Publish,
        Stage::Total,
        Stage::Latency,
    ];

    /// Returns the name in JSON, reports and latency messages.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Queue => "queue",
            Stage::Decode => "decode",
            Stage::Letterbox => "letterbox",
            Stage::Infer => "infer",
            Stage::Boxes => "boxes",
            Stage::Nms => "nms",
            Stage::Classify => "classify",
            Stage::Draw => "draw",
            Stage::Track => "track",
            Stage::Publish => "publish",
            Stage::Total => "total",
            Stage::Latency => "latency",
        }
    }
}

/// The marks of one frame. Marks that the frame did not reach are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trace {
    marks: [Option<Instant>; MARKS],
}

impl Trace {
    /// Sets the mark to the current time.
    pub fn mark(&mut self, mark: Mark) {
        self.mark_at(mark, Instant::now());
    }

    pub fn mark_at(&mut self, mark: Mark, at: Instant) {
        self.marks[mark as usize] = Some(at);
    }

    pub fn at(&self, mark: Mark) -> Option<Instant> {
        self.marks[mark as usize]
    }

    /// Moves each of `marks` that is set by `by`, to a later time.
    pub fn postpone(&mut self, marks: &[Mark], by: Duration) {
        for &mark in marks {
            if let Some(at) = &mut self.marks[mark as usize] {
                *at += by;
            }
        }
    }

    /// Returns the instant of the last mark.
    pub fn last(&self) -> Option<Instant> {
        self.marks.iter().copied().flatten().max()
    }

    /// Returns the stage's duration; `None` if the frame did not reach its end.
    pub fn duration(&self, stage: Stage) -> Option<Duration> {
        use Mark::*;
        match stage {
            Stage::Read => self.between(ReadStarted, Received),
            Stage::Queue => {
                let waited = self.between(Received, Dequeued)?;
                let ready = if self.at(Drawn).is_some() {
                    Drawn
                } else {
                    self.detected()
                };
                Some(waited + self.between(ready, Ordered).unwrap_or_default())
            }
            Stage::Decode => self.between(Dequeued, Decoded),
            Stage::Letterbox => self.between(Decoded, Prepared),
            Stage::Infer => self.between(Prepared, Inferred),
            Stage::Boxes => self.between(Inferred, Boxed),
            Stage::Nms => self.between(Boxed, Suppressed),
            Stage::Classify => self.between(Suppressed, Classified),
            Stage::Draw => self.between(self.detected(), Drawn),
            Stage::Track => self.between(Ordered, Tracked),
            Stage::Publish => {
                let from = if self.at(Tracked).is_some() {
                    Tracked
                } else {
                    Ordered
                };
                self.between(from, Published)
            }
            Stage::Total => {
                let read = self.between(ReadStarted, Received).unwrap_or_default();
                let work = self.between(Dequeued, self.detected())?;
                Some(read + work + self.between(Ordered, Published)?)
            }
            Stage::Latency => self.between(Received, Published),
        }
    }

    /// Returns the mark after which the detections are complete.
    fn detected(&self) -> Mark {
        match self.at(Mark::Classified) {
            Some(_) => Mark::Classified,
            None => Mark::Suppressed,
        }
    }

    fn between(&self, from: Mark, to: Mark) -> Option<Duration> {
        Some(self.at(to)?.saturating_duration_since(self.at(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(at_ms: &[(Mark, u64)]) -> Trace {
        let zero = Instant::now();
        let mut trace = Trace::default();
        for &(mark, ms) in at_ms {
            trace.mark_at(mark, zero + Duration::from_millis(ms));
        }
        trace
    }

    #[test]
    fn total_is_the_sum_of_the_working_stages() {
        let trace = trace(&[
            (Mark::ReadStarted, 0),
            (Mark::Received, 1),
            (Mark::Dequeued, 11),
            (Mark::Decoded, 14),
            (Mark::Prepared, 15),
            (Mark::Inferred, 25),
            (Mark::Boxed, 26),
            (Mark::Suppressed, 28),
            (Mark::Drawn, 33),
            (Mark::Ordered, 48),
            (Mark::Tracked, 49),
            (Mark::Published, 50),
        ]);
        let ms = |stage| trace.duration(stage).map(|d| d.as_millis());
        assert_eq!(ms(Stage::Queue), Some(25));
        assert_eq!(ms(Stage::Track), Some(1));
        assert_eq!(ms(Stage::Publish), Some(1));
        assert_eq!(ms(Stage::Total), Some(20));
        assert_eq!(ms(Stage::Latency), Some(49));
        let aside = [Stage::Queue, Stage::Draw, Stage::Total, Stage::Latency];
        let working = Stage::ALL.iter().filter(|s| !aside.contains(s));
        assert_eq!(working.filter_map(|&s| ms(s)).sum::<u128>(), 20);
    }

    #[test]
    fn the_second_stage_is_work_of_its_own() {
        let trace = trace(&[
            (Mark::Received, 0),
            (Mark::Dequeued, 1),
            (Mark::Boxed, 5),
            (Mark::Suppressed, 6),
            (Mark::Classified, 9),
            (Mark::Drawn, 14),
            (Mark::Ordered, 16),
            (Mark::Published, 17),
        ]);
        let ms = |stage| trace.duration(stage).map(|d| d.as_millis());
        let stages = [Stage::Classify, Stage::Draw, Stage::Queue, Stage::Total];
        assert_eq!(stages.map(ms), [Some(3), Some(5), Some(3), Some(9)]);
    }

    #[test]
    fn a_frame_that_is_postponed_waits_in_the_queue() {
        let mut trace = trace(&[(Mark::Received, 0), (Mark::Dequeued, 2), (Mark::Decoded, 5)]);
        let by = Duration::from_millis(100);
        trace.postpone(&[Mark::Dequeued, Mark::Decoded, Mark::Prepared], by);
        let ms = |stage| trace.duration(stage).map(|d| d.as_millis());
        let stages = [Stage::Queue, Stage::Decode, Stage::Letterbox].map(ms);
        assert_eq!(stages, [Some(102), Some(3), None]);
    }

    #[test]
    fn a_stage_that_was_not_reached_has_no_duration() {
        let trace = trace(&[(Mark::Received, 0), (Mark::Dequeued, 1)]);
        assert_eq!(trace.duration(Stage::Decode), None);
        assert_eq!(trace.duration(Stage::Total), None);
        assert_eq!(trace.duration(Stage::Queue), Some(Duration::from_millis(1)));
    }
}
