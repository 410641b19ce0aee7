//! Tracks as text, one box a line.

use std::path::Path;

use super::super::sequence::{ClassNames, Marks, Sequence, TrackBox};
use super::super::similarity::Corners;
use super::{Reading, TrackError, kitti, mot};
use shuffledet_core::bounded_file::{self, DATA_LIMIT};
use shuffledet_core::text;

/// A text format of tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackFormat {
    /// MOTChallenge: frame (from 1), id, left, top, width, height, mark or score, class, visibility.
    Mot,
    /// KITTI tracking: frame (from 0), id, type, truncated, occluded, alpha, left, top, right, bottom,
    /// seven numbers in space, and a score.
    Kitti,
}

/// Whose boxes a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Truth,
    Tracks,
}

/// A line as it is written.
pub(super) struct Row {
    /// From 0.
    pub frame: usize,
    /// Negative where the box belongs to no track.
    pub id: i64,
    pub class: String,
    pub corners: Corners,
    pub marks: Marks,
}

/// The last frame: nearly two weeks at 25 frames per second.
const LAST_FRAME: f64 = 30e6;

impl TrackFormat {
    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            TrackFormat::Mot => "mot",
            TrackFormat::Kitti => "kitti",
        }
    }

    /// Returns the format that the first line has the shape of. A file without lines is in either.
    pub fn guess(path: &Path) -> Result<Self, TrackError> {
        let text = read_text(path)?;
        let Some((_, line)) = rows(&text).next() else {
            return Ok(TrackFormat::Mot);
        };
        let fields = fields(line);
        // by its shape: what is wrong with the line is told when it is read
        let third_is_number = fields.get(2).map(|field| field.parse::<f64>().is_ok());
        if line.contains(',') || (third_is_number == Some(true) && fields.len() >= 6) {
            Ok(TrackFormat::Mot)
        } else if third_is_number == Some(false) && fields.len() >= 10 {
            Ok(TrackFormat::Kitti)
        } else {
            Err(TrackError::UnknownFormat {
                path: path.to_owned(),
                found: line.trim().chars().take(60).collect(),
            })
        }
    }
}

/// Reads the boxes of a file. `rename` gives the class that counts, `None` for one that is left out.
pub(super) fn read(
    path: &Path,
    format: TrackFormat,
    role: Role,
    reading: &Reading<'_>,
    rename: &dyn Fn(&str) -> Option<String>,
    names: &mut ClassNames,
) -> Result<Sequence, TrackError> {
    let text = read_text(path)?;
    let mut sequence = Sequence::default();
    for (line, content) in rows(&text) {
        let fields = fields(content);
        let row = match format {
            TrackFormat::Mot => mot::row(&fields).map(|row| row.boxed(role, reading.protocol)),
            TrackFormat::Kitti => kitti::row(&fields),
        };
        let at_line = |problem| TrackError::Line {
            path: path.to_owned(),
            line,
            problem,
        };
        let row = row.map_err(at_line)?;
        let mut marks = row.marks;
        if role == Role::Tracks {
            marks = Marks::default();
        }
        if row.id < 0 && !marks.region {
            // KITTI's benchmark leaves them out
            if format == TrackFormat::Kitti {
                continue;
            }
            let problem = format!("expected a track id of at least 0, found {}", row.id);
            return Err(at_line(problem));
        }
        let class = if marks.region {
            Some(row.class)
        } else {
            rename(&row.class)
        };
        let Some(class) = class else {
            continue;
        };
        sequence.boxes.push(TrackBox {
            frame: row.frame,
            id: u64::try_from(row.id).unwrap_or(0),
            class: names.position(&class),
            corners: row.corners,
            marks,
        });
    }
    Ok(sequence)
}

fn read_text(path: &Path) -> Result<String, TrackError> {
    let bytes = bounded_file::read(path, DATA_LIMIT).map_err(TrackError::io(path))?;
    Ok(text::decode_lossy(&bytes).into_owned())
}

/// The lines that are not empty, by number.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(|line| line.trim_start_matches('\u{feff}'));
    (1..).zip(lines).filter(|(_, line)| !line.trim().is_empty())
}

/// Fields between commas, or else between blanks. A comma at the end begins no field.
fn fields(line: &str) -> Vec<&str> {
    if !line.contains(',') {
        return line.split_whitespace().collect();
    }
    let line = line.trim().trim_end_matches(',');
    line.split(',').map(str::trim).collect()
}

/// The finite number at a position.
pub(super) fn number(fields: &[&str], at: usize, name: &str) -> Result<f64, String> {
    let found = fields.get(at).copied().unwrap_or_default();
    let number = found.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| format!("expected a finite number as {name}, found {found:?}"))
}

/// The whole number at a position; what stands behind its point is left out, as in TrackEval.
pub(super) fn whole(fields: &[&str], at: usize, name: &str) -> Result<i64, String> {
    let number = number(fields, at, name)?;
    // 2^53: all whole numbers up to there are exact
    if number.abs() > 9_007_199_254_740_992.0 {
        return Err(format!(
            "expected a whole number of at most 2^53 as {name}, found {number}"
        ));
    }
    Ok(number as i64)
}

/// The frame at position 0; `first` is the number of the first frame.
pub(super) fn frame(fields: &[&str], first: i64) -> Result<usize, String> {
    let frame = whole(fields, 0, "frame")?;
    let expected = || format!("expected a frame from {first} to {LAST_FRAME}, found {frame}");
    if frame as f64 > LAST_FRAME {
        return Err(expected());
    }
    usize::try_from(frame - first).map_err(|_| expected())
}

/// Corners whose right and bottom are not left of and above the others.
pub(super) fn upright(corners: Corners) -> Result<Corners, String> {
    let [left, top, right, bottom] = corners;
    let sides = [right - left, bottom - top];
    if corners.iter().all(|side| side.is_finite()) && sides.iter().all(|&side| side >= 0.0) {
        return Ok(corners);
    }
    let [width, height] = sides;
    Err(format!(
        "expected a box of finite size and of at least 0 px, found {width} x {height}"
    ))
}
