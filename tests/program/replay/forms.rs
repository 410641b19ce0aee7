//! Images in the forms of other tools give what the same images give as ROS 2 messages.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;
use serde_json::{Value, json};
use shuffledet_image::ImageDecoder;
use shuffledet_msg::{CompressedImageView, HeaderView, ImageView, Stamp};
use tempfile::tempdir;

use crate::replay::program::{end, replay};
use crate::replay::recordings::{self, images};
use shuffledet_testing::python::python;
use shuffledet_testing::repository;

#[derive(Clone, PartialEq, prost::Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProtobufCompressed {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(string, tag = "3")]
    format: String,
    #[prost(string, tag = "4")]
    frame_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProtobufRaw {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(fixed32, tag = "2")]
    width: u32,
    #[prost(fixed32, tag = "3")]
    height: u32,
    #[prost(string, tag = "4")]
    encoding: String,
    #[prost(fixed32, tag = "5")]
    step: u32,
    #[prost(bytes = "vec", tag = "6")]
    data: Vec<u8>,
    #[prost(string, tag = "7")]
    frame_id: String,
}

const STAMP: Stamp = Stamp {
    sec: 1_700_000_123,
    nanosec: 456_789_012,
};
const FRAME_ID: &str = "camera_front";
const LOG_TIME_NS: u64 = 1_700_000_200_000_000_000;

fn timestamp() -> Option<Timestamp> {
    Some(Timestamp {
        seconds: STAMP.sec.into(),
        nanos: STAMP.nanosec as i32,
    })
}

fn ros1_string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes(), text].concat()
}

fn ros_time() -> Vec<u8> {
    [STAMP.sec.to_le_bytes(), STAMP.nanosec.to_le_bytes()].concat()
}

fn ros1_header() -> Vec<u8> {
    [
        [9, 0, 0, 0].to_vec(),
        ros_time(),
        ros1_string(FRAME_ID.as_bytes()),
    ]
    .concat()
}

fn base64(data: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(data)
}

/// CDR of the ROS message of Foxglove's: as that of ROS 1, with an encapsulation, padding and terminated strings.
fn cdr(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    let number = |body: &mut Vec<u8>, value: u32| {
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(value.to_le_bytes());
    };
    for part in parts {
        match part {
            Part::Number(value) => number(&mut body, *value),
            Part::Text(text) => {
                number(&mut body, text.len() as u32 + 1);
                body.extend(text.as_bytes());
                body.push(0);
            }
            Part::Bytes(bytes) => {
                number(&mut body, bytes.len() as u32);
                body.extend(*bytes);
            }
        }
    }
    [&[0, 1, 0, 0][..], &body].concat()
}

enum Part<'a> {
    Number(u32),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A message and the schema's name and encoding, and the message's encoding.
type Form = ([&'static str; 3], Vec<u8>);

const ROS2: &str = "ros2msg";

fn compressed_forms(jpeg: &[u8]) -> Vec<Form> {
    let (format, frame_id) = ("jpeg".to_owned(), FRAME_ID.to_owned());
    let mut own = Vec::new();
    let header = HeaderView {
        stamp: STAMP,
        frame_id: FRAME_ID,
    };
    let image = CompressedImageView {
        header,
        format: "jpeg",
        data: jpeg,
    };
    image.write(&mut own).unwrap();
    let protobuf = ProtobufCompressed {
        timestamp: timestamp(),
        data: jpeg.to_vec(),
        format,
        frame_id,
    };
    let json = json!({
        "timestamp": {"sec": STAMP.sec, "nsec": STAMP.nanosec}, "frame_id": FRAME_ID,
        "data": base64(jpeg), "format": "jpeg",
    });
    let ros1 = [ros1_header(), ros1_string(b"jpeg"), ros1_string(jpeg)].concat();
    let (sec, nanosec) = (Part::Number(STAMP.sec as u32), Part::Number(STAMP.nanosec));
    let foxglove = cdr(&[
        sec,
        nanosec,
        Part::Text(FRAME_ID),
        Part::Bytes(jpeg),
        Part::Text("jpeg"),
    ]);
    let foxglove_ros1 = [
        ros_time(),
        ros1_string(FRAME_ID.as_bytes()),
        ros1_string(jpeg),
        ros1_string(b"jpeg"),
    ];
    vec![
        (["sensor_msgs/msg/CompressedImage", ROS2, "cdr"], own),
        (["sensor_msgs/CompressedImage", "ros1msg", "ros1"], ros1),
        (
            ["foxglove.CompressedImage", "protobuf", "protobuf"],
            protobuf.encode_to_vec(),
        ),
        (
            ["foxglove.CompressedImage", "jsonschema", "json"],
            json.to_string().into_bytes(),
        ),
        (["foxglove_msgs/msg/CompressedImage", ROS2, "cdr"], foxglove),
        (
            ["foxglove_msgs/CompressedImage", "ros1msg", "ros1"],
            foxglove_ros1.concat(),
        ),
    ]
}

fn raw_forms(width: u32, height: u32, data: &[u8]) -> Vec<Form> {
    let step = 3 * width;
    let mut own = Vec::new();
    let header = HeaderView {
        stamp: STAMP,
        frame_id: FRAME_ID,
    };
    let image = ImageView {
        header,
        height,
        width,
        encoding: "bgr8",
        is_bigendian: false,
        step,
        data,
    };
    image.write(&mut own).unwrap();
    let protobuf = ProtobufRaw {
        timestamp: timestamp(),
        width,
        height,
        encoding: "bgr8".into(),
        step,
        data: data.to_vec(),
        frame_id: FRAME_ID.into(),
    };
    let json = json!({
        "timestamp": {"sec": STAMP.sec, "nsec": STAMP.nanosec}, "frame_id": FRAME_ID,
        "width": width, "height": height, "encoding": "bgr8", "step": step, "data": base64(data),
    });
    let number = |value: u32| value.to_le_bytes().to_vec();
    let ros1 = [
        ros1_header(),
        number(height),
        number(width),
        ros1_string(b"bgr8"),
        vec![0],
        number(step),
        ros1_string(data),
    ];
    let foxglove = cdr(&[
        Part::Number(STAMP.sec as u32),
        Part::Number(STAMP.nanosec),
        Part::Text(FRAME_ID),
        Part::Number(width),
        Part::Number(height),
        Part::Text("bgr8"),
        Part::Number(step),
        Part::Bytes(data),
    ]);
    vec![
        (["sensor_msgs/msg/Image", ROS2, "cdr"], own),
        (["sensor_msgs/Image", "ros1msg", "ros1"], ros1.concat()),
        (
            ["foxglove.RawImage", "protobuf", "protobuf"],
            protobuf.encode_to_vec(),
        ),
        (
            ["foxglove.RawImage", "jsonschema", "json"],
            json.to_string().into_bytes(),
        ),
        (["foxglove_msgs/msg/RawImage", ROS2, "cdr"], foxglove),
    ]
}

/// A recording of each form on a topic, logged one second after the other.
fn write(path: &Path, forms: &[(&str, Form)]) {
    let mut file = fs::File::create(path).unwrap();
    let mut writer = mcap::Writer::new(&mut file).unwrap();
    for (number, (topic, ([name, schema, encoding], data))) in forms.iter().enumerate() {
        let schema = writer.add_schema(name, schema, b"").unwrap();
        let channel = writer
            .add_channel(schema, topic, encoding, &BTreeMap::new())
            .unwrap();
        let log_time = LOG_TIME_NS + number as u64 * 1_000_000_000;
        let header = mcap::records::MessageHeader {
            channel_id: channel,
            sequence: 0,
            log_time,
            publish_time: log_time,
        };
        writer.write_to_known_channel(&header, data).unwrap();
    }
    writer.finish().unwrap();
}

/// Detections of each topic, without what differs by the frame's number.
fn detections(bag: &Path, folder: &Path) -> BTreeMap<String, Vec<Value>> {
    let json = folder.join("detections.json");
    let mut command = replay(bag);
    command.args(["--json", "--force", "--detections"]);
    end(command.arg(&json)).summary(0);
    let rows: Vec<Value> = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let mut by_topic = BTreeMap::<String, Vec<Value>>::new();
    for mut row in rows {
        let row = row.as_object_mut().unwrap();
        row.remove("image_id");
        // cameras share no track
        row.remove("track_id");
        let topic = row.remove("topic").unwrap();
        let of_topic = by_topic.entry(topic.as_str().unwrap().to_owned());
        of_topic.or_default().push(json!(row));
    }
    by_topic
}

fn first_jpeg(test: &str) -> Option<Vec<u8>> {
    let frame = images(&recordings::dashcam(test)?).swap_remove(0).data;
    Some(CompressedImageView::parse(&frame).unwrap().data.to_vec())
}

#[test]
fn every_form_of_an_image_gives_the_same_detections() {
    let Some(jpeg) = first_jpeg("every_form_of_an_image_gives_the_same_detections") else {
        return;
    };
    let mut decoder = ImageDecoder::new();
    let picture = decoder.decode_file(&jpeg).unwrap();
    let folder = tempdir().unwrap();
    for (name, forms) in [
        ("compressed", compressed_forms(&jpeg)),
        (
            "raw",
            raw_forms(picture.width(), picture.height(), picture.data()),
        ),
    ] {
        let topics: Vec<String> = (0..forms.len()).map(|n| format!("/{name}{n}")).collect();
        let bag: PathBuf = folder.path().join(format!("{name}.mcap"));
        let count = forms.len();
        let forms: Vec<_> = topics.iter().map(String::as_str).zip(forms).collect();
        write(&bag, &forms);
        let found = detections(&bag, folder.path());
        assert_eq!(found.len(), count);
        let expected = &found[&topics[0]];
        assert!(expected.len() > 2);
        assert_eq!(expected[0]["stamp_ns"], STAMP.to_ns());
        assert_eq!(expected[0]["frame_id"], FRAME_ID);
        for (topic, rows) in &found {
            assert_eq!(rows, expected, "{topic}");
        }
    }
}

#[test]
fn one_topic_may_have_every_form() {
    let Some(jpeg) = first_jpeg("one_topic_may_have_every_form") else {
        return;
    };
    let folder = tempdir().unwrap();
    let bag = folder.path().join("x.mcap");
    let mut forms: Vec<_> = compressed_forms(&jpeg)
        .into_iter()
        .map(|f| ("/t", f))
        .collect();
    let count = forms.len();
    // neither of these is an image, and the second would be one if it were read as the first type
    forms.push((
        "/t",
        (["std_msgs/msg/String", ROS2, "cdr"], vec![0, 1, 0, 0]),
    ));
    let own = forms[0].1.1.clone();
    forms.push(("/t", (["std_msgs/msg/ByteMultiArray", ROS2, "cdr"], own)));
    write(&bag, &forms);
    let summary = end(replay(&bag).arg("--json")).summary(0);
    assert_eq!(summary["frames"]["published"], count);
    let told = summary["warnings"].to_string();
    for part in [
        "foxglove.CompressedImage (protobuf)",
        "std_msgs/msg/String (cdr)",
        "not an image",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn damaged_messages_of_every_form_fail_by_name() {
    let folder = tempdir().unwrap();
    let bag = folder.path().join("x.mcap");
    let jpeg = b"\xff\xd8 too short for a picture";
    let mut forms: Vec<_> = compressed_forms(jpeg)
        .into_iter()
        .map(|f| ("/t", f))
        .collect();
    for (_, (_, message)) in &mut forms {
        message.truncate(11);
    }
    let count = forms.len();
    write(&bag, &forms);
    let output = folder.path().join("out.mcap");
    let mut command = replay(&bag);
    command.args(["--json", "--with-images", "--output"]);
    let summary = end(command.arg(&output)).summary(2);
    assert_eq!(
        summary["frames"]["failed"],
        json!({"malformed_message": count})
    );
    let reasons = summary["failures"].to_string();
    for part in [
        "foxglove.CompressedImage",
        "protobuf",
        "JSON",
        "sensor_msgs/CompressedImage",
    ] {
        assert!(reasons.contains(part), "{reasons}");
    }
}

#[test]
fn videos_and_unknown_serializations_are_named_once_and_left_out() {
    let Some(jpeg) = first_jpeg("videos_and_unknown_serializations_are_named_once_and_left_out")
    else {
        return;
    };
    let folder = tempdir().unwrap();
    let bag = folder.path().join("x.mcap");
    let own = compressed_forms(&jpeg).swap_remove(0);
    let video = ["foxglove.CompressedVideo", "protobuf", "protobuf"];
    let flat = ["foxglove.RawImage", "flatbuffer", "flatbuffer"];
    let forms = [
        ("/video", (video, vec![1])),
        ("/picture", own),
        ("/flat", (flat, vec![2])),
        ("/video", (video, vec![1])),
    ];
    write(&bag, &forms);
    let summary = end(replay(&bag).arg("--json")).summary(0);
    assert_eq!(summary["topics"], json!(["/picture"]));
    let told = summary["warnings"].to_string();
    assert_eq!(told.matches("/video: left out").count(), 1, "{told}");
    assert_eq!(told.matches("/flat: left out").count(), 1, "{told}");
    let refused = end(replay(&bag).args(["--topic", "/video"]));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("video stream"), "{refused:?}");
}

#[test]
fn what_other_libraries_write_gives_the_same_detections() {
    let test = "what_other_libraries_write_gives_the_same_detections";
    let (Some(jpeg), Some(mut python)) = (first_jpeg(test), python(test)) else {
        return;
    };
    let folder = tempdir().unwrap();
    let (image, bag) = (folder.path().join("a.jpg"), folder.path().join("a.mcap"));
    fs::write(&image, jpeg).unwrap();
    let script = repository("tests/reference/make_forms.py");
    let made = python.arg(script).arg(image).arg(&bag).output().unwrap();
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{errors}");
    let found = detections(&bag, folder.path());
    assert_eq!(found.len(), 3);
    let expected = &found["/cdr"];
    assert!(expected.len() > 2);
    assert_eq!(expected[0]["stamp_ns"], STAMP.to_ns());
    assert_eq!(expected[0]["frame_id"], FRAME_ID);
    for (topic, rows) in &found {
        assert_eq!(rows, expected, "{topic}");
    }
}
