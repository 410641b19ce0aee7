//! Comparison with the Python package `rosbags`, through `tests/reference/cdr_messages.py`: equal
//! to the byte.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde::Deserialize;
use serde_json::json;

use super::big_endian::big_endian;
use super::{Message, encoded};
use crate::*;

/// Random messages of each type that are sent to the reference.
const RANDOM_MESSAGES: usize = 40;

#[derive(Deserialize)]
struct Answer {
    echoes: Vec<Bytes>,
    fixed: HashMap<String, Fixed>,
    differs: Vec<String>,
}

#[derive(Deserialize)]
struct Bytes {
    little: String,
    big: String,
}

#[derive(Deserialize)]
struct Fixed {
    r#type: String,
    #[serde(flatten)]
    bytes: Bytes,
}

/// A message sent to the reference: its type's schema, and its bytes.
struct Sent {
    definition: &'static Definition,
    little: &'static [u8],
}

fn python() -> Option<PathBuf> {
    let python = match std::env::var_os("SHUFFLEDET_PYTHON") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(".deps/venv/bin/python"),
    };
    python.exists().then_some(python)
}

fn ask(python: &Path, sent: &[Sent]) -> Answer {
    let definitions: HashMap<_, _> = Definition::ALL
        .map(|d| (d.name, d.schema()))
        .into_iter()
        .collect();
    let messages: Vec<_> = sent
        .iter()
        .map(|s| json!({"type": s.definition.name, "cdr": hex(s.little)}))
        .collect();
    let request = json!({"definitions": definitions, "messages": messages});
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join("tests/reference/cdr_messages.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // the script reads everything before it writes, and dropping the pipe ends its input
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(request.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "cdr_messages.py failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn random<M: Message>(runner: &mut TestRunner, sent: &mut Vec<Sent>) {
    for _ in 0..RANDOM_MESSAGES {
        let message = M::strategy().new_tree(runner).unwrap().current();
        sent.push(Sent {
            definition: M::DEFINITION,
            little: encoded(&message),
        });
    }
}

#[test]
fn rosbags_agrees() {
    let Some(python) = python() else {
        eprintln!("skipped: rosbags_agrees: needs the Python tools");
        return;
    };
    let mut sent = Vec::new();
    let runner = &mut TestRunner::deterministic();
    random::<ImageView>(runner, &mut sent);
    random::<CompressedImageView>(runner, &mut sent);
    random::<CameraInfo>(runner, &mut sent);
    random::<Detection2DArray>(runner, &mut sent);
    random::<Detection3DArray>(runner, &mut sent);
    random::<DiagnosticArray>(runner, &mut sent);
    random::<LabelInfo>(runner, &mut sent);
    random::<VisionInfo>(runner, &mut sent);
    random::<f64>(runner, &mut sent);

    let answer = ask(&python, &sent);

    assert_eq!(answer.differs, [""; 0], "schemas unlike those of Jazzy");
    assert_eq!(answer.echoes.len(), sent.len());
    for (sent, echo) in sent.iter().zip(&answer.echoes) {
        let name = sent.definition.name;
        assert_eq!(echo.little, hex(sent.little), "{name}");
        assert_eq!(
            echo.big,
            hex(&big_endian(sent.definition, sent.little)),
            "{name}"
        );
    }

    let mut fixed = answer.fixed;
    same(&mut fixed, "image", &image());
    same(&mut fixed, "compressed_image", &compressed_image());
    same(&mut fixed, "camera_info", &camera_info());
    same(
        &mut fixed,
        "camera_info_without_distortion",
        &uncalibrated(),
    );
    same(&mut fixed, "detections", &detections());
    same(&mut fixed, "detections_3d", &detections_3d());
    same(&mut fixed, "no_detections", &no_detections());
    same(&mut fixed, "diagnostics", &diagnostics());
    same(&mut fixed, "label_info", &label_info());
    same(&mut fixed, "vision_info", &vision_info());
    same(&mut fixed, "float64", &-12.5);
    let annotations = &definition::IMAGE_ANNOTATIONS;
    same_bytes(
        &mut fixed,
        "image_annotations",
        annotations,
        &image_annotations(2),
    );
    same_bytes(
        &mut fixed,
        "no_annotations",
        annotations,
        &image_annotations(0),
    );
    same_bytes(
        &mut fixed,
        "image_marker",
        &definition::IMAGE_MARKER,
        &image_marker(),
    );
    read_alike(&mut fixed, "foreign_detections", &foreign_detections());
    assert!(fixed.is_empty(), "not compared: {:?}", fixed.keys());
}

/// The reference's bytes are ours, and both its byte orders read as the message. Takes the message
/// out of `fixed`.
fn same<M: Message>(fixed: &mut HashMap<String, Fixed>, key: &str, message: &M) {
    let little = read_alike(fixed, key, message);
    assert_eq!(hex(encoded(message)), little, "{key}");
}

/// The reference's bytes are `ours`, for a type that is only written.
fn same_bytes(fixed: &mut HashMap<String, Fixed>, key: &str, definition: &Definition, ours: &[u8]) {
    let Fixed { r#type, bytes } = fixed.remove(key).unwrap();
    assert_eq!(r#type, definition.name);
    assert_eq!(hex(ours), bytes.little, "{key}");
    assert_eq!(hex(&big_endian(definition, ours)), bytes.big, "{key}");
}

/// Both byte orders of the reference's bytes read as the message. Returns the little-endian bytes,
/// in hexadecimal.
fn read_alike<M: Message>(fixed: &mut HashMap<String, Fixed>, key: &str, message: &M) -> String {
    let Fixed { r#type, bytes } = fixed.remove(key).unwrap();
    assert_eq!(r#type, M::DEFINITION.name);
    assert_eq!(M::read(unhex(&bytes.little)).as_ref(), Ok(message));
    assert_eq!(M::read(unhex(&bytes.big)).as_ref(), Ok(message));
    bytes.little
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> &'static [u8] {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect();
    bytes.leak()
}

// The messages of cdr_messages.py, said again.

fn header(sec: i32, nanosec: u32, frame_id: &str) -> HeaderView<'_> {
    let stamp = Stamp { sec, nanosec };
    HeaderView { stamp, frame_id }
}

fn image() -> ImageView<'static> {
    ImageView {
        header: header(1_700_000_000, 123_456_789, "camera_front"),
        height: 2,
        width: 3,
        encoding: "mono16",
        is_bigendian: true,
        step: 7,
        data: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    }
}

fn compressed_image() -> CompressedImageView<'static> {
    CompressedImageView {
        header: header(-1, 999_999_999, ""),
        format: "bgr8; jpeg compressed bgr8",
        data: &[0xff, 0xd8, 0xff],
    }
}

fn camera_info() -> CameraInfo {
    let one_to_nine = [1., 2., 3., 4., 5., 6., 7., 8., 9.];
    CameraInfo {
        header: header(5, 6, "optical").into(),
        height: 540,
        width: 960,
        distortion_model: "plumb_bob".to_owned(),
        d: vec![0.1, -0.2, 0.3, -0.4, 0.5],
        k: one_to_nine,
        r: one_to_nine.map(|v| -v),
        p: std::array::from_fn(|i| 10.0 * (i + 1) as f64),
        binning_x: 1,
        binning_y: 2,
        roi: RegionOfInterest {
            x_offset: 3,
            y_offset: 4,
            height: 5,
            width: 6,
            do_rectify: true,
        },
    }
}

fn uncalibrated() -> CameraInfo {
    CameraInfo {
        header: header(0, 0, "f").into(),
        height: 1,
        width: 1,
        ..CameraInfo::default()
    }
}

fn detections() -> Detection2DArray {
    let header = header(7, 8, "camera");
    let detection = |class_id: &str,
                     score,
                     [center_x, center_y, size_x, size_y]: [f64; 4],
                     id: &str| Detection2D {
        header: header.into(),
        results: vec![ObjectHypothesisWithPose {
            class_id: class_id.to_owned(),
            score,
            pose: PoseWithCovariance {
                position: [0.0; 3],
                orientation: [0.0, 0.0, 0.0, 1.0],
                covariance: [0.0; 36],
            },
        }],
        bbox: BoundingBox2D {
            center_x,
            center_y,
            theta: 0.0,
            size_x,
            size_y,
        },
        id: id.to_owned(),
    };
    Detection2DArray {
        header: header.into(),
        detections: vec![
            detection("car", 0.75, [100.5, 200.25, 30.0, 40.0], ""),
            detection("fußgänger", 0.5, [1.0, 2.0, 3.0, 4.0], "17"),
        ],
    }
}

fn detections_3d() -> Detection3DArray {
    Detection3DArray {
        header: header(7, 8, "optical").into(),
        detections: vec![Detection3D {
            header: header(5, 6, "optical").into(),
            results: vec![ObjectHypothesisWithPose {
                class_id: "car".to_owned(),
                score: 0.75,
                pose: PoseWithCovariance {
                    position: [1.0, 2.0, 3.0],
                    orientation: [0.0, 0.0, 0.0, 1.0],
                    covariance: std::array::from_fn(|i| i as f64),
                },
            }],
            bbox: BoundingBox3D {
                center: [1.0, 2.0, 3.0],
                orientation: [0.0, 0.0, 0.0, 1.0],
                size: [4.0, 5.0, 6.0],
            },
            id: "17".to_owned(),
        }],
    }
}

fn no_detections() -> Detection2DArray {
    Detection2DArray {
        header: header(7, 8, "camera").into(),
        detections: vec![],
    }
}

fn foreign_detections() -> Detection2DArray {
    let result = |n: f64| ObjectHypothesisWithPose {
        class_id: n.to_string(),
        score: n / 4.0,
        pose: PoseWithCovariance {
            position: [n + 1.0, n + 2.0, n + 3.0],
            orientation: [n + 4.0, n + 5.0, n + 6.0, n + 7.0],
            covariance: std::array::from_fn(|i| n + i as f64),
        },
    };
    Detection2DArray {
        header: header(1, 2, "a").into(),
        detections: vec![
            Detection2D {
                header: header(3, 4, "bc").into(),
                results: vec![result(0.0), result(1.0)],
                bbox: BoundingBox2D {
                    center_x: 1.0,
                    center_y: 2.0,
                    theta: 3.0,
                    size_x: 4.0,
                    size_y: 5.0,
                },
                id: "t".to_owned(),
            },
            Detection2D::default(),
        ],
    }
}

fn diagnostics() -> DiagnosticArray<'static> {
    DiagnosticArray {
        header: header(9, 10, ""),
        status: vec![
            DiagnosticStatus {
                level: Level::Error,
                name: "camera",
                message: "stalled",
                hardware_id: "cam0",
                values: (&[("rate_hz", "0.0"), ("", "x")]).into(),
            },
            DiagnosticStatus {
                level: Level::Ok,
                name: "",
                message: "",
                hardware_id: "",
                values: (&[]).into(),
            },
        ],
    }
}

fn label_info() -> LabelInfo<'static> {
    let class = |class_id, class_name| VisionClass {
        class_id,
        class_name,
    };
    LabelInfo {
        header: header(11, 12, "x"),
        class_map: vec![class(0, "person"), class(65535, "toothbrush")].into(),
        threshold: 0.25,
    }
}

fn vision_info() -> VisionInfo<'static> {
    VisionInfo {
        header: header(13, 14, "x"),
        method: "nanodet_m_416",
        database_location: "sha256:4b82",
        database_version: -3,
    }
}

fn image_annotations(boxes: usize) -> Vec<u8> {
    let annotations = [
        BoxAnnotation {
            sides: [10.5, 20.0, 30.0, 60.0],
            colour: [1.0, 0.5, 0.25],
            text: "car 0.75 #17",
            text_is_inside: false,
        },
        BoxAnnotation {
            sides: [10.5, 4.0, 30.0, 60.0],
            colour: [0.0, 0.0, 1.0],
            text: "fußgänger",
            text_is_inside: true,
        },
    ];
    let strokes = Strokes {
        line: 1.5,
        font: 12.0,
    };
    let mut out = vec![7; 3];
    let annotations = annotations.into_iter().take(boxes);
    write_image_annotations(&mut out, Stamp { sec: 7, nanosec: 8 }, strokes, annotations).unwrap();
    out
}

fn image_marker() -> Vec<u8> {
    let marked = MarkedBox {
        sides: [10.5, 20.0, 30.0, 60.0],
        colour: [1.0, 0.5, 0.25],
    };
    let mut out = Vec::new();
    let header = header(7, 8, "camera");
    write_image_marker(&mut out, header, "detections", 1.5, [marked].into_iter()).unwrap();
    out
}
