use shuffledet_detector::model::Model;
use shuffledet_image::{ImageDecoder, TensorBuilder};
use shuffledet_onnx::inspect::inspect;

use super::*;
use crate::fixtures::asset;

/// Returns tensors of some street scenes.
fn pictures(input: &InputSpec) -> Vec<Vec<f32>> {
    let folder = asset("images");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut builder = TensorBuilder::new(input.clone());
    let mut decoder = ImageDecoder::new();
    let is_picture =
        |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "jpg");
    paths
        .into_iter()
        .filter(is_picture)
        .step_by(10)
        .map(|path| {
            let bytes = std::fs::read(path).unwrap();
            builder.fill(&decoder.decode_file(&bytes).unwrap()).unwrap();
            builder.tensor().to_vec()
        })
        .collect()
}

#[test]
fn integers_give_nearly_the_outputs_of_floats() {
    for name in ["fastestdet_352", "nanodet_plus_m_416"] {
        let model = Model::load(name).unwrap();
        let input = &model.description.input;
        let pictures = pictures(input);
        let quantised = quantise(&model.onnx, input, pictures.iter().cloned()).unwrap();
        let [integers, all] = quantised.convolutions;
        assert!(
            integers * 10 > all * 8 && integers < all,
            "{integers} of {all}"
        );
        let found = inspect(&quantised.onnx).unwrap();
        assert_eq!(found.opsets["ai.onnx"], 13);
        assert!(
            quantised.onnx.len() < model.onnx.len() / 2,
            "{}",
            quantised.onnx.len()
        );
        let shape = [1, 3, input.height as usize, input.width as usize];
        let run = |onnx: &[u8]| {
            let mut opened = session::open(onnx, input, Provider::Cpu).unwrap();
            let mut outputs = Vec::new();
            for picture in &pictures {
                outputs.extend_from_slice(
                    opened
                        .session
                        .run(shape, picture)
                        .unwrap()
                        .values()
                        .unwrap()[0],
                );
            }
            outputs
        };
        let (float, integer) = (run(&model.onnx), run(&quantised.onnx));
        let square =
            |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v * v)).sum::<f64>();
        let error = square(&mut float.iter().zip(&integer).map(|(a, b)| a - b));
        let share = (error / square(&mut float.iter().copied())).sqrt();
        println!("{name}: {integers} of {all}, error {share}");
        assert!(share > 0.0 && share < 0.3, "{name}: {share}");
        for speed in speeds(&model.onnx, &quantised.onnx, input) {
            println!("{name}: {speed:?}");
        }
    }
}

#[test]
fn models_that_cannot_be_quantised_are_refused() {
    let model = Model::load("fastestdet_352").unwrap();
    let input = &model.description.input;
    let none = quantise(&model.onnx, input, std::iter::empty());
    assert!(matches!(none, Err(QuantiseError::NoPictures)), "{none:?}");
    let damaged = quantise(&model.onnx[..1000], input, std::iter::empty());
    assert!(
        matches!(damaged, Err(QuantiseError::Onnx(_))),
        "{damaged:?}"
    );
    let mut old = OnnxModel::parse(&model.onnx).unwrap();
    old.opset_import[0].version = 9;
    let old = graph::to_operator_set(&mut old);
    assert!(matches!(old, Err(QuantiseError::OperatorSet { found: 9 })));
}
