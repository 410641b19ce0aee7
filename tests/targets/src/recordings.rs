//! Recordings: MCAP, SQLite3, `metadata.yaml`.

use std::path::Path;

use shuffledet_bag::{Recording, Selection};

use crate::scratch;

/// More messages are not read: a small file may have millions of empty ones.
const MOST_MESSAGES: usize = 2000;

pub fn mcap(input: &[u8]) -> bool {
    reads(&scratch::file("fuzzed.mcap", input))
}

pub fn sqlite(input: &[u8]) -> bool {
    reads(&scratch::file("fuzzed.db3", input))
}

/// The input is the `metadata.yaml` of a recording whose file is `a.mcap`.
pub fn bag_metadata(input: &[u8]) -> bool {
    let [mcap] = &seeds::mcap_files(&[None])[..] else {
        unreachable!("one file for one compression")
    };
    scratch::file("bag/a.mcap", mcap);
    let metadata = scratch::file("bag/metadata.yaml", input);
    metadata.parent().is_some_and(reads)
}

/// Reads a recording to its end, and returns whether it could be opened.
fn reads(path: &Path) -> bool {
    let Ok(recording) = Recording::open(path) else {
        return false;
    };
    let Ok(mut messages) = recording.read(&Selection::default()) else {
        return true;
    };
    let (mut data, mut last) = (Vec::new(), 0);
    for _ in 0..MOST_MESSAGES {
        match messages.next_into(&mut data) {
            Ok(Some(head)) => {
                assert!(head.topic < messages.topics().len());
                assert!(
                    head.log_time_ns >= last,
                    "messages are not in the order of log time"
                );
                last = head.log_time_ns;
            }
            Ok(None) | Err(_) => break,
        }
    }
    true
}

pub mod seeds {
    use std::collections::BTreeMap;
    use std::io::Cursor;
    use std::sync::OnceLock;

    use mcap::records::MessageHeader;
    use mcap::{Compression, WriteOptions};

    pub fn mcap() -> Vec<Vec<u8>> {
        let compressions = [None, Some(Compression::Zstd), Some(Compression::Lz4)];
        mcap_files(&compressions)
    }

    /// Returns a recording for each compression, with two topics and three messages in two chunks.
    pub fn mcap_files(compressions: &[Option<Compression>]) -> Vec<Vec<u8>> {
        // written for each input of a target otherwise
        static PLAIN: OnceLock<Vec<u8>> = OnceLock::new();
        let write = |compression: &Option<Compression>| match compression {
            None => PLAIN.get_or_init(|| mcap_file(None)).clone(),
            some => mcap_file(*some),
        };
        compressions.iter().map(write).collect()
    }

    fn mcap_file(compression: Option<Compression>) -> Vec<u8> {
        let mut file = Vec::new();
        let options = WriteOptions::new()
            .compression(compression)
            .chunk_size(Some(40))
            .profile("ros2");
        let mut writer = options.create(Cursor::new(&mut file)).unwrap();
        let schema = writer
            .add_schema("std_msgs/msg/String", "ros2msg", b"string data")
            .unwrap();
        let mut channel = |topic| {
            writer
                .add_channel(schema, topic, "cdr", &BTreeMap::new())
                .unwrap()
        };
        let channels = [channel("/a"), channel("/b")];
        for sequence in 0..3_u32 {
            let header = MessageHeader {
                channel_id: channels[sequence as usize % 2],
                sequence,
                log_time: 10 + u64::from(sequence),
                publish_time: 0,
            };
            let text = [b"\0\x01\0\0\x05\0\0\0text\0".as_slice(), &[0; 30]].concat();
            writer.write_to_known_channel(&header, &text).unwrap();
        }
        writer.finish().unwrap();
        drop(writer);
        file
    }

    /// Returns databases of two versions, in pages of 512 bytes, so that changes hit more than empty space.
    pub fn sqlite() -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let database = |name: &str, columns: &str, value: &str| {
            let path = folder.path().join(name);
            let connection = rusqlite::Connection::open(&path).unwrap();
            let rows = (0..3).map(|at| {
                format!(
                    "INSERT INTO messages(topic_id, timestamp, data) VALUES(1, {at}, x'00010000');"
                )
            });
            connection
                .execute_batch(&format!(
                    "PRAGMA page_size = 512; PRAGMA journal_mode = OFF;
                     CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT{columns});
                     CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB);
                     CREATE INDEX timestamp_idx ON messages(timestamp ASC);
                     INSERT INTO topics VALUES(1, '/a', 'std_msgs/msg/String', 'cdr'{value});
                     {}",
                    rows.collect::<String>()
                ))
                .unwrap();
            drop(connection);
            std::fs::read(path).unwrap()
        };
        vec![
            database("foxy.db3", "", ""),
            database(
                "jazzy.db3",
                ", offered_qos_profiles TEXT, type_description_hash TEXT",
                ", '', ''",
            ),
        ]
    }

    pub fn bag_metadata() -> Vec<Vec<u8>> {
        let old = "rosbag2_bagfile_information:
  version: 4
  storage_identifier: mcap
  relative_file_paths: [a.mcap]
  duration: {nanoseconds: 2}
  starting_time: {nanoseconds_since_epoch: 10}
  message_count: 3
  topics_with_message_count:
    - topic_metadata: {name: /a, type: std_msgs/msg/String, serialization_format: cdr, offered_qos_profiles: ''}
      message_count: 2
  compression_format: ''
  compression_mode: ''
";
        let new = "rosbag2_bagfile_information:
  version: 9
  storage_identifier: mcap
  relative_file_paths:
    - a.mcap
  files:
    - path: a.mcap
      starting_time:
        nanoseconds_since_epoch: 10
      duration:
        nanoseconds: 2
      message_count: 3
  topics_with_message_count:
    - topic_metadata:
        name: /a
        type: std_msgs/msg/String
        serialization_format: cdr
        offered_qos_profiles:
          - {history: keep_last, depth: 10}
      message_count: 2
  compression_format: zstd
  compression_mode: MESSAGE
  custom_data: ~
  ros_distro: jazzy
";
        [old, new].map(|text| text.as_bytes().to_vec()).into()
    }
}
