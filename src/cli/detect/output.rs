//! What `detect` prints and draws for a picture.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::cli::terminal;
use shuffledet_core::whole_file;
use shuffledet_core::{Detection, Labels, Resolution};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, Damage, draw};

/// One line of `--json`.
#[derive(Serialize)]
struct ImageResult<'a> {
    file: String,
    width: u32,
    height: u32,
    /// The time of a camera's picture, in nanoseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp_ns: Option<u64>,
    /// The size of the network's input in each run of the model, in the order of the regions.
    input_sizes: &'a [Resolution],
    detections: Vec<FoundObject<'a>>,
}

/// An image with what was found in it.
pub struct DetectedImage {
    /// Width and height.
    pub size: (u32, u32),
    /// The time of a camera's picture, in nanoseconds since 1970.
    pub stamp_ns: Option<u64>,
    pub damage: Option<Damage>,
    pub inputs: Vec<Resolution>,
    pub detections: Vec<Detection>,
}

#[derive(Serialize)]
struct FoundObject<'a> {
    label: &'a str,
    /// The model's class index.
    class_id: usize,
    score: f32,
    /// Left, top, width, height in pixels of the image.
    bbox: [f32; 4],
    /// The other classes that it may have, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    further: Vec<FoundHypothesis<'a>>,
}

#[derive(Serialize)]
struct FoundHypothesis<'a> {
    label: &'a str,
    class_id: usize,
    score: f32,
}

/// Writes the picture with its boxes to `target`, whole or not at all.
pub fn write_drawn(
    target: &Path,
    encoder: &mut JpegEncoder,
    image: &BgrView<'_>,
    detected: &DetectedImage,
    labels: &Labels,
) -> anyhow::Result<()> {
    let canvas = draw::annotate(image, &detected.detections, labels, u32::MAX)?;
    let picture = BgrView::from_mat(&canvas).context("OpenCV gave no BGR canvas")?;
    whole_file::write(target, encoder.encode(&picture)?)?;
    Ok(())
}

/// Prints a picture's detections, `as_json` on one line.
pub fn print(
    as_json: bool,
    labels: &Labels,
    file: &str,
    detected: &DetectedImage,
) -> anyhow::Result<()> {
    let found = |detection: &Detection| {
        let bbox = detection.bbox;
        let further = detection.hypotheses().skip(1);
        FoundObject {
            label: labels.name(detection.class_id),
            class_id: detection.class_id,
            score: detection.score,
            bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()],
            further: further
                .map(|(class_id, score)| FoundHypothesis {
                    label: labels.name(class_id),
                    class_id,
                    score,
                })
                .collect(),
        }
    };
    let (width, height) = detected.size;
    let result = ImageResult {
        file: file.to_owned(),
        width,
        height,
        stamp_ns: detected.stamp_ns,
        input_sizes: &detected.inputs,
        detections: detected.detections.iter().map(found).collect(),
    };
    let mut out = terminal::stdout();
    if as_json {
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
        return Ok(());
    }
    let count = result.detections.len();
    let objects = if count == 1 { "object" } else { "objects" };
    let inputs: Vec<_> = result
        .input_sizes
        .iter()
        .map(Resolution::to_string)
        .collect();
    writeln!(
        out,
        "{}: {}x{}, input {}, {count} {objects}",
        result.file,
        result.width,
        result.height,
        inputs.join(" ")
    )?;
    for found in &result.detections {
        let [x, y, width, height] = found.bbox;
        let (label, score) = (found.label, found.score);
        writeln!(
            out,
            "  {label:<16} {score:.3}  at {x:.0},{y:.0}  {width:.0}x{height:.0}"
        )?;
    }
    Ok(())
}
