//! The distance of tracked objects in a recording with CameraInfo.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shuffledet_msg::{CameraInfo, Detection2DArray, Detection3DArray};
use tempfile::tempdir;

use crate::replay::program::{end, refusal, replay};
use crate::replay::recordings::{self, Message, RAW_FRAMES, on};
use shuffledet_testing::pinhole::assert_places;

/// The camera of the dashcam recording at 480x270, as pinhole.py takes it.
fn camera(height_m: Option<f64>) -> Value {
    json!({
        "focal": [432.0, 432.0],
        "centre": [240.0, 135.0],
        "size": [480, 270],
        "height_m": height_m,
        "pitch_rad": 1_f64.to_radians(),
        "heights": {
            "person": [1.70, 0.07], "car": [1.53, 0.07], "truck": [3.0, 0.25], "bus": [3.1, 0.12],
            "train": [3.8, 0.15], "bicycle": [1.05, 0.12], "motorcycle": [1.15, 0.12], "stop sign": [0.75, 0.12],
        },
    })
}

/// The tracks of each frame in the image and in space.
fn tracks(output: &Path) -> Vec<(Detection2DArray, Detection3DArray)> {
    let written = recordings::read(output);
    let in_space = on(&written, "/tracks_3d");
    let tracks = on(&written, "/tracks");
    assert_eq!(tracks.len(), in_space.len());
    let joined = tracks.into_iter().zip(in_space);
    let parsed = joined.map(|(tracks, in_space)| {
        (
            Detection2DArray::parse(&tracks.data).unwrap(),
            Detection3DArray::parse(&in_space.data).unwrap(),
        )
    });
    parsed.collect()
}

fn run(bag: &Path, output: &Path, arguments: &[&str]) {
    let mut command = replay(bag);
    command.arg("--quiet").arg("--output").arg(output);
    command.args(["--set", "ranging.camera_pitch_deg=1"]);
    let ended = end(command.args(arguments));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn the_camera_info_of_a_recording_places_its_tracks_in_space() {
    let test = "the_camera_info_of_a_recording_places_its_tracks_in_space";
    let Some(bag) = recordings::dashcam_raw(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    for (name, height_m, set) in [
        ("size", None, "ranging.camera_height_m=0"),
        ("both", Some(1.3), "ranging.camera_height_m=1.3"),
    ] {
        let output = folder.path().join(name);
        run(&bag, &output, &["--set", set]);
        let found = tracks(&output);
        assert_eq!(found.len() as u64, RAW_FRAMES);
        let Some(placed) = assert_places(test, &camera(height_m), &found) else {
            return;
        };
        assert!(placed > 75, "{placed}");
    }
}

#[test]
fn distances_are_the_same_on_any_number_of_workers_and_in_every_file() {
    let test = "distances_are_the_same_on_any_number_of_workers_and_in_every_file";
    let Some(bag) = recordings::dashcam_raw(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let files = ["1", "3"].map(|workers| {
        let output = folder.path().join(workers);
        let json = output.with_extension("json");
        let workers = format!("runtime.workers={workers}");
        let json_path = json.to_str().unwrap();
        // the pitch is estimated from the boxes, which takes all frames before
        let mut command = replay(&bag);
        command.arg("--quiet").arg("--output").arg(&output);
        command.args(["--set", "ranging.camera_height_m=1.3", "--set", &workers]);
        let ended = end(command.args(["--detections", json_path]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        (tracks(&output), fs::read(json).unwrap())
    });
    assert_eq!(files[0], files[1]);
    let rows: Vec<Value> = serde_json::from_slice(&files[0].1).unwrap();
    let number = |row: &Value, key: &str| row.get(key).map(|value| value.as_f64().unwrap());
    let mut ranged = 0;
    for row in &rows {
        let Some(range_m) = number(row, "range_m") else {
            assert_eq!(number(row, "range_sigma_m"), None);
            continue;
        };
        ranged += 1;
        let id = row["track_id"].to_string();
        let frame = files[0].0.iter().find(|(tracks, _)| {
            let stamp = tracks.header.stamp.to_ns();
            stamp == row["stamp_ns"].as_i64().unwrap()
        });
        let (_, in_space) = frame.unwrap();
        let found = in_space.detections.iter().find(|track| track.id == id);
        let [x, y, z] = found.unwrap().bbox.center;
        assert!((range_m - (x * x + y * y + z * z).sqrt()).abs() < 1e-9 * range_m);
        assert!(number(row, "range_sigma_m").unwrap() > 0.0);
    }
    assert!(ranged > 75, "{ranged}");
}

#[test]
fn a_file_takes_the_place_of_camera_info_and_a_change_of_it_is_followed() {
    let test = "a_file_takes_the_place_of_camera_info_and_a_change_of_it_is_followed";
    let Some(bag) = recordings::dashcam_raw(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let yaml = "\
image_width: 480
image_height: 270
camera_matrix: {rows: 3, cols: 3, data: [864, 0, 240, 0, 864, 135, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [864, 0, 240, 0, 0, 864, 135, 0, 0, 0, 1, 0]}
";
    let path = folder.path().join("front.yaml");
    fs::write(&path, yaml).unwrap();
    let url = format!("ranging.camera_info_url=file://{}", path.display());
    let by_file = folder.path().join("by_file");
    run(&bag, &by_file, &["--set", &url, "--limit", "30"]);
    let mut doubled = camera(None);
    doubled["focal"] = json!([864.0, 864.0]);
    let Some(placed) = assert_places(test, &doubled, &tracks(&by_file)) else {
        return;
    };
    assert!(placed > 20, "{placed}");

    // the same camera, zoomed at the frame 15
    let mut messages: Vec<Message> = recordings::read(&bag);
    let mut infos = 0;
    for message in &mut messages {
        if message.topic.ends_with("camera_info") {
            infos += 1;
            let mut info = CameraInfo::parse(&message.data).unwrap();
            if infos > 15 {
                (info.k[0], info.k[4]) = (864.0, 864.0);
            }
            info.write(&mut message.data).unwrap();
        }
    }
    let zoomed = recordings::write(folder.path(), &messages);
    let followed = folder.path().join("followed");
    run(&zoomed, &followed, &["--limit", "30"]);
    let found = tracks(&followed);
    // the first messages of the recording are an image, then its camera info
    assert_places(test, &camera(None), &found[..16]);
    assert_places(test, &doubled, &found[16..]);

    fs::write(&path, "image_width: 480\n").unwrap();
    let error = refusal(replay(&bag).args(["--set", &url]));
    assert!(
        error.contains("ranging.camera_info_url: ") && error.contains("front.yaml"),
        "{error}"
    );
}

#[test]
fn a_class_that_the_model_lacks_is_refused() {
    let error =
        refusal(replay(Path::new("nowhere")).args(["--set", "tracking.class_delete_s.unicorn=2"]));
    let expected = "tracking.class_delete_s: road has no class \"unicorn\"; it has: ";
    assert!(error.contains(expected), "{error}");
}
