//! Finds what spoils a training, before it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;

use shuffledet_core::sha256;
use shuffledet_eval::Problem;
use shuffledet_eval::truth::reaches_beyond;
use shuffledet_image::ImageDecoder;

use super::{DataSet, Sample, Split};

/// Fewer objects of a class than this teach little.
const FEW_OBJECTS: usize = 50;
/// Fewer held-out objects of a class than this say little about it.
const FEW_HELD_OUT: usize = 10;
/// Findings of a kind that are printed.
const SHOWN: usize = 8;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A picture cannot be read; it cannot be learned from.
    Unreadable,
    /// A picture has another size than its annotation says: its boxes may be elsewhere.
    Size,
    /// A box reaches beyond its picture.
    Outside,
    /// What the reader of the labels left out: empty boxes, unknown categories, lines of another format.
    Labels,
    /// One picture on both sides of the split: the AP on it is not that of new pictures.
    Leak,
    /// One picture twice on one side.
    Duplicate,
    /// Too few objects of a class to learn it, or to measure it.
    FewObjects,
    /// A class without any category or object.
    NoObjects,
    /// Categories that are not among the classes.
    Unused,
    /// A picture that no class is annotated for teaches nothing.
    Unannotated,
}

/// All findings of a data set, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(BTreeMap<Kind, Vec<String>>);

impl Kind {
    /// Whether a training should not start with it.
    pub fn is_error(self) -> bool {
        matches!(
            self,
            Kind::Unreadable | Kind::Size | Kind::Leak | Kind::NoObjects
        )
    }

    /// Returns what is wrong in general, and what to do.
    fn advice(self) -> (&'static str, &'static str) {
        match self {
            Kind::Unreadable => (
                "pictures cannot be read",
                "fetch or convert them again, or remove them from the labels",
            ),
            Kind::Size => (
                "pictures have another size than annotated",
                "export the labels for these very files; boxes are scaled to the file's size here, which is right only if the picture was scaled",
            ),
            Kind::Outside => (
                "boxes reach beyond their picture",
                "check that they are pixels of this picture; they are cut at its border here",
            ),
            Kind::Labels => (
                "labels were left out or are doubtful",
                "correct them in the annotations, or export in COCO's, YOLO's or KITTI's format",
            ),
            Kind::Leak => (
                "pictures are on both sides of the split",
                "remove one of each pair; else the AP is that of pictures seen in training",
            ),
            Kind::Duplicate => (
                "pictures are there twice",
                "remove one of each pair; they count twice now",
            ),
            Kind::FewObjects => (
                "classes have few objects",
                "label more pictures, join classes, or leave the class out with --classes",
            ),
            Kind::NoObjects => (
                "classes have no objects to learn from",
                "label some, name a teacher's boxes with --pseudo, or leave the class out with --classes",
            ),
            Kind::Unused => (
                "categories are not among the classes",
                "add them to --classes, or ignore this: their objects are background",
            ),
            Kind::Unannotated => (
                "pictures are annotated for none of the classes",
                "name a teacher's boxes with --pseudo; they are left out otherwise",
            ),
        }
    }
}

impl Findings {
    fn add(&mut self, kind: Kind, text: String) {
        self.0.entry(kind).or_default().push(text);
    }

    pub fn count(&self, kind: Kind) -> usize {
        self.0.get(&kind).map_or(0, Vec::len)
    }

    pub fn has_errors(&self) -> bool {
        self.0.keys().any(|kind| kind.is_error())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, texts) in &self.0 {
            let (what, advice) = kind.advice();
            let severity = if kind.is_error() { "error" } else { "warning" };
            writeln!(f, "{severity}: {what} ({}): {advice}", texts.len())?;
            for text in texts.iter().take(SHOWN) {
                writeln!(f, "  {text}")?;
            }
            if texts.len() > SHOWN {
                writeln!(f, "  and {} more", texts.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

/// Checks the labels and every picture. The pictures are decoded, which takes some milliseconds each.
pub fn check(data: &DataSet, split: &Split) -> Findings {
    let mut findings = Findings::default();
    labels(data, &mut findings);
    objects(data, split, &mut findings);
    let held: BTreeSet<usize> = split.val.iter().copied().collect();
    let mut decoder = ImageDecoder::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (at, sample) in data.samples.iter().enumerate() {
        let Some(bytes) = picture(sample, &mut decoder, &mut findings) else {
            continue;
        };
        let first = *seen.entry(sha256(&bytes)).or_insert(at);
        if first != at {
            let kind = match held.contains(&first) == held.contains(&at) {
                true => Kind::Duplicate,
                false => Kind::Leak,
            };
            let text = format!(
                "{} and {} have the same bytes",
                data.samples[first].file_name, sample.file_name
            );
            findings.add(kind, text);
        }
    }
    findings
}

/// Checks a picture and its boxes. Returns the bytes of its file.
fn picture(
    sample: &Sample,
    decoder: &mut ImageDecoder,
    findings: &mut Findings,
) -> Option<Vec<u8>> {
    let name = &sample.file_name;
    let bytes = match fs::read(&sample.path) {
        Ok(bytes) => bytes,
        Err(error) => {
            findings.add(
                Kind::Unreadable,
                format!("{}: {error}", sample.path.display()),
            );
            return None;
        }
    };
    match decoder.decode_file(&bytes) {
        Err(error) => findings.add(Kind::Unreadable, format!("{name}: {error}")),
        Ok(view) => {
            let (width, height) = view.image_size();
            let (said_width, said_height) = sample.size;
            if sample.size != (0, 0) && sample.size != (width, height) {
                let text =
                    format!("{name}: {width}x{height}, annotated as {said_width}x{said_height}");
                findings.add(Kind::Size, text);
            }
            let size = if sample.size == (0, 0) {
                (width, height)
            } else {
                sample.size
            };
            for object in &sample.objects {
                let b = object.bbox;
                let bbox = [b.x1, b.y1, b.width(), b.height()].map(f64::from);
                if reaches_beyond(bbox, size) {
                    let [x, y, w, h] = bbox;
                    findings.add(
                        Kind::Outside,
                        format!("{name}: [{x}, {y}, {w}, {h}] in {}x{}", size.0, size.1),
                    );
                }
            }
        }
    }
    Some(bytes)
}

/// Takes over what the reader of the labels found.
fn labels(data: &DataSet, findings: &mut Findings) {
    for (problem, occurrences) in data.problems.iter() {
        // each box is checked with its picture
        if !matches!(problem, Problem::BoxOutside | Problem::NoObjects) {
            let text = format!(
                "{}: {}",
                problem.counted(occurrences.count),
                occurrences.first.join("; ")
            );
            findings.add(Kind::Labels, text);
        }
    }
    for (category, count) in &data.unused {
        findings.add(Kind::Unused, format!("{category}: {count} boxes"));
    }
    for sample in &data.samples {
        if !sample.annotated.contains(&true) {
            findings.add(Kind::Unannotated, sample.file_name.clone());
        }
    }
}

/// Counts the objects of each class on both sides of the split.
fn objects(data: &DataSet, split: &Split, findings: &mut Findings) {
    let count = |side: &[usize], class: usize| {
        let objects = side.iter().flat_map(|&at| &data.samples[at].objects);
        objects
            .filter(|object| object.class == class && !object.ignored)
            .count()
    };
    for (class, name) in data.classes.iter().enumerate() {
        let (train, val) = (count(&split.train, class), count(&split.val, class));
        match (train, val) {
            (0, _) => findings.add(Kind::NoObjects, format!("{name}: none to learn from")),
            (train, _) if train < FEW_OBJECTS => {
                findings.add(
                    Kind::FewObjects,
                    format!("{name}: {train} to learn from, expected at least {FEW_OBJECTS}"),
                );
            }
            (_, val) if val < FEW_HELD_OUT => {
                findings.add(
                    Kind::FewObjects,
                    format!(
                        "{name}: {val} held out, expected at least {FEW_HELD_OUT} to measure it"
                    ),
                );
            }
            _ => {}
        }
    }
}
