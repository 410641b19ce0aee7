//! The ONNX nodes of each type of layer.
//!
//! What the parameters mean is documented in ncnn's `operators.md`. An ONNX value has the blob's
//! dimensions behind a batch axis, so axis `a` of ncnn is axis `a + 1`.

mod activations;
mod arithmetic;
mod arrangement;
mod convolution;
mod pooling;
mod resize;

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::error::ImportError;
use super::network::{Blob, Network};
use super::param::{Layer, Number, Value};
use super::weights::WeightReader;

/// No dimension may be larger, and no blob may have more elements.
pub(super) const MAX_DIMENSION: usize = 1 << 24;
const MAX_ELEMENTS: usize = 1 << 28;

/// "To the end", "the rest" and the like, in parameters.
const REST: i64 = -233;

/// Parameters that do not change results: the shapes of the tops, and the precision of the layer.
const HINTS: [i32; 2] = [30, 31];

type Converted = Result<Vec<Blob>, ImportError>;

type Convert = fn(&mut LayerImport<'_, '_>) -> Converted;

/// The types of layers in alphabetical order.
const TYPES: [(&str, Convert); 30] = [
    ("BatchNorm", arithmetic::batch_norm),
    ("BinaryOp", arithmetic::binary),
    ("Clip", activations::layer),
    ("Concat", arrangement::concat),
    ("Convolution", convolution::convolution),
    ("ConvolutionDepthWise", convolution::depthwise),
    ("Crop", arrangement::crop),
    ("Dropout", arithmetic::dropout),
    ("Eltwise", arithmetic::eltwise),
    ("Flatten", arrangement::flatten),
    ("HardSigmoid", activations::layer),
    ("HardSwish", activations::layer),
    ("InnerProduct", convolution::inner_product),
    ("Interp", resize::interp),
    ("MemoryData", arithmetic::memory_data),
    ("Mish", activations::layer),
    ("Noop", same),
    ("Padding", resize::padding),
    ("Permute", arrangement::permute),
    ("Pooling", pooling::pooling),
    ("ReLU", activations::layer),
    ("Reshape", arrangement::reshape),
    ("Scale", arithmetic::scale),
    ("ShuffleChannel", arrangement::shuffle),
    ("Sigmoid", activations::layer),
    ("Slice", arrangement::slice),
    ("Softmax", activations::softmax),
    ("Split", same),
    ("Swish", activations::layer),
    ("UnaryOp", arithmetic::unary),
];

/// Adds the nodes of a layer and returns its tops.
///
/// # Errors
/// The type is not supported, or a parameter, a shape or the weights are not as expected.
pub(super) fn convert(
    layer: Layer,
    bottoms: Vec<Blob>,
    network: &mut Network,
    weights: &mut WeightReader<'_>,
) -> Converted {
    let known = TYPES.iter().find(|(kind, _)| *kind == layer.label.kind);
    let Some((_, convert)) = known else {
        let types: Vec<&str> = TYPES.iter().map(|(kind, _)| *kind).collect();
        return Err(ImportError::UnknownLayer {
            layer: layer.label.into(),
            supported: format!("Input, {}", types.join(", ")),
        });
    };
    let mut import = LayerImport {
        layer,
        bottoms,
        network,
        weights,
    };
    let tops = convert(&mut import)?;
    import.finish()?;
    let expected = import.layer.tops.len();
    if tops.len() != expected {
        return Err(import.wrong("top blobs", tops.len(), expected));
    }
    for top in &tops {
        import.check_size(&top.shape)?;
    }
    Ok(tops)
}

/// Gives each top the value of the bottom.
fn same(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    Ok(vec![bottom; import.layer.tops.len()])
}

/// A layer that is being converted.
pub(super) struct LayerImport<'a, 'w> {
    /// The layer. Parameters that have been read are removed from it.
    pub layer: Layer,
    bottoms: Vec<Blob>,
    pub network: &'a mut Network,
    weights: &'a mut WeightReader<'w>,
}

impl LayerImport<'_, '_> {
    /// Returns the only bottom.
    fn bottom(&self) -> Result<Blob, ImportError> {
        match self.bottoms.as_slice() {
            [bottom] => Ok(bottom.clone()),
            bottoms => Err(self.wrong("bottom blobs", 1, bottoms.len())),
        }
    }

    /// Returns the only bottom, which must be an image, with its channels, height and width.
    fn image(&self) -> Result<(Blob, [usize; 3]), ImportError> {
        let bottom = self.bottom()?;
        match *bottom.shape {
            [channels, height, width] => Ok((bottom, [channels, height, width])),
            _ => Err(self.wrong(
                "bottom blob",
                "channels, rows and columns",
                format!("the shape {:?}", bottom.shape),
            )),
        }
    }

    /// Reads an integer.
    fn int(&mut self, key: i32, default: i64) -> Result<i64, ImportError> {
        match self.layer.values.remove(&key) {
            None => Ok(default),
            Some(Value::One(Number::Int(value))) => Ok(value.into()),
            Some(other) => Err(self.wrong_value(key, "an integer", &other)),
        }
    }

    /// Reads an integer in a range.
    fn int_in(
        &mut self,
        key: i32,
        default: i64,
        range: RangeInclusive<i64>,
    ) -> Result<i64, ImportError> {
        let value = self.int(key, default)?;
        if range.contains(&value) {
            return Ok(value);
        }
        let expected = if range.start() == range.end() {
            format!("{}; nothing else is supported", range.start())
        } else {
            format!("an integer from {} to {}", range.start(), range.end())
        };
        Err(self.wrong(format!("parameter {key}"), expected, value))
    }

    /// Reads a size or a count, which is at least 1.
    fn size(&mut self, key: i32, default: usize) -> Result<usize, ImportError> {
        let limit = MAX_DIMENSION as i64;
        let value = self.int_in(key, default as i64, 1..=limit)?;
        Ok(value as usize)
    }

    /// Reads 0 or 1.
    fn flag(&mut self, key: i32, default: bool) -> Result<bool, ImportError> {
        Ok(self.int_in(key, default.into(), 0..=1)? != 0)
    }

    /// Reads a float. An integer is refused unless it is 0: ncnn would take its bits for a float.
    fn float(&mut self, key: i32, default: f32) -> Result<f32, ImportError> {
        match self.layer.values.remove(&key) {
            None => Ok(default),
            Some(Value::One(Number::Float(value))) => Ok(value),
            Some(Value::One(Number::Int(0))) => Ok(0.0),
            Some(other) => Err(self.wrong_value(key, "a number with a point", &other)),
        }
    }

    /// Reads an array of integers; it is empty by default.
    fn ints(&mut self, key: i32) -> Result<Vec<i64>, ImportError> {
        self.array(key, "an array of integers", |number| match number {
            Number::Int(value) => Some(value.into()),
            Number::Float(_) => None,
        })
    }

    /// Reads an array of floats; it is empty by default.
    fn floats(&mut self, key: i32) -> Result<Vec<f32>, ImportError> {
        self.array(
            key,
            "an array of numbers with a point",
            |number| match number {
                Number::Float(value) => Some(value),
                Number::Int(value) => (value == 0).then_some(0.0),
            },
        )
    }

    fn array<T>(
        &mut self,
        key: i32,
        expected: &str,
        convert: impl Fn(Number) -> Option<T>,
    ) -> Result<Vec<T>, ImportError> {
        let Some(value) = self.layer.values.remove(&key) else {
            return Ok(Vec::new());
        };
        let numbers = match &value {
            Value::Array(numbers) => numbers.iter().copied().map(convert).collect(),
            _ => None,
        };
        numbers.ok_or_else(|| self.wrong_value(key, expected, &value))
    }

    /// Reads an axis of a blob with `rank` dimensions. Negative axes count from the end.
    fn axis(&mut self, key: i32, rank: usize) -> Result<usize, ImportError> {
        let value = self.int(key, 0)?;
        self.axis_within(format!("parameter {key}"), value, rank)
    }

    fn axis_within(&self, what: String, axis: i64, rank: usize) -> Result<usize, ImportError> {
        let rank = rank as i64;
        if (-rank..rank).contains(&axis) {
            return Ok(axis.rem_euclid(rank) as usize);
        }
        let expected = format!("an axis from {} to {}", -rank, rank - 1);
        Err(self.wrong(what, expected, axis))
    }

    /// Reads `count` weights that have a tag.
    fn tagged_weights(&mut self, count: usize) -> Result<Vec<f32>, ImportError> {
        self.weights.tagged(&self.layer.label, count)
    }

    /// Reads `count` weights that are plain floats.
    fn plain_weights(&mut self, count: usize) -> Result<Vec<f32>, ImportError> {
        self.weights.floats(&self.layer.label, count)
    }

    /// Adds a node that keeps the shape of `blob`, with further inputs.
    fn like(&mut self, operator: &str, blob: &Blob, further: &[&str]) -> Blob {
        let inputs = [&[blob.value.as_str()], further].concat();
        let shape = blob.shape.clone();
        self.network.node(operator, &inputs, Vec::new(), shape)
    }

    /// Adds a Reshape of `blob` to `shape`.
    fn reshaped(&mut self, blob: &Blob, shape: &[usize]) -> Blob {
        let target = self.network.list(&super::network::batched(shape));
        let inputs = [blob.value.as_str(), &target];
        self.network
            .node("Reshape", &inputs, Vec::new(), shape.to_vec())
    }

    /// Fails if a blob would be empty or too large.
    fn check_size(&self, shape: &[usize]) -> Result<(), ImportError> {
        let elements = shape.iter().try_fold(1usize, |product, &dim| {
            product
                .checked_mul(dim)
                .filter(|&product| product <= MAX_ELEMENTS)
        });
        match elements {
            Some(1..) => Ok(()),
            _ => Err(self.wrong(
                "top blob",
                format!("1 to {MAX_ELEMENTS} elements"),
                format!("the shape {shape:?}"),
            )),
        }
    }

    /// Fails if a parameter was not read.
    fn finish(&mut self) -> Result<(), ImportError> {
        for hint in HINTS {
            self.layer.values.remove(&hint);
        }
        match self.layer.values.pop_first() {
            None => Ok(()),
            Some((key, value)) => Err(self.wrong_value(key, "no such parameter", &value)),
        }
    }

    fn wrong_value(&self, key: i32, expected: &str, value: &Value) -> ImportError {
        let found = match value {
            Value::One(Number::Int(value)) => value.to_string(),
            Value::One(Number::Float(value)) => format!("{value:?}"),
            Value::Array(numbers) => format!("an array of {} numbers", numbers.len()),
            Value::Text(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        };
        self.wrong(format!("parameter {key}"), expected, found)
    }

    fn wrong(
        &self,
        what: impl Into<String>,
        expected: impl Display,
        found: impl Display,
    ) -> ImportError {
        ImportError::Layer {
            layer: self.layer.label.clone().into(),
            what: what.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}
