//! Options that name data, and reading it.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use shuffledet_detector::model::Manifest;

use crate::data::{DataLocation, DataSet, HeldOut, PseudoBoxes, Sample, Split, read};

/// Where the pictures and labels are.
#[derive(Debug, Clone, Args)]
pub struct DataOptions {
    /// Folder of pictures, if it is not `images` beside the labels.
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// The held-out part: a list of file names, or annotations of other pictures. By default the list val_list.txt of the
    /// data, or a share of the scenes.
    #[arg(long, value_name = "FILE")]
    pub val: Option<PathBuf>,
    /// Share of the pictures that is held out if no part is named.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub val_share: f64,
    /// Boxes of a teacher for the classes that pictures are not annotated for, as `shuffledet label export` writes them,
    /// with pictures of their own or without.
    #[arg(long, value_name = "TEACHER")]
    pub pseudo: Option<PathBuf>,
}

/// Both sides of a data set.
pub struct SplitData {
    pub data: DataSet,
    pub split: Split,
    /// What the teacher's boxes came to, in words.
    pub pseudo: Option<String>,
}

/// Reads the data and splits it.
pub fn read_split(
    path: &Path,
    options: &DataOptions,
    classes: &[String],
) -> anyhow::Result<SplitData> {
    let location = DataLocation::find(path, options.images.as_deref())?;
    let mut data = read(&location, classes)?;
    let mut split = match &options.val {
        Some(val) if val.extension().is_some_and(|ending| ending == "json") || val.is_dir() => {
            let other = read(
                &DataLocation::find(val, options.images.as_deref())?,
                &data.classes,
            )?;
            let first = data.samples.len();
            data.samples.extend(other.samples);
            data.problems.extend(&other.problems);
            Split {
                train: (0..first).collect(),
                val: (first..data.samples.len()).collect(),
            }
        }
        Some(list) => Split::new(&data, path, &HeldOut::List(list.clone()))?,
        None => {
            let list = location.val_list.clone().map(HeldOut::List);
            Split::new(
                &data,
                path,
                &list.unwrap_or(HeldOut::Share(options.val_share)),
            )?
        }
    };
    let pseudo = match &options.pseudo {
        None => None,
        Some(teacher) => {
            let share =
                PseudoBoxes::read(teacher, &data.classes)?.add_to(&mut data, &mut split.train)?;
            let all = (share.people + share.teacher).max(1);
            Some(format!(
                "{} of {} boxes ({:.0} %) are the teacher's, in {} pictures, {} of which it has alone; {} more are ignored because it is unsure",
                share.teacher,
                all,
                100.0 * share.teacher as f64 / all as f64,
                share.pictures,
                share.further,
                share.unsure
            ))
        }
    };
    Ok(SplitData {
        data,
        split,
        pseudo,
    })
}

impl SplitData {
    /// Returns the samples to learn from: those that are annotated for a class.
    pub fn train(&self) -> Vec<Sample> {
        let samples = self.split.train.iter().map(|&at| &self.data.samples[at]);
        samples
            .filter(|sample| sample.annotated.contains(&true))
            .cloned()
            .collect()
    }

    /// Returns the held-out samples.
    pub fn val(&self) -> Vec<Sample> {
        self.split
            .val
            .iter()
            .map(|&at| self.data.samples[at].clone())
            .collect()
    }
}

/// Returns the classes that `--classes` names: a class set of the manifest, or names with commas between them.
pub fn classes(option: Option<&str>) -> anyhow::Result<Vec<String>> {
    let Some(option) = option else {
        return Ok(Vec::new());
    };
    let manifest = Manifest::shipped()?;
    let mut sets = Vec::new();
    for entry in &manifest.models {
        let model = manifest.describe(entry)?;
        for set in &model.class_sets {
            if set.name == option && set.absent.is_empty() {
                let names = set.classes.iter().map(|&class| model.labels.name(class));
                return Ok(names.map(str::to_owned).collect());
            }
            sets.push(set.name.clone());
        }
    }
    let names: Vec<String> = option
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    if names.iter().any(String::is_empty) {
        sets.sort();
        sets.dedup();
        bail!(
            "--classes: expected one of the class sets {}, or names with commas between them, found {option:?}",
            sets.join(", ")
        );
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_a_set_or_names() {
        let road = classes(Some("road")).unwrap();
        assert_eq!(
            (road.len(), road[0].as_str(), road[8].as_str()),
            (9, "person", "stop sign")
        );
        assert_eq!(classes(Some("car, tram")).unwrap(), ["car", "tram"]);
        assert!(classes(None).unwrap().is_empty());
        let error = classes(Some("car,,bus")).unwrap_err().to_string();
        assert!(error.contains("class sets coco, road"), "{error}");
    }
}
