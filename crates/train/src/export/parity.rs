//! Compares a network with an ONNX file in ONNX Runtime.

use shuffledet_core::InputSpec;
use shuffledet_infer::{InferError, Provider};
use tch::{Device, Kind, Tensor};
use thiserror::Error;

use super::graph::to_vec;
use super::session::{self, OpenError};
use crate::net::{DISTANCES, Head, Network};

/// A network and a file cannot be compared, or differ.
#[derive(Debug, Error)]
pub enum ParityError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Infer(#[from] InferError),
    #[error("expected one output of {expected} values in ONNX Runtime, found {found:?}")]
    Output { expected: usize, found: Vec<usize> },
    #[error(
        "expected outputs within {tolerance} of the network's in ONNX Runtime, found a difference of {found}"
    )]
    Differs { tolerance: f32, found: f32 },
}

/// Returns the largest difference between the outputs of a network and those of a file in ONNX
/// Runtime on the CPU, for an image of noise of the file's input size. The file runs in the way in
/// which detection runs it.
///
/// # Errors
/// The file does not run, or has other outputs.
pub fn difference(network: &Network, onnx: &[u8], input: &InputSpec) -> Result<f32, ParityError> {
    let (width, height) = (i64::from(input.width), i64::from(input.height));
    let image = noise(width, height);
    let device = network.vs.device();
    let expected = to_vec(&probabilities(network, &image.to_device(device)));
    let mut session = session::open(onnx, input, Provider::Cpu)?;
    let lengths = std::mem::take(&mut session.lengths);
    if lengths != [expected.len()] {
        return Err(ParityError::Output {
            expected: expected.len(),
            found: lengths,
        });
    }
    let shape = [1, 3, height as usize, width as usize];
    let outputs = session.session.run(shape, &to_vec(&image))?;
    let found = outputs.values()?[0];
    let differences = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
    // a value that is no number differs
    Ok(differences.fold(0.0, |most: f32, difference| {
        if difference <= most || most.is_nan() {
            most
        } else {
            difference
        }
    }))
}

/// Checks that outputs differ by at most `tolerance`.
///
/// # Errors
/// As [`difference`], or they differ by more.
pub fn check(
    network: &Network,
    onnx: &[u8],
    input: &InputSpec,
    tolerance: f32,
) -> Result<f32, ParityError> {
    let found = difference(network, onnx, input)?;
    if found <= tolerance {
        Ok(found)
    } else {
        Err(ParityError::Differs { tolerance, found })
    }
}

/// Returns a network's output as its exported graph gives it: with probabilities for scores.
pub fn probabilities(network: &Network, images: &Tensor) -> Tensor {
    let main = network.forward(images, false).main;
    let classes = network.description.classes.len() as i64;
    match network.description.head {
        Head::FastestDet => {
            let parts = main.split_with_sizes([1, 4, classes], 1);
            let scores = parts[2].softmax(1, Kind::Float);
            Tensor::cat(&[&parts[0].sigmoid(), &parts[1], &scores], 1)
        }
        Head::NanoDetPlus => {
            let parts = main.split_with_sizes([classes, 4 * DISTANCES], 2);
            Tensor::cat(&[&parts[0].sigmoid(), &parts[1]], 2)
        }
        Head::Classifier => main.softmax(1, Kind::Float),
    }
}

/// Returns an image of values from -2 to 2, the range of normalised pixels, always the same.
fn noise(width: i64, height: i64) -> Tensor {
    let values = 3 * width * height;
    let steps = Tensor::arange(values, (Kind::Double, Device::Cpu));
    // the fractional parts of a sequence that fills [0, 1) evenly
    let parts = (steps * 0.618_033_988_749_895).frac();
    ((parts - 0.5) * 4.0)
        .to_kind(Kind::Float)
        .view([1, 3, height, width])
}
