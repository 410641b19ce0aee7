//! Where the sequences of a data set are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::TrackError;
use shuffledet_core::bounded_file::{DATA_LIMIT, TEXT_LIMIT};
use shuffledet_core::text;

/// A sequence and the file of its truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceFiles {
    pub name: String,
    pub truth: PathBuf,
    /// How many frames it has, from `seqinfo.ini` or from KITTI's `evaluate_tracking.seqmap`.
    pub length: Option<usize>,
}

/// Finds the sequences of a truth, by name: a file, `NAME/gt/gt.txt` as MOTChallenge has them,
/// `label_02/NAME.txt` as KITTI has them, or `NAME.txt`.
///
/// # Errors
/// There is none, or something cannot be read.
pub fn truth_files(path: &Path) -> Result<Vec<SequenceFiles>, TrackError> {
    if !path.is_dir() {
        return Ok(vec![sequence_of(path)?]);
    }
    let labels = path.join("label_02");
    let folder = if labels.is_dir() {
        labels.as_path()
    } else {
        path
    };
    let lengths = seqmap(path)?;
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(TrackError::io(folder))? {
        let entry = entry.map_err(TrackError::io(folder))?.path();
        let truth = entry.join("gt").join("gt.txt");
        if truth.is_file() {
            let files = sequence_of(&truth)?;
            found.insert(files.name.clone(), files);
        } else if entry.is_file()
            && entry
                .extension()
                .is_some_and(|extension| extension == "txt")
        {
            let mut files = sequence_of(&entry)?;
            files.length = files.length.or(lengths.get(&files.name).copied());
            found.insert(files.name.clone(), files);
        }
    }
    if found.is_empty() {
        let found = match fs::read_dir(folder)
            .map_err(TrackError::io(folder))?
            .flatten()
            .next()
        {
            Some(entry) => format!(", found {:?}", entry.file_name()),
            None => ", found nothing".to_owned(),
        };
        let path = path.to_owned();
        return Err(TrackError::NoSequence { path, found });
    }
    Ok(found.into_values().collect())
}

/// The sequence whose truth is a file, named after the file, or after the folder of `gt/gt.txt`.
fn sequence_of(path: &Path) -> Result<SequenceFiles, TrackError> {
    let folder = path.parent().filter(|parent| {
        parent.file_name().is_some_and(|name| name == "gt")
            && path.file_name().is_some_and(|name| name == "gt.txt")
    });
    let folder = folder.and_then(Path::parent);
    let name = folder.and_then(Path::file_name).or(path.file_stem());
    let info = folder
        .map(|folder| folder.join("seqinfo.ini"))
        .filter(|info| info.is_file());
    Ok(SequenceFiles {
        name: name.unwrap_or_default().to_string_lossy().into_owned(),
        truth: path.to_owned(),
        length: info.map(|info| seq_length(&info)).transpose()?,
    })
}

/// The frames that MOTChallenge's `seqinfo.ini` states.
fn seq_length(path: &Path) -> Result<usize, TrackError> {
    let text = text::read(path, DATA_LIMIT).map_err(TrackError::io(path))?;
    let values = text.lines().filter_map(|line| line.split_once('='));
    let mut values = values.filter(|(key, _)| key.trim().eq_ignore_ascii_case("seqLength"));
    let length = values
        .next()
        .and_then(|(_, value)| value.trim().parse().ok());
    length.ok_or_else(|| {
        TrackError::file(path, "expected a line `seqLength=600`, found none; add it")
    })
}

/// The frames by sequence that KITTI's lists beside the labels state: `NAME empty 000000 FRAMES`.
fn seqmap(folder: &Path) -> Result<BTreeMap<String, usize>, TrackError> {
    let mut lengths = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(TrackError::io(folder))? {
        let entry = entry.map_err(TrackError::io(folder))?;
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with("evaluate_tracking.seqmap")
        {
            continue;
        }
        let text = text::read(&entry.path(), TEXT_LIMIT).map_err(TrackError::io(&entry.path()))?;
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [name, _, _, length, ..] = fields[..]
                && let Ok(length) = length.parse()
            {
                lengths.insert(name.to_owned(), length);
            }
        }
    }
    Ok(lengths)
}
