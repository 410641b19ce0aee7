//! Counts the events of a run as frames leave the pipeline.

use std::collections::BTreeMap;

use crate::pipeline::Frame;
use shuffledet_core::count::counted;
use shuffledet_core::timeline::OutcomeKind;
use shuffledet_core::{FailureNote, FrameCounts, StageHistograms, Summary, Timeline};
use shuffledet_core::{Labels, Outcome, Resolution};
use shuffledet_image::Damage;

/// Counters, histograms and the timeline of a run. Its size does not grow with the number of
/// frames.
#[derive(Default)]
pub struct Tally {
    pub frames: FrameCounts,
    pub histograms: StageHistograms,
    pub timeline: Timeline,
    /// Published detections by class id.
    detections: Vec<u64>,
    pub failures: Vec<FailureNote>,
    /// By topic: the frames that were decoded although they are damaged.
    damaged: BTreeMap<String, DamagedFrames>,
    /// By topic: the frames of cameras whose pictures have a fault, by fault.
    faulty: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// By topic: the runs of the model by the size of their input.
    pub input_sizes: BTreeMap<String, BTreeMap<Resolution, u64>>,
}

/// The damaged frames of a topic.
struct DamagedFrames {
    count: u64,
    first_stamp_ns: i64,
    first_damage: Damage,
}

impl Tally {
    /// Counts a frame of the camera on `topic`.
    pub fn record(&mut self, frame: &Frame, outcome: &Outcome, topic: &str, labels: &Labels) {
        self.frames.received += 1;
        let kind = match outcome {
            Outcome::Published => {
                self.frames.published += 1;
                OutcomeKind::Published
            }
            Outcome::Dropped(reason) => {
                count(&mut self.frames.dropped, reason.name());
                OutcomeKind::Dropped
            }
            Outcome::Failed(failure) => {
                count(&mut self.frames.failed, failure.reason);
                if self.failures.len() < Summary::FAILURES_KEPT {
                    self.failures.push(FailureNote {
                        topic: topic.to_owned(),
                        stamp_ns: frame.stamp.to_ns(),
                        reason: failure.message.to_string(),
                    });
                }
                OutcomeKind::Failed
            }
        };
        self.count_damage(frame, topic);
        self.count_faults(frame, topic);
        self.count_inputs(frame, topic);
        self.detections.resize(labels.count(), 0);
        for detection in &frame.detections {
            self.detections[detection.class_id] += 1;
        }
        self.histograms.record(&frame.trace);
        let log_time_ns = i64::try_from(frame.log_time_ns).unwrap_or(i64::MAX);
        let detections = frame
            .detections
            .iter()
            .map(|d| (labels.name(d.class_id), 1));
        self.timeline
            .record(log_time_ns, kind, &frame.trace, detections);
    }

    fn count_damage(&mut self, frame: &Frame, topic: &str) {
        let Some(damage) = frame.damage else { return };
        let damaged = self.damaged.entry(topic.to_owned());
        let damaged = damaged.or_insert(DamagedFrames {
            count: 0,
            first_stamp_ns: frame.stamp.to_ns(),
            first_damage: damage,
        });
        damaged.count += 1;
    }

    /// Returns a warning for each topic with frames that were decoded although they are damaged.
    pub fn damage_warnings(&self) -> Vec<String> {
        self.damaged.iter().map(|(topic, damaged)| {
            let DamagedFrames {
                count,
                first_stamp_ns,
                first_damage,
            } = damaged;
            let frames = counted(*count, "frame");
            format!(
                "{topic}: {frames} decoded from damaged data; the first has stamp {first_stamp_ns} ns: {first_damage}"
            )
        }).collect()
    }

    fn count_faults(&mut self, frame: &Frame, topic: &str) {
        for fault in frame.faults.iter().flat_map(|faults| faults.iter()) {
            let faults = self.faulty.entry(topic.to_owned()).or_default();
            *faults.entry(fault.name()).or_default() += 1;
        }
    }

    /// Returns a warning for each topic with pictures that have a fault.
    pub fn sight_warnings(&self) -> Vec<String> {
        let texts = self.faulty.iter().map(|(topic, faults)| {
            let texts: Vec<String> = faults
                .iter()
                .map(|(fault, &count)| format!("{fault} in {}", counted(count, "frame")))
                .collect();
            format!("{topic}: pictures are {}", texts.join(", "))
        });
        texts.collect()
    }

    fn count_inputs(&mut self, frame: &Frame, topic: &str) {
        for input in &frame.inputs {
            // allocates only for the first frame of a topic
            if !self.input_sizes.contains_key(topic) {
                self.input_sizes.insert(topic.to_owned(), BTreeMap::new());
            }
            if let Some(sizes) = self.input_sizes.get_mut(topic) {
                *sizes.entry(input.used).or_default() += 1;
            }
        }
    }

    /// Returns the published detections by label, without labels that have none.
    pub fn detections(&self, labels: &Labels) -> BTreeMap<String, u64> {
        let counts = self
            .detections
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        counts
            .map(|(class_id, &count)| (labels.name(class_id).to_owned(), count))
            .collect()
    }

    /// Whether any frame failed.
    pub fn any_failed(&self) -> bool {
        !self.frames.failed.is_empty()
    }
}

pub(super) fn count(counts: &mut BTreeMap<String, u64>, reason: &str) {
    match counts.get_mut(reason) {
        Some(count) => *count += 1,
        None => {
            counts.insert(reason.to_owned(), 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::labels::Label;
    use shuffledet_msg::Stamp;

    #[test]
    fn damaged_frames_have_one_warning_per_topic() {
        let label = Label {
            name: "car".to_owned(),
            category_id: 1,
        };
        let labels = Labels::new(vec![label]).unwrap();
        let mut tally = Tally::default();
        let mut frame = Frame::new();
        for (sec, damage) in [
            (1, None),
            (2, Some(Damage::UndefinedCode)),
            (3, Some(Damage::SkippedData)),
        ] {
            frame.stamp = Stamp { sec, nanosec: 5 };
            frame.damage = damage;
            tally.record(&frame, &Outcome::Published, "/front", &labels);
        }
        frame.damage = None;
        tally.record(&frame, &Outcome::Published, "/rear", &labels);
        let expected = format!(
            "/front: 2 frames decoded from damaged data; the first has stamp 2000000005 ns: {}",
            Damage::UndefinedCode
        );
        assert_eq!(tally.damage_warnings(), [expected]);
    }
}
