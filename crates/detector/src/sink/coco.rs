//! Detections in COCO's results format, with their frame.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::pipeline::Frame;
use shuffledet_core::Labels;
use shuffledet_core::whole_file::{beside, keep};

/// A JSON array, written frame by frame, that gets its name when it is complete.
pub struct CocoFile {
    path: PathBuf,
    out: BufWriter<NamedTempFile>,
    any: bool,
}

/// One detection; `docs/formats.md` has the meaning of each key.
#[derive(Serialize)]
struct Row<'a> {
    image_id: u64,
    category_id: u32,
    bbox: [f32; 4],
    score: f32,
    label: &'a str,
    topic: &'a str,
    stamp_ns: i64,
    frame_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range_m: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range_sigma_m: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_collision_s: Option<f64>,
}

impl CocoFile {
    /// Creates the folder if it does not exist. The file at `path` is only replaced by
    /// [`CocoFile::finish`].
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::new(beside(path)?),
            any: false,
        })
    }

    /// Adds the detections of a frame on `topic`.
    pub fn write(&mut self, frame: &Frame, topic: &str, labels: &Labels) -> io::Result<()> {
        for (index, detection) in frame.detections.iter().enumerate() {
            let track = frame
                .tracks
                .iter()
                .find(|track| track.detection == Some(index));
            let range = track.and_then(|track| track.range);
            let collision = track.and_then(|track| track.time_to_collision);
            let bbox = detection.bbox;
            self.out.write_all(if self.any { b",\n" } else { b"[\n" })?;
            self.any = true;
            let row = Row {
                image_id: frame.sequence,
                category_id: labels.category_id(detection.class_id),
                bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()],
                score: detection.score,
                label: labels.name(detection.class_id),
                topic,
                stamp_ns: frame.stamp.to_ns(),
                frame_id: &frame.frame_id,
                track_id: track.map(|track| track.id.get()),
                range_m: range.map(|range| range.distance_m()),
                range_sigma_m: range.map(|range| range.distance_deviation_m()),
                time_to_collision_s: collision.map(|found| found.seconds),
            };
            serde_json::to_writer(&mut self.out, &row)?;
        }
        Ok(())
    }

    /// Completes the file.
    pub fn finish(mut self) -> io::Result<()> {
        self.out
            .write_all(if self.any { b"\n]\n" } else { b"[]\n" })?;
        let file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        keep(file, &self.path)
    }
}
