//! Files that are cut off, damaged, or made to do harm.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use mcap::{Compression, Summary, WriteOptions};
use proptest::prelude::*;
use shuffledet_bag::{Recording, Selection};
use tempfile::TempDir;

use crate::bag::recordings::{Reading, python_bags, read};

/// For each message of an intact file, in the order of log time, the byte before which nothing of
/// it can be read and the one from which it must be, by the `mcap` crate's own reader.
fn bounds(file: &[u8]) -> Vec<(u64, u64)> {
    let summary = Summary::read(file).unwrap().unwrap();
    if summary.chunk_indexes.is_empty() {
        // No chunks: a message ends with its own record.
        let mut at = 8;
        let mut found = Vec::new();
        while at + 9 < file.len() && file[at] != mcap::records::op::DATA_END {
            let length = u64::from_le_bytes(file[at + 1..at + 9].try_into().unwrap());
            let end = at as u64 + 9 + length;
            if file[at] == mcap::records::op::MESSAGE {
                found.push((end, end));
            }
            at = end as usize;
        }
        return found;
    }
    let mut found = Vec::new();
    for chunk in &summary.chunk_indexes {
        let count = summary.stream_chunk(file, chunk).unwrap().count();
        let end = chunk.chunk_start_offset + chunk.chunk_length;
        found.extend(std::iter::repeat_n((chunk.chunk_start_offset, end), count));
    }
    found
}

fn save(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_truncated_mcap_gives_its_whole_readable_part() {
    let test = "a_truncated_mcap_gives_its_whole_readable_part";
    let Some((bags, cases)) = python_bags(test) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    for kind in ["none", "lz4", "zstd", "unchunked"] {
        let name = format!("in_order_{kind}.mcap");
        let case = cases.iter().find(|c| c.path == Path::new(&name)).unwrap();
        let whole = fs::read(bags.join(&name)).unwrap();
        let bounds = bounds(&whole);
        assert_eq!(bounds.len(), case.messages.len());
        let mut before = 0;
        for length in (0..whole.len()).step_by(997) {
            let path = save(&folder, &name, &whole[..length]);
            let Ok((reading, warnings)) = read(&path) else {
                assert!(length < 100, "{name} of {length} bytes");
                continue;
            };
            let count = reading.len();
            assert!(
                reading == case.messages[..count],
                "{name} of {length} bytes"
            );
            let must = bounds.iter().filter(|b| b.1 <= length as u64).count();
            let may = bounds.iter().filter(|b| b.0 <= length as u64).count();
            assert!(
                (must..=may).contains(&count) && count >= before,
                "{name} of {length} bytes: {count} messages, not {must} to {may}, after {before}"
            );
            let named = warnings
                .iter()
                .any(|w| w.contains(&name) && w.contains("cut off"));
            let whole_data = may == bounds.len();
            assert!(
                named || whole_data,
                "{name} of {length} bytes: {warnings:?}"
            );
            before = count;
        }
        assert_eq!(before, case.messages.len());
    }
}

/// All of `reading` is in `whole`, in its order.
fn is_part(reading: &Reading, whole: &Reading) -> bool {
    let mut rest = whole.iter();
    reading.iter().all(|m| rest.any(|other| other == m))
}

#[test]
fn a_flipped_byte_costs_its_chunk_at_most() {
    let Some((bags, cases)) = python_bags("a_flipped_byte_costs_its_chunk_at_most") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    for kind in ["none", "lz4", "zstd"] {
        let name = format!("in_order_{kind}.mcap");
        let case = cases.iter().find(|c| c.path == Path::new(&name)).unwrap();
        let whole = fs::read(bags.join(&name)).unwrap();
        let bounds = bounds(&whole);
        // Every byte of the heads and of the summary, and some of the content.
        let summary = Summary::read(&whole).unwrap().unwrap();
        let heads = summary.chunk_indexes.iter().flat_map(|c| {
            let start = c.chunk_start_offset as usize;
            start..start + 60
        });
        let positions = (8..300)
            .chain(heads.take(180))
            .chain((0..whole.len() - 1500).step_by(2003).skip(1))
            .chain((whole.len() - 1500..whole.len()).step_by(7));
        for at in positions {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let path = save(&folder, &name, &damaged);
            let (reading, warnings) = match read(&path) {
                Ok(found) => found,
                // The length of the header record, without which there is no file.
                Err(_) if at < 17 => continue,
                Err(e) => panic!("{name} at {at}: {e}"),
            };
            let hit = bounds
                .iter()
                .filter(|b| (b.0..b.1).contains(&(at as u64)))
                .count();
            let count = reading.len();
            assert!(is_part(&reading, &case.messages), "{name} at {at}");
            assert!(
                count >= case.messages.len() - hit,
                "{name} at {at}: {count}, {hit} hit"
            );
            assert!(
                count == case.messages.len() || !warnings.is_empty(),
                "{name} at {at}"
            );
        }
    }
}

#[test]
fn a_damaged_database_gives_what_is_left() {
    let Some((bags, cases)) = python_bags("a_damaged_database_gives_what_is_left") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let case = cases
        .iter()
        .find(|c| c.path == Path::new("lone_none.db3"))
        .unwrap();
    let whole = fs::read(bags.join("lone_none.db3")).unwrap();
    let mut best = 0;
    for length in (0..whole.len()).step_by(9973) {
        let path = save(&folder, "cut.db3", &whole[..length]);
        match read(&path) {
            Ok((reading, warnings)) => {
                assert!(is_part(&reading, &case.messages));
                assert!(
                    warnings.iter().any(|w| w.contains("cut.db3")),
                    "{warnings:?}"
                );
                best = best.max(reading.len());
            }
            Err(e) => assert!(
                e.to_string().contains("cut.db3") && best == 0,
                "{length}: {e}"
            ),
        }
    }
    assert!(best > 100, "{best}");
    for at in (0..whole.len()).step_by(9973) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        // No panic; SQLite has no checksums, so anything may come out.
        let _ = read(&save(&folder, "flipped.db3", &damaged));
    }
}

#[test]
fn a_damaged_index_of_a_database_costs_no_message() {
    let test = "a_damaged_index_of_a_database_costs_no_message";
    let Some((bags, cases)) = python_bags(test) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let case = (cases.iter())
        .find(|c| c.path == Path::new("shuffled_sqlite3"))
        .unwrap();
    let path = bags.join("shuffled_sqlite3/shuffled_sqlite3.db3");
    let root: u32 = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row(
            "SELECT rootpage FROM sqlite_master WHERE name = 'timestamp_idx'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let mut damaged = fs::read(&path).unwrap();
    let page = root as usize * 4096;
    damaged[page - 4096..page].fill(0xff);
    let (reading, _) = read(&save(&folder, "x.db3", &damaged)).unwrap();
    assert!(reading == case.messages, "{} messages", reading.len());
}

/// Runs `test` of this file alone in a process with 1.5 GB of address space, and fails with it.
fn run_limited(test: &str) {
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 1500000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
fn no_claimed_length_is_believed() {
    run_limited("bag::damaged::no_claimed_length_is_believed_in_little_memory");
}

#[test]
#[ignore = "run by no_claimed_length_is_believed"]
fn no_claimed_length_is_believed_in_little_memory() {
    let folder = TempDir::new().unwrap();
    let mut file = Vec::new();
    let mut writer = WriteOptions::new()
        .compression(None)
        .create(Cursor::new(&mut file))
        .unwrap();
    let schema = writer.add_schema("a/msg/B", "ros2msg", b"int8 x").unwrap();
    writer
        .add_channel(schema, "/t", "cdr", &Default::default())
        .unwrap();
    writer.finish().unwrap();
    drop(writer);
    // Each four bytes become a huge length, of whatever they are part.
    for at in 8..file.len() - 4 {
        for length in [u32::MAX, i32::MAX as u32, 0xf000_0000, 1 << 31] {
            let mut damaged = file.clone();
            damaged[at..at + 4].copy_from_slice(&length.to_le_bytes());
            let _ = read(&save(&folder, "x.mcap", &damaged));
            // The same without its summary, so that it is scanned.
            let _ = read(&save(&folder, "x.mcap", &damaged[..file.len() - 20]));
        }
    }
}

#[test]
fn a_huge_chunk_needs_little_memory() {
    run_limited("bag::damaged::a_huge_chunk_needs_little_memory_alone");
}

#[test]
#[ignore = "run by a_huge_chunk_needs_little_memory"]
fn a_huge_chunk_needs_little_memory_alone() {
    write_and_read(None, |i| i);
}

/// 400 messages of 1 MiB, in chunks of `chunk_size` bytes, logged at `log_time`.
fn write_and_read(chunk_size: Option<u64>, log_time: fn(u64) -> u64) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.mcap");
    let file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    let mut writer = WriteOptions::new()
        .compression(Some(Compression::Zstd))
        .chunk_size(chunk_size)
        .create(file)
        .unwrap();
    let schema = writer.add_schema("a/msg/B", "ros2msg", b"int8 x").unwrap();
    let channel = writer
        .add_channel(schema, "/t", "cdr", &Default::default())
        .unwrap();
    let mut expected = Vec::new();
    for i in 0..400_u64 {
        let mut message = vec![0; 1 << 20];
        message[..8].copy_from_slice(&i.to_le_bytes());
        let header = mcap::records::MessageHeader {
            channel_id: channel,
            sequence: 0,
            log_time: log_time(i),
            publish_time: 0,
        };
        writer.write_to_known_channel(&header, &message).unwrap();
        expected.push((log_time(i), i));
    }
    writer.finish().unwrap();
    drop(writer);
    expected.sort_by_key(|message| message.0);

    let mut messages = Recording::open(&path)
        .unwrap()
        .read(&Selection::default())
        .unwrap();
    let (mut data, mut found) = (Vec::new(), Vec::new());
    while let Some(head) = messages.next_into(&mut data).unwrap() {
        assert_eq!(data.len(), 1 << 20);
        let number = u64::from_le_bytes(data[..8].try_into().unwrap());
        found.push((head.log_time_ns, number));
    }
    assert_eq!(found, expected);
    assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let peak_kb: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak_kb < 200_000, "{peak_kb} kB");
    println!("{peak_kb} kB");
}

#[test]
fn chunks_that_all_overlap_need_little_memory() {
    run_limited("bag::damaged::chunks_that_all_overlap_need_little_memory_alone");
}

#[test]
#[ignore = "run by chunks_that_all_overlap_need_little_memory"]
fn chunks_that_all_overlap_need_little_memory_alone() {
    // Every chunk has a message of time 0, as of a clock that was not set.
    write_and_read(Some(4 << 20), |i| if i % 4 == 0 { 0 } else { i });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_reading_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        opcode in 0_u8..20,
    ) {
        let folder = TempDir::new().unwrap();
        let magic = [0x89, b'M', b'C', b'A', b'P', 0x30, b'\r', b'\n'];
        let empty_header = [1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut record = vec![opcode];
        record.extend((bytes.len() as u64).to_le_bytes());
        let database = b"SQLite format 3\0".as_slice();
        for (name, parts) in [
            ("a.mcap", vec![bytes.as_slice()]),
            ("b.mcap", vec![&magic, &bytes]),
            ("c.mcap", vec![&magic, &empty_header, &bytes]),
            ("d.mcap", vec![&magic, &empty_header, &record, &bytes]),
            ("a.db3", vec![&bytes]),
            ("b.db3", vec![database, &bytes]),
            ("metadata.yaml", vec![&bytes]),
            ("a.mcap.zstd", vec![&bytes]),
        ] {
            let path = save(&folder, name, &parts.concat());
            let _ = read(if name == "metadata.yaml" { folder.path() } else { &path });
        }
    }

    #[test]
    fn no_text_makes_metadata_panic(text in "(rosbag2_bagfile_information:\n  version: [0-9-]{1,20}\n)?\\PC*") {
        let folder = TempDir::new().unwrap();
        save(&folder, "metadata.yaml", text.as_bytes());
        let _ = read(folder.path());
    }
}
