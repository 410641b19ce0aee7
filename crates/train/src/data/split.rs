//! Which samples are learned from, and which are held out to measure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use shuffledet_core::sha256;

use super::{DataError, DataSet, Sample};

/// What is held out.
#[derive(Debug, Clone, PartialEq)]
pub enum HeldOut {
    /// The pictures that a file names, one in each line.
    List(PathBuf),
    /// About that share of the pictures, by whole scenes.
    Share(f64),
}

/// Positions in the data set, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    pub train: Vec<usize>,
    pub val: Vec<usize>,
}

impl Split {
    /// Splits `data`, which was read from `path`. A share is chosen by the names of the scenes and does not depend on
    /// the order of the pictures.
    ///
    /// # Errors
    /// The list cannot be read or names no picture, or one side would be empty.
    pub fn new(data: &DataSet, path: &Path, held_out: &HeldOut) -> Result<Self, DataError> {
        let held = match held_out {
            HeldOut::List(list) => listed(&data.samples, path, list)?,
            HeldOut::Share(share) => chosen(&data.samples, *share),
        };
        let (val, train): (Vec<usize>, Vec<usize>) =
            (0..data.samples.len()).partition(|at| held.contains(at));
        if val.is_empty() || train.is_empty() {
            return Err(DataError::Few {
                path: path.to_owned(),
                count: data.samples.len(),
            });
        }
        Ok(Self { train, val })
    }
}

fn listed(samples: &[Sample], data: &Path, list: &Path) -> Result<BTreeSet<usize>, DataError> {
    let text = fs::read_to_string(list).map_err(|source| DataError::Io {
        path: list.to_owned(),
        source,
    })?;
    let names: BTreeSet<&str> = text.lines().map(str::trim).collect();
    let is_listed = |&at: &usize| names.contains(samples[at].file_name.as_str());
    let held: BTreeSet<usize> = (0..samples.len()).filter(is_listed).collect();
    match held.is_empty() {
        false => Ok(held),
        true => Err(DataError::List {
            list: list.to_owned(),
            data: data.to_owned(),
            example: samples
                .first()
                .map_or_else(String::new, |s| s.file_name.clone()),
            found: names
                .iter()
                .find(|name| !name.is_empty())
                .map_or_else(|| "no line".to_owned(), |name| format!("{name:?}")),
        }),
    }
}

/// Takes scenes in the order of the hash of their names until the share is reached.
fn chosen(samples: &[Sample], share: f64) -> BTreeSet<usize> {
    let mut scenes: BTreeMap<(String, &str), Vec<usize>> = BTreeMap::new();
    for (at, sample) in samples.iter().enumerate() {
        let key = (sha256(sample.scene.as_bytes()), sample.scene.as_str());
        scenes.entry(key).or_default().push(at);
    }
    let wanted = (samples.len() as f64 * share.clamp(0.0, 1.0)).round() as usize;
    let mut held = BTreeSet::new();
    let last = scenes.len().saturating_sub(1);
    for pictures in scenes.into_values().take(last) {
        if held.len() >= wanted.max(1) {
            break;
        }
        held.extend(pictures);
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(name: &str, scene: &str) -> Sample {
        Sample {
            file_name: name.to_owned(),
            path: name.into(),
            size: (1, 1),
            objects: Vec::new(),
            annotated: Vec::new(),
            scene: scene.to_owned(),
        }
    }

    fn data(samples: Vec<Sample>) -> DataSet {
        DataSet {
            samples,
            classes: Vec::new(),
            absent: Vec::new(),
            unused: BTreeMap::new(),
            problems: Default::default(),
        }
    }

    #[test]
    fn a_list_names_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("val.txt");
        let data = data(vec![sample("a", "a"), sample("b", "b")]);
        let split = |text: &str| {
            fs::write(&list, text).unwrap();
            Split::new(&data, Path::new("data"), &HeldOut::List(list.clone()))
        };
        let found = split("b\r\n").unwrap();
        assert_eq!((found.train, found.val), (vec![0], vec![1]));
        let error = split("c\n").unwrap_err().to_string();
        assert!(error.contains("such as a, found \"c\""), "{error}");
        assert!(matches!(split("a\nb\n"), Err(DataError::Few { .. })));
    }

    proptest! {
        #[test]
        fn scenes_are_never_torn(scenes in prop::collection::vec(0u8..12, 2..60), share in 0f64..1.0) {
            let samples: Vec<Sample> = scenes.iter().enumerate()
                .map(|(at, scene)| sample(&at.to_string(), &scene.to_string())).collect();
            let data = data(samples.clone());
            if let Ok(split) = Split::new(&data, Path::new("d"), &HeldOut::Share(share)) {
                prop_assert_eq!(split.train.len() + split.val.len(), samples.len());
                for &held in &split.val {
                    prop_assert!(split.train.iter().all(|&at| samples[at].scene != samples[held].scene));
                }
            } else {
                prop_assert!(scenes.iter().all(|scene| scene == &scenes[0]));
            }
        }
    }
}
