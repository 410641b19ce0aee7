//! `shuffledet-train quantise`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use shuffledet_core::{InputSpec, whole_file};
use shuffledet_detector::model::Model;
use shuffledet_image::{ImageDecoder, TensorBuilder, folder};

use crate::export::{self, Settings};
use crate::quantise::{Quantised, Speed, accuracy, quantise, speeds};
use crate::weights;

/// The pictures on which ranges are measured; more change little.
const MOST_PICTURES: usize = 200;

/// A model with integers has to be this much faster to be called better.
const FASTER: f64 = 1.05;

/// Make a model compute with integers of 8 bits, measured on your own pictures.
///
/// Writes the model and its description, and says on which providers of this machine it is faster. Often it is not:
/// keep the model with floats then. Stem and outputs stay in floats. The model runs at its own input size only.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of a model, or an ONNX file with its description beside it.
    model: String,
    /// Folder of pictures on which the ranges of the values are measured: what the model will see.
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Annotations of the pictures, to show the AP of both models.
    #[arg(long, value_name = "FILE")]
    annotations: Option<PathBuf>,
    /// The ONNX file; the description gets the same name with .yaml.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The model, the pictures or the annotations cannot be used, or the files not be written.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options
        .output
        .extension()
        .is_none_or(|ending| ending != "onnx")
    {
        bail!(
            "{}: expected a name that ends in .onnx",
            options.output.display()
        );
    }
    let model = Model::load(&options.model)?;
    let description = weights::describe(&options.model, &model)?;
    let input = &model.description.input;
    let paths = folder::images_in(&options.images)?;
    let quantised = quantise(&model.onnx, input, tensors(&paths, input))?;
    let [integers, all] = quantised.convolutions;
    println!(
        "{integers} of {all} convolutions with integers, ranges of {} pictures; {} bytes, before {}",
        quantised.pictures,
        quantised.onnx.len(),
        model.onnx.len()
    );

    let settings = Settings {
        name: stem(&options.output),
        thresholds: Some(export::Thresholds {
            score: model.description.score_threshold,
            nms_iou: model.description.nms_iou_threshold,
        }),
        origin: vec![format!(
            "{} with integers of 8 bits, by shuffledet-train quantise on {} pictures.",
            model.description.name, quantised.pictures
        )],
    };
    let sidecar = export::sidecar(&description, &settings, &options.output)?;
    write(&options.output, &quantised, &sidecar)?;

    if let Some(annotations) = &options.annotations {
        let labels = &model.description.labels;
        let iou = model.description.nms_iou_threshold;
        let truth = accuracy::read_truth(annotations, &options.images, labels, iou)?;
        let output = options
            .output
            .to_str()
            .context("the path of the output is not UTF-8")?;
        let [float, integer] =
            [&options.model, output].map(|name| accuracy::ap(name, &truth, &options.images));
        println!(
            "AP {:.4} with floats, {:.4} with integers",
            float?, integer?
        );
    }
    for speed in speeds(&model.onnx, &quantised.onnx, input) {
        println!("{}", judgement(&speed));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says which model is faster on a provider.
fn judgement(speed: &Speed) -> String {
    let Speed {
        provider,
        float_ms,
        integer_ms,
    } = speed;
    let name = provider.name();
    let times = format!("{float_ms:.2} ms with floats, {integer_ms:.2} ms with integers");
    if *float_ms >= FASTER * integer_ms {
        format!(
            "{name}: {times}: integers are {:.2} times as fast",
            float_ms / integer_ms
        )
    } else {
        format!("{name}: {times}: not faster, keep the model with floats")
    }
}

/// Returns the pictures as tensors of the model's input, spread over the folder. Those that cannot be
/// read are left out.
fn tensors<'a>(paths: &'a [PathBuf], input: &InputSpec) -> impl Iterator<Item = Vec<f32>> + 'a {
    let mut builder = TensorBuilder::new(input.clone());
    let mut decoder = ImageDecoder::new();
    let step = paths.len().div_ceil(MOST_PICTURES).max(1);
    paths.iter().step_by(step).filter_map(move |path| {
        let bytes = std::fs::read(path).ok()?;
        builder.fill(&decoder.decode_file(&bytes).ok()?).ok()?;
        Some(builder.tensor().to_vec())
    })
}

fn write(output: &Path, quantised: &Quantised, sidecar: &str) -> anyhow::Result<()> {
    for (path, content) in [
        (output.with_extension("yaml"), sidecar.as_bytes()),
        (output.to_owned(), &quantised.onnx),
    ] {
        whole_file::write(&path, content).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use shuffledet_infer::Provider;

    use super::*;
    use crate::fixtures::asset;

    #[test]
    fn a_model_is_only_called_faster_where_it_is() {
        let speed = |float_ms, integer_ms| Speed {
            provider: Provider::Cpu,
            float_ms,
            integer_ms,
        };
        assert!(judgement(&speed(3.0, 2.0)).ends_with("integers are 1.50 times as fast"));
        for integer_ms in [2.9, 3.0, 5.0] {
            assert!(judgement(&speed(3.0, integer_ms)).contains("keep the model with floats"));
        }
    }

    #[test]
    fn the_written_model_finds_nearly_as_much() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("integers.onnx");
        let options = Options {
            model: "nanodet_plus_m_416".to_owned(),
            images: asset("images"),
            annotations: None,
            output: output.clone(),
        };
        run(&options).unwrap();
        let model = Model::load(output.to_str().unwrap()).unwrap();
        let float = Model::load(&options.model).unwrap();
        assert_eq!(model.description.input, float.description.input);
        let annotations = asset("images/instances_coco_part.json");
        let labels = &float.description.labels;
        let truth = accuracy::read_truth(&annotations, &options.images, labels, 0.6).unwrap();
        let [float, integer] = [&options.model, output.to_str().unwrap()]
            .map(|name| accuracy::ap(name, &truth, &options.images).unwrap());
        println!("AP {float} {integer}");
        // the reference of pycocotools
        assert!((float - 0.4582).abs() < 0.002, "{float}");
        assert!(integer > float - 0.04, "{integer}");
    }
}
