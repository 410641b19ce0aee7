//! Whole recordings of every kind.

use std::fs;
use std::path::Path;

use shuffledet_bag::{BagError, Recording, Selection};
use tempfile::TempDir;

use crate::bag::recordings::{python_bags, read, read_selected};
use shuffledet_testing as support;

/// Whether a file of this name is read by scanning, or without its metadata, which is warned of.
fn is_incomplete(name: &str) -> bool {
    [
        "no_index",
        "no_channels",
        "no_summary",
        "no_metadata",
        "unchunked",
    ]
    .iter()
    .any(|kind| name.contains(kind))
}

#[test]
fn reads_what_python_reads() {
    let Some((folder, cases)) = python_bags("reads_what_python_reads") else {
        return;
    };
    for case in cases {
        let name = case.path.to_str().unwrap();
        let (reading, warnings) = read(&folder.join(&case.path)).unwrap();
        assert!(
            reading == case.messages,
            "{name}: {} messages",
            reading.len()
        );
        assert_eq!(
            !warnings.is_empty(),
            is_incomplete(name),
            "{name}: {warnings:?}"
        );
        for warning in warnings {
            assert!(warning.contains(name), "{name}: {warning}");
        }
    }
}

#[test]
fn states_topics_and_times() {
    let Some((folder, cases)) = python_bags("states_topics_and_times") else {
        return;
    };
    for case in cases {
        let recording = Recording::open(&folder.join(&case.path)).unwrap();
        let times = (case.messages[0].1, case.messages.last().unwrap().1);
        assert_eq!(recording.start_end_ns(), Some(times), "{:?}", case.path);
        let has_counts = !case.path.to_str().unwrap().contains("no_statistics");
        let names: Vec<_> = recording.topics().iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["/a", "/b", "/c/d"], "{:?}", case.path);
        for topic in recording.topics() {
            assert_eq!(topic.type_name, "std_msgs/msg/String", "{:?}", case.path);
            assert_eq!(topic.serialization_format, "cdr");
            let count = case.messages.iter().filter(|m| m.0 == topic.name).count();
            let expected = has_counts.then_some(count as u64);
            assert_eq!(topic.message_count, expected, "{:?}", case.path);
        }
    }
}

#[test]
fn selects_by_topic_and_time() {
    let Some((folder, cases)) = python_bags("selects_by_topic_and_time") else {
        return;
    };
    for case in cases {
        let times: Vec<_> = case.messages.iter().map(|m| m.1).collect();
        let (start, end) = (times[times.len() / 3], times[times.len() / 2]);
        let selection = Selection {
            topics: vec!["/a".into(), "/c/d".into()],
            start_ns: Some(start),
            end_ns: Some(end),
        };
        let (reading, _) = read_selected(&folder.join(&case.path), &selection).unwrap();
        let mut expected = case.messages.clone();
        expected.retain(|m| m.0 != "/b" && m.1 >= start && m.1 < end);
        assert!(
            !expected.is_empty() && reading == expected,
            "{:?}",
            case.path
        );
    }
}

#[test]
fn unknown_topic_is_an_error_that_lists_the_topics() {
    let test = "unknown_topic_is_an_error_that_lists_the_topics";
    let Some(path) = support::asset(test, "bags/dashcam_raw_sqlite3") else {
        return;
    };
    let selection = Selection {
        topics: vec!["/camera".into()],
        ..Selection::default()
    };
    let error = read_selected(&path, &selection).unwrap_err().to_string();
    assert!(error.contains("topic /camera "), "{error}");
    assert!(error.contains("/camera/front/image_raw"), "{error}");
}

#[test]
fn reads_the_shared_recordings() {
    for (bag, topic, count, of_topic) in [
        (
            "dashcam_compressed_mcap",
            "/camera/front/image_raw/compressed",
            442,
            221,
        ),
        ("dashcam_raw_sqlite3", "/camera/front/image_raw", 150, 75),
        ("encodings_mcap", "/enc/mono8", 11, 1),
    ] {
        let Some(path) = support::asset("reads_the_shared_recordings", &format!("bags/{bag}"))
        else {
            return;
        };
        let (reading, warnings) = read(&path).unwrap();
        assert_eq!(reading.len(), count);
        assert_eq!(reading.iter().filter(|m| m.0 == topic).count(), of_topic);
        assert!(reading.is_sorted_by_key(|m| m.1));
        assert!(warnings.is_empty(), "{warnings:?}");
    }
}

/// The lowest version in full, with fields that nobody knows.
fn metadata(version: i64, storage: &str, compression: &str, file: &str) -> String {
    format!(
        "rosbag2_bagfile_information:
  version: {version}
  storage_identifier: {storage}
  relative_file_paths: [{file}]
  something_new: {{deep: [1, 2]}}
  duration: {{nanoseconds: 5}}
  starting_time: {{nanoseconds_since_epoch: 10}}
  message_count: 2
  topics_with_message_count:
    - {{message_count: 2, topic_metadata: {{name: /t, type: a/msg/B, serialization_format: xml, offered_qos_profiles: '- history: 3'}}}}
  compression_format: '{compression}'
  compression_mode: MESSAGE
"
    )
}

fn open_with(text: &str, files: &[&str]) -> Result<Recording, BagError> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("metadata.yaml"), text).unwrap();
    for file in files {
        fs::write(folder.path().join(file), "").unwrap();
    }
    Recording::open(folder.path())
}

#[test]
fn metadata_is_checked_and_what_is_wrong_is_named() {
    let recording = open_with(&metadata(4, "mcap", "zstd", "x.mcap"), &["x.mcap"]).unwrap();
    assert_eq!(recording.start_end_ns(), Some((10, 15)));
    assert_eq!(recording.topics()[0].serialization_format, "xml");
    for (text, words) in [
        (
            metadata(3, "mcap", "zstd", "x.mcap"),
            vec!["version 3", "4 to 9"],
        ),
        (
            metadata(10, "mcap", "zstd", "x.mcap"),
            vec!["version 10", "4 to 9"],
        ),
        (
            metadata(9, "rosbag_v2", "zstd", "x.mcap"),
            vec!["rosbag_v2", "sqlite3"],
        ),
        (
            metadata(9, "mcap", "lz4", "x.mcap"),
            vec!["lz4", "MESSAGE", "zstd"],
        ),
        (
            metadata(9, "mcap", "zstd", "y.mcap, z.mcap"),
            vec!["y.mcap", "z.mcap"],
        ),
        (
            "something: else".into(),
            vec!["rosbag2_bagfile_information"],
        ),
        ("[".into(), vec!["metadata.yaml"]),
        (String::new(), vec!["metadata.yaml"]),
    ] {
        let error = open_with(&text, &["x.mcap"]).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{error}");
        }
    }
}

#[test]
fn what_is_no_recording_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let refused = |path: &Path, word: &str| {
        let error = read(path).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert!(error.contains(word), "{error}");
    };
    refused(folder, "no recording");
    refused(&folder.join("absent.mcap"), "No such file");
    for (name, content, word) in [
        ("a.txt", "x", "no recording"),
        ("a.mcap", "", "it is empty (0 bytes)"),
        ("b.mcap", "not an MCAP file, but long enough", "magic"),
        ("a.db3", "", "it is empty (0 bytes)"),
        ("b.db3", "not a database", "not a database"),
        ("a.mcap.zstd", "not compressed", "it unpacks to nothing"),
    ] {
        fs::write(folder.join(name), content).unwrap();
        refused(&folder.join(name), word);
    }
    refused(folder, "found .mcap and .db3 files");
}

#[test]
fn one_unreadable_file_of_several_is_a_warning() {
    let Some((bags, cases)) = python_bags("one_unreadable_file_of_several_is_a_warning") else {
        return;
    };
    for name in ["split_mcap_none", "split_sqlite3_none", "split_mcap_file"] {
        let case = cases.iter().find(|c| c.path == Path::new(name)).unwrap();
        for damaged in ["_0.", "_1."] {
            let folder = TempDir::new().unwrap();
            for entry in fs::read_dir(bags.join(name)).unwrap() {
                let path = entry.unwrap().path();
                let file = path.file_name().unwrap().to_str().unwrap();
                let content = match file.contains(damaged) {
                    true => b"damaged".to_vec(),
                    false => fs::read(&path).unwrap(),
                };
                fs::write(folder.path().join(file), content).unwrap();
            }
            let (reading, warnings) = read(folder.path()).unwrap();
            let expected = match damaged {
                "_0." => &case.messages[50..],
                _ => &case.messages[..50],
            };
            assert!(reading == expected, "{name}: {}", reading.len());
            assert!(warnings.iter().any(|w| w.contains(damaged)), "{warnings:?}");
        }
    }
}

#[test]
fn messages_can_be_read_on_another_thread() {
    fn is_send<T: Send + 'static>() {}
    is_send::<shuffledet_bag::Messages>();
    is_send::<Recording>();
}

#[test]
fn a_database_that_was_not_closed_is_read_with_its_journal() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("open? #1.db3");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE topics(id INTEGER PRIMARY KEY, name, type, serialization_format);
         CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data);
         INSERT INTO topics VALUES (1, '/t', 'a/msg/B', 'cdr');
         PRAGMA wal_checkpoint;
         INSERT INTO messages VALUES (1, 1, 20, x'0001'), (2, 1, 10, x'0002');",
    )
    .unwrap();
    let (reading, warnings) = read(&path).unwrap();
    let times: Vec<_> = reading.iter().map(|m| m.1).collect();
    assert_eq!(times, [10, 20]);
    assert!(warnings.is_empty(), "{warnings:?}");
    // A copy without the journal is a recording of what had been checkpointed.
    let copy = folder.path().join("copy%41.db3");
    fs::copy(&path, &copy).unwrap();
    assert_eq!(read(&copy).unwrap(), (Vec::new(), Vec::new()));
}

#[test]
fn a_topic_that_metadata_leaves_out_is_warned_of() {
    let Some((bags, _)) = python_bags("a_topic_that_metadata_leaves_out_is_warned_of") else {
        return;
    };
    for storage in ["mcap", "sqlite3"] {
        let folder = TempDir::new().unwrap();
        let name = format!("v9_{storage}_none");
        for entry in fs::read_dir(bags.join(&name)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        let metadata = folder.path().join("metadata.yaml");
        let text = fs::read_to_string(&metadata).unwrap();
        fs::write(&metadata, text.replace("name: /c/d", "name: /e")).unwrap();
        let (reading, warnings) = read(folder.path()).unwrap();
        assert!(!reading.is_empty() && reading.iter().all(|m| m.0 == "/a" || m.0 == "/b"));
        assert!(
            warnings[0].contains("/c/d is not in metadata.yaml"),
            "{warnings:?}"
        );
    }
}
