//! A classifier by the program itself: trained, exported, and trained on from the exported model.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use shuffledet_detector::model::Model;

fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_shuffledet-train");
    Command::new(program).args(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// Makes ten pictures of each of two lights, on backgrounds that differ.
fn pictures(folder: &Path) {
    for (name, light) in [("green", [30, 220, 60]), ("red", [230, 40, 30])] {
        fs::create_dir_all(folder.join(name)).unwrap();
        for index in 0..10u8 {
            let mut pixels = Vec::new();
            for place in 0..48 * 48u32 {
                let (x, y) = (place % 48, place / 48);
                let is_light = (14..34).contains(&x) && (14..34).contains(&y);
                let grey = [20 * index + (place * 37 % 40) as u8; 3];
                pixels.extend(if is_light { light } else { grey });
            }
            let bytes = [b"P6 48 48 255\n".as_slice(), &pixels].concat();
            fs::write(folder.join(name).join(format!("{index}.ppm")), bytes).unwrap();
        }
    }
}

#[test]
fn a_classifier_is_trained_exported_and_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, fit) = (path("lights"), path("fit"));
    let start = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/road.onnx");
    pictures(Path::new(&data));
    let train = |from: &str, output: &str, epochs: &str| {
        let options = ["--epochs", epochs, "--batch", "8", "--input-size", "32x32"];
        let names = ["classify", &data, "--from", from, "--output", output];
        printed(&[&names[..], &options].concat())
    };
    let end = train(start, &fit, "20");
    assert!(end.contains("100.0 % of 4 held-out pictures"), "{end}");

    for (name, further) in [("lights.onnx", None), ("half.onnx", Some("--half"))] {
        let onnx = path(name);
        let mut arguments = vec!["export", &fit, "--output", &onnx];
        arguments.extend(further);
        let end = printed(&arguments);
        let both =
            "right on 4 held-out pictures: 100.0 % trained, 100.0 % through the product's path";
        assert!(end.contains(both), "{end}");
        let model = Model::load_classifier(&onnx).unwrap();
        let labels: Vec<&str> = model.description.labels.names().collect();
        assert_eq!(
            (model.description.family.name(), labels),
            ("classifier", vec!["green", "red"])
        );
        assert_eq!(model.description.input.resolution().to_string(), "32x32");
    }

    let onnx = path("lights.onnx");
    let end = train(&onnx, &path("further"), "1");
    assert!(end.contains("100.0 % of 4 held-out pictures"), "{end}");

    let again = refused(&["classify", &data, "--from", start, "--output", &fit]);
    assert!(again.contains("has a run already"), "{again}");
    let threshold = refused(&[
        "export",
        &fit,
        "--output",
        &onnx,
        "--score-threshold",
        "0.3",
    ]);
    assert!(
        threshold.contains("a classifier has no threshold"),
        "{threshold}"
    );
    fs::rename(path("lights/red"), path("lights/stop")).unwrap();
    let renamed = refused(&["export", &fit, "--output", &onnx]);
    assert!(
        renamed.contains("expected the folders green, red"),
        "{renamed}"
    );
}
