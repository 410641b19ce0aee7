//! Where objects are, computed by `tests/reference/pinhole.py`.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use shuffledet_msg::{Detection2DArray, Detection3DArray};

use crate::python::python;
use crate::repository;

/// Compares the tracks in space of some frames with those that follow from the boxes on `~/tracks`
/// for this `camera`, as pinhole.py takes it. Returns how many there are; `None`, and a line that says
/// so, without the Python tools.
#[track_caller]
pub fn assert_places(
    test: &str,
    camera: &Value,
    frames: &[(Detection2DArray, Detection3DArray)],
) -> Option<usize> {
    let boxes = frames.iter().flat_map(|(tracks, _)| &tracks.detections);
    let tracks: Vec<_> = boxes
        .map(|track| {
            let (bbox, told) = (&track.bbox, &track.results[0]);
            let variances = [0, 7, 14, 21].map(|at| told.pose.covariance[at]);
            json!({
                "class": told.class_id,
                "bbox": [bbox.center_x, bbox.center_y, bbox.size_x, bbox.size_y],
                "variances": variances,
            })
        })
        .collect();
    let mut expected = ask(test, &json!({"camera": camera, "tracks": tracks}))?.into_iter();
    let mut count = 0;
    for (tracks, in_space) in frames {
        assert_eq!(tracks.header, in_space.header);
        let mut found = in_space.detections.iter();
        for track in &tracks.detections {
            let expected = expected.next().unwrap();
            if expected.is_null() {
                assert_eq!(track.results.len(), 1, "{track:?}");
                continue;
            }
            let found = found
                .next()
                .unwrap_or_else(|| panic!("not in space: {track:?}"));
            assert_eq!((&found.id, &found.header), (&track.id, &track.header));
            // the track carries the same pose
            assert_eq!(found.results.as_slice(), &track.results[1..]);
            assert_eq!(found.results[0].class_id, track.results[0].class_id);
            let pose = &found.results[0].pose;
            assert_eq!(pose.position, found.bbox.center);
            let size: [f64; 2] = serde_json::from_value(expected["size"].clone()).unwrap();
            let position: [f64; 3] = serde_json::from_value(expected["position"].clone()).unwrap();
            let covariance: [[f64; 3]; 3] =
                serde_json::from_value(expected["covariance"].clone()).unwrap();
            for axis in 0..3 {
                close(pose.position[axis], position[axis], position[2]);
                for other in 0..3 {
                    let (row, scale) = (covariance[axis], covariance[2][2]);
                    close(pose.covariance[6 * axis + other], row[other], scale);
                }
            }
            close(found.bbox.size[0], size[0], size[1]);
            close(found.bbox.size[1], size[1], size[1]);
            assert_eq!(found.bbox.size[2], 0.0);
            count += 1;
        }
        assert_eq!(found.next(), None);
    }
    Some(count)
}

/// Boxes are 32-bit floats, whose sides are rounded once more by the message.
#[track_caller]
fn close(found: f64, expected: f64, scale: f64) {
    let error = (found - expected).abs() / scale;
    assert!(error < 1e-4, "{found} in place of {expected}");
}

fn ask(test: &str, request: &Value) -> Option<Vec<Value>> {
    let mut child = python(test)?
        .arg(repository("tests/reference/pinhole.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // the script reads everything before it writes, and dropping the pipe ends its input
    let mut input = child.stdin.take().unwrap();
    input.write_all(request.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "pinhole.py failed");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
