//! Activations: layers of their own, and those fused into a convolution.

use super::{Converted, LayerImport};
use crate::ncnn::error::ImportError;
use crate::ncnn::network::Blob;
use crate::proto::AttributeProto;

/// A function of each value by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Activation {
    None,
    Relu,
    LeakyRelu {
        slope: f32,
    },
    Clip {
        min: f32,
        max: f32,
    },
    Sigmoid,
    Mish,
    /// x * sigmoid(x)
    Swish,
    /// The line `alpha * x + beta`, clipped to 0 and 1.
    HardSigmoid {
        alpha: f32,
        beta: f32,
    },
    /// x times the hard sigmoid of x
    HardSwish {
        alpha: f32,
        beta: f32,
    },
}

/// Converts a layer that is an activation.
pub(super) fn layer(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let activation = match import.layer.label.kind.clone().as_str() {
        "ReLU" => match import.float(0, 0.0)? {
            0.0 => Activation::Relu,
            slope => Activation::LeakyRelu { slope },
        },
        "Clip" => Activation::Clip {
            min: import.float(0, f32::MIN)?,
            max: import.float(1, f32::MAX)?,
        },
        "Sigmoid" => Activation::Sigmoid,
        "Mish" => Activation::Mish,
        "Swish" => Activation::Swish,
        kind => {
            let alpha = import.float(0, 0.2)?;
            let beta = import.float(1, 0.5)?;
            if kind == "HardSigmoid" {
                Activation::HardSigmoid { alpha, beta }
            } else {
                Activation::HardSwish { alpha, beta }
            }
        }
    };
    Ok(vec![activate(import, bottom, activation)])
}

/// Reads the activation that is fused into a layer (parameters 9 and 10) and adds it after `blob`.
pub(super) fn fused(import: &mut LayerImport<'_, '_>, blob: Blob) -> Result<Blob, ImportError> {
    let kind = import.int_in(9, 0, 0..=6)?;
    let values = import.floats(10)?;
    let activation = match (kind, values.as_slice()) {
        (0, []) => Activation::None,
        (1, []) => Activation::Relu,
        (2, &[slope]) => Activation::LeakyRelu { slope },
        (3, &[min, max]) => Activation::Clip { min, max },
        (4, []) => Activation::Sigmoid,
        (5, []) => Activation::Mish,
        (6, &[alpha, beta]) => Activation::HardSwish { alpha, beta },
        (kind, values) => {
            let expected = ["no value", "one value", "two values"];
            let expected = expected[[0, 0, 1, 2, 0, 0, 2][kind as usize]];
            let found = format!("{} values", values.len());
            return Err(import.wrong(
                format!("parameter 10 of activation {kind}"),
                expected,
                found,
            ));
        }
    };
    Ok(activate(import, blob, activation))
}

fn activate(import: &mut LayerImport<'_, '_>, blob: Blob, activation: Activation) -> Blob {
    match activation {
        Activation::None => blob,
        Activation::Relu => import.like("Relu", &blob, &[]),
        Activation::LeakyRelu { slope } => {
            let attributes = vec![AttributeProto::from_float("alpha", slope)];
            let shape = blob.shape.clone();
            import
                .network
                .node("LeakyRelu", &[&blob.value], attributes, shape)
        }
        Activation::Clip { min, max } => {
            let min = import.network.scalar(min);
            let max = import.network.scalar(max);
            import.like("Clip", &blob, &[&min, &max])
        }
        Activation::Sigmoid => import.like("Sigmoid", &blob, &[]),
        Activation::Mish => {
            let softplus = import.like("Softplus", &blob, &[]);
            let factor = import.like("Tanh", &softplus, &[]);
            import.like("Mul", &blob, &[&factor.value])
        }
        Activation::Swish => {
            let factor = import.like("Sigmoid", &blob, &[]);
            import.like("Mul", &blob, &[&factor.value])
        }
        Activation::HardSigmoid { alpha, beta } => hard_sigmoid(import, &blob, alpha, beta),
        Activation::HardSwish { alpha, beta } => {
            let factor = hard_sigmoid(import, &blob, alpha, beta);
            import.like("Mul", &blob, &[&factor.value])
        }
    }
}

fn hard_sigmoid(import: &mut LayerImport<'_, '_>, blob: &Blob, alpha: f32, beta: f32) -> Blob {
    let attributes = vec![
        AttributeProto::from_float("alpha", alpha),
        AttributeProto::from_float("beta", beta),
    ];
    let shape = blob.shape.clone();
    import
        .network
        .node("HardSigmoid", &[&blob.value], attributes, shape)
}

/// Converts a Softmax.
pub(super) fn softmax(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let given = import.layer.values.contains_key(&0);
    let axis = import.axis(0, bottom.shape.len())?;
    // ncnn refuses it too: files from before this marker meant another axis
    if given && axis != 0 {
        import.int_in(1, 0, 1..=1)?;
    } else {
        import.flag(1, false)?;
    }
    let attributes = vec![AttributeProto::from_int("axis", axis as i64 + 1)];
    let shape = bottom.shape.clone();
    Ok(vec![import.network.node(
        "Softmax",
        &[&bottom.value],
        attributes,
        shape,
    )])
}
