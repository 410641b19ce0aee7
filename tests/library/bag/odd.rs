//! Recordings that are whole, but not as today's rosbag2 writes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use shuffledet_bag::{Messages, Recording, Selection};
use tempfile::TempDir;

use crate::bag::recordings::read;

/// A channel of a file: topic, type, encoding of the messages.
type Channel<'a> = (&'a str, &'a str, &'a str);

/// An MCAP file with a message for each log time and channel.
fn mcap(messages: &[(u64, Channel<'_>)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = mcap::Writer::new(std::io::Cursor::new(&mut file)).unwrap();
    for (log_time, (topic, type_name, encoding)) in messages {
        let schema = writer.add_schema(type_name, "ros2msg", b"int8 x").unwrap();
        let channel = writer
            .add_channel(schema, topic, encoding, &BTreeMap::new())
            .unwrap();
        let header = mcap::records::MessageHeader {
            channel_id: channel,
            sequence: 0,
            log_time: *log_time,
            publish_time: *log_time,
        };
        writer.write_to_known_channel(&header, &[1]).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    file
}

const T: Channel<'_> = ("/t", "a/msg/B", "cdr");

/// A database with rows `(id, name, type)` of topics and `(topic, log time)` of messages.
fn database(path: &Path, topics: &[(i64, &str, &str)], messages: &[(i64, i64)]) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name, type, serialization_format);
         CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data);",
    )
    .unwrap();
    for row in topics {
        let insert = "INSERT INTO topics VALUES (?1, ?2, ?3, 'cdr')";
        db.execute(insert, *row).unwrap();
    }
    for row in messages {
        let insert = "INSERT INTO messages(topic_id, timestamp, data) VALUES (?1, ?2, x'01')";
        db.execute(insert, *row).unwrap();
    }
}

fn metadata(fields: &str) -> String {
    format!("rosbag2_bagfile_information:\n{fields}")
}

/// A bag folder `drive` of a file and its metadata.
fn bag(folder: &TempDir, file: &str, content: &[u8], fields: &str) -> PathBuf {
    let path = folder.path().join("drive");
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join(file), content).unwrap();
    fs::write(path.join("metadata.yaml"), metadata(fields)).unwrap();
    path
}

/// Log time, topic, type and serialization of each message.
fn typed(path: &Path) -> (Vec<(u64, String)>, Vec<String>) {
    let recording = Recording::open(path).unwrap();
    let mut messages: Messages = recording.read(&Selection::default()).unwrap();
    let (mut data, mut found) = (Vec::new(), Vec::new());
    while let Some(head) = messages.next_into(&mut data).unwrap() {
        let topic = &messages.topics()[head.topic];
        let told = format!(
            "{} {} {}",
            topic.name, topic.type_name, topic.serialization_format
        );
        found.push((head.log_time_ns, told));
    }
    (found, messages.warnings().to_vec())
}

const TOPICS: &str = "  topics_with_message_count:
    - {message_count: 1, topic_metadata: {name: /t, type: a/msg/B, serialization_format: cdr}}
";

#[test]
fn files_are_found_as_every_version_of_rosbag2_has_named_them() {
    let plain = mcap(&[(10, T)]);
    let packed = zstd::encode_all(plain.as_slice(), 0).unwrap();
    for (file, listed) in [
        ("drive_0.mcap", "drive/drive_0.mcap"),
        ("drive_0.mcap", "before the renaming/drive_0.mcap"),
        ("drive_0.mcap", "drive_0.mcap.zstd"),
        ("drive_0.mcap.zstd", "drive_0.mcap"),
        ("drive_0.mcap.zstd", "drive/drive_0.mcap.zstd"),
        ("drive_0.mcap.zstd", "drive/drive_0.mcap"),
        ("drive_0.mcap", "./drive_0.mcap"),
    ] {
        let folder = TempDir::new().unwrap();
        let content = if file.ends_with("zstd") {
            &packed
        } else {
            &plain
        };
        let fields = format!(
            "  version: 4\n  storage_identifier: mcap\n  compression_mode: FILE\n  compression_format: zstd\n  \
             message_count: 1\n{TOPICS}  relative_file_paths: [{listed}]\n"
        );
        let path = bag(&folder, file, content, &fields);
        let (reading, warnings) = read(&path).unwrap();
        assert_eq!(reading.len(), 1, "{file} as {listed}");
        assert!(warnings.is_empty(), "{file} as {listed}: {warnings:?}");
    }
}

#[test]
fn no_file_outside_of_the_bag_folder_is_read() {
    let folder = TempDir::new().unwrap();
    let outside = folder.path().join("x.mcap");
    fs::write(&outside, mcap(&[(10, T)])).unwrap();
    for listed in ["../x.mcap", "drive/../../x.mcap", outside.to_str().unwrap()] {
        let fields = format!("  version: 9\n{TOPICS}  relative_file_paths: [{listed}]\n");
        let path = bag(&folder, "notes.txt", b"", &fields);
        let error = read(&path).unwrap_err().to_string();
        for part in ["metadata.yaml", listed, "outside the bag folder"] {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[test]
fn the_storage_goes_by_what_the_files_are() {
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("x.db3");
    database(&db, &[(1, "/t", "a/msg/B")], &[(1, 10)]);
    let db = fs::read(db).unwrap();
    for content in [mcap(&[(10, T)]), db] {
        let packed = zstd::encode_all(content.as_slice(), 0).unwrap();
        for content in [content, packed] {
            for (file, identifier, warned) in [
                ("a.mcap", "''", false),
                ("a.db3", "~", false),
                ("a.data", "''", false),
                ("a", "my_plugin", true),
                ("a.zstd", "''", false),
            ] {
                let folder = TempDir::new().unwrap();
                let fields = format!(
                    "  version: 5\n  storage_identifier: {identifier}\n  message_count: 1\n{TOPICS}  \
                     relative_file_paths: [{file}]\n"
                );
                let path = bag(&folder, file, &content, &fields);
                let (reading, warnings) = read(&path).unwrap();
                assert_eq!(reading.len(), 1, "{file} {identifier}");
                assert_eq!(!warnings.is_empty(), warned, "{warnings:?}");
                // the same alone, and in a folder without metadata
                assert_eq!(read(&path.join(file)).unwrap().0, reading);
                fs::remove_file(path.join("metadata.yaml")).unwrap();
                assert_eq!(read(&path).unwrap().0, reading);
            }
        }
    }
    let sqlite_called_mcap = TempDir::new().unwrap();
    let fields = format!(
        "  version: 5\n  storage_identifier: sqlite3\n  message_count: 1\n{TOPICS}  relative_file_paths: [a.mcap]\n"
    );
    let path = bag(&sqlite_called_mcap, "a.mcap", &mcap(&[(10, T)]), &fields);
    let (reading, warnings) = read(&path).unwrap();
    assert_eq!(reading.len(), 1);
    assert!(warnings[0].contains("\"sqlite3\"") && warnings[0].contains("mcap"));
}

#[test]
fn metadata_with_gaps_costs_nothing_that_the_files_say() {
    let content = mcap(&[(10, T), (20, ("/u", "a/msg/C", "cdr"))]);
    let files = "  relative_file_paths: [a.mcap]\n";
    for (fields, warned) in [
        (format!("  version: 5\n{files}"), true),
        (
            format!("  version: 5\n  topics_with_message_count: ~\n{files}"),
            true,
        ),
        (
            format!("  version: 5\n  topics_with_message_count: []\n{files}"),
            true,
        ),
        (
            format!("  version: 5\n  topics_with_message_count: [{{message_count: 1}}]\n{files}"),
            true,
        ),
        (
            format!(
                "  version: 5\n  topics_with_message_count:\n  - {{topic_metadata: {{name: ~, type: ~}}}}\n{files}"
            ),
            true,
        ),
        (format!("  version: ~\n{files}"), true),
        ("  version: 9\n  relative_file_paths: ~\n".to_owned(), true),
        ("  version: 9\n  relative_file_paths: []\n".to_owned(), true),
        (
            "  version: 9\n  relative_file_paths: [~]\n  files: [{path: a.mcap}]\n".to_owned(),
            true,
        ),
        (
            format!(
                "  version: '9'\n  storage_identifier: ~\n  duration: ~\n  starting_time: 5\n  message_count: ~\n  \
                 compression_mode: ~\n  compression_format: ~\n  files: ~\n  topics_with_message_count:\n  - \
                 {{message_count: ~, topic_metadata: {{name: /t, type: a/msg/B}}}}\n  - {{topic_metadata: {{name: /u, \
                 type: a/msg/C, serialization_format: ~}}}}\n{files}"
            ),
            false,
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let path = bag(&folder, "a.mcap", &content, &fields);
        let (found, warnings) = typed(&path);
        let expected = [
            (10, "/t a/msg/B cdr".to_owned()),
            (20, "/u a/msg/C cdr".to_owned()),
        ];
        assert_eq!(found, expected, "{fields}");
        assert_eq!(!warnings.is_empty(), warned, "{fields}: {warnings:?}");
        for warning in warnings {
            assert!(warning.contains("metadata.yaml"), "{warning}");
        }
    }
}

#[test]
fn each_message_has_the_type_of_its_channel() {
    let other: Channel<'_> = ("/t", "a/msg/C", "cdr");
    let ros1: Channel<'_> = ("/t", "a/msg/B", "ros1");
    let folder = TempDir::new().unwrap();
    let lone = folder.path().join("lone.mcap");
    let messages = [(10, T), (20, other), (30, ros1), (40, T)];
    fs::write(&lone, mcap(&messages)).unwrap();
    let expected: Vec<_> = messages
        .iter()
        .map(|(time, (topic, name, encoding))| (*time, format!("{topic} {name} {encoding}")))
        .collect();
    assert_eq!(typed(&lone).0, expected);
    let recording = Recording::open(&lone).unwrap();
    assert_eq!(recording.topics().len(), 3);
    // the same without its summary
    let whole = fs::read(&lone).unwrap();
    fs::write(&lone, &whole[..whole.len() - 20]).unwrap();
    assert_eq!(typed(&lone).0, expected);

    // over split files, of whose second type metadata.yaml says nothing
    let path = folder.path().join("split");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("a.mcap"), mcap(&messages[..1])).unwrap();
    fs::write(path.join("b.mcap"), mcap(&messages[1..])).unwrap();
    let topics = TOPICS.replace("message_count: 1", "message_count: 4");
    let fields = format!("  version: 5\n{topics}  relative_file_paths: [a.mcap, b.mcap]\n");
    fs::write(path.join("metadata.yaml"), metadata(&fields)).unwrap();
    let (found, warnings) = typed(&path);
    assert_eq!(found, expected);
    assert!(warnings.is_empty(), "{warnings:?}");

    let db = folder.path().join("x.db3");
    let rows = [
        (1, "/t", "a/msg/B"),
        (2, "/t", "a/msg/C"),
        (3, "/u", "a/msg/B"),
    ];
    database(&db, &rows, &[(1, 10), (2, 20), (3, 25), (1, 30)]);
    let expected: Vec<_> = [
        (10, "/t a/msg/B"),
        (20, "/t a/msg/C"),
        (25, "/u a/msg/B"),
        (30, "/t a/msg/B"),
    ]
    .map(|(time, told)| (time, format!("{told} cdr")))
    .into();
    assert_eq!(typed(&db).0, expected);
}

#[test]
fn a_channel_without_an_encoding_has_that_of_its_schema() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.mcap");
    fs::write(&path, mcap(&[(10, ("/t", "a/msg/B", ""))])).unwrap();
    assert_eq!(typed(&path).0, [(10, "/t a/msg/B cdr".to_owned())]);
}

#[test]
fn a_ros1_recording_is_named_with_what_converts_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("my drive.bag");
    fs::write(&path, "#ROSBAG V2.0\nand so on").unwrap();
    for path in [path.as_path(), folder.path()] {
        let error = read(path).unwrap_err().to_string();
        assert!(error.contains("ROS 1"), "{error}");
        let command = format!(
            "rosbags-convert --src '{0}/my drive.bag' --dst '{0}/my drive'",
            folder.path().display()
        );
        assert!(error.contains(&command), "{error}");
    }
    let fields = "  version: 4\n  storage_identifier: rosbag_v2\n  relative_file_paths: [a.bag]\n";
    let path = bag(&folder, "a.bag", b"#ROSBAG V2.0\n", fields);
    assert!(read(&path).unwrap_err().to_string().contains("ROS 1"));
}

/// A database that was not closed: `(path, its write-ahead log)`, with its messages in the log alone.
fn unclosed(folder: &Path) -> (PathBuf, PathBuf) {
    let (open, path) = (folder.join("open.db3"), folder.join("x.db3"));
    let db = rusqlite::Connection::open(&open).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE topics(id INTEGER PRIMARY KEY, name, type, serialization_format);
         CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data);
         INSERT INTO topics VALUES (1, '/t', 'a/msg/B', 'cdr');
         PRAGMA wal_checkpoint;
         INSERT INTO messages VALUES (1, 1, 20, x'0001');",
    )
    .unwrap();
    fs::copy(&open, &path).unwrap();
    let wal = folder.join("x.db3-wal");
    fs::copy(folder.join("open.db3-wal"), &wal).unwrap();
    drop(db);
    (path, wal)
}

#[test]
fn a_journal_that_cannot_be_replayed_is_named_with_what_to_do() {
    let temp = TempDir::new().unwrap();
    let (path, wal) = unclosed(temp.path());
    let content = |path: &Path| {
        let mut files: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        files.sort();
        files
            .into_iter()
            .map(|path| (fs::read(&path).unwrap(), path))
            .collect::<Vec<_>>()
    };
    let before = content(temp.path());
    assert_eq!(read(&path).unwrap().0.len(), 1);
    assert!(
        content(temp.path()) == before,
        "reading leaves nothing behind"
    );
    // an index that is there already may be a recorder's
    fs::write(temp.path().join("x.db3-shm"), "").unwrap();
    assert_eq!(read(&path).unwrap().0.len(), 1);
    assert!(temp.path().join("x.db3-shm").exists());
    // SQLite would delete the log of an empty database
    let whole = fs::read(&path).unwrap();
    fs::write(&path, "").unwrap();
    let told = read(&path).unwrap_err().to_string();
    assert!(told.contains("x.db3-wal cannot be replayed"), "{told}");
    assert!(wal.exists());
    fs::write(&path, whole).unwrap();
    // nobody, not even root, makes the index of the log in a folder that is not there
    let index = temp.path().join("x.db3-shm");
    let _ = fs::remove_file(&index);
    std::os::unix::fs::symlink(temp.path().join("absent/x.db3-shm"), &index).unwrap();
    let (reading, warnings) = read(&path).unwrap();
    assert!(reading.is_empty(), "{warnings:?}");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in [
        wal.to_str().unwrap(),
        "cannot be replayed",
        "copy both files",
    ] {
        assert!(warnings[0].contains(part), "{warnings:?}");
    }

    // SQLite takes a log that does not begin as one for an empty one
    fs::remove_file(&index).unwrap();
    fs::write(&wal, vec![7; 5000]).unwrap();
    let (reading, warnings) = read(&path).unwrap();
    assert!(reading.is_empty(), "{warnings:?}");
    assert!(warnings[0].contains(wal.to_str().unwrap()), "{warnings:?}");
    assert!(
        warnings[0].contains("no header of a write-ahead log"),
        "{warnings:?}"
    );

    // a transaction that was not completed is rolled back by a writer only
    let path = temp.path().join("y.db3");
    database(&path, &[(1, "/t", "a/msg/B")], &[(1, 10)]);
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA cache_size = 1; BEGIN; UPDATE messages SET timestamp = 99;
         INSERT INTO messages(topic_id, timestamp, data) SELECT 1, 50, randomblob(100000) FROM messages;",
    )
    .unwrap();
    let hot = temp.path().join("hot.db3");
    fs::copy(&path, &hot).unwrap();
    fs::copy(
        temp.path().join("y.db3-journal"),
        temp.path().join("hot.db3-journal"),
    )
    .unwrap();
    drop(db);
    let told = match read(&hot) {
        Ok((_, warnings)) => warnings.join("\n"),
        Err(error) => error.to_string(),
    };
    for part in ["hot.db3-journal", "cannot be replayed", "copy both files"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_journal_without_its_database_is_named() {
    let temp = TempDir::new().unwrap();
    let (path, wal) = unclosed(temp.path());
    let folder = temp.path().join("alone");
    fs::create_dir(&folder).unwrap();
    let alone = folder.join("x.db3-wal");
    fs::copy(&wal, &alone).unwrap();
    let told = |path: &Path, part: &str| {
        let error = read(path).unwrap_err().to_string();
        assert!(
            error.contains("x.db3-wal") && error.contains(part),
            "{error}"
        );
    };
    told(&folder, "put ");
    told(&folder.join("x.db3"), "put ");
    told(&alone, "put ");
    told(&wal, &format!("give {}", path.display()));
    let fields = "  version: 5\n  relative_file_paths: [x.db3]\n";
    fs::write(folder.join("metadata.yaml"), metadata(fields)).unwrap();
    told(&folder, "put ");
}

#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    let temp = TempDir::new().unwrap();
    let pipe = temp.path().join("pipe.mcap");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let error = read(&pipe).unwrap_err().to_string();
    assert!(error.contains("no recording found"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn metadata_with_changes_is_read_or_refused(
        changes in prop::collection::vec((any::<Index>(), "[\\[\\]{}:,*&!|>'\"#~0-9a-z\n./-]{1,4}"), 1..6),
    ) {
        let folder = TempDir::new().unwrap();
        let fields = "  version: 5\n  storage_identifier: mcap\n  duration: {nanoseconds: 5}\n  \
                      starting_time: {nanoseconds_since_epoch: 10}\n  message_count: 1\n  compression_mode: FILE\n  \
                      compression_format: zstd\n  relative_file_paths: [drive/a.mcap]\n  files: [{path: a.mcap, \
                      message_count: 1, starting_time: {nanoseconds_since_epoch: 10}}]\n";
        let mut text = format!("{fields}{TOPICS}");
        for (at, change) in changes {
            let at = text.floor_char_boundary(at.index(text.len()));
            text.insert_str(at, &change);
        }
        let path = bag(&folder, "a.mcap", &mcap(&[(10, T)]), &text);
        match read(&path) {
            Ok((reading, _)) => prop_assert!(reading.len() <= 1),
            Err(error) => prop_assert!(error.to_string().contains("drive"), "{}", error),
        }
    }
}

#[test]
fn aliases_do_not_make_a_short_metadata_fill_the_memory() {
    let folder = TempDir::new().unwrap();
    let (list, aliases) = ("x, ".repeat(20_000), "*a, ".repeat(10_000));
    let fields = format!("  version: 5\n  a: &a [{list}]\n  b: [{aliases}]\n");
    let path = bag(&folder, "a.mcap", &mcap(&[(10, T)]), &fields);
    let error = read(&path).unwrap_err().to_string();
    assert!(
        error.contains("aliases") && error.contains("metadata.yaml"),
        "{error}"
    );
}
