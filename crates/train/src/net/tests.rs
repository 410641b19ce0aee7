use shuffledet_core::Resolution;
use tch::{Device, Kind, Tensor};

use super::*;

fn describe(head: Head, width: Width, classes: usize) -> Description {
    let classes = (0..classes).map(|class| format!("class {class}")).collect();
    let resolution = Resolution {
        width: 224,
        height: 224,
    };
    Description::new(head, width, classes, resolution)
}

fn network(description: &Description) -> Network {
    tch::manual_seed(1);
    Network::new(description, Device::Cpu).unwrap()
}

fn images(width: i64, height: i64) -> Tensor {
    tch::manual_seed(2);
    Tensor::randn([2, 3, height, width], (Kind::Float, Device::Cpu))
}

fn difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn parameters_are_those_of_the_paper() {
    // table 8: 1.4, 2.3, 3.5 and 7.4 million; the exact numbers are torchvision's
    let expected = [1_366_792, 2_278_604, 3_503_624, 7_393_996];
    for (width, expected) in Width::ALL.into_iter().zip(expected) {
        let network = network(&describe(Head::Classifier, width, 1000));
        let variables = network.vs.trainable_variables();
        let parameters: usize = variables.iter().map(Tensor::numel).sum();
        assert_eq!(parameters, expected, "{width}");
    }
}

#[test]
fn outputs_have_the_documented_shapes() {
    let images = images(96, 64);
    let cells = 12 * 8 + 6 * 4 + 3 * 2 + 2;
    for (head, shape) in [
        (Head::FastestDet, vec![2, 8, 4, 6]),
        (Head::NanoDetPlus, vec![2, cells, 35]),
        (Head::Classifier, vec![2, 3]),
    ] {
        for split in [Split::Halves, Split::Alternate] {
            let mut description = describe(head, Width::X0_5, 3);
            description.units.split = split;
            let network = network(&description);
            for train in [false, true] {
                let output = network.forward(&images, train);
                assert_eq!(output.main.size(), shape, "{head:?}");
                assert_eq!(output.main.requires_grad(), train);
                assert!(output.auxiliary.is_none());
            }
        }
    }
}

#[test]
fn the_auxiliary_head_is_there_in_training_only() {
    let mut description = describe(Head::NanoDetPlus, Width::X0_5, 3);
    description.auxiliary = true;
    let mut network = network(&description);
    let images = images(64, 64);
    assert!(network.forward(&images, false).auxiliary.is_none());
    for detached in [false, true] {
        network.auxiliary_detached = detached;
        let output = network.forward(&images, true);
        let auxiliary = output.auxiliary.unwrap();
        assert_eq!(auxiliary.size(), output.main.size());
        auxiliary.sum(Kind::Float).backward();
        let stem = &network.vs.variables()["backbone.stem.weight"];
        let reaches = stem.grad().defined() && stem.grad().abs().max().double_value(&[]) > 0.0;
        assert_eq!(reaches, !detached);
        for tensor in network.vs.trainable_variables().iter_mut() {
            tensor.zero_grad();
        }
    }
}

#[test]
fn measured_norms_compute_what_they_did() {
    for head in [Head::FastestDet, Head::NanoDetPlus] {
        let network = network(&describe(head, Width::X0_5, 3));
        let images = images(128, 96);
        let before = network.forward(&images, false).main;
        for batch in 1..=3 {
            network.measure_norms(&(&images * f64::from(batch)), 1.0 / f64::from(batch));
        }
        let scale = before.abs().max().double_value(&[]);
        let after = network.forward(&images, false).main;
        assert!(difference(&before, &after) < 1e-4 * scale);
        // measured on the very batch, training computes the same
        network.measure_norms(&images, 1.0);
        let train = network.forward(&images, true).main;
        assert!(difference(&before, &train) < 1e-3 * scale);
    }
}

#[test]
fn a_frozen_backbone_stays_as_it_is() {
    let mut network = network(&describe(Head::FastestDet, Width::X0_5, 3));
    assert!(!network.groups().backbone.is_empty());
    network.freeze_backbone();
    let groups = network.groups();
    assert!(groups.backbone.is_empty() && groups.head.contains(&"head.entry.weight".to_owned()));
    let copy = |network: &Network| {
        let variables = network.vs.variables();
        let backbone = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with("backbone."));
        backbone
            .map(|(name, tensor)| (name, tensor.copy()))
            .collect::<Vec<_>>()
    };
    let before = copy(&network);
    let output = network.forward(&images(64, 64), true).main;
    output.sum(Kind::Float).backward();
    let after = network.vs.variables();
    for (name, tensor) in before {
        assert_eq!(difference(&tensor, &after[&name]), 0.0, "{name}");
    }
}

#[test]
fn leaky_relu_keeps_a_tenth_below_zero() {
    let x = Tensor::from_slice(&[-2.0f32, -0.5, 0.0, 3.0]);
    let expected = Tensor::from_slice(&[-0.2f32, -0.05, 0.0, 3.0]);
    assert!(difference(&tensors::leaky_relu(&x), &expected) < 1e-6);
}

#[test]
fn splits_and_interleaving_are_inverse() {
    let mut pass = TensorPass::new(Norms::Running);
    let x = images(4, 2).repeat([1, 2, 1, 1]);
    let [even, odd] = pass.alternate(&x);
    assert_eq!(difference(&pass.interleave(&even, &odd), &x), 0.0);
    let [first, second] = pass.halves(&x);
    assert_eq!(difference(&pass.join(&[&first, &second]), &x), 0.0);
}

#[test]
fn descriptions_are_checked() {
    let good = describe(Head::FastestDet, Width::X1_0, 2);
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<Description>(&json).unwrap(), good);
    let mut bad = good.clone();
    bad.classes[1].clone_from(&good.classes[0]);
    assert_eq!(
        bad.check(),
        Err(DescriptionError::Twice("class 0".to_owned()))
    );
    bad.classes.clear();
    assert_eq!(bad.check(), Err(DescriptionError::Classes(0)));
    let mut bad = good.clone();
    bad.input.width = 100;
    let error = bad.check().unwrap_err().to_string();
    assert!(error.contains("100x224"), "{error}");
    let mut bad = good;
    bad.input.std[1] = 0.0;
    assert!(matches!(
        bad.check(),
        Err(DescriptionError::Normalisation { .. })
    ));
    for width in Width::ALL {
        assert_eq!(width.to_string().parse::<Width>().unwrap(), width);
    }
    assert!("3".parse::<Width>().is_err());
}
