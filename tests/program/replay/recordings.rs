//! Recordings: those of the shared assets, some made for a test, and what replay wrote.

use std::path::{Path, PathBuf};

use shuffledet_bag::{Qos, Recording, RecordingWriter, Selection, TopicId, TopicSpec};
use shuffledet_msg::definition::{CAMERA_INFO, COMPRESSED_IMAGE, IMAGE};
use shuffledet_msg::{CompressedImageView, Definition, HeaderView, ImageView, Stamp};

use shuffledet_testing as support;

/// A message of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub log_time_ns: u64,
    pub data: Vec<u8>,
}

/// Every message in order, of a recording that has nothing wrong.
pub fn read(path: &Path) -> Vec<Message> {
    let (messages, warnings) = read_with_warnings(path);
    assert!(warnings.is_empty(), "{warnings:?}");
    messages
}

/// Every message that can be read, in order.
pub fn read_with_warnings(path: &Path) -> (Vec<Message>, Vec<String>) {
    let recording = Recording::open(path).unwrap();
    let mut messages = recording.read(&Selection::default()).unwrap();
    let (mut data, mut all) = (Vec::new(), Vec::new());
    while let Some(head) = messages.next_into(&mut data).unwrap() {
        let topic = messages.topics()[head.topic].name.clone();
        all.push(Message {
            topic,
            log_time_ns: head.log_time_ns,
            data: data.clone(),
        });
    }
    (all, messages.warnings().to_vec())
}

/// Those whose topic ends with `end`.
pub fn on<'a>(messages: &'a [Message], end: &str) -> Vec<&'a Message> {
    messages
        .iter()
        .filter(|message| message.topic.ends_with(end))
        .collect()
}

pub const COMPRESSED: &str = "/camera/front/image_raw/compressed";
pub const COMPRESSED_FRAMES: u64 = 221;
pub const RAW_FRAMES: u64 = 75;

pub fn dashcam(test: &str) -> Option<PathBuf> {
    support::asset(test, "bags/dashcam_compressed_mcap")
}

pub fn dashcam_raw(test: &str) -> Option<PathBuf> {
    support::asset(test, "bags/dashcam_raw_sqlite3")
}

/// The images of one of them.
pub fn images(path: &Path) -> Vec<Message> {
    let mut messages = read(path);
    messages.retain(|message| message.topic.contains("/image_raw"));
    messages
}

fn definition(topic: &str) -> &'static Definition {
    match topic {
        topic if topic.ends_with("compressed") => &COMPRESSED_IMAGE,
        topic if topic.ends_with("camera_info") => &CAMERA_INFO,
        _ => &IMAGE,
    }
}

/// Writes a bag into `folder`; a topic's type goes by its name: `.../compressed`, `.../camera_info`, any other raw.
pub fn write<'a>(folder: &Path, messages: impl IntoIterator<Item = &'a Message>) -> PathBuf {
    let path = folder.join("bag");
    let mut writer = RecordingWriter::create(&path, false).unwrap();
    let mut topics = Vec::<(&str, TopicId)>::new();
    for message in messages {
        let known = topics.iter().find(|(name, _)| *name == message.topic);
        let id = known.map(|(_, id)| *id).unwrap_or_else(|| {
            let definition = definition(&message.topic);
            let qos = Qos {
                depth: 10,
                reliable: true,
                transient_local: false,
            };
            let (type_name, schema) = (definition.name, definition.schema());
            let spec = TopicSpec {
                name: &message.topic,
                type_name,
                definition: &schema,
                qos,
            };
            let id = writer.add_topic(&spec).unwrap();
            topics.push((&message.topic, id));
            id
        });
        writer
            .write(id, message.log_time_ns, &message.data)
            .unwrap();
    }
    writer.finish().unwrap();
    path
}

const FRAME_ID: &str = "test_camera";

/// A header whose stamp is `log_time_ns`.
fn header(log_time_ns: u64) -> HeaderView<'static> {
    HeaderView {
        stamp: Stamp::from_ns(log_time_ns as i64).unwrap(),
        frame_id: FRAME_ID,
    }
}

/// A message with a file as its image.
pub fn compressed(log_time_ns: u64, data: &[u8]) -> Message {
    let mut cdr = Vec::new();
    let image = CompressedImageView {
        header: header(log_time_ns),
        format: "jpeg",
        data,
    };
    image.write(&mut cdr).unwrap();
    Message {
        topic: "/cam/compressed".to_owned(),
        log_time_ns,
        data: cdr,
    }
}

/// A message of 64x32 pixels with the bytes of bgr8.
pub fn raw(log_time_ns: u64, encoding: &str, step: u32) -> Message {
    let mut cdr = Vec::new();
    let (width, height, data) = (64, 32, &[90; 64 * 32 * 3]);
    let (header, is_bigendian) = (header(log_time_ns), false);
    let image = ImageView {
        header,
        height,
        width,
        encoding,
        is_bigendian,
        step,
        data,
    };
    image.write(&mut cdr).unwrap();
    Message {
        topic: "/cam/raw".to_owned(),
        log_time_ns,
        data: cdr,
    }
}
