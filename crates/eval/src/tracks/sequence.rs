//! Tracks of a sequence as they are read, and those of one class as they are scored.

use std::collections::{BTreeMap, HashMap};

use super::matrix::Matrix;
use super::similarity::Corners;

/// A sequence as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sequence {
    pub name: String,
    /// How many frames it has, where something says so.
    pub length: Option<usize>,
    /// In the order of the file.
    pub boxes: Vec<TrackBox>,
}

/// One box of a track in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackBox {
    /// From 0.
    pub frame: usize,
    pub id: u64,
    /// Position of its class in [`ClassNames`].
    pub class: usize,
    pub corners: Corners,
    /// What the truth says about it; the default for boxes of a tracker.
    pub marks: Marks,
}

/// What benchmarks say about a box of the truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// It is not to be scored: the seventh number of the MOT format is 0.
    pub ignored: bool,
    /// It is a region in which unmatched boxes are not counted: KITTI's `DontCare`.
    pub region: bool,
    /// KITTI's degree: 0 none, 1 partly, 2 largely, 3 unknown.
    pub occlusion: i64,
    /// KITTI's degree: 0 none, more than 0 some.
    pub truncation: i64,
}

/// The classes of a data set and of its tracks, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassNames(Vec<String>);

impl ClassNames {
    /// Returns the position of a name; a new name gets the next one.
    pub fn position(&mut self, name: &str) -> usize {
        self.0
            .iter()
            .position(|known| known == name)
            .unwrap_or_else(|| {
                self.0.push(name.to_owned());
                self.0.len() - 1
            })
    }

    pub fn name(&self, position: usize) -> &str {
        &self.0[position]
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// The tracks of one class in one sequence, ready to be scored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassSequence {
    /// Frames of the sequence, those without any box included.
    pub length: usize,
    /// Frames with boxes, in order.
    pub frames: Vec<ClassFrame>,
    /// Number of objects: tracks of the truth.
    pub objects: usize,
    /// Number of tracks of the tracker.
    pub tracks: usize,
}

/// A frame of a [`ClassSequence`]. Objects and tracks are numbered through the sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassFrame {
    pub number: usize,
    pub objects: Vec<usize>,
    pub tracks: Vec<usize>,
    /// Overlaps of objects (rows) and tracks (columns).
    pub overlaps: Matrix,
}

/// Numbers for ids, in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Numbering(HashMap<u64, usize>);

impl Numbering {
    pub fn number(&mut self, id: u64) -> usize {
        let next = self.0.len();
        *self.0.entry(id).or_insert(next)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// The boxes by frame, in the order of the file within each frame.
pub(super) fn by_frame(boxes: &[TrackBox]) -> BTreeMap<usize, Vec<&TrackBox>> {
    let mut frames: BTreeMap<usize, Vec<&TrackBox>> = BTreeMap::new();
    for found in boxes {
        frames.entry(found.frame).or_default().push(found);
    }
    frames
}
