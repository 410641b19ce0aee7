//! Tracks from the files in which people have them.

mod checks;
mod error;
mod json;
mod kitti;
mod lines;
mod mot;
mod sources;

use std::path::{Path, PathBuf};

use super::protocol::Protocol;
use super::sequence::{ClassNames, Sequence};
use crate::ClassMap;

pub use error::TrackError;
pub use json::FrameList;
pub use lines::TrackFormat;
pub use sources::{SequenceFiles, truth_files};

/// The class of boxes whose file names none.
pub const UNNAMED: &str = "object";

/// What a reader needs to know beyond the file.
pub struct Reading<'a> {
    pub protocol: Protocol,
    pub class_map: &'a ClassMap,
    /// All frames, for tracks as JSON.
    pub frames: Option<&'a FrameList>,
    /// The camera, where the JSON has several.
    pub topic: Option<&'a str>,
}

/// Reads the truth of a sequence.
///
/// # Errors
/// A line that is not one of its format, a box that is not finite, an object twice in a frame, or a
/// frame beyond the end.
pub fn read_truth(
    files: &SequenceFiles,
    format: TrackFormat,
    reading: &Reading<'_>,
    names: &mut ClassNames,
) -> Result<Sequence, TrackError> {
    let rename = |class: &str| {
        reading
            .class_map
            .category_of_truth(class)
            .map(str::to_owned)
    };
    let mut sequence = lines::read(
        &files.truth,
        format,
        lines::Role::Truth,
        reading,
        &rename,
        names,
    )?;
    sequence.name = files.name.clone();
    sequence.length = files.length;
    checks::check(&sequence, &files.truth)?;
    Ok(sequence)
}

/// Reads the tracks of a tracker for the sequence `files`, from text in the MOT or the KITTI format,
/// or from the JSON of `shuffledet track`.
///
/// # Errors
/// As [`read_truth`]; for JSON, frames that are not in the list, or several cameras.
pub fn read_tracks(
    path: &Path,
    files: &SequenceFiles,
    reading: &Reading<'_>,
    names: &mut ClassNames,
) -> Result<Sequence, TrackError> {
    let rename = |class: &str| match reading.class_map.category_of_label(class) {
        Some(target) => target.map(str::to_owned),
        None => Some(reading.protocol.class_of_label(class).to_owned()),
    };
    let is_json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let mut sequence = if is_json {
        json::read(path, reading, &rename, names)?
    } else {
        let format = TrackFormat::guess(path)?;
        lines::read(path, format, lines::Role::Tracks, reading, &rename, names)?
    };
    sequence.name = files.name.clone();
    sequence.length = files.length;
    checks::check(&sequence, path)?;
    Ok(sequence)
}

/// Returns the file of a sequence's tracks: `path` itself where it is a file, or the sequence's file in
/// that folder.
///
/// # Errors
/// The folder has no such file, or `path` is one file for several sequences.
pub fn tracks_file(path: &Path, sequence: &str, sequences: usize) -> Result<PathBuf, TrackError> {
    if !path.is_dir() {
        if sequences > 1 {
            return Err(TrackError::OneFile {
                path: path.to_owned(),
                sequences,
            });
        }
        return Ok(path.to_owned());
    }
    let named = ["txt", "json"].map(|extension| path.join(format!("{sequence}.{extension}")));
    let found = named.iter().find(|path| path.is_file()).cloned();
    found.ok_or_else(|| TrackError::NoTracks {
        path: path.to_owned(),
        sequence: sequence.to_owned(),
    })
}

#[cfg(test)]
mod tests;
