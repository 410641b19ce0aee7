//! Sums, products and the like, and constants.

use super::{Converted, LayerImport, REST};
use crate::ncnn::error::ImportError;
use crate::ncnn::network::Blob;
use crate::proto::AttributeProto;

/// The operations of two values; `true` exchanges them.
const BINARY: [(&str, bool); 10] = [
    ("Add", false),
    ("Sub", false),
    ("Mul", false),
    ("Div", false),
    ("Max", false),
    ("Min", false),
    ("Pow", false),
    ("Sub", true),
    ("Div", true),
    ("Pow", true),
];

/// Converts an operation of two blobs, or of a blob and a number.
pub(super) fn binary(import: &mut LayerImport<'_, '_>) -> Converted {
    let operation = import.int_in(0, 0, 0..=BINARY.len() as i64 - 1)?;
    let (operator, exchanged) = BINARY[operation as usize];
    let with_scalar = import.flag(1, false)?;
    let scalar = import.float(2, 0.0)?;
    let (a, b, shape) = if with_scalar {
        let bottom = import.bottom()?;
        (bottom.value, import.network.scalar(scalar), bottom.shape)
    } else {
        let [a, b] = import.bottoms.as_slice() else {
            return Err(import.wrong("bottom blobs", 2, import.bottoms.len()));
        };
        let (a, b) = (a.clone(), b.clone());
        let rank = a.shape.len().max(b.shape.len());
        let (a, b) = (aligned(import, a, rank), aligned(import, b, rank));
        let shape = broadcast(import, &a.shape, &b.shape)?;
        (a.value, b.value, shape)
    };
    let inputs = if exchanged { [&b, &a] } else { [&a, &b] };
    Ok(vec![import.network.node(
        operator,
        &inputs.map(String::as_str),
        Vec::new(),
        shape,
    )])
}

/// Gives a blob inner dimensions of 1: ncnn lets the outer ones of two blobs meet.
fn aligned(import: &mut LayerImport<'_, '_>, blob: Blob, rank: usize) -> Blob {
    if blob.shape.len() == rank {
        return blob;
    }
    let mut shape = blob.shape.clone();
    shape.resize(rank, 1);
    import.reshaped(&blob, &shape)
}

fn broadcast(
    import: &LayerImport<'_, '_>,
    a: &[usize],
    b: &[usize],
) -> Result<Vec<usize>, ImportError> {
    let pairs = a.iter().zip(b);
    let dims = pairs.map(|(&a, &b)| (a == b || a == 1 || b == 1).then_some(a.max(b)));
    dims.collect::<Option<_>>().ok_or_else(|| {
        let found = format!("{a:?} and {b:?}");
        import.wrong("bottom blobs", "dimensions that are equal or 1", found)
    })
}

/// Converts an operation of blobs of one shape, each with a factor in a sum.
pub(super) fn eltwise(import: &mut LayerImport<'_, '_>) -> Converted {
    let operation = import.int_in(0, 0, 0..=2)?;
    let operator = ["Mul", "Add", "Max"][operation as usize];
    let factors = import.floats(1)?;
    let blobs = import.bottoms.clone();
    let different = blobs.windows(2).any(|pair| pair[0].shape != pair[1].shape);
    if blobs.len() < 2 || different {
        let found = format!(
            "{:?}",
            blobs.iter().map(|blob| &blob.shape).collect::<Vec<_>>()
        );
        return Err(import.wrong("bottom blobs", "two or more of one shape", found));
    }
    let counts = [0, blobs.len()];
    if !counts.contains(&factors.len()) || (operation != 1 && !factors.is_empty()) {
        let expected = "a factor for each blob of a sum, or none";
        return Err(import.wrong(
            "parameter 1",
            expected,
            format!("{} factors", factors.len()),
        ));
    }
    let mut terms = blobs.into_iter().enumerate().map(|(index, blob)| {
        let Some(&factor) = factors.get(index) else {
            return blob;
        };
        let factor = import.network.scalar(factor);
        let shape = blob.shape.clone();
        let inputs = [blob.value.as_str(), &factor];
        import.network.node("Mul", &inputs, Vec::new(), shape)
    });
    let first = terms.next().into_iter();
    let terms: Vec<Blob> = first.chain(terms).collect();
    let joined = terms
        .into_iter()
        .reduce(|a, b| import.like(operator, &a, &[&b.value]));
    Ok(joined.into_iter().collect())
}

/// Converts a function of each value.
pub(super) fn unary(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let operation = import.int(0, 0)?;
    let operator = match operation {
        0 => "Abs",
        1 => "Neg",
        2 => "Floor",
        3 => "Ceil",
        4 => return Ok(vec![import.like("Mul", &bottom, &[&bottom.value])]),
        5 => "Sqrt",
        6 => {
            let root = import.like("Sqrt", &bottom, &[]);
            return Ok(vec![import.like("Reciprocal", &root, &[])]);
        }
        7 => "Exp",
        8 => "Log",
        9 => "Sin",
        10 => "Cos",
        11 => "Tan",
        12 => "Asin",
        13 => "Acos",
        14 => "Atan",
        15 => "Reciprocal",
        16 => "Tanh",
        18 => "Round",
        other => {
            return Err(import.wrong("parameter 0", "an operation from 0 to 16, or 18", other));
        }
    };
    Ok(vec![import.like(operator, &bottom, &[])])
}

/// Converts a dropout, which is a factor when a network is used.
pub(super) fn dropout(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let factor = import.float(0, 1.0)?;
    if factor == 1.0 {
        return Ok(vec![bottom]);
    }
    let factor = import.network.scalar(factor);
    Ok(vec![import.like("Mul", &bottom, &[&factor])])
}

/// Converts a batch normalisation over the outermost dimension.
pub(super) fn batch_norm(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let channels = channels_of(import, 0, &bottom)?;
    let epsilon = import.float(1, 0.0)?;
    let mut inputs = vec![bottom.value.clone()];
    for role in ["scale", "mean", "variance", "bias"] {
        let values = import.plain_weights(channels)?;
        inputs.push(import.network.weights(role, &[channels], &values));
    }
    // ONNX has the bias before mean and variance
    inputs[2..].rotate_right(1);
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let attributes = vec![AttributeProto::from_float("epsilon", epsilon)];
    Ok(vec![import.network.node(
        "BatchNormalization",
        &inputs,
        attributes,
        bottom.shape,
    )])
}

/// Converts a factor, and a summand if there is one, per value of the outermost dimension.
pub(super) fn scale(import: &mut LayerImport<'_, '_>) -> Converted {
    if import.layer.values.get(&0) == Some(&super::Value::One(super::Number::Int(REST as i32))) {
        return Err(import.wrong("parameter 0", "weights in the .bin file", "another blob's"));
    }
    let bottom = import.bottom()?;
    let channels = channels_of(import, 0, &bottom)?;
    let has_bias = import.flag(1, false)?;
    let mut dims = vec![1; bottom.shape.len()];
    dims[0] = channels;
    let factors = import.plain_weights(channels)?;
    let factors = import.network.weights("scale", &dims, &factors);
    let scaled = import.like("Mul", &bottom, &[&factors]);
    if !has_bias {
        return Ok(vec![scaled]);
    }
    let bias = import.plain_weights(channels)?;
    let bias = import.network.weights("bias", &dims, &bias);
    Ok(vec![import.like("Add", &scaled, &[&bias])])
}

/// Reads the number of weights, which must be the blob's outermost dimension.
fn channels_of(
    import: &mut LayerImport<'_, '_>,
    key: i32,
    blob: &Blob,
) -> Result<usize, ImportError> {
    let channels = import.size(key, 0)?;
    if channels == blob.shape[0] {
        return Ok(channels);
    }
    Err(import.wrong(format!("parameter {key}"), blob.shape[0], channels))
}

/// Converts a constant blob.
pub(super) fn memory_data(import: &mut LayerImport<'_, '_>) -> Converted {
    if !import.bottoms.is_empty() {
        return Err(import.wrong("bottom blobs", 0, import.bottoms.len()));
    }
    import.int_in(11, 0, 0..=0)?;
    let limit = super::MAX_DIMENSION as i64;
    let mut shape = Vec::new();
    for key in [2, 1, 0] {
        let dim = import.int_in(key, 0, 0..=limit)? as usize;
        if dim > 0 || !shape.is_empty() {
            shape.push(dim);
        }
    }
    if shape.is_empty() {
        return Err(import.wrong("parameter 0", "1 or more columns", 0));
    }
    import.check_size(&shape)?;
    let count = shape.iter().product();
    let values = if import.flag(21, true)? {
        import.plain_weights(count)?
    } else {
        import.tagged_weights(count)?
    };
    let dims = [&[1], shape.as_slice()].concat();
    let value = import.network.weights("data", &dims, &values);
    Ok(vec![Blob { value, shape }])
}
