//! Reading, preparing and inspecting ONNX models, against the Python onnx and onnxruntime.
//!
//! The reference is `tests/reference/onnx_*.py`; figures agree exactly, since all are integers.

use shuffledet_testing::{self as support, python};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use shuffledet_onnx::input_size::resize;
use shuffledet_onnx::inspect::{ChannelLayout, Inspection, SplitForm, inspect};
use shuffledet_onnx::layout::arrange;
use shuffledet_onnx::{OnnxModel, remove_initializer_inputs};

/// The model of this repository, with weights of 16 bits.
const BUILT_IN: &str = "road.onnx";

/// The bytes of one of the shared models, or of [`BUILT_IN`].
fn asset(test: &str, name: &str) -> Option<(PathBuf, Vec<u8>)> {
    let path = if name == BUILT_IN {
        support::repository("models").join(name)
    } else {
        support::asset(test, &format!("models/{name}"))?
    };
    let bytes = std::fs::read(&path).unwrap();
    Some((path, bytes))
}

/// Runs a script of `tests/reference` and gives its standard output.
fn python(test: &str, script: &str, arguments: &[&Path]) -> Option<Vec<u8>> {
    let script = support::repository("tests/reference").join(script);
    let output = python::python(test)?
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    Some(output.stdout)
}

/// The small models of `onnx_models.py`.
fn small_models(test: &str) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    python(test, "onnx_models.py", &[folder.path()])?;
    Some(folder)
}

fn inspect_small(folder: &tempfile::TempDir, name: &str) -> Inspection {
    let path = folder.path().join(name).with_extension("onnx");
    inspect(&std::fs::read(path).unwrap()).unwrap()
}

fn assert_agrees_with_onnx(test: &str, path: &Path) {
    let Some(facts) = python(test, "onnx_facts.py", &[path]) else {
        return;
    };
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    let inspection = inspect(&std::fs::read(path).unwrap()).unwrap();
    let ours = serde_json::to_value(inspection).unwrap();
    for (key, expected) in facts.as_object().unwrap() {
        assert_eq!(&ours[key], expected, "{key} of {}", path.display());
    }
}

#[test]
fn the_detectors_hold_what_onnx_says() {
    const TEST: &str = "the_detectors_hold_what_onnx_says";
    for name in [BUILT_IN, "fastestdet_352.onnx", "nanodet_m_416.onnx"] {
        if let Some((path, _)) = asset(TEST, name) {
            assert_agrees_with_onnx(TEST, &path);
        }
    }
}

#[test]
fn small_models_hold_what_onnx_says() {
    const TEST: &str = "small_models_hold_what_onnx_says";
    let Some(folder) = small_models(TEST) else {
        return;
    };
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        assert_agrees_with_onnx(TEST, &entry.unwrap().path());
    }
}

#[test]
fn the_detectors_have_shufflenet_v2_backbones() {
    const TEST: &str = "the_detectors_have_shufflenet_v2_backbones";
    let Some((_, bytes)) = asset(TEST, "nanodet_m_416.onnx") else {
        return;
    };
    let nanodet = inspect(&bytes).unwrap().shufflenet;
    assert_eq!(
        nanodet.conclusion,
        "ShuffleNet V2 backbone: 3 stages of 1+3, 1+7, 1+3 units, 24-116-232-464 channels (1.0x)"
    );
    let sizes: Vec<_> = nanodet.stages.iter().map(|s| s.size.unwrap()).collect();
    assert_eq!(sizes, [[52, 52], [26, 26], [13, 13]]);
    assert!(
        nanodet
            .stages
            .iter()
            .all(|s| s.split == Some(SplitForm::Split))
    );
    assert_eq!((nanodet.channel_splits, nanodet.channel_shuffles), (13, 16));

    let (_, bytes) = asset(TEST, "fastestdet_352.onnx").unwrap();
    let fastestdet = inspect(&bytes).unwrap().shufflenet;
    assert_eq!(
        fastestdet.conclusion,
        "ShuffleNet V2 backbone: 3 stages of 1+3, 1+7, 1+3 units, 24-48-96-192 channels (0.5x)"
    );
    assert!(
        fastestdet
            .stages
            .iter()
            .all(|s| s.split == Some(SplitForm::Gather))
    );
    assert_eq!(
        (fastestdet.channel_splits, fastestdet.channel_shuffles),
        (13, 13)
    );
    assert_eq!((fastestdet.loose_units, nanodet.loose_units), (0, 0));
}

#[test]
fn other_forms_of_shufflenet_v2_are_recognised() {
    const TEST: &str = "other_forms_of_shufflenet_v2_are_recognised";
    let Some(folder) = small_models(TEST) else {
        return;
    };
    let paper = "ShuffleNet V2 backbone: 3 stages of 1+3, 1+7, 1+3 units";
    for (name, conclusion) in [
        ("slice", format!("{paper}, 24-176-352-704 channels (1.5x)")),
        ("wide", format!("{paper}, 24-244-488-976 channels (2.0x)")),
        ("batch", format!("{paper}, 24-48-96-192 channels (0.5x)")),
        ("dynamic", format!("{paper}, 24-48-96-192 channels (0.5x)")),
        (
            "own",
            "ShuffleNet V2 backbone: 2 stages of 1+1, 1+2 units, 16-40-80 channels \
             (no width of the paper)"
                .to_owned(),
        ),
    ] {
        let found = inspect_small(&folder, name).shufflenet;
        assert_eq!(found.conclusion, conclusion, "{name}");
    }
    assert_eq!(inspect_small(&folder, "own").shufflenet.stages[0].kernel, 5);

    let dynamic = inspect_small(&folder, "dynamic");
    assert!(dynamic.shufflenet.stages.iter().all(|s| s.size.is_none()));
    assert!(
        dynamic
            .to_string()
            .contains("at least 0; not counted: 55 Conv"),
        "{dynamic}"
    );
}

#[test]
fn other_networks_are_not_taken_for_shufflenet_v2() {
    const TEST: &str = "other_networks_are_not_taken_for_shufflenet_v2";
    let Some(folder) = small_models(TEST) else {
        return;
    };
    let others = [
        ("plain", 0),
        ("residual", 0),
        ("lone_shuffle", 1),
        ("partial", 1),
        ("path_net", 0),
        ("unshuffled", 0),
    ];
    for (name, shuffles) in others {
        let found = inspect_small(&folder, name).shufflenet;
        assert_eq!(found.conclusion, "no ShuffleNet V2 units found", "{name}");
        assert_eq!((found.stages.len(), found.loose_units), (0, 0), "{name}");
        assert_eq!(found.channel_shuffles, shuffles, "{name}");
    }
}

#[test]
fn prepared_models_compute_the_same() {
    const TEST: &str = "prepared_models_compute_the_same";
    let mut originals = Vec::new();
    originals.extend(asset(TEST, "nanodet_m_416.onnx").map(|(path, _)| path));
    let folder = small_models(TEST);
    originals.extend(folder.as_ref().map(|folder| folder.path().join("old.onnx")));
    for original in originals {
        let bytes = std::fs::read(&original).unwrap();
        let prepared = tempfile::NamedTempFile::new().unwrap();
        let Cow::Owned(smaller) = remove_initializer_inputs(&bytes).unwrap() else {
            panic!("{} was not changed", original.display());
        };
        assert_eq!(inspect(&smaller).unwrap().initializers_among_inputs, 0);
        std::fs::write(&prepared, smaller).unwrap();
        python(TEST, "onnx_prepared.py", &[&original, prepared.path()]);
    }
}

/// The operators of a model after its channels were arranged; computes the same, or the test fails.
fn operators_arranged(test: &str, original: &Path, block: usize) -> Option<Value> {
    let prepared = std::fs::read(original).unwrap();
    let prepared = remove_initializer_inputs(&prepared).unwrap();
    let arranged = arrange(&prepared, block)
        .unwrap_or_else(|reason| panic!("{}: {reason}", original.display()));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, arranged.onnx).unwrap();
    let operators = python(test, "onnx_arranged.py", &[original, file.path()])?;
    Some(serde_json::from_slice(&operators).unwrap())
}

#[test]
fn arranged_detectors_compute_the_same_without_shuffles() {
    const TEST: &str = "arranged_detectors_compute_the_same_without_shuffles";
    for name in [BUILT_IN, "fastestdet_352.onnx", "nanodet_m_416.onnx"] {
        let Some((path, _)) = asset(TEST, name) else {
            return;
        };
        for block in [8, 16] {
            let Some(operators) = operators_arranged(TEST, &path, block) else {
                return;
            };
            // what is left of them is at the outputs
            let count = |operator: &str| operators[operator].as_u64().unwrap_or(0);
            assert!(count("Transpose") <= 6, "{name}: {operators}");
            assert!(count("Reshape") <= 6, "{name}: {operators}");
            assert_eq!(count("Gather"), 0, "{name}: {operators}");
        }
    }
}

#[test]
fn arranged_networks_of_any_form_compute_the_same() {
    const TEST: &str = "arranged_networks_of_any_form_compute_the_same";
    let Some(folder) = small_models(TEST) else {
        return;
    };
    for name in [
        "slice",
        "wide",
        "own",
        "unshuffled",
        "lone_shuffle",
        "partial",
        "path_net",
        "residual",
        "plain",
    ] {
        let path = folder.path().join(name).with_extension("onnx");
        for block in [8, 16] {
            operators_arranged(TEST, &path, block);
        }
    }
}

#[test]
fn networks_that_cannot_be_arranged_say_why() {
    const TEST: &str = "networks_that_cannot_be_arranged_say_why";
    let Some(folder) = small_models(TEST) else {
        return;
    };
    for (name, expected) in [
        (
            "dynamic",
            "expected `image` to be of shape [1, C, H, W], found [1, 3, ?, ?]",
        ),
        (
            "branch",
            "expected numbers, texts and tensors as attributes, found another type",
        ),
    ] {
        let inspection = inspect_small(&folder, name);
        let ChannelLayout::NotArranged { reason } = &inspection.channel_layout else {
            panic!("{name}: {:?}", inspection.channel_layout);
        };
        assert!(reason.starts_with(expected), "{name}: {reason}");
        let line = format!("on loading     channels not arranged: {reason}\n");
        assert!(inspection.to_string().ends_with(&line), "{inspection}");
    }
    let ChannelLayout::Arranged { nodes } = inspect_small(&folder, "slice").channel_layout else {
        panic!("the channels of `slice` were not arranged");
    };
    assert!(nodes > 50, "{nodes}");
}

/// The detectors, each with its native size.
const DETECTORS: [(&str, u32); 5] = [
    (BUILT_IN, 416),
    ("fastestdet_352.onnx", 352),
    ("nanodet_m_416.onnx", 416),
    ("nanodet_plus_m_416.onnx", 416),
    ("yolo_fastestv2_352.onnx", 352),
];

/// Width and height of inputs: wide, as wide as the native one, upright.
const SIZES: [(u32, u32); 6] = [
    (640, 192),
    (704, 224),
    (832, 256),
    (416, 192),
    (416, 256),
    (352, 640),
];

#[test]
fn resized_detectors_compute_the_same() {
    const TEST: &str = "resized_detectors_compute_the_same";
    for (name, _) in DETECTORS {
        let Some((path, bytes)) = asset(TEST, name) else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let mut paths = vec![path];
        for (width, height) in SIZES {
            let resized = resize(&bytes, width, height).unwrap();
            let arranged = arrange(&resized, 8)
                .unwrap_or_else(|reason| panic!("{name} {width}x{height}: {reason}"));
            for (form, onnx) in [("resized", &*resized), ("arranged", &arranged.onnx)] {
                let path = folder.path().join(format!("{form}_{width}x{height}.onnx"));
                std::fs::write(&path, onnx).unwrap();
                paths.push(path);
            }
        }
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        python(TEST, "onnx_resized.py", &paths);
    }
}

#[test]
fn a_picture_within_a_larger_one_is_seen_as_it_is_alone() {
    const TEST: &str = "a_picture_within_a_larger_one_is_seen_as_it_is_alone";
    let Some(picture) = support::asset(TEST, "images/coco_000000000089.jpg") else {
        return;
    };
    for (name, native) in DETECTORS {
        let (path, bytes) = asset(TEST, name).unwrap();
        let larger = resize(&bytes, native + 256, native + 384).unwrap();
        let arranged = arrange(&larger, 8).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, arranged.onnx).unwrap();
        python(TEST, "onnx_translated.py", &[&picture, &path, file.path()]);
    }
}

#[test]
fn a_size_does_not_depend_on_the_one_before() {
    const TEST: &str = "a_size_does_not_depend_on_the_one_before";
    for (name, native) in DETECTORS {
        let Some((_, bytes)) = asset(TEST, name) else {
            return;
        };
        let same = resize(&bytes, native, native).unwrap();
        assert!(
            matches!(same, Cow::Borrowed(same) if same == bytes),
            "{name}"
        );
        let wide = resize(&bytes, 640, 192).unwrap();
        let upright = resize(&bytes, 352, 640).unwrap();
        let upright_by_wide = resize(&wide, 352, 640).unwrap();
        assert!(upright == upright_by_wide, "{name}");
        let (there, back) = (
            inspect(&bytes).unwrap(),
            resize(&wide, native, native).unwrap(),
        );
        let back = inspect(&back).unwrap();
        assert_eq!(
            (there.multiply_adds, there.outputs),
            (back.multiply_adds, back.outputs)
        );
    }
}

#[test]
fn a_size_that_does_not_suit_is_refused_by_name() {
    const TEST: &str = "a_size_that_does_not_suit_is_refused_by_name";
    for (name, native) in DETECTORS {
        let Some((_, bytes)) = asset(TEST, name) else {
            return;
        };
        for size in [(native, native + 8), (native - 16, native), (100, 37)] {
            let reason = resize(&bytes, size.0, size.1).unwrap_err().to_string();
            assert!(reason.contains("do not fit together"), "{name}: {reason}");
        }
    }
}

#[test]
fn a_model_in_the_new_form_is_not_copied() {
    if let Some((_, bytes)) = asset(
        "a_model_in_the_new_form_is_not_copied",
        "fastestdet_352.onnx",
    ) {
        assert!(
            matches!(remove_initializer_inputs(&bytes).unwrap(), Cow::Borrowed(same) if same == bytes)
        );
    }
}

/// Damages a model in a few places: other bytes, missing pieces, a cut end.
fn damaged(
    mut bytes: Vec<u8>,
    edits: &[(Index, u8)],
    removed: (Index, usize),
    cut: bool,
) -> Vec<u8> {
    for (at, byte) in edits {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    let from = removed.0.index(bytes.len());
    let to = if cut {
        bytes.len()
    } else {
        bytes.len().min(from + removed.1)
    };
    bytes.drain(from..to);
    bytes
}

#[test]
fn damaged_detectors_never_panic() {
    const TEST: &str = "damaged_detectors_never_panic";
    for name in [BUILT_IN, "fastestdet_352.onnx", "nanodet_m_416.onnx"] {
        let Some((_, bytes)) = asset(TEST, name) else {
            return;
        };
        let config = ProptestConfig {
            cases: 100,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let damage = (
            prop::collection::vec((any::<Index>(), any::<u8>()), 0..20),
            (any::<Index>(), 0..8usize),
            prop::bool::weighted(0.1),
        );
        proptest!(config, |((edits, removed, cut) in damage)| {
            let bytes = damaged(bytes.clone(), &edits, removed, cut);
            let parsed = OnnxModel::parse(&bytes).is_ok();
            let inspected = inspect(&bytes);
            prop_assert_eq!(parsed, inspected.is_ok());
            if let Ok(inspection) = inspected {
                prop_assert!(!inspection.to_string().is_empty());
            }
            if let Ok(resized) = resize(&bytes, 640, 192) {
                prop_assert!(OnnxModel::parse(&resized).is_ok());
            }
            if let Ok(prepared) = remove_initializer_inputs(&bytes) {
                prop_assert!(prepared.len() <= bytes.len() + 10);
                let _ = arrange(&prepared, 16);
            }
        });
    }
}
