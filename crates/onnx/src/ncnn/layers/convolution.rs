//! Convolutions and fully connected layers.

use super::{Converted, LayerImport, activations};
use crate::ncnn::error::ImportError;
use crate::ncnn::network::Blob;
use crate::proto::AttributeProto;

/// ncnn's "same" padding, with the odd pixel after or before the picture.
const SAME_UPPER: i64 = -233;
const SAME_LOWER: i64 = -234;

/// The window of a convolution or a pooling along one axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Padding before and after.
    pub pads: [usize; 2],
}

impl Window {
    /// Returns the number of positions on `length` pixels; `None` if there is none.
    pub fn positions(&self, length: usize) -> Option<usize> {
        let extent = self.extent()?;
        let padded = length
            .checked_add(self.pads[0])?
            .checked_add(self.pads[1])?;
        Some(padded.checked_sub(extent)? / self.stride + 1)
    }

    /// Returns the number of pixels from the first to the last that one position reads.
    fn extent(&self) -> Option<usize> {
        (self.kernel - 1).checked_mul(self.dilation)?.checked_add(1)
    }

    /// Returns the total padding with which there is a position for each `stride` pixels.
    pub fn same_padding(&self, length: usize) -> Option<usize> {
        let last = (length - 1) / self.stride * self.stride;
        Some(self.extent()?.checked_add(last)?.saturating_sub(length))
    }
}

/// Returns the attributes of two windows, the vertical one first.
pub(super) fn window_attributes([y, x]: [Window; 2]) -> Vec<AttributeProto> {
    let ints = |name, values: &[usize]| {
        let values: Vec<i64> = values.iter().map(|&value| value as i64).collect();
        AttributeProto::from_ints(name, &values)
    };
    let mut attributes = vec![
        ints("kernel_shape", &[y.kernel, x.kernel]),
        ints("pads", &[y.pads[0], x.pads[0], y.pads[1], x.pads[1]]),
        ints("strides", &[y.stride, x.stride]),
    ];
    if (y.dilation, x.dilation) != (1, 1) {
        attributes.push(ints("dilations", &[y.dilation, x.dilation]));
    }
    attributes
}

pub(super) fn convolution(import: &mut LayerImport<'_, '_>) -> Converted {
    convolve(import, 1)
}

pub(super) fn depthwise(import: &mut LayerImport<'_, '_>) -> Converted {
    let groups = import.size(7, 1)?;
    convolve(import, groups)
}

fn convolve(import: &mut LayerImport<'_, '_>, groups: usize) -> Converted {
    let outputs = import.size(0, 0)?;
    // whether weights are an input, and the algorithm that an old ncnn was to use
    import.int_in(19, 0, 0..=0)?;
    import.int(17, 0)?;
    import.int_in(8, 0, 0..=0)?;
    if import.float(18, 0.0)? != 0.0 {
        return Err(import.wrong("parameter 18", "padding with 0", "another value"));
    }
    let has_bias = import.flag(5, false)?;
    let weight_count = import.size(6, 0)?;
    let kernel_x = import.size(1, 0)?;
    let kernel_y = import.size(11, kernel_x)?;
    let bottom = import.bottom()?;
    // after a global pooling, ncnn writes a pointwise convolution where it means a matrix
    if let ([inputs], 1, 1, 1) = (&*bottom.shape, kernel_x, kernel_y, groups) {
        let inputs = *inputs;
        for key in [2, 3, 4, 12, 13, 14, 15, 16] {
            import.int(key, 0)?;
        }
        let top = matrix(import, &bottom, inputs, outputs, weight_count, has_bias)?;
        return Ok(vec![activations::fused(import, top)?]);
    }
    let (bottom, [channels, height, width]) = import.image()?;
    let windows = windows(import, [kernel_y, kernel_x], [height, width])?;
    if channels % groups != 0 || outputs % groups != 0 {
        let found = format!("{channels} and {outputs}");
        let expected = format!("multiples of the {groups} groups");
        return Err(import.wrong("input and output channels", expected, found));
    }
    let dims = [outputs, channels / groups, kernel_y, kernel_x];
    check_count(import, weight_count, &dims)?;
    let [rows, columns] = positions(import, windows, [height, width])?;
    let weights = import.tagged_weights(weight_count)?;
    let weights = import.network.weights("weight", &dims, &weights);
    let mut inputs = vec![bottom.value, weights];
    inputs.extend(bias(import, has_bias, outputs)?);
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut attributes = window_attributes(windows);
    attributes.push(AttributeProto::from_int("group", groups as i64));
    let shape = vec![outputs, rows, columns];
    let top = import.network.node("Conv", &inputs, attributes, shape);
    Ok(vec![activations::fused(import, top)?])
}

/// Reads strides, dilations and padding of a convolution, for kernels and a picture of these
/// heights and widths.
fn windows(
    import: &mut LayerImport<'_, '_>,
    [kernel_y, kernel_x]: [usize; 2],
    [height, width]: [usize; 2],
) -> Result<[Window; 2], ImportError> {
    let dilation_x = import.size(2, 1)?;
    let stride_x = import.size(3, 1)?;
    let dilation_y = import.size(12, dilation_x)?;
    let stride_y = import.size(13, stride_x)?;
    let limit = super::MAX_DIMENSION as i64;
    let left = import.int_in(4, 0, SAME_LOWER..=limit)?;
    let right = import.int_in(15, left, SAME_LOWER..=limit)?;
    let top = import.int_in(14, left, SAME_LOWER..=limit)?;
    let bottom = import.int_in(16, top, SAME_LOWER..=limit)?;
    let window = |kernel, stride, dilation| Window {
        kernel,
        stride,
        dilation,
        pads: [0, 0],
    };
    let mut windows = [
        window(kernel_y, stride_y, dilation_y),
        window(kernel_x, stride_x, dilation_x),
    ];
    let all = [top, bottom, left, right];
    if all.iter().all(|&pad| pad >= 0) {
        windows[0].pads = [top as usize, bottom as usize];
        windows[1].pads = [left as usize, right as usize];
    } else if all == [SAME_UPPER; 4] || all == [SAME_LOWER; 4] {
        for (window, length) in windows.iter_mut().zip([height, width]) {
            let total = window.same_padding(length);
            let total =
                total.ok_or_else(|| import.wrong("kernel", "a smaller one", "an overflow"))?;
            window.pads = [total / 2, total - total / 2];
            if left == SAME_LOWER {
                window.pads.reverse();
            }
        }
    } else {
        let found = format!("{left}, {right}, {top}, {bottom}");
        let expected = "numbers of pixels, or -233 or -234 for all";
        return Err(import.wrong("padding (parameters 4, 15, 14, 16)", expected, found));
    }
    Ok(windows)
}

/// Returns the rows and columns that the windows give.
pub(super) fn positions(
    import: &LayerImport<'_, '_>,
    [y, x]: [Window; 2],
    [height, width]: [usize; 2],
) -> Result<[usize; 2], ImportError> {
    match (y.positions(height), x.positions(width)) {
        (Some(rows), Some(columns)) => Ok([rows, columns]),
        _ => Err(import.wrong(
            "bottom blob",
            format!("at least the kernel's {}x{} pixels", x.kernel, y.kernel),
            format!("{width}x{height}"),
        )),
    }
}

/// Converts a fully connected layer.
pub(super) fn inner_product(import: &mut LayerImport<'_, '_>) -> Converted {
    let outputs = import.size(0, 0)?;
    let has_bias = import.flag(1, false)?;
    let weight_count = import.size(2, 0)?;
    import.int_in(8, 0, 0..=0)?;
    let bottom = import.bottom()?;
    let top = match *bottom.shape {
        [inputs] => matrix(import, &bottom, inputs, outputs, weight_count, has_bias)?,
        // each row by itself, if the weights are for one
        [rows, inputs] if inputs.checked_mul(outputs) == Some(weight_count) && rows > 1 => {
            let weights = import.tagged_weights(weight_count)?;
            let transposed: Vec<f32> = (0..weight_count)
                .map(|at| weights[at % outputs * inputs + at / outputs])
                .collect();
            let dims = [inputs, outputs];
            let weights = import.network.weights("weight", &dims, &transposed);
            let shape = vec![rows, outputs];
            let product = [bottom.value.as_str(), &weights];
            let product = import.network.node("MatMul", &product, Vec::new(), shape);
            match bias(import, has_bias, outputs)? {
                Some(bias) => import.like("Add", &product, &[&bias]),
                None => product,
            }
        }
        _ => {
            let inputs = bottom.shape.iter().product();
            let flat = import
                .network
                .node("Flatten", &[&bottom.value], Vec::new(), vec![inputs]);
            matrix(import, &flat, inputs, outputs, weight_count, has_bias)?
        }
    };
    Ok(vec![activations::fused(import, top)?])
}

/// Adds the product of a matrix and a blob of one dimension.
fn matrix(
    import: &mut LayerImport<'_, '_>,
    bottom: &Blob,
    inputs: usize,
    outputs: usize,
    weight_count: usize,
    has_bias: bool,
) -> Result<Blob, ImportError> {
    let dims = [outputs, inputs];
    check_count(import, weight_count, &dims)?;
    let weights = import.tagged_weights(weight_count)?;
    let weights = import.network.weights("weight", &dims, &weights);
    let mut operands = vec![bottom.value.clone(), weights];
    operands.extend(bias(import, has_bias, outputs)?);
    let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
    let attributes = vec![AttributeProto::from_int("transB", 1)];
    Ok(import
        .network
        .node("Gemm", &operands, attributes, vec![outputs]))
}

fn bias(
    import: &mut LayerImport<'_, '_>,
    has_bias: bool,
    outputs: usize,
) -> Result<Option<String>, ImportError> {
    if !has_bias {
        return Ok(None);
    }
    let bias = import.plain_weights(outputs)?;
    Ok(Some(import.network.weights("bias", &[outputs], &bias)))
}

/// Fails if the number of weights is not the product of their dimensions.
fn check_count(
    import: &LayerImport<'_, '_>,
    count: usize,
    dims: &[usize],
) -> Result<(), ImportError> {
    let expected = dims
        .iter()
        .try_fold(1usize, |product, &dim| product.checked_mul(dim));
    if expected == Some(count) {
        return Ok(());
    }
    let expected = dims
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(" x ");
    Err(import.wrong("number of weights", expected, count))
}
