//! Recordings that we write, as we and Python read them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use shuffledet_bag::{Qos, RecordingWriter, TopicId, TopicSpec};
use tempfile::TempDir;

use crate::bag::recordings::{Reading, digest, read, read_by_python};

const SENSOR: Qos = Qos {
    depth: 5,
    reliable: false,
    transient_local: false,
};
const LATCHED: Qos = Qos {
    depth: 1,
    reliable: true,
    transient_local: true,
};

fn add_topics(writer: &mut RecordingWriter) -> [TopicId; 2] {
    [("/latched", LATCHED), ("/a", SENSOR)].map(|(name, qos)| {
        let topic = TopicSpec {
            name,
            type_name: "std_msgs/msg/String",
            definition: "string data\n",
            qos,
        };
        writer.add_topic(&topic).unwrap()
    })
}

/// A `std_msgs/msg/String` of `length` letters.
fn string_message(length: usize) -> Vec<u8> {
    let mut cdr = vec![0, 1, 0, 0];
    cdr.extend((length as u32 + 1).to_le_bytes());
    cdr.extend((0..length).map(|i| b'a' + (i * i % 26) as u8));
    cdr.push(0);
    cdr
}

/// Write `count` messages that are 50 ms apart; what a reader should find.
fn write_some(writer: &mut RecordingWriter, count: u64) -> Reading {
    let topics = add_topics(writer);
    (0..count)
        .map(|i| {
            let (topic, name) = match i % 7 {
                0 => (topics[0], "/latched"),
                _ => (topics[1], "/a"),
            };
            let data = string_message((i as usize * 7919) % 100_000);
            let time = 1_700_000_000_000_000_000 + i * 50_000_000;
            writer.write(topic, time, &data).unwrap();
            (name.to_owned(), time, digest(&data))
        })
        .collect()
}

#[derive(Deserialize)]
struct PythonReading {
    rosbags: Reading,
    mcap: Reading,
    #[serde(default)]
    qos: BTreeMap<String, Vec<(String, u32, String, String)>>,
}

#[test]
fn python_reads_what_we_write() {
    let folder = TempDir::new().unwrap();
    for (output, bag) in [("bag", "bag"), ("deep/er/x.mcap", "deep/er")] {
        let output = folder.path().join(output);
        let mut writer = RecordingWriter::create(&output, false).unwrap();
        let written = write_some(&mut writer, 100);
        let summary = writer.finish().unwrap();
        assert_eq!(summary.message_count, 100);
        assert_eq!(summary.topics, [("/latched".into(), 15), ("/a".into(), 85)]);
        assert!(summary.mcap.is_file() && summary.metadata.is_file());
        let bag = folder.path().join(bag);
        for path in [&bag, &output, &summary.mcap] {
            let (reading, warnings) = read(path).unwrap();
            assert!(reading == written && warnings.is_empty(), "{warnings:?}");
        }
        let Some(found) = read_by_python("python_reads_what_we_write", &bag) else {
            continue;
        };
        let found: PythonReading = serde_json::from_slice(&found).unwrap();
        assert!(found.rosbags == written && found.mcap == written);
        let qos = |name: &str| &found.qos[name][0];
        let profile = |depth, reliability: &str, durability: &str| {
            (
                "KEEP_LAST".into(),
                depth,
                reliability.into(),
                durability.into(),
            )
        };
        assert_eq!(*qos("/latched"), profile(1, "RELIABLE", "TRANSIENT_LOCAL"));
        assert_eq!(*qos("/a"), profile(5, "BEST_EFFORT", "VOLATILE"));
    }
}

#[test]
fn the_same_messages_give_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let files: Vec<_> = ["1", "2"]
        .map(|name| {
            let mut writer = RecordingWriter::create(&folder.path().join(name), false).unwrap();
            write_some(&mut writer, 60);
            fs::read(writer.finish().unwrap().mcap).unwrap()
        })
        .into();
    assert!(files[0] == files[1]);
}

#[test]
fn an_empty_recording_is_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("empty");
    let mut writer = RecordingWriter::create(&path, false).unwrap();
    add_topics(&mut writer);
    writer.finish().unwrap();
    for path in [path.clone(), path.join("empty_0.mcap")] {
        assert_eq!(read(&path).unwrap(), (Vec::new(), Vec::new()));
    }
    if let Some(found) = read_by_python("an_empty_recording_is_one", &path) {
        let found: PythonReading = serde_json::from_slice(&found).unwrap();
        assert!(found.rosbags.is_empty() && found.mcap.is_empty());
    }
}

#[test]
fn dropped_without_finish_everything_written_is_readable() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.mcap");
    let mut writer = RecordingWriter::create(&path, false).unwrap();
    let written = write_some(&mut writer, 30);
    drop(writer);
    assert!(read(&path).unwrap().0 == written);
    assert!(!folder.path().join("metadata.yaml").exists());
}

#[test]
fn a_killed_writer_leaves_a_readable_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.mcap");
    let mut writer = RecordingWriter::create(&path, false).unwrap();
    let killed = |written: &Reading| {
        // A copy while the writer runs is what a kill would leave.
        let copy = folder.path().join("copy.mcap");
        fs::copy(&path, &copy).unwrap();
        let (reading, warnings) = read(&copy).unwrap();
        assert!(reading == written[..reading.len()]);
        assert!(
            warnings.iter().any(|w| w.contains("no footer")),
            "{warnings:?}"
        );
        let lost = written.len() - reading.len();
        let last = |reading: &Reading| reading.last().map_or(0, |m| m.1);
        assert!(lost == 0 || last(written) - last(&reading) <= 1_000_000_000);
        lost
    };
    assert_eq!(killed(&Vec::new()), 0);
    let written = write_some(&mut writer, 95);
    let lost = killed(&written);
    assert!(lost < 21, "{lost} messages lost");
}

#[test]
fn out_of_order_messages_are_read_in_order() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.mcap");
    let mut writer = RecordingWriter::create(&path, false).unwrap();
    let [_, topic] = add_topics(&mut writer);
    let mut expected = Vec::new();
    for i in 0..300_u64 {
        // Equal times in threes, chunks that overlap.
        let time = (i * 37 % 100) * 100_000_000;
        let data = string_message(20_000 + i as usize);
        writer.write(topic, time, &data).unwrap();
        expected.push(("/a".to_owned(), time, digest(&data)));
    }
    writer.finish().unwrap();
    expected.sort_by_key(|m| m.1);
    let (reading, warnings) = read(&path).unwrap();
    assert!(reading == expected && warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_topic_is_added_once() {
    let folder = TempDir::new().unwrap();
    let mut writer = RecordingWriter::create(&folder.path().join("x"), false).unwrap();
    add_topics(&mut writer);
    let again = TopicSpec {
        name: "/a",
        type_name: "std_msgs/msg/String",
        definition: "",
        qos: SENSOR,
    };
    let error = writer.add_topic(&again).unwrap_err().to_string();
    assert!(error.contains("/a"), "{error}");
}

fn write_one(path: &Path, force: bool) -> Result<(), shuffledet_bag::BagError> {
    let mut writer = RecordingWriter::create(path, force)?;
    write_some(&mut writer, 1);
    writer.finish().map(drop)
}

/// Everything in a folder, with its content.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap().to_owned();
        match path.is_dir() {
            true => files.extend(content(&path)),
            false => drop(files.insert(name, fs::read(&path).unwrap())),
        }
    }
    files
}

#[test]
fn an_output_is_replaced_with_force_only_and_nothing_else_ever() {
    let temp = TempDir::new().unwrap();
    let root = temp.path();
    for output in ["bag", "lone/x.mcap"] {
        let output = root.join(output);
        write_one(&output, false).unwrap();
        let before = content(root);
        let error = write_one(&output, false).unwrap_err().to_string();
        assert!(error.contains("--force"), "{error}");
        assert_eq!(content(root), before);
        write_one(&output, true).unwrap();
        assert_eq!(content(root).len(), before.len());
    }
    fs::write(root.join("bag/notes.txt"), "mine").unwrap();
    fs::create_dir(root.join("held")).unwrap();
    fs::write(root.join("held/holiday.mcap"), "mine").unwrap();
    fs::create_dir(root.join("taken")).unwrap();
    fs::write(root.join("taken/metadata.yaml"), "mine").unwrap();
    fs::create_dir_all(root.join("folder.mcap")).unwrap();
    fs::write(root.join("file"), "mine").unwrap();
    let before = content(root);
    for (output, word) in [
        ("bag", "notes.txt"),
        ("lone/y.mcap", "another recording"),
        ("held", "holiday.mcap"),
        ("taken", "metadata.yaml"),
        ("taken/x.mcap", "metadata.yaml"),
        ("folder.mcap", "is a folder"),
        ("file", "is not a folder"),
        ("file/x.mcap", "is not a folder"),
        ("x.db3", "expected a .mcap"),
        ("..", "is not the path of a file"),
    ] {
        let error = write_one(&root.join(output), true).unwrap_err().to_string();
        assert!(error.contains(word), "{output}: {error}");
        assert_eq!(content(root), before, "{output}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reading_what_was_written_gives_it_back_in_order(
        messages in prop::collection::vec((0..2_usize, 0..5_000_000_000_u64, 0..300_000_usize), 0..40),
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("bag");
        let mut writer = RecordingWriter::create(&path, false).unwrap();
        let topics = add_topics(&mut writer);
        let mut expected = Vec::new();
        for (topic, time, length) in messages {
            let data = vec![length as u8; length];
            writer.write(topics[topic], time, &data).unwrap();
            expected.push((["/latched", "/a"][topic].to_owned(), time, digest(&data)));
        }
        writer.finish().unwrap();
        expected.sort_by_key(|m| m.1);
        prop_assert_eq!(read(&path).unwrap(), (expected, Vec::new()));
    }
}
