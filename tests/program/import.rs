//! `shuffledet import`: what it writes as our reader and Python's see it, and what it refuses.

use shuffledet_testing::{self as support, python};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde::Deserialize;
use shuffledet_bag::{Recording, Selection};
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, ImageDecoder};
use shuffledet_msg::{CameraInfo, CompressedImageView, HeaderView, ImageView};
use tempfile::TempDir;

use python::python;

const VIDEO: &str = "video/solidWhiteRight.mp4";
const START_NS: u64 = 1_700_000_000_000_000_001;

fn import(input: &Path, output: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shuffledet"))
        .arg("import")
        .arg(input)
        .arg("--output")
        .arg(output)
        .args(options)
        .output()
        .unwrap()
}

fn assert_imports(input: &Path, output: &Path, options: &[&str]) {
    let ran = import(input, output, options);
    assert!(ran.status.success(), "{}", stderr(&ran));
}

/// That it fails with one line that holds all of `said`, and leaves no output.
fn assert_refuses(input: &Path, output: &Path, options: &[&str], said: &[&str]) {
    let ran = import(input, output, options);
    let stderr = stderr(&ran);
    assert_eq!(ran.status.code(), Some(1), "{stderr}");
    let errors: Vec<_> = stderr
        .lines()
        .filter(|l| l.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    for text in said {
        assert!(errors[0].contains(text), "{text:?} in {stderr}");
    }
    assert!(!output.exists(), "{stderr}");
}

fn stderr(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stderr).into_owned()
}

struct Message {
    topic: String,
    log_time_ns: u64,
    data: Vec<u8>,
}

fn read(bag: &Path) -> Vec<Message> {
    let recording = Recording::open(bag).unwrap();
    assert_eq!(recording.warnings(), [""; 0]);
    let mut messages = recording.read(&Selection::default()).unwrap();
    let (mut data, mut read) = (Vec::new(), Vec::new());
    while let Some(head) = messages.next_into(&mut data).unwrap() {
        read.push(Message {
            topic: recording.topics()[head.topic].name.clone(),
            log_time_ns: head.log_time_ns,
            data: data.clone(),
        });
    }
    read
}

/// That frame `index` of 25 a second, at `message`'s log time, has that time in its header too.
fn assert_header(message: &Message, index: usize, frame_id: &str) {
    let header = HeaderView::parse_first(&message.data).unwrap();
    let expected = START_NS + 40_000_000 * index as u64;
    assert_eq!(message.log_time_ns, expected);
    assert_eq!(
        (header.stamp.to_ns(), header.frame_id),
        (expected as i64, frame_id)
    );
}

/// A picture that differs with `seed`, `width` pixels wide and 32 high.
fn pixels(width: u32, seed: u32) -> Vec<u8> {
    (0..width * 32 * 3)
        .map(|i| (i / 3 * seed % 256) as u8)
        .collect()
}

fn jpeg(width: u32, seed: u32) -> Vec<u8> {
    let pixels = pixels(width, seed);
    let view = BgrView::new(width, 32, 3 * width as usize, &pixels).unwrap();
    JpegEncoder::new(90).unwrap().encode(&view).unwrap()
}

/// An uncompressed Windows bitmap, 48 pixels wide and 32 high.
fn bitmap(seed: u32) -> Vec<u8> {
    let pixels = pixels(48, seed);
    let mut file = b"BM".to_vec();
    // size of the file, reserved, where the pixels begin; size of the header, width, height, planes and bits
    for number in [54 + pixels.len() as u32, 0, 54, 40, 48, 32, 1 | 24 << 16] {
        file.extend(number.to_le_bytes());
    }
    file.extend([0; 24]);
    file.extend(pixels);
    file
}

fn calibration(width: u32, height: u32) -> String {
    format!(
        "image_width: {width}\nimage_height: {height}\ncamera_name: front\n\
         camera_matrix: {{rows: 3, cols: 3, data: [800, 0, 480, 0, 810, 270, 0, 0, 1]}}\n\
         distortion_model: plumb_bob\n\
         distortion_coefficients: {{rows: 1, cols: 5, data: [-0.2, 0.1, 0, 0, 0]}}\n\
         rectification_matrix: {{rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}}\n\
         projection_matrix: {{rows: 3, cols: 4, data: [800, 0, 480, 0, 0, 810, 270, 0, 0, 0, 1, 0]}}\n"
    )
}

#[derive(Deserialize)]
struct PythonTopic {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    count: usize,
    stamps_ns: Vec<u64>,
    log_times_ns: Vec<u64>,
    frame_ids: Vec<String>,
    /// Rows and columns, as OpenCV decodes the image or the CameraInfo says.
    shapes: Vec<(u32, u32)>,
    /// The mean absolute difference of each image from the video's own frame, in grey levels.
    errors: Vec<f64>,
}

const READ_WITH_PYTHON: &str = r#"
import json, sys
from pathlib import Path
import cv2, numpy as np
from rosbags.highlevel import AnyReader

bag, video = sys.argv[1:]
found = {}
videos = {}
with AnyReader([Path(bag)]) as reader:
    for connection, log_time, raw in reader.messages():
        message = reader.deserialize(raw, connection.msgtype)
        topic = found.setdefault(connection.topic, {
            "name": connection.topic, "type": connection.msgtype, "count": connection.msgcount,
            "stamps_ns": [], "log_times_ns": [], "frame_ids": [], "shapes": [], "errors": []})
        stamp = message.header.stamp
        topic["stamps_ns"].append(stamp.sec * 10**9 + stamp.nanosec)
        topic["log_times_ns"].append(log_time)
        topic["frame_ids"].append(message.header.frame_id)
        if connection.msgtype == "sensor_msgs/msg/CameraInfo":
            topic["shapes"].append((message.height, message.width))
            continue
        if connection.msgtype == "sensor_msgs/msg/Image":
            assert message.encoding == "bgr8"
            image = message.data.reshape(message.height, message.step)[:, :3 * message.width]
            image = image.reshape(message.height, message.width, 3)
        else:
            assert message.format == "jpeg"
            image = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
        capture = videos.setdefault(connection.topic, cv2.VideoCapture(video))
        ok, frame = capture.read()
        assert ok
        topic["shapes"].append(image.shape[:2])
        topic["errors"].append(float(np.mean(cv2.absdiff(image, frame))))
print(json.dumps(list(found.values())))
"#;

fn read_with_python(test: &str, bag: &Path, video: &Path) -> Option<Vec<PythonTopic>> {
    let read = python(test)?
        .args(["-c", READ_WITH_PYTHON])
        .args([bag, video])
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", stderr(&read));
    let mut topics: Vec<PythonTopic> = serde_json::from_slice(&read.stdout).unwrap();
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Some(topics)
}

fn assert_python_topic(topic: &PythonTopic, frames: usize, max_error: f64) {
    let stamps: Vec<_> = (0..frames)
        .map(|i| START_NS + 40_000_000 * i as u64)
        .collect();
    assert_eq!(
        (topic.count, &topic.stamps_ns),
        (frames, &stamps),
        "{}",
        topic.name
    );
    assert_eq!(topic.log_times_ns, stamps);
    assert_eq!(topic.frame_ids, vec!["front"; frames]);
    assert_eq!(topic.shapes, vec![(540, 960); frames]);
    let worst = topic.errors.iter().copied().fold(0.0, f64::max);
    assert!(worst <= max_error, "{}: {worst}", topic.name);
}

#[test]
fn a_video_becomes_jpeg_images_with_camera_info() {
    let test = "a_video_becomes_jpeg_images_with_camera_info";
    let Some(video) = support::asset(test, VIDEO) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let (bag, yaml) = (folder.path().join("bag"), folder.path().join("front.yaml"));
    fs::write(&yaml, calibration(960, 540)).unwrap();
    let topic = "/camera/front/image_raw/compressed";
    let options = [
        "--topic",
        topic,
        "--frame-id",
        "front",
        "--camera-info",
        yaml.to_str().unwrap(),
    ];
    let start = ["--start-stamp", "1700000000.000000001"];
    assert_imports(&video, &bag, &[options.as_slice(), &start].concat());

    let messages = read(&bag);
    let (images, infos): (Vec<_>, Vec<_>) = messages.iter().partition(|m| m.topic == topic);
    let shared = support::asset(test, "bags/dashcam_compressed_mcap").unwrap();
    let counts = |bag: &Path| -> Vec<_> {
        let recording = Recording::open(bag).unwrap();
        recording
            .topics()
            .iter()
            .map(|t| (t.name.clone(), t.message_count))
            .collect()
    };
    assert_eq!(counts(&bag), counts(&shared));
    assert_eq!((images.len(), infos.len()), (221, 221));
    let mut decoder = ImageDecoder::new();
    for (index, (image, info)) in images.into_iter().zip(infos).enumerate() {
        assert_header(image, index, "front");
        assert_header(info, index, "front");
        let image = CompressedImageView::parse(&image.data).unwrap();
        let picture = decoder.decode_compressed(&image).unwrap();
        assert_eq!(
            (image.format, picture.width(), picture.height()),
            ("jpeg", 960, 540)
        );
        let info = CameraInfo::parse(&info.data).unwrap();
        assert_eq!((info.width, info.height, info.k[4]), (960, 540, 810.0));
    }

    if let Some(topics) = read_with_python(test, &bag, &video) {
        let [info, image] = topics.as_slice() else {
            panic!("{} topics", topics.len());
        };
        assert_eq!(
            (info.name.as_str(), image.name.as_str()),
            ("/camera/front/camera_info", topic)
        );
        assert_eq!(info.type_name, "sensor_msgs/msg/CameraInfo");
        // JPEG of quality 90 changes a grey level by less than two on average
        assert_python_topic(image, 221, 2.0);
        assert_python_topic(info, 221, 0.0);
    }
}

#[test]
fn a_video_becomes_raw_images() {
    let test = "a_video_becomes_raw_images";
    let Some(video) = support::asset(test, VIDEO) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let bag = folder.path().join("raw.mcap");
    let options = ["--raw", "--frame-id", "front", "--limit", "12"];
    let start = ["--start-stamp", "1700000000.000000001"];
    assert_imports(&video, &bag, &[options.as_slice(), &start].concat());
    let messages = read(folder.path());
    assert_eq!(messages.len(), 12);
    for (index, message) in messages.iter().enumerate() {
        assert_eq!(message.topic, "/camera/image_raw");
        assert_header(message, index, "front");
        let image = ImageView::parse(&message.data).unwrap();
        assert_eq!(
            (image.encoding, image.width, image.height),
            ("bgr8", 960, 540)
        );
    }
    if let Some(topics) = read_with_python(test, folder.path(), &video) {
        assert_eq!(topics[0].type_name, "sensor_msgs/msg/Image");
        // one OpenCV may convert from YUV a level differently from another
        assert_python_topic(&topics[0], 12, 1.0);
    }
}

#[test]
fn a_rate_that_is_given_replaces_the_videos_own() {
    let Some(video) = support::asset("a_rate_that_is_given_replaces_the_videos_own", VIDEO) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let bag = folder.path().join("bag");
    let options = ["--fps", "30000/1001", "--start-stamp", "0", "--limit", "4"];
    assert_imports(&video, &bag, &options);
    let times: Vec<_> = read(&bag).iter().map(|m| m.log_time_ns).collect();
    assert_eq!(times, [0, 33_366_667, 66_733_333, 100_100_000]);
}

#[test]
fn a_folder_is_taken_in_natural_order_and_jpeg_as_it_is() {
    let folder = TempDir::new().unwrap();
    let (images, bag) = (folder.path().join("images"), folder.path().join("bag"));
    fs::create_dir_all(images.join("within.jpg")).unwrap();
    let file = |name: &str, content: &[u8]| fs::write(images.join(name), content).unwrap();
    let (second, tenth) = (jpeg(48, 3), jpeg(64, 5));
    file("frame10.JPG", &tenth);
    file("frame2.jpg", &second);
    file("frame3.bmp", &bitmap(7));
    file("frame4.bmp", b"BM is not enough");
    file("frame5.jpg", &second[..second.len() / 2]);
    file("frame6.png", b"");
    file(".frame1.jpg", &second);
    file("notes.txt", b"not an image");

    let ran = import(&images, &bag, &["--start-stamp", "5"]);
    assert_eq!(ran.status.code(), Some(2), "{}", stderr(&ran));
    let said = stderr(&ran);
    // OpenCV says something of its own, too
    let said: Vec<_> = said
        .lines()
        .filter(|line| line.contains("left out: "))
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    for (line, name) in said.iter().zip(["frame4.bmp", "frame5.jpg", "frame6.png"]) {
        assert!(line.contains(name), "{line}");
    }
    let messages = read(&bag);
    let times: Vec<_> = messages.iter().map(|m| m.log_time_ns).collect();
    assert_eq!(times, [5_000_000_000, 5_100_000_000, 5_500_000_000]);
    let views: Vec<_> = messages
        .iter()
        .map(|m| CompressedImageView::parse(&m.data).unwrap())
        .collect();
    assert!(
        views
            .iter()
            .all(|view| view.format == "jpeg" && view.header.frame_id == "camera")
    );
    assert_eq!(
        (views[0].data, views[2].data),
        (second.as_slice(), tenth.as_slice())
    );
    let mut decoder = ImageDecoder::new();
    let picture = decoder.decode_compressed(&views[1]).unwrap();
    assert_eq!((picture.width(), picture.height()), (48, 32));
}

#[test]
fn png_files_are_taken_as_they_are() {
    let Some(images) = support::asset("png_files_are_taken_as_they_are", "golden/png") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let bag = folder.path().join("bag");
    assert_imports(
        &images,
        &bag,
        &["--limit", "2", "--fps", "0.5", "--start-stamp", "0"],
    );
    let messages = read(&bag);
    assert_eq!(messages[1].log_time_ns, 2_000_000_000);
    for message in &messages {
        let image = CompressedImageView::parse(&message.data).unwrap();
        assert_eq!(image.format, "png");
        let is_same = |file: fs::DirEntry| fs::read(file.path()).unwrap() == image.data;
        assert!(
            fs::read_dir(&images)
                .unwrap()
                .any(|file| is_same(file.unwrap()))
        );
    }
}

#[test]
fn raw_images_of_a_folder_are_its_pixels() {
    let folder = TempDir::new().unwrap();
    let (images, bag) = (folder.path().join("images"), folder.path().join("bag"));
    fs::create_dir(&images).unwrap();
    fs::write(images.join("1.bmp"), bitmap(11)).unwrap();
    assert_imports(&images, &bag, &["--raw", "--quiet"]);
    let messages = read(&bag);
    let image = ImageView::parse(&messages[0].data).unwrap();
    assert_eq!((image.width, image.height, image.step), (48, 32, 144));
    // a bitmap begins with its lowest row
    let upright: Vec<u8> = pixels(48, 11)
        .chunks(144)
        .rev()
        .flatten()
        .copied()
        .collect();
    assert_eq!(image.data, upright);
}

#[test]
fn an_input_without_frames_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let output = at("bag");
    fs::create_dir(at("empty")).unwrap();
    fs::create_dir(at("damaged")).unwrap();
    fs::write(at("damaged/a.jpg"), b"\xff\xd8 and no more").unwrap();
    fs::write(at("text.mp4"), "not a video").unwrap();
    fs::write(at("image.jpg"), jpeg(48, 3)).unwrap();
    let refuses = |name: &str, said| assert_refuses(&at(name), &output, &[], &[name, said]);
    refuses("missing.mp4", "No such file");
    refuses("empty", "no images");
    refuses("damaged", "cannot read any image");
    refuses("text.mp4", "OpenCV");
    refuses("image.jpg", "found a single image");
}

#[test]
fn a_video_of_no_frames_leaves_nothing_behind() {
    use opencv::core::Size;
    use opencv::prelude::*;
    use opencv::videoio::VideoWriter;

    let folder = TempDir::new().unwrap();
    let video = folder.path().join("empty.avi");
    let fourcc = VideoWriter::fourcc('M', 'J', 'P', 'G').unwrap();
    let size = Size::new(64, 48);
    VideoWriter::new(&video, fourcc, 10.0, size, true)
        .unwrap()
        .release()
        .unwrap();
    let output = folder.path().join("bag");
    // which of the two it is depends on the decoder that OpenCV has
    assert_refuses(&video, &output, &[], &["empty.avi", "OpenCV"]);
}

#[test]
fn a_calibration_must_fit_the_images() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("images")).unwrap();
    fs::write(at("images/a.jpg"), jpeg(48, 3)).unwrap();
    fs::write(at("other.yaml"), calibration(1280, 720)).unwrap();
    fs::write(at("bad.yaml"), "image_width: 48\n").unwrap();
    let refuses = |yaml: &str, said: &[&str]| {
        let yaml = at(yaml);
        let options = ["--camera-info", yaml.to_str().unwrap()];
        assert_refuses(&at("images"), &at("bag"), &options, said);
    };
    refuses("other.yaml", &["a.jpg", "48x32", "1280x720"]);
    refuses("bad.yaml", &["bad.yaml", "image_height"]);
    refuses("missing.yaml", &["missing.yaml", "No such file"]);
}

#[test]
fn an_output_is_replaced_by_force_alone() {
    let folder = TempDir::new().unwrap();
    let (images, bag) = (folder.path().join("images"), folder.path().join("bag"));
    fs::create_dir(&images).unwrap();
    fs::write(images.join("a.jpg"), jpeg(48, 3)).unwrap();
    assert_imports(&images, &bag, &["--start-stamp", "1"]);
    let again = import(&images, &bag, &["--start-stamp", "2"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
    assert_eq!(read(&bag)[0].log_time_ns, 1_000_000_000);
    assert_imports(&images, &bag, &["--start-stamp", "2", "--force"]);
    assert_eq!(read(&bag)[0].log_time_ns, 2_000_000_000);
}
