use std::collections::HashMap;

use tch::{Kind, Tensor};

use super::*;
use crate::export::{self, probabilities};
use crate::fixtures::asset;

const MODELS: [(&str, Head, Width); 2] = [
    ("fastestdet_352", Head::FastestDet, Width::X0_5),
    ("nanodet_plus_m_416", Head::NanoDetPlus, Width::X1_0),
];

fn images(input: &InputSpec) -> Tensor {
    tch::manual_seed(3);
    let (width, height) = (i64::from(input.width), i64::from(input.height));
    Tensor::randn([1, 3, height, width], (Kind::Float, Device::Cpu))
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn the_networks_of_shipped_models_give_the_outputs_of_their_files() {
    for (name, head, width) in MODELS {
        let origin = Origin::read(name).unwrap();
        let description = &origin.description;
        assert_eq!((description.head, description.width), (head, width));
        assert!(origin.folded);
        let start = origin.start(description, Device::Cpu).unwrap();
        assert!(start.fresh.is_empty(), "{:?}", start.fresh);
        assert_eq!(start.kept_classes.len(), 80);
        let model = Model::load(name).unwrap();
        let found = parity::difference(&start.network, &model.onnx, &description.input).unwrap();
        println!("{name}: {found}");
        assert!(found <= TOLERANCE, "{name}: {found}");
    }
}

#[test]
fn fastestdet_pth_gives_the_outputs_of_the_onnx_file() {
    let path = asset("train/fastestdet_coco.pth");
    let origin = Origin::read(path.to_str().unwrap()).unwrap();
    assert!(!origin.folded && origin.description.classes[2] == "car");
    let start = origin.start(&origin.description, Device::Cpu).unwrap();
    assert!(start.fresh.is_empty(), "{:?}", start.fresh);
    let model = Model::load("fastestdet_352").unwrap();
    let input = &model.description.input;
    assert_eq!(origin.description.input, *input);
    let found = parity::difference(&start.network, &model.onnx, input).unwrap();
    println!("pth: {found}");
    assert!(found <= TOLERANCE, "{found}");
}

#[test]
fn a_backbone_alone_starts_any_head_of_its_width() {
    let path = asset("train/shufflenetv2_backbone.pth");
    let origin = Origin::read(path.to_str().unwrap()).unwrap();
    assert!(origin.backbone_only);
    let resolution = origin.description.input.resolution();
    for head in [Head::FastestDet, Head::NanoDetPlus, Head::Classifier] {
        let description = Description::new(head, Width::X0_5, names(&["a", "b"]), resolution);
        let start = origin.start(&description, Device::Cpu).unwrap();
        assert_eq!(start.network.description.units.split, Split::Alternate);
        let is_backbone = |name: &String| name.starts_with("backbone.");
        assert!(start.kept.iter().all(is_backbone) && !start.kept.is_empty());
        assert!(!start.fresh.iter().any(is_backbone));
        assert!(start.kept_classes.is_empty());
    }
}

#[test]
fn rows_of_classes_are_kept_by_name() {
    for (name, head, _) in MODELS {
        let origin = Origin::read(name).unwrap();
        let mut description = origin.description.clone();
        description.classes = names(&["tram", "car", "Person"]);
        let start = origin.start(&description, Device::Cpu).unwrap();
        assert_eq!(start.kept_classes, ["car", "Person"]);
        let whole = origin.start(&origin.description, Device::Cpu).unwrap();
        let images = images(&description.input);
        let [cut, whole] =
            [&start.network, &whole.network].map(|network| network.forward(&images, false).main);
        // features by name: car, person, and the first of what is no class
        let (axis, features) = match head {
            Head::FastestDet => (1, [(5 + 1, 5 + 2), (5 + 2, 5), (1, 1)]),
            _ => (2, [(1, 2), (2, 0), (3, 80)]),
        };
        for (ours, theirs) in features {
            let [a, b] = [cut.select(axis, ours), whole.select(axis, theirs)];
            assert!(largest_difference(&a, &b) < 1e-5, "{name} {ours}");
        }
        if head == Head::NanoDetPlus {
            let tram = probabilities(&start.network, &images).select(2, 0);
            assert!(tram.max().double_value(&[]) < 0.05);
        }
    }
}

#[test]
fn a_checkpoint_keeps_every_bit() {
    let origin = Origin::read("fastestdet_352").unwrap();
    let network = origin
        .start(&origin.description, Device::Cpu)
        .unwrap()
        .network;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    save(&network, &path).unwrap();
    let read = Origin::read(path.to_str().unwrap()).unwrap();
    assert_eq!(read.description, network.description);
    let again = read.start(&read.description, Device::Cpu).unwrap();
    assert!(again.fresh.is_empty() && !again.folded);
    let variables = again.network.vs.variables();
    for (name, tensor) in network.vs.variables() {
        assert_eq!(
            export::to_vec(&tensor),
            export::to_vec(&variables[&name]),
            "{name}"
        );
    }
    std::fs::write(&path, b"no checkpoint").unwrap();
    assert!(Origin::read(path.to_str().unwrap()).is_err());
}

#[test]
fn an_exported_file_with_weights_of_16_bits_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.onnx");
    let origin = Origin::read("fastestdet_352").unwrap();
    let network = origin
        .start(&origin.description, Device::Cpu)
        .unwrap()
        .network;
    let settings = export::Settings {
        name: "half".to_owned(),
        thresholds: Some(export::Thresholds {
            score: 0.25,
            nms_iou: 0.45,
        }),
        origin: vec!["made by a test".to_owned()],
    };
    export::export(&network, &path, &settings, true).unwrap();
    let again = Origin::read(path.to_str().unwrap()).unwrap();
    assert_eq!(again.description, origin.description);
    let again = again
        .start(&again.description, Device::Cpu)
        .unwrap()
        .network;
    let images = images(&origin.description.input);
    let [a, b] = [&network, &again].map(|network| probabilities(network, &images));
    let difference = largest_difference(&a, &b);
    assert!(difference > 0.0 && difference < 0.1, "{difference}");
}

#[test]
fn weights_of_torchvision_are_read_in_both_forms() {
    let resolution = Resolution {
        width: 224,
        height: 224,
    };
    let classes = class_names(Head::Classifier, 7).unwrap();
    let description = Description::new(Head::Classifier, Width::X0_5, classes, resolution);
    tch::manual_seed(5);
    let network = Network::new(&description, Device::Cpu).unwrap();
    let images = images(&description.input);
    network.forward(&images, true);
    let expected = network.forward(&images, false).main;
    let tensors = torchvision_names(&network.vs.variables());
    let folder = tempfile::tempdir().unwrap();
    for (form, bytes) in [("zip", zipped(&tensors)), ("legacy", legacy(&tensors))] {
        let path = folder.path().join(format!("{form}.pth"));
        std::fs::write(&path, &bytes).unwrap();
        let origin = Origin::read(path.to_str().unwrap()).unwrap();
        assert_eq!(origin.description, description, "{form}");
        let start = origin.start(&description, Device::Cpu).unwrap();
        assert!(start.fresh.is_empty(), "{:?}", start.fresh);
        let found = start.network.forward(&images, false).main;
        assert_eq!(largest_difference(&expected, &found), 0.0, "{form}");
        for length in [0, 1, 100, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(
                Origin::read(path.to_str().unwrap()).is_err(),
                "{form} {length}"
            );
        }
    }
}

/// Returns the tensors under the names that torchvision's code gives them.
fn torchvision_names(variables: &HashMap<String, Tensor>) -> Vec<(String, Tensor)> {
    let mut tensors = Vec::new();
    for (name, tensor) in variables {
        let (layer, part) = name.rsplit_once('.').unwrap();
        let (layer, is_norm) = match layer.strip_suffix(".norm") {
            Some(layer) => (layer, true),
            None => (layer, false),
        };
        let place = match layer {
            "backbone.stem" => ("conv1".to_owned(), 0),
            "head.conv5" => ("conv5".to_owned(), 0),
            "head.classes" => {
                tensors.push((format!("fc.{part}"), tensor.shallow_clone()));
                continue;
            }
            _ => {
                let parts: Vec<&str> = layer.split('.').collect();
                let [_, stage, unit, branch, conv] = parts.as_slice() else {
                    panic!("{layer}")
                };
                let (branch, index) = match (*branch, *conv) {
                    ("short", "depthwise") => ("branch1", 0),
                    ("short", _) => ("branch1", 2),
                    (_, "0") => ("branch2", 0),
                    (_, "1") => ("branch2", 3),
                    _ => ("branch2", 5),
                };
                (format!("{stage}.{unit}.{branch}"), index)
            }
        };
        let index = place.1 + i32::from(is_norm);
        tensors.push((
            format!("{}.{index}.{part}", place.0),
            tensor.shallow_clone(),
        ));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}

/// Pickles an ordered dictionary of tensors as torch.save does; each has a storage of its number.
fn pickled(tensors: &[(String, Tensor)], is_legacy: bool) -> Vec<u8> {
    let text = |text: &str| {
        let length = (text.len() as u32).to_le_bytes();
        [b"X", &length[..], text.as_bytes()].concat()
    };
    let int = |int: i64| [b"J", &(int as i32).to_le_bytes()[..]].concat();
    let mut bytes = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(".to_vec();
    for (key, (name, tensor)) in tensors.iter().enumerate() {
        bytes.extend(text(name));
        bytes.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        bytes.extend(text("storage"));
        bytes.extend(b"ctorch\nFloatStorage\n");
        bytes.extend(text(&key.to_string()));
        bytes.extend(text("cpu"));
        bytes.extend(int(tensor.numel() as i64));
        bytes.extend(if is_legacy { &b"Nt"[..] } else { b"t" });
        bytes.push(b'Q');
        bytes.extend(int(0));
        for ints in [tensor.size(), tensor.stride()] {
            bytes.push(b'(');
            bytes.extend(ints.into_iter().flat_map(int));
            bytes.push(b't');
        }
        bytes.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    bytes.extend(b"u}b.");
    bytes
}

fn content(tensor: &Tensor) -> Vec<u8> {
    export::to_vec(tensor)
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn zipped(tensors: &[(String, Tensor)]) -> Vec<u8> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::FileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("net/data.pkl", stored).unwrap();
    archive.write_all(&pickled(tensors, false)).unwrap();
    for (key, (_, tensor)) in tensors.iter().enumerate() {
        archive
            .start_file(format!("net/data/{key}"), stored)
            .unwrap();
        archive.write_all(&content(tensor)).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn legacy(tensors: &[(String, Tensor)]) -> Vec<u8> {
    let mut bytes = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
    bytes.extend(b"\x80\x02}q\x00X\x0d\x00\x00\x00little_endianq\x01\x88s.");
    bytes.extend(pickled(tensors, true));
    bytes.extend(b"\x80\x02](");
    for key in 0..tensors.len() {
        let key = key.to_string();
        bytes.push(b'X');
        bytes.extend((key.len() as u32).to_le_bytes());
        bytes.extend(key.as_bytes());
    }
    bytes.extend(b"e.");
    for (_, tensor) in tensors {
        bytes.extend((tensor.numel() as i64).to_le_bytes());
        bytes.extend(content(tensor));
    }
    bytes
}
