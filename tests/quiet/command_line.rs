//! Every subcommand of `shuffledet`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use serde_json::json;
use shuffledet::cli::Cli;

use crate::home::Home;
use crate::trace::Trace;
use crate::watch::{Network, Watch};
use shuffledet_testing::ended::Ended;
use shuffledet_testing::{asset, colours};

const PROGRAM: &str = env!("CARGO_BIN_EXE_shuffledet");

/// One run.
struct Run {
    /// The subcommand, then its arguments.
    words: String,
    /// How many of them are the subcommand.
    depth: usize,
    /// What it writes in `work`, by the first part of the path.
    writes: &'static [&'static str],
    /// `None`: what it finds depends on the machine.
    code: Option<i32>,
}

/// Runs of every subcommand, in an order in which each finds what it needs. They begin with `pictures` and `truth.json`.
fn runs() -> Vec<Run> {
    let set = "--images pictures --annotations truth.json";
    let run = |subcommand: &str, arguments: &str, writes| Run {
        words: format!("{subcommand} {arguments}"),
        depth: subcommand.split(' ').count(),
        writes,
        code: Some(0),
    };
    let eval = |arguments: &str, writes| run("eval", &format!("{set} {arguments}"), writes);
    vec![
        // it serves a page as soon as it has something to show, and that until it is ended
        Run {
            code: Some(1),
            ..run("view", "absent.mcap", &[])
        },
        run(
            "import",
            "pictures --output recording --fps 10",
            &["recording"],
        ),
        run(
            "replay",
            "recording --output out/out.mcap --detections detections.json --report replay.html --draw frames --with-images",
            &["out", "detections.json", "replay.html", "frames"],
        ),
        run("detect", "pictures/0.bmp --draw drawn", &["drawn"]),
        run("classify", "pictures/0.bmp --model colours.onnx", &[]),
        eval(
            "--output all.json --report all.html --coco-results coco.json",
            &["all.json", "all.html", "coco.json"],
        ),
        eval("--output 1.json --shard 1/2", &["1.json"]),
        eval("--output 2.json --shard 2/2", &["2.json"]),
        run(
            "merge",
            "1.json 2.json --output merged.json --report merged.html",
            &["merged.json", "merged.html"],
        ),
        run(
            "compare",
            "all.json merged.json --report compare.html",
            &["compare.html"],
        ),
        run(
            "eval-tracks",
            "--truth truth.txt --tracks tracks.txt --output tracks.json --report tracks.html",
            &["tracks.json", "tracks.html"],
        ),
        run(
            "sweep",
            &format!(
                "{set} --set detector.score_threshold=0.2,0.4 --best best.yaml --report sweep.html"
            ),
            &["best.yaml", "sweep.html"],
        ),
        run(
            "track",
            "detections.json --output found.json --mot found.txt",
            &["found.json", "found.txt"],
        ),
        run("label export", "recording --output labels", &["labels"]),
        run(
            "label import",
            "labels/annotations/instances_default.json --export labels --output corrected.json",
            &["corrected.json"],
        ),
        run("models list", "", &[]),
        run("models path", "road", &["models"]),
        run("models fetch", "road", &[]),
        run("models verify", "", &[]),
        run("models inspect", "road", &[]),
        run(
            "models cut",
            "road --classes car,bus --output cut.onnx --fp16",
            &["cut.onnx", "cut.yaml"],
        ),
        run(
            "models describe",
            "models/road.onnx --output described.yaml --try pictures/0.bmp",
            &["described.yaml", "described.try.jpg"],
        ),
        run(
            "models import-ncnn",
            "net.param net.bin --output net.onnx --input-size 64x32",
            &["net.onnx"],
        ),
        run("bench", "recording --limit 2 --rounds 1", &[]),
        Run {
            code: None,
            ..run("doctor", "", &[])
        },
        run("completions", "bash", &[]),
        run("man", "pages", &["pages"]),
    ]
}

/// Three pictures, an object in each, a network of ncnn, a classifier, and a track.
fn prepare(work: &Path) {
    let param = "7767517\n2 2\nInput in 0 1 in\nScale s 1 1 in out 0=3\n";
    fs::write(work.join("net.param"), param).unwrap();
    fs::write(work.join("net.bin"), [0; 12]).unwrap();
    colours::write(work);
    for name in ["truth.txt", "tracks.txt"] {
        fs::write(work.join(name), "1,7,10,20,30,40,1,3,1\n").unwrap();
    }
    fs::create_dir(work.join("pictures")).unwrap();
    for shade in 0..3 {
        fs::write(
            work.join(format!("pictures/{shade}.bmp")),
            bitmap(80 * shade),
        )
        .unwrap();
    }
    let images = (0..3)
        .map(|id| json!({"id": id, "file_name": format!("{id}.bmp"), "width": 64, "height": 48}));
    let objects = (0..3).map(|id| json!({"id": id, "image_id": id, "category_id": 3, "bbox": [8, 8, 32, 16], "area": 512, "iscrowd": 0}));
    let truth = json!({
        "images": images.collect::<Vec<_>>(),
        "annotations": objects.collect::<Vec<_>>(),
        "categories": [{"id": 3, "name": "car"}],
    });
    fs::write(work.join("truth.json"), truth.to_string()).unwrap();
}

/// A BMP file of 64x48 pixels, brighter to the right.
fn bitmap(shade: u8) -> Vec<u8> {
    let (width, height) = (64_u32, 48_u32);
    let mut file = b"BM".to_vec();
    for field in [54 + 3 * width * height, 0, 54, 40, width, height] {
        file.extend(field.to_le_bytes());
    }
    file.extend([1, 0, 24, 0]);
    file.resize(54, 0);
    for _ in 0..height {
        file.extend((0..width).flat_map(|x| [shade.saturating_add(x as u8); 3]));
    }
    file
}

fn every_subcommand_is_quiet(test: &str, telemetry: Option<&'static str>) {
    let Some(watch) = Watch::new(test, Network::CutOff) else {
        return;
    };
    let home = Home::new(telemetry);
    let work = home.path("work");
    prepare(&work);
    let allowed = [
        home.path("work"),
        home.path("tmp"),
        "/proc".into(),
        "/dev/null".into(),
    ];
    let mut expected: BTreeSet<String> = home.names("work").into_iter().collect();
    for run in runs() {
        let (mut command, file) = watch.command(PROGRAM, &home);
        command.args(run.words.split_whitespace());
        if run.words.starts_with("models") {
            // so that there is something to fetch
            command.env("SHUFFLEDET_MODEL_DIR", work.join("models"));
        }
        let ended = Ended::from(command.output().unwrap());
        let (words, errors) = (&run.words, &ended.stderr);
        if run.code.is_some() {
            assert_eq!(ended.code, run.code, "{words}: {errors}");
        }
        let trace = Trace::read(&file);
        fs::remove_file(file).unwrap();
        assert_eq!(
            trace.named(&["socket", "connect", "bind"]),
            [""; 0],
            "{words}"
        );
        assert!(!trace.looks_names_up(), "{words}");
        let mut elsewhere = trace.changed(&work);
        elsewhere.retain(|path| !allowed.iter().any(|folder| path.starts_with(folder)));
        assert!(elsewhere.is_empty(), "{words}: {elsewhere:?}");
        home.assert_is_empty();
        expected.extend(run.writes.iter().map(|name| (*name).to_owned()));
        assert_eq!(
            home.names("work"),
            Vec::from_iter(expected.clone()),
            "{words}"
        );
    }
}

/// Runs the program in an empty home, cut off; gives how it ended and asserts that it asked for nobody.
fn run_alone(test: &str, arguments: &[&str]) -> Option<(Ended, Home)> {
    let watch = Watch::new(test, Network::CutOff)?;
    let home = Home::new(None);
    let (ended, trace) = watch.run(PROGRAM, arguments, &home);
    assert_eq!(trace.named(&["socket", "connect", "bind"]), [""; 0]);
    home.assert_is_empty();
    Some((ended, home))
}

#[test]
fn a_video_is_imported_without_a_word() {
    let test = "a_video_is_imported_without_a_word";
    let Some(video) = asset(test, "video/solidWhiteRight.mp4") else {
        return;
    };
    let import = [
        "import",
        video.to_str().unwrap(),
        "--limit",
        "3",
        "--output",
        "recording",
    ];
    if let Some((ended, home)) = run_alone(test, &import) {
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(home.names("work"), ["recording"]);
    }
}

#[test]
fn a_video_that_names_addresses_is_not_followed() {
    let test = "a_video_that_names_addresses_is_not_followed";
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let videos = [
        "http://127.0.0.1:9/a.mp4".to_owned(),
        file(
            "list.m3u8",
            "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        ),
        file(
            "session.sdp",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n",
        ),
        file(
            "list.ffconcat",
            "ffconcat version 1.0\nfile http://127.0.0.1:9/a.mp4\n",
        ),
        // OpenCV's other backends would come next: one keeps a cache, one looks for cameras
        file("damaged.mp4", "no video"),
    ];
    for video in &videos {
        let import = ["import", video, "--output", "recording"];
        if let Some((ended, home)) = run_alone(test, &import) {
            assert_eq!(ended.code, Some(1), "{video}: {}", ended.stderr);
            assert_eq!(home.names("work"), [""; 0]);
        }
    }
}

#[test]
fn every_subcommand_is_quiet_by_itself() {
    every_subcommand_is_quiet("every_subcommand_is_quiet_by_itself", None);
}

#[test]
fn every_subcommand_is_quiet_where_the_environment_wants_telemetry() {
    every_subcommand_is_quiet(
        "every_subcommand_is_quiet_where_the_environment_wants_telemetry",
        Some("0"),
    );
}

#[test]
fn no_subcommand_is_forgotten() {
    fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
        for subcommand in command
            .get_subcommands()
            .filter(|subcommand| subcommand.get_name() != "help")
        {
            let path = format!("{path} {}", subcommand.get_name());
            if subcommand.has_subcommands() {
                leaves(subcommand, &path, found);
            } else {
                found.insert(path.trim().to_owned());
            }
        }
    }
    let mut there = BTreeSet::new();
    leaves(&Cli::command(), "", &mut there);
    let name = |run: Run| {
        run.words
            .split_whitespace()
            .take(run.depth)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let tested: BTreeSet<_> = runs().into_iter().map(name).collect();
    assert_eq!(tested, there);
}
