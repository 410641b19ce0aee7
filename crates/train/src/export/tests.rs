use shuffledet_core::Resolution;
use shuffledet_detector::model::Model;
use shuffledet_onnx::input_size;
use shuffledet_onnx::inspect::{ChannelLayout, inspect};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::net::{Description, Head, Split, Width};

fn describe(head: Head, width: Width, classes: usize, side: u32) -> Description {
    let classes = (0..classes).map(|class| format!("class {class}")).collect();
    let resolution = Resolution {
        width: side,
        height: side,
    };
    Description::new(head, width, classes, resolution)
}

/// A network whose norms have measured something.
fn network(description: &Description) -> Network {
    tch::manual_seed(1);
    let network = Network::new(description, Device::Cpu).unwrap();
    let images = Tensor::randn([2, 3, 64, 96], (Kind::Float, Device::Cpu));
    network.forward(&images, true);
    network
}

fn settings() -> Settings {
    Settings {
        name: "street".to_owned(),
        thresholds: Some(Thresholds {
            score: 0.3,
            nms_iou: 0.6,
        }),
        origin: vec!["from random weights\nby a test".to_owned()],
    }
}

/// Counts convolutions and the fully connected layer, which gives torchvision's published figures. The networks of the
/// paper's authors (github.com/megvii-model/ShuffleNet-Series) differ in the first unit of stage 2: its short branch keeps
/// the 24 channels of the stem, and its other branch makes all the rest. With that unit, and the additions of the mean
/// before the fully connected layer, the counts are the paper's.
#[test]
fn multiply_adds_are_those_of_the_paper() {
    let expected = [40_476_448, 144_907_992, 295_759_392, 583_253_464];
    // table 8, in millions
    let paper = [41, 146, 299, 591];
    for ((width, expected), paper) in Width::ALL.into_iter().zip(expected).zip(paper) {
        let network = network(&describe(Head::Classifier, width, 1000, 224));
        let inspection = inspect(&onnx(&network)).unwrap();
        let count = inspection.multiply_adds.count;
        assert_eq!(count, expected, "{width}");
        // the pointwise convolutions behind the stride, on maps of 28x28
        let (stem, half) = (24, width.stages()[0] as u64 / 2);
        let ours = 28 * 28 * (stem * half + half * half);
        let theirs = 28 * 28 * (stem * stem + half * (2 * half - stem));
        let mean = 7 * 7 * width.last() as u64;
        let millions = (count - ours + theirs + mean + 500_000) / 1_000_000;
        assert_eq!(millions, paper, "{width}");
        assert_eq!(inspection.shufflenet.width, Some(&*width.to_string()));
        let units: Vec<_> = (inspection.shufflenet.stages.iter())
            .map(|stage| (stage.stride2_units, stage.stride1_units))
            .collect();
        assert_eq!(units, [(1, 3), (1, 7), (1, 3)]);
    }
}

#[test]
fn exported_models_load_resize_and_lose_their_shuffles() {
    let folder = tempfile::tempdir().unwrap();
    for head in [Head::FastestDet, Head::NanoDetPlus] {
        for split in [Split::Halves, Split::Alternate] {
            let mut description = describe(head, Width::X0_5, 3, 96);
            description.units.split = split;
            let network = network(&description);
            let path = folder.path().join("made/street.onnx");
            let exported = export(&network, &path, &settings(), false).unwrap();
            assert!(exported.difference <= TOLERANCE);
            let model = Model::load(path.to_str().unwrap()).unwrap();
            assert_eq!(model.sha256, exported.sha256);
            assert_eq!(model.description.input, description.input);
            assert_eq!(model.description.name, "street");
            let inspection = inspect(&model.onnx).unwrap();
            assert_eq!(inspection.shufflenet.width, Some("0.5x"));
            assert!(
                matches!(inspection.channel_layout, ChannelLayout::Arranged { .. }),
                "{head:?} {split:?}: {:?}",
                inspection.channel_layout
            );
            let resized = input_size::resize(&model.onnx, 160, 64).unwrap();
            let input = description.input.at(Resolution {
                width: 160,
                height: 64,
            });
            parity::check(&network, &resized, &input, TOLERANCE).unwrap();
            let names = std::fs::read_dir(folder.path().join("made")).unwrap();
            assert_eq!(names.count(), 2);
        }
    }
}

#[test]
fn weights_of_16_bits_halve_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let network = network(&describe(Head::FastestDet, Width::X1_0, 3, 64));
    let [whole, half] = [false, true].map(|half| {
        let path = folder.path().join(format!("{half}.onnx"));
        export(&network, &path, &settings(), half).unwrap()
    });
    assert!(half.size_bytes < whole.size_bytes * 6 / 10);
    assert!(half.difference > whole.difference);
}

#[test]
fn nothing_is_written_if_anything_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("street.onnx");
    let network = network(&describe(Head::FastestDet, Width::X0_5, 3, 64));
    let is_empty = || std::fs::read_dir(folder.path()).unwrap().next().is_none();

    let wrong = Settings {
        thresholds: Some(Thresholds {
            score: 2.0,
            nms_iou: 0.6,
        }),
        ..settings()
    };
    let error = export(&network, &path, &wrong, false)
        .unwrap_err()
        .to_string();
    assert!(error.contains("score_threshold") && is_empty(), "{error}");

    let refused: Result<Exported, ExportError> =
        export_if(&network, &path, &settings(), false, |model| {
            assert!(Model::load(model.to_str().unwrap()).is_ok());
            Err(ExportError::Name("refused".into()))
        });
    assert!(refused.unwrap_err().to_string().contains("refused") && is_empty());

    let name = export(&network, &folder.path().join("street"), &settings(), false);
    assert!(matches!(name, Err(ExportError::Name(_))) && is_empty());

    let other = super::tests::network(&describe(Head::FastestDet, Width::X0_5, 3, 64));
    let bias = &other.vs.variables()["head.box.last.norm.bias"];
    tch::no_grad(|| bias.shallow_clone().copy_(&(bias + 0.1)));
    let input = &network.description.input;
    let differs = parity::check(&other, &onnx(&network), input, TOLERANCE);
    assert!(
        matches!(differs, Err(ParityError::Differs { found, .. }) if (found - 0.1).abs() < 1e-3)
    );

    let _ = tch::no_grad(|| bias.shallow_clone().fill_(f64::NAN));
    let error = export(&other, &path, &settings(), false).unwrap_err();
    assert!(
        matches!(error, ExportError::Parity { .. }) && is_empty(),
        "{error}"
    );
}
