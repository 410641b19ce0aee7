//! Which boxes count: the rules of benchmarks, as TrackEval applies them before it scores.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::assignment::assign;
use super::clear::THRESHOLD;
use super::sequence::{
    ClassFrame, ClassNames, ClassSequence, Numbering, Sequence, TrackBox, by_frame,
};
use super::similarity::{Corners, overlaps, share_within};
use shuffledet_core::text::same_name;

/// The rules of a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Each class of the truth by itself; boxes that the truth marks as ignored do not count, and
    /// neither do unmatched boxes of which more than half lies in a region.
    Plain,
    /// MOT15: one class, pedestrians, without distractors.
    Mot15,
    /// MOT16 and MOT17: pedestrians; boxes on distractors do not count.
    Mot17,
    /// As MOT17; other vehicles are distractors, too.
    Mot20,
    /// KITTI's tracking benchmark: cars and pedestrians; boxes on vans, on sitting people and on
    /// objects that are truncated or of unknown occlusion do not count, and neither do unmatched boxes
    /// of at most 25 pixels or in regions.
    Kitti,
}

/// The rules for one class.
struct Rules<'a> {
    class: &'a str,
    /// Boxes of the tracker on these do not count.
    distractors: &'static [&'static str],
    /// Whether boxes of the tracker are matched with the truth of all classes.
    all_classes: bool,
    /// Whether truncated objects and those of unknown occlusion are distractors.
    hidden: bool,
    /// Unmatched boxes must be higher, in pixels.
    min_height: Option<f64>,
}

/// The worst degrees at which KITTI scores an object.
const WORST_OCCLUSION: i64 = 2;
const WORST_TRUNCATION: i64 = 0;

impl Protocol {
    pub const ALL: [Protocol; 5] = [
        Protocol::Plain,
        Protocol::Mot15,
        Protocol::Mot17,
        Protocol::Mot20,
        Protocol::Kitti,
    ];

    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Plain => "plain",
            Protocol::Mot15 => "mot15",
            Protocol::Mot17 => "mot17",
            Protocol::Mot20 => "mot20",
            Protocol::Kitti => "kitti",
        }
    }

    /// The classes that it scores; `None` for all of the truth.
    pub const fn classes(self) -> Option<&'static [&'static str]> {
        match self {
            Protocol::Plain => None,
            Protocol::Mot15 | Protocol::Mot17 | Protocol::Mot20 => Some(&["pedestrian"]),
            Protocol::Kitti => Some(&["car", "pedestrian"]),
        }
    }

    /// The class that a detector's label stands for, where a benchmark has its own name.
    pub fn class_of_label(self, label: &str) -> &str {
        if self != Protocol::Plain && same_name(label, "person") {
            "pedestrian"
        } else {
            label
        }
    }

    /// Returns whether the truth has one class only, which it need not name.
    pub const fn has_one_class(self) -> bool {
        matches!(self, Protocol::Mot15)
    }

    fn rules(self, class: &str) -> Rules<'_> {
        const MOT17: &[&str] = &[
            "person_on_vehicle",
            "static_person",
            "distractor",
            "reflection",
        ];
        const MOT20: &[&str] = &[
            "person_on_vehicle",
            "static_person",
            "distractor",
            "reflection",
            "non_mot_vehicle",
        ];
        let plain = Rules {
            class,
            distractors: &[],
            all_classes: false,
            hidden: false,
            min_height: None,
        };
        let mot = |distractors| Rules {
            distractors,
            all_classes: true,
            ..plain
        };
        match self {
            Protocol::Plain | Protocol::Mot15 => plain,
            Protocol::Mot17 => mot(MOT17),
            Protocol::Mot20 => mot(MOT20),
            Protocol::Kitti => Rules {
                distractors: match same_name(class, "car") {
                    true => &["van"],
                    false => &["person", "person_sitting"],
                },
                hidden: true,
                min_height: Some(25.0),
                ..plain
            },
        }
    }

    /// Takes what counts of one class out of a sequence. `names` are the classes of both.
    pub fn class_sequence(
        self,
        class: &str,
        names: &ClassNames,
        truth: &Sequence,
        tracks: &Sequence,
        length: usize,
    ) -> ClassSequence {
        let rules = self.rules(class);
        let is_class = |found: &&TrackBox| same_name(names.name(found.class), class);
        let mut frames: BTreeMap<usize, [Vec<&TrackBox>; 2]> = BTreeMap::new();
        for (side, boxes) in [&truth.boxes, &tracks.boxes].into_iter().enumerate() {
            for (frame, boxes) in by_frame(boxes) {
                frames.entry(frame).or_default()[side] = boxes;
            }
        }
        let (mut objects, mut track_ids) = (Numbering::default(), Numbering::default());
        let mut sequence = ClassSequence {
            length,
            ..ClassSequence::default()
        };
        for (number, [truth, tracks]) in frames {
            let regions: Vec<Corners> = truth
                .iter()
                .filter(|found| found.marks.region)
                .map(|found| found.corners)
                .collect();
            let truth = truth.into_iter().filter(|found| !found.marks.region);
            let truth: Vec<_> = truth.filter(|found| rules.takes(found, names)).collect();
            let tracks: Vec<_> = tracks.into_iter().filter(is_class).collect();
            let (rows, columns) = rules.frame(names, &truth, &tracks, &regions);
            if rows.is_empty() && columns.is_empty() {
                continue;
            }
            let corners = |boxes: &[&TrackBox], which: &[usize]| -> Vec<Corners> {
                which.iter().map(|&at| boxes[at].corners).collect()
            };
            sequence.frames.push(ClassFrame {
                number,
                objects: rows
                    .iter()
                    .map(|&at| objects.number(truth[at].id))
                    .collect(),
                tracks: columns
                    .iter()
                    .map(|&at| track_ids.number(tracks[at].id))
                    .collect(),
                overlaps: overlaps(&corners(&truth, &rows), &corners(&tracks, &columns)),
            });
        }
        sequence.objects = objects.count();
        sequence.tracks = track_ids.count();
        sequence
    }
}

impl Rules<'_> {
    /// Whether a box of the truth takes part in what is excluded or scored.
    fn takes(&self, found: &TrackBox, names: &ClassNames) -> bool {
        let name = names.name(found.class);
        self.all_classes || same_name(name, self.class) || self.is_distractor(name)
    }

    fn is_distractor(&self, name: &str) -> bool {
        self.distractors
            .iter()
            .any(|distractor| same_name(distractor, name))
    }

    /// Which objects and which tracks of a frame count, by position.
    fn frame(
        &self,
        names: &ClassNames,
        truth: &[&TrackBox],
        tracks: &[&TrackBox],
        regions: &[Corners],
    ) -> (Vec<usize>, Vec<usize>) {
        let hidden = |found: &TrackBox| {
            let marks = found.marks;
            self.hidden
                && (marks.occlusion > WORST_OCCLUSION || marks.truncation > WORST_TRUNCATION)
        };
        let mut counts = vec![true; tracks.len()];
        let mut matched = vec![false; tracks.len()];
        if self.hidden || self.all_classes || !regions.is_empty() {
            let corners = |boxes: &[&TrackBox]| -> Vec<Corners> {
                boxes.iter().map(|found| found.corners).collect()
            };
            let enough = |overlap: f64| {
                if overlap < THRESHOLD - f64::EPSILON {
                    0.0
                } else {
                    overlap
                }
            };
            let score = overlaps(&corners(truth), &corners(tracks)).map(enough);
            for (row, column) in assign(&score.map(|score| -score)) {
                if score.at(row, column) > f64::EPSILON {
                    matched[column] = true;
                    let distractor = self.is_distractor(names.name(truth[row].class));
                    counts[column] = !distractor && !hidden(truth[row]);
                }
            }
        }
        for (column, found) in tracks
            .iter()
            .enumerate()
            .filter(|(column, _)| !matched[*column])
        {
            let height = found.corners[3] - found.corners[1];
            let small = self
                .min_height
                .is_some_and(|least| height <= least + f64::EPSILON);
            let excused =
                |&region: &Corners| share_within(found.corners, region) > 0.5 + f64::EPSILON;
            counts[column] = !small && !regions.iter().any(excused);
        }
        let scored = |found: &TrackBox| {
            same_name(names.name(found.class), self.class) && !found.marks.ignored && !hidden(found)
        };
        let rows = (0..truth.len()).filter(|&row| scored(truth[row])).collect();
        let columns = (0..tracks.len()).filter(|&column| counts[column]).collect();
        (rows, columns)
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Protocol::ALL
            .into_iter()
            .find(|protocol| protocol.name() == text);
        known.ok_or_else(|| {
            let names = Protocol::ALL.map(Protocol::name).join(", ");
            format!("expected one of {names}, found {text:?}")
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
