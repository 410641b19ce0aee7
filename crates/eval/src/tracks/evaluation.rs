//! What an evaluation of tracks came to. `docs/tracks.md` documents its JSON form.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::counts::Counts;
use super::figures::{Curves, TrackFigures};
use super::parts::{self, TooManyTracks};
use super::protocol::Protocol;
use super::read::UNNAMED;
use super::sequence::{ClassNames, Sequence};
use shuffledet_core::bounded_file::DATA_LIMIT;
use shuffledet_core::text::{self, same_name};
use shuffledet_core::whole_file;

/// The result: a pure function of the truth, the tracks and the protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackEvaluation {
    /// All classes, each box alike; TrackEval's `cls_comb_det_av`.
    pub combined: TrackFigures,
    /// The mean over the classes that have a box; TrackEval's `cls_comb_cls_av`.
    pub class_average: TrackFigures,
    pub per_class: Vec<ClassTracks>,
    /// Of all classes together.
    pub curves: Curves,
    pub dataset: TrackDataset,
    /// What a reader of the figures should know.
    pub notes: Vec<String>,
    pub sequences: Vec<SequenceTracks>,
}

/// The figures of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassTracks {
    pub name: String,
    /// Boxes of the truth.
    pub truth_boxes: u64,
    /// Boxes of the tracker.
    pub track_boxes: u64,
    /// Tracks of the truth.
    pub objects: u64,
    /// Tracks of the tracker.
    pub tracks: u64,
    #[serde(flatten)]
    pub figures: TrackFigures,
}

/// What was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackDataset {
    /// The path of the truth, as given.
    pub truth: String,
    /// `mot` or `kitti`.
    pub format: String,
    /// Of the files of the truth, in the order of the sequences.
    pub sha256: String,
    /// The path of the tracks, as given.
    pub tracks: String,
    pub protocol: Protocol,
}

/// The counts of one sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceTracks {
    pub name: String,
    /// Number of frames.
    pub length: usize,
    /// By class, in parts of [`PART_FRAMES`](super::PART_FRAMES) frames.
    pub parts: BTreeMap<String, Vec<Counts>>,
}

/// Why tracks cannot be evaluated.
#[derive(Debug, Error)]
pub enum TrackEvaluationError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: not an evaluation of tracks; expected a file that `shuffledet eval-tracks --output` wrote: {source}", path.display())]
    NotAnEvaluation {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error(
        "{truth}: no object to evaluate: the truth has no box of {expected}; check --protocol and --class-map"
    )]
    NoObjects { truth: String, expected: String },
    #[error(
        "{tracks}: the boxes name no class, but the truth has {classes}; use tracks that name their classes"
    )]
    NoClass { tracks: String, classes: String },
    #[error(
        "sequence {sequence}, class {class}: {objects} objects and {tracks} tracks overlap each other: too many to assign; evaluate fewer frames"
    )]
    TooManyTracks {
        sequence: String,
        class: String,
        objects: usize,
        tracks: usize,
    },
}

/// The truth and the tracks of one sequence.
pub struct SequencePair {
    pub truth: Sequence,
    pub tracks: Sequence,
}

impl TrackEvaluation {
    /// Scores the tracks of every sequence. `names` are the classes of the boxes.
    pub fn new(
        dataset: TrackDataset,
        mut names: ClassNames,
        mut pairs: Vec<SequencePair>,
    ) -> Result<Self, TrackEvaluationError> {
        let classes = classes(dataset.protocol, &names, &pairs);
        if classes.is_empty() {
            let expected = dataset
                .protocol
                .classes()
                .map_or("any class".to_owned(), |all| all.join(" or "));
            let truth = dataset.truth;
            return Err(TrackEvaluationError::NoObjects { truth, expected });
        }
        name_unnamed(&dataset, &classes, &mut names, &mut pairs)?;
        let notes = notes(&classes, &names, &pairs);
        let mut sequences = Vec::with_capacity(pairs.len());
        for SequencePair { truth, tracks } in &pairs {
            let boxes = truth.boxes.iter().chain(&tracks.boxes);
            let last = boxes.map(|found| found.frame + 1).max().unwrap_or(0);
            let length = truth.length.unwrap_or(last);
            let mut parts = BTreeMap::new();
            for class in &classes {
                let sequence = dataset
                    .protocol
                    .class_sequence(class, &names, truth, tracks, length);
                let counts =
                    parts::count(&sequence).map_err(|TooManyTracks { objects, tracks }| {
                        TrackEvaluationError::TooManyTracks {
                            sequence: truth.name.clone(),
                            class: class.clone(),
                            objects,
                            tracks,
                        }
                    })?;
                parts.insert(class.clone(), counts);
            }
            sequences.push(SequenceTracks {
                name: truth.name.clone(),
                length,
                parts,
            });
        }
        let of_class =
            |class: &String| Counts::total(sequences.iter().flat_map(|s| &s.parts[class]));
        let totals: Vec<Counts> = classes.iter().map(of_class).collect();
        let per_class: Vec<_> = (classes.iter().zip(&totals))
            .map(|(name, counts)| ClassTracks::new(name, counts))
            .collect();
        let total = Counts::total(&totals);
        let present = per_class
            .iter()
            .filter(|class| class.truth_boxes + class.track_boxes > 0);
        let present: Vec<_> = present.map(|class| class.figures).collect();
        Ok(Self {
            combined: TrackFigures::new(&total),
            class_average: TrackFigures::average(&present),
            per_class,
            curves: Curves::new(&total),
            dataset,
            notes,
            sequences,
        })
    }

    /// Reads what [`TrackEvaluation::write`] wrote.
    pub fn read(path: &Path) -> Result<Self, TrackEvaluationError> {
        let text = text::read(path, DATA_LIMIT).map_err(|source| TrackEvaluationError::Io {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| TrackEvaluationError::NotAnEvaluation {
            path: path.to_owned(),
            source,
        })
    }

    /// Returns whether a file is one of these, by its beginning.
    pub fn is_in(path: &Path) -> bool {
        text::read(path, DATA_LIMIT).is_ok_and(|text| {
            let begin: String = text
                .chars()
                .filter(|c| !c.is_whitespace())
                .take(12)
                .collect();
            begin == r#"{"combined":"#
        })
    }

    /// Writes the file whole: one JSON object.
    pub fn write(&self, path: &Path) -> Result<(), TrackEvaluationError> {
        let text = serde_json::to_string(self).map_err(io::Error::from);
        let written = text.and_then(|text| whole_file::write(path, text + "\n"));
        written.map_err(|source| TrackEvaluationError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Returns the number of frames of all sequences.
    pub fn frames(&self) -> u64 {
        self.sequences
            .iter()
            .map(|sequence| sequence.length as u64)
            .sum()
    }
}

impl ClassTracks {
    fn new(name: &str, counts: &Counts) -> Self {
        Self {
            name: name.to_owned(),
            truth_boxes: counts.truth_boxes,
            track_boxes: counts.track_boxes,
            objects: counts.objects,
            tracks: counts.tracks,
            figures: TrackFigures::new(counts),
        }
    }
}

impl SequenceTracks {
    /// Returns the figures of all classes together.
    pub fn figures(&self) -> TrackFigures {
        TrackFigures::new(&Counts::total(self.parts.values().flatten()))
    }
}

/// The classes that the protocol scores and the truth has, by name.
fn classes(protocol: Protocol, names: &ClassNames, pairs: &[SequencePair]) -> Vec<String> {
    let mut present = vec![false; names.names().len()];
    for found in pairs.iter().flat_map(|pair| &pair.truth.boxes) {
        present[found.class] |= !found.marks.region && !found.marks.ignored;
    }
    let present = names.names().iter().zip(present);
    let present = present
        .filter(|(_, present)| *present)
        .map(|(name, _)| name);
    let mut classes: Vec<String> = match protocol.classes() {
        None => present.cloned().collect(),
        Some(scored) => {
            let scored =
                present.filter_map(|name| scored.iter().find(|class| same_name(class, name)));
            scored.map(|&class| class.to_owned()).collect()
        }
    };
    classes.sort_unstable();
    classes.dedup_by(|a, b| same_name(a, b));
    classes
}

/// Gives boxes without a class the class of the truth, where it has only one.
fn name_unnamed(
    dataset: &TrackDataset,
    classes: &[String],
    names: &mut ClassNames,
    pairs: &mut [SequencePair],
) -> Result<(), TrackEvaluationError> {
    let unnamed = names.position(UNNAMED);
    let mut boxes = pairs.iter_mut().flat_map(|pair| &mut pair.tracks.boxes);
    let mut boxes = boxes
        .by_ref()
        .filter(|found| found.class == unnamed)
        .peekable();
    if boxes.peek().is_none() || classes.iter().any(|class| same_name(class, UNNAMED)) {
        return Ok(());
    }
    let [only] = classes else {
        return Err(TrackEvaluationError::NoClass {
            tracks: dataset.tracks.clone(),
            classes: classes.join(", "),
        });
    };
    let only = names.position(only);
    boxes.for_each(|found| found.class = only);
    Ok(())
}

/// Which classes of the tracks are not scored, and how many of their boxes are left out.
fn notes(classes: &[String], names: &ClassNames, pairs: &[SequencePair]) -> Vec<String> {
    let mut boxes = vec![0_u64; names.names().len()];
    for found in pairs.iter().flat_map(|pair| &pair.tracks.boxes) {
        boxes[found.class] += 1;
    }
    let unscored = |name: &str| !classes.iter().any(|class| same_name(class, name));
    let left_out = names.names().iter().zip(boxes);
    let left_out = left_out.filter(|&(name, count)| count > 0 && unscored(name));
    left_out
        .map(|(name, count)| format!("left out {count} boxes of class {name}, which is not scored"))
        .collect()
}
