//! Images that do not come from a file on the command line: standard input, a folder that is watched, a camera.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use shuffledet_bag::{Recording, Selection};
use shuffledet_testing::asset;
use tempfile::tempdir;

use crate::rtsp_camera::{self, HEIGHT, WIDTH};

const PICTURE: &str = "golden/png/udacity_vd_test1.png";

fn shuffledet() -> Command {
    Command::new(env!("CARGO_BIN_EXE_shuffledet"))
}

/// Runs the program with `bytes` on standard input.
fn fed(arguments: &[&str], bytes: &[u8]) -> Output {
    let mut program = shuffledet();
    program.args(arguments).stdin(Stdio::piped());
    let mut program = program
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    // a program that refuses its arguments reads nothing
    let _ = input.write_all(bytes);
    drop(input);
    program.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_picture_on_standard_input_is_like_one_in_a_file() {
    let Some(picture) = asset("a_picture_on_standard_input_is_like_one_in_a_file", PICTURE) else {
        return;
    };
    let folder = tempdir().unwrap();
    let drawn = folder.path().to_str().unwrap();
    let bytes = fs::read(&picture).unwrap();
    let piped = fed(&["detect", "--json", "-", "--draw", drawn], &bytes);
    assert!(piped.status.success(), "{}", said(&piped));
    let file = shuffledet()
        .args(["detect", "--json"])
        .arg(&picture)
        .output()
        .unwrap();
    let [mut piped, mut file] = [piped, file].map(|output| {
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        value
    });
    assert_eq!(piped["file"].take(), "-");
    file["file"].take();
    assert_eq!(piped, file);
    assert!(!piped["detections"].as_array().unwrap().is_empty());
    assert!(
        fs::read(folder.path().join("stdin.jpg"))
            .unwrap()
            .starts_with(&[0xff, 0xd8])
    );
}

#[test]
fn standard_input_without_a_picture_says_what_is_missing() {
    for (arguments, bytes, code, expected) in [
        (&["detect", "-"][..], &b""[..], 2, "found nothing"),
        (&["detect", "-"], b"no picture", 2, "error: -: "),
        (&["detect", "-", "-"], b"", 1, "- is given twice"),
    ] {
        let output = fed(arguments, bytes);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

/// A program that watches a folder.
struct Watching {
    program: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watching {
    /// Starts it, and waits until it watches: the file `first` is detected.
    fn start(folder: &Path, options: &[&str], picture: &Path) -> Self {
        let mut program = shuffledet();
        program
            .args(["detect", "--json", "--watch"])
            .arg(folder)
            .args(options);
        let mut program = program
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let mut watching = Self { program, lines };
        let (folder, picture) = (folder.to_owned(), picture.to_owned());
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        // files from before it watches are not new: offer one again and again
        let offering = thread::spawn(move || {
            for _ in 0..200 {
                fs::copy(&picture, folder.join("first.png")).unwrap();
                if is_done.recv_timeout(Duration::from_millis(500)).is_ok() {
                    return;
                }
            }
        });
        let first = watching.next();
        done.send(()).unwrap();
        offering.join().unwrap();
        assert!(
            first["file"].as_str().unwrap().ends_with("/first.png"),
            "{first}"
        );
        watching
    }

    /// The next line that is not of the first file.
    fn other(&mut self) -> Value {
        loop {
            let found = self.next();
            if !found["file"].as_str().unwrap().ends_with("/first.png") {
                return found;
            }
        }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Interrupts it as Ctrl-C does. Returns its exit code, the lines that were left, and what it said.
    fn interrupt(self) -> (Option<i32>, Vec<Value>, String) {
        let id = self.program.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", "INT", &id])
                .status()
                .unwrap()
                .success()
        );
        let rest = self
            .lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap());
        let rest = rest.collect();
        let output = self.program.wait_with_output().unwrap();
        (output.status.code(), rest, said(&output))
    }
}

#[test]
fn a_watched_folder_gives_each_picture_once_it_is_complete() {
    let test = "a_watched_folder_gives_each_picture_once_it_is_complete";
    let Some(picture) = asset(test, PICTURE) else {
        return;
    };
    let (folder, drawn) = (tempdir().unwrap(), tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    let options = ["--draw", drawn.path().to_str().unwrap(), "--force"];
    let mut watching = Watching::start(folder.path(), &options, &picture);
    let bytes = fs::read(&picture).unwrap();
    let mut slow = fs::File::create(at("slow.png")).unwrap();
    slow.write_all(&bytes[..1000]).unwrap();
    thread::sleep(Duration::from_millis(300));
    slow.write_all(&bytes[1000..]).unwrap();
    drop(slow);
    let found = watching.other();
    assert!(
        found["file"].as_str().unwrap().ends_with("/slow.png"),
        "{found}"
    );
    assert!(!found["detections"].as_array().unwrap().is_empty());
    fs::write(at("upload.part"), &bytes).unwrap();
    fs::rename(at("upload.part"), at("upload.png")).unwrap();
    let found = watching.other();
    assert!(
        found["file"].as_str().unwrap().ends_with("/upload.png"),
        "{found}"
    );
    let (code, rest, said) = watching.interrupt();
    assert_eq!((code, rest.len()), (Some(0), 0), "{said}");
    assert_eq!(said, "");
    for name in ["slow.jpg", "upload.jpg"] {
        let jpeg = fs::read(drawn.path().join(name)).unwrap();
        assert!(
            jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]),
            "{name}"
        );
    }
}

#[test]
fn a_damaged_picture_in_a_watched_folder_is_named_and_counts() {
    let test = "a_damaged_picture_in_a_watched_folder_is_named_and_counts";
    let Some(picture) = asset(test, PICTURE) else {
        return;
    };
    let folder = tempdir().unwrap();
    let mut watching = Watching::start(folder.path(), &[], &picture);
    fs::write(folder.path().join("broken.jpg"), b"\xff\xd8 no picture").unwrap();
    fs::copy(&picture, folder.path().join("after.png")).unwrap();
    let found = watching.other();
    assert!(
        found["file"].as_str().unwrap().ends_with("/after.png"),
        "{found}"
    );
    let (code, _, said) = watching.interrupt();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("broken.jpg"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_watched_says_why() {
    let folder = tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    let file = folder.path().join("a.png");
    fs::write(&file, "").unwrap();
    for (arguments, expected) in [
        (
            &["--watch", here, "--draw", here][..],
            "choose another folder",
        ),
        (
            &["--watch", file.to_str().unwrap()],
            "expected a folder, found a file",
        ),
        (&["--watch", "/nowhere"], "/nowhere"),
        (&["--watch", here, "a.png"], "cannot be used with"),
        (&[], "required"),
    ] {
        let output = shuffledet().arg("detect").args(arguments).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

/// `ann:pa55word`, as the camera wants it.
const AUTHORIZATION: &str = "Basic YW5uOnBhNTV3b3Jk";

/// Fails if any file below `folder` holds the password.
fn assert_secret(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_secret(&path);
        } else {
            let bytes = fs::read(&path).unwrap();
            let holds = bytes.windows(8).any(|part| part == b"pa55word");
            assert!(!holds, "{}", path.display());
        }
    }
}

#[test]
fn an_rtsp_camera_is_recorded_and_its_password_stays_secret() {
    let port = rtsp_camera::start(AUTHORIZATION);
    let address = format!("rtsp://ann:pa55word@127.0.0.1:{port}/front");
    let shown = format!("rtsp://127.0.0.1:{port}/front");
    let folder = tempdir().unwrap();
    let bag = folder.path().join("bag");
    let output = shuffledet()
        .args([
            "--log-level",
            "trace",
            "import",
            &address,
            "--limit",
            "8",
            "--output",
        ])
        .arg(&bag)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let printed = format!(
        "{}{}",
        said(&output),
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(!printed.contains("pa55word"), "{printed}");
    assert_secret(folder.path());
    let recording = Recording::open(&bag).unwrap();
    let (mut messages, mut data) = (recording.read(&Selection::default()).unwrap(), Vec::new());
    let mut times_ns = Vec::new();
    while let Some(head) = messages.next_into(&mut data).unwrap() {
        times_ns.push(head.log_time_ns);
    }
    assert_eq!(times_ns.len(), 8);
    assert!(times_ns.is_sorted_by(|a, b| a < b), "{times_ns:?}");
    // at the camera's own times, also if many pictures arrive at once: eight at 25 Hz
    let seconds = (times_ns[7] - times_ns[0]) as f64 / 1e9;
    assert!((0.2..0.4).contains(&seconds), "{seconds} s");

    let drawn = folder.path().join("drawn");
    let output = shuffledet()
        .args(["detect", "--json", &address, "--limit", "2", "--draw"])
        .arg(&drawn)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let found: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(found.len(), 2);
    for picture in &found {
        assert_eq!(picture["file"], shown.as_str());
        assert_eq!(
            (&picture["width"], &picture["height"]),
            (&WIDTH.into(), &HEIGHT.into())
        );
    }
    assert!(found[0]["stamp_ns"].as_u64() < found[1]["stamp_ns"].as_u64());
    for name in ["frame_000001.jpg", "frame_000002.jpg"] {
        assert!(
            fs::read(drawn.join(name))
                .unwrap()
                .starts_with(&[0xff, 0xd8])
        );
    }
}

#[test]
fn a_camera_that_cannot_be_opened_is_named_without_its_password() {
    let port = rtsp_camera::start(AUTHORIZATION);
    let wrong = format!("rtsp://ann:pa55word1@127.0.0.1:{port}/front");
    for (input, expected) in [
        (wrong.as_str(), "check host, path, user and password"),
        (
            "rtsp://ann:pa55word@127.0.0.1:9/front?pw=pa55word",
            "rtsp://127.0.0.1:9/front: no video",
        ),
        (
            "/dev/video9876",
            "/dev/video9876: OpenCV cannot open this camera",
        ),
    ] {
        let folder = tempdir().unwrap();
        let bag = folder.path().join("bag");
        let import = shuffledet()
            .args(["import", input, "--output"])
            .arg(&bag)
            .output()
            .unwrap();
        let detect = shuffledet().args(["detect", input]).output().unwrap();
        for output in [import, detect] {
            let text = said(&output);
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(text.contains(expected), "{text}");
            assert!(!text.contains("pa55word"), "{text}");
        }
        assert!(!bag.exists());
    }
    let output = shuffledet()
        .args(["detect", "/dev/video0", "a.png"])
        .output()
        .unwrap();
    assert!(
        said(&output).contains("must be the only input"),
        "{}",
        said(&output)
    );
}
