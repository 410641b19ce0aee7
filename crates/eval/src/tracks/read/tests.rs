use std::fs;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn reading<'a>(protocol: Protocol, class_map: &'a ClassMap) -> Reading<'a> {
    Reading {
        protocol,
        class_map,
        frames: None,
        topic: None,
    }
}

/// The boxes of a file of that name as frame, id and class, or the error.
fn tracks_of(name: &str, text: &str) -> Result<Vec<(usize, u64, String)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    let files = SequenceFiles {
        name: "s".into(),
        truth: path.clone(),
        length: Some(100),
    };
    let mut names = ClassNames::default();
    let class_map = ClassMap::default();
    let read = read_tracks(
        &path,
        &files,
        &reading(Protocol::Plain, &class_map),
        &mut names,
    );
    let sequence = read.map_err(|error| error.to_string())?;
    let boxes = sequence.boxes.iter();
    Ok(boxes
        .map(|found| (found.frame, found.id, names.name(found.class).to_owned()))
        .collect())
}

#[test]
fn lines_of_both_formats_are_read() {
    let mot = "1,7,10,20,30,40,0.9,3,1\r\n\n2, 7, 10, 20, 30, 40,\n3 7 1 2 3 4 0.5 -1 -1 -1\n";
    let named = |frame, class: &str| (frame, 7, class.to_owned());
    let expected = [named(0, "car"), named(1, UNNAMED), named(2, UNNAMED)];
    assert_eq!(tracks_of("a.txt", mot).unwrap(), expected);
    let kitti = "0 7 Car -1 -1 -10 1 2 3 4 -1 -1 -1 -1 -1 -1 -1 0.9\n0 -1 Van 0 0 0 1 2 3 4 1 1 1 1 1 1 1\n";
    assert_eq!(tracks_of("a.txt", kitti).unwrap(), [named(0, "car")]);
    assert_eq!(tracks_of("a.txt", " \n").unwrap(), []);
}

#[test]
fn a_bad_line_is_named_with_what_was_expected() {
    for (text, told) in [
        (
            "1,7,1,2,3,4\n1,8,1,2,x,4\n",
            "a.txt:2: expected a finite number as width, found \"x\"",
        ),
        (
            "1,7,1,2,3,4\n1,8,1,2,nan,4\n",
            "a.txt:2: expected a finite number as width",
        ),
        (
            "1,7,1,2,3,4\n1,8,1,2,inf,4\n",
            "a.txt:2: expected a finite number as width",
        ),
        (
            "1,7,1,2,3,4\n1,8,1,2,-3,4\n",
            "a.txt:2: expected a box of finite size and of at least 0 px, found -3 x 4",
        ),
        (
            "1,7,1,2,3,4\n1,8,1e308,2,1e308,4\n",
            "a.txt:2: expected a box of finite size",
        ),
        (
            "1,7,1,2,3,4\n0,8,1,2,3,4\n",
            "a.txt:2: expected a frame from 1",
        ),
        (
            "1,7,1,2,3,4\n9e15,8,1,2,3,4\n",
            "a.txt:2: expected a frame from 1",
        ),
        (
            "1,7,1,2,3,4\n1,-1,1,2,3,4\n",
            "a.txt:2: expected a track id of at least 0, found -1",
        ),
        (
            "1,7,1,2,3,4\n1,8,1\n",
            "a.txt:2: expected frame,id,left,top",
        ),
        (
            "1,7,1,2,3,4\n1,7,9,2,3,4\n",
            "frame 0 (the first is 0): expected each track once, found two boxes of track 7",
        ),
        (
            "1,7,1,2,3,4\n101,7,1,2,3,4\n",
            "track 7 is in frame 100 (the first is 0), but sequence s has 100 frames",
        ),
        ("some words\n", "found \"some words\""),
        (
            "0 7 Car 0 0 0 1 2 3 4 1 1 1 1 1 1 1\n0 8 Car 0 0 0 5 2 3 4 1 1 1 1 1 1 1\n",
            "a.txt:2: expected a box",
        ),
    ] {
        let error = tracks_of("a.txt", text).unwrap_err();
        assert!(error.contains(told), "{text:?}: {error}");
    }
    let crowd: String = (0..2001).map(|id| format!("1,{id},1,2,3,4\n")).collect();
    assert!(
        tracks_of("a.txt", &crowd)
            .unwrap_err()
            .contains("expected at most 2000 boxes")
    );
}

#[test]
fn json_of_one_camera_is_read() {
    let entry = |frame: u64, topic: &str, id: Option<u64>| {
        json!({"image_id": frame, "category_id": 3, "bbox": [1.0, 2.0, 3.0, 4.0], "score": 0.5, "label": "car",
            "topic": topic, "stamp_ns": frame * 100, "frame_id": "c", "track_id": id, "state": "confirmed"})
    };
    let text = |entries: &[serde_json::Value]| json!(entries).to_string();
    let one = text(&[entry(4, "/a", Some(7))]);
    assert_eq!(
        tracks_of("a.json", &one).unwrap(),
        [(4, 7, "car".to_owned())]
    );
    let error = |entries: &[serde_json::Value]| tracks_of("a.json", &text(entries)).unwrap_err();
    let two = [entry(4, "/a", Some(7)), entry(5, "/b", Some(8))];
    assert!(error(&two).contains("found /a, /b; name one with --topic"));
    assert!(
        error(&[entry(4, "/a", None)]).contains("entry 0 (the first is 0): expected a track_id")
    );
    assert!(
        tracks_of("a.json", "{}")
            .unwrap_err()
            .contains("`shuffledet track`")
    );

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let stamps = [300, 100, 500].map(|stamp_ns| json!({"topic": "/b", "stamp_ns": stamp_ns}));
    fs::write(path("frames.json"), json!(stamps).to_string()).unwrap();
    fs::write(path("tracks.json"), text(&two)).unwrap();
    let list = FrameList::read(&path("frames.json")).unwrap();
    let class_map = ClassMap::default();
    let mut reading = Reading {
        frames: Some(&list),
        topic: Some("/b"),
        ..reading(Protocol::Kitti, &class_map)
    };
    let files = SequenceFiles {
        name: "s".into(),
        truth: path(""),
        length: Some(3),
    };
    let read = |reading: &Reading<'_>| {
        read_tracks(
            &path("tracks.json"),
            &files,
            reading,
            &mut ClassNames::default(),
        )
    };
    assert_eq!(read(&reading).unwrap().boxes[0].frame, 2);
    reading.topic = Some("/a");
    assert!(
        read(&reading)
            .unwrap_err()
            .to_string()
            .contains("found /a at 400 ns; complete --frames")
    );
    reading.topic = Some("/c");
    assert!(
        read(&reading)
            .unwrap_err()
            .to_string()
            .contains("no entry of /c; its cameras are /a, /b")
    );
}

#[test]
fn sequences_are_found_in_every_layout() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("mot/B/gt/gt.txt", "");
    write("mot/A/gt/gt.txt", "");
    write(
        "mot/A/seqinfo.ini",
        "[Sequence]\r\nname = A\r\nseqLength = 12\r\n",
    );
    write("mot/C/other.txt", "");
    write("kitti/label_02/0000.txt", "");
    write(
        "kitti/evaluate_tracking.seqmap.val",
        "0000 empty 000000 000154\n0001 empty 000000 9\n",
    );
    write("plain/x.txt", "");
    write("empty/readme.md", "");
    write("broken/A/gt/gt.txt", "");
    write("broken/A/seqinfo.ini", "name=A\n");
    let found = |path: &str| {
        let found = truth_files(&root.join(path)).unwrap();
        found
            .into_iter()
            .map(|files| (files.name, files.length))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("mot"),
        [("A".to_owned(), Some(12)), ("B".to_owned(), None)]
    );
    assert_eq!(found("mot/A/gt/gt.txt"), [("A".to_owned(), Some(12))]);
    assert_eq!(found("kitti"), [("0000".to_owned(), Some(154))]);
    assert_eq!(found("plain"), [("x".to_owned(), None)]);
    let error = |path: &str| truth_files(&root.join(path)).unwrap_err().to_string();
    assert!(
        error("empty").contains("no sequence; expected") && error("empty").contains("readme.md")
    );
    assert!(error("broken").contains("expected a line `seqLength=600`"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "([-0-9.,einfNaCr]{0,6}[ ,\n]){0,40}") {
        let _ = tracks_of("a.txt", &text);
        let _ = tracks_of("a.json", &text);
    }
}
