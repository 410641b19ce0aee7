//! The launch files: what they would start, by `tests/ros/dump_launch.py`, and what colcon installs of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What `launch/FILE` starts with these arguments, and the folder of the parameter files written for it; the error's last
/// line where it starts nothing. `None`, and a line that says so, without Python.
fn launch(
    test: &str,
    file: &str,
    arguments: &[&str],
) -> Option<Result<(Value, tempfile::TempDir), String>> {
    let python = std::env::var_os("SHUFFLEDET_PYTHON")
        .map_or_else(|| repository(".deps/venv/bin/python"), Into::into);
    if !python.exists() {
        eprintln!("skipped: {test}: needs the Python tools");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(python)
        .arg(repository("tests/ros/dump_launch.py"))
        .arg(repository("launch").join(file))
        .arg(folder.path())
        .args(arguments)
        .output()
        .unwrap();
    if output.status.success() {
        return Some(Ok((
            serde_json::from_slice(&output.stdout).unwrap(),
            folder,
        )));
    }
    let errors = String::from_utf8(output.stderr).unwrap();
    Some(Err(errors.lines().last().unwrap().to_owned()))
}

/// The command line of process `index`, folders of this machine taken out.
fn command(launched: &(Value, tempfile::TempDir), index: usize) -> String {
    let (started, folder) = launched;
    let words: Vec<_> = started["processes"][index]["cmd"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    words
        .join(" ")
        .replace(folder.path().to_str().unwrap(), "FOLDER")
        .replace(repository("").to_str().unwrap(), "SHARE/")
}

/// The parameters of the file that launch wrote for the mapping at this place.
fn written(launched: &(Value, tempfile::TempDir), place: usize) -> Value {
    let file = launched
        .1
        .path()
        .join(format!("launch_params_{place}.yaml"));
    let text = fs::read_to_string(file).unwrap();
    serde_yaml::from_str::<Value>(&text).unwrap()["/**"]["ros__parameters"].clone()
}

fn overrides(launched: &(Value, tempfile::TempDir)) -> Value {
    written(launched, 2)
}

#[test]
fn the_node_starts_with_the_shipped_parameters() {
    for file in ["shuffledet.launch.py", "shuffledet.launch.xml"] {
        let test = "the_node_starts_with_the_shipped_parameters";
        let Some(launched) = launch(test, file, &[]) else {
            return;
        };
        let launched = launched.unwrap();
        // the shipped parameters come last and win; they leave the classes open
        assert_eq!(
            command(&launched, 0),
            "shuffledet/shuffledet_node --ros-args --log-level info -r __node:=shuffledet -r __ns:=/ \
             --params-file FOLDER/launch_params_0.yaml --params-file SHARE/config/shuffledet.yaml \
             -r image_raw:=image_raw -r image_raw/compressed:=image_raw/compressed",
            "{file}"
        );
        let road = json!({"detector.classes": ["road"]});
        assert_eq!(written(&launched, 0), road, "{file}");
        // the code of a node that has to be started again, and no other
        assert_eq!(launched.0["restarts"], json!([75]), "{file}");
    }
}

#[test]
fn launch_arguments_go_to_the_node() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let parameters = file.path().to_str().unwrap();
    let params_file = format!("params_file:={parameters}");
    let arguments = [
        params_file.as_str(),
        "namespace:=car",
        "camera:=/front/image_rect",
        "cameras:=front, left",
        "reliability:=reliable",
        "model:=nanodet_m_416",
        "classes:=coco, cone",
        "provider:=cuda, cpu",
        "camera_height_m:=1.45",
        "camera_pitch_deg:=-2",
        "autostart:=false",
        "use_sim_time:=true",
        "log_level:=shuffledet:=debug",
    ];
    let mut declared = Vec::new();
    for file in ["shuffledet.launch.py", "shuffledet.launch.xml"] {
        let Some(launched) = launch("launch_arguments_go_to_the_node", file, &arguments) else {
            return;
        };
        let launched = launched.unwrap();
        assert_eq!(
            command(&launched, 0).replace(parameters, "/p.yaml"),
            "shuffledet/shuffledet_node --ros-args --log-level shuffledet:=debug \
             -r __node:=shuffledet -r __ns:=/car --params-file FOLDER/launch_params_0.yaml --params-file /p.yaml \
             --params-file FOLDER/launch_params_2.yaml \
             -r image_raw:=/front/image_rect -r image_raw/compressed:=/front/image_rect/compressed",
            "{file}"
        );
        assert_eq!(
            overrides(&launched),
            json!({"model.name": "nanodet_m_416", "detector.classes": ["coco", "cone"], "runtime.providers": ["cuda", "cpu"], "cameras": ["front", "left"],
                "input.reliability": "reliable", "ranging.camera_height_m": 1.45, "ranging.camera_pitch_deg": -2.0, "autostart": false, "use_sim_time": true}),
            "{file}"
        );
        declared.push(launched.0["arguments"].clone());
    }
    assert_eq!(declared[0], declared[1]);
    let named = arguments.map(|argument| argument.split(":=").next().unwrap());
    let declared: Vec<_> = declared[0].as_object().unwrap().keys().collect();
    assert_eq!(declared, named);
}

#[test]
fn replay_plays_beside_the_node_on_the_bags_clock() {
    let test = "replay_plays_beside_the_node_on_the_bags_clock";
    let arguments = ["bag:=/b", "rate:=0.5", "model:=m"];
    let Some(launched) = launch(test, "replay.launch.py", &arguments) else {
        return;
    };
    let launched = launched.unwrap();
    assert_eq!(
        overrides(&launched),
        json!({"model.name": "m", "use_sim_time": true})
    );
    assert_eq!(
        command(&launched, 1),
        "ros2 bag play /b --clock 100 --rate 0.5 --delay 3.0"
    );
    assert_eq!(
        launched.0["on_exit"],
        json!([{"of": "ros2", "then": "Shutdown"}])
    );
}

#[test]
fn launch_refuses_what_it_cannot_use() {
    for (file, arguments, error) in [
        (
            "replay.launch.py",
            &[][..],
            "AssertionError: argument bag has no value",
        ),
        (
            "shuffledet.launch.py",
            &["use_sim_time:=maybe"],
            "ValueError: use_sim_time:=maybe: expected true or false",
        ),
        (
            "shuffledet.launch.py",
            &["autostart:=later"],
            "ValueError: autostart:=later: expected true or false",
        ),
        (
            "shuffledet.launch.py",
            &["camera_height_m:=high"],
            "ValueError: camera_height_m:=high: expected a number",
        ),
        (
            "shuffledet.launch.xml",
            &["reliability:=sure"],
            "ValueError: reliability:=sure: expected best_effort or reliable",
        ),
        (
            "shuffledet.launch.py",
            &["params_file:=/nowhere/p.yaml"],
            "FileNotFoundError: params_file:=/nowhere/p.yaml: no such file",
        ),
        (
            "shuffledet.launch.xml",
            &["params_file:=/nowhere/p.yaml"],
            "FileNotFoundError: params_file:=/nowhere/p.yaml: no such file",
        ),
        (
            "replay.launch.py",
            &["bag:=/b", "params_file:=/nowhere/p.yaml"],
            "FileNotFoundError: params_file:=/nowhere/p.yaml: no such file",
        ),
    ] {
        let Some(launched) = launch("launch_refuses_what_it_cannot_use", file, arguments) else {
            return;
        };
        assert_eq!(launched.unwrap_err(), error);
    }
}

#[test]
fn the_package_is_described_alike_to_cargo_and_colcon() {
    let package = fs::read_to_string(repository("package.xml")).unwrap();
    let version = format!("<version>{}</version>", env!("CARGO_PKG_VERSION"));
    assert!(package.contains(&version), "package.xml: not {version}");
    let colcon = fs::read_to_string(repository("colcon.pkg")).unwrap();
    let colcon: Value = serde_json::from_str(&colcon).unwrap();
    assert_eq!(
        colcon["cargo-args"],
        json!(["--release", "--features", "ros"])
    );
    let cargo = fs::read_to_string(repository("Cargo.toml")).unwrap();
    assert!(
        !cargo.contains("\nmembers = "),
        "colcon would build each member by itself"
    );
    // cargo-ament-build copies whole folders: the built-in model with its notice, and no other weights
    let mut weights = Vec::new();
    for folder in ["config", "launch", "models"] {
        let entries = fs::read_dir(repository(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        weights.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "onnx")));
    }
    assert_eq!(weights, [repository("models").join("road.onnx")]);
    for notice in ["models/road.NOTICE.txt", "models/LICENSE-nanodet"] {
        assert!(repository(notice).is_file(), "{notice}");
    }
}
