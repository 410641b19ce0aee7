//! The output shapes of all operators that convolutional detectors use.
//!
//! The rules are those of the ONNX operator specification. Arithmetic is checked, and inconsistent
//! shapes are unknown.

use super::slices::{axis_slices, shape_range};
use super::windows::{conv_transpose, windowed};
use super::{InferredShapes, Shape};
use crate::proto::NodeProto;

/// Returns the shapes of a node's outputs in order, as far as its inputs determine them.
pub(super) fn output_shapes(
    node: &NodeProto,
    known: &InferredShapes,
) -> Option<Vec<Option<Shape>>> {
    if node.op_type == "Split" {
        return split(node, known);
    }
    Some(vec![output_shape(node, known)])
}

fn output_shape(node: &NodeProto, known: &InferredShapes) -> Option<Shape> {
    let input = |index: usize| known.shape(node.input_name(index)?);
    match node.op_type.as_str() {
        "Relu"
        | "LeakyRelu"
        | "PRelu"
        | "Elu"
        | "Selu"
        | "Celu"
        | "Sigmoid"
        | "HardSigmoid"
        | "HardSwish"
        | "Mish"
        | "Gelu"
        | "Swish"
        | "Tanh"
        | "Softplus"
        | "Softsign"
        | "Clip"
        | "Softmax"
        | "LogSoftmax"
        | "Identity"
        | "Dropout"
        | "BatchNormalization"
        | "InstanceNormalization"
        | "LayerNormalization"
        | "GroupNormalization"
        | "LRN"
        | "LpNormalization"
        | "Cast"
        | "Exp"
        | "Log"
        | "Sqrt"
        | "Neg"
        | "Abs"
        | "Floor"
        | "Ceil"
        | "Round"
        | "Erf"
        | "Reciprocal"
        | "Sign"
        | "Not"
        | "QuantizeLinear"
        | "DequantizeLinear" => input(0).cloned(),
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max" | "Min" | "Sum" | "Mean" | "And" | "Or"
        | "Equal" | "Greater" | "Less" | "Where" => {
            let mut shape = input(0)?.clone();
            for index in 1..node.input.len() {
                shape = broadcast(&shape, input(index)?)?;
            }
            Some(shape)
        }
        "Conv" => {
            let kernel = input(1)?;
            windowed(node, input(0)?, *kernel.first()?, kernel.get(2..)?)
        }
        "MaxPool" | "AveragePool" | "LpPool" => {
            let kernel: Shape = (node.ints("kernel_shape")?.iter())
                .map(|&k| u64::try_from(k).ok())
                .collect();
            windowed(node, input(0)?, *input(0)?.get(1)?, &kernel)
        }
        "ConvTranspose" => conv_transpose(node, input(0)?, input(1)?),
        "GlobalAveragePool" | "GlobalMaxPool" => {
            let mut shape = input(0)?.clone();
            shape.get_mut(2..)?.fill(Some(1));
            Some(shape)
        }
        "Gemm" => {
            let (a, b) = (input(0)?, input(1)?);
            let transposed = |name| usize::from(node.int(name, 0) != 0);
            let (trans_a, trans_b) = (transposed("transA"), transposed("transB"));
            let (rows, inner) = (a.get(trans_a)?, a.get(1 - trans_a)?);
            let (columns, b_inner) = (b.get(1 - trans_b)?, b.get(trans_b)?);
            agreed(*inner, *b_inner)?;
            Some(vec![*rows, *columns])
        }
        "MatMul" => matmul(input(0)?, input(1)?),
        "Concat" => {
            let mut shape = input(0)?.clone();
            let axis = axis_within(node.int("axis", 1), shape.len())?;
            for index in 1..node.input.len() {
                let next = input(index)?;
                if next.len() != shape.len() {
                    return None;
                }
                for (at, (dim, &next)) in shape.iter_mut().zip(next).enumerate() {
                    *dim = if at == axis {
                        dim.zip(next).and_then(|(a, b)| a.checked_add(b))
                    } else {
                        agreed(*dim, next)?
                    };
                }
            }
            Some(shape)
        }
        "Reshape" => reshape(node, known),
        "Flatten" => {
            let shape = input(0)?;
            let axis = match usize::try_from(node.int("axis", 1)) {
                Ok(axis) => axis,
                Err(_) => axis_within(node.int("axis", 1), shape.len())?,
            };
            Some(vec![product(shape.get(..axis)?), product(&shape[axis..])])
        }
        "Transpose" => {
            let shape = input(0)?;
            match node.ints("perm") {
                None => Some(shape.iter().rev().copied().collect()),
                Some(perm) if perm.len() == shape.len() => (perm.iter())
                    .map(|&axis| shape.get(usize::try_from(axis).ok()?).copied())
                    .collect(),
                Some(_) => None,
            }
        }
        "Squeeze" => squeeze(node, known),
        "Unsqueeze" => unsqueeze(node, known),
        "Gather" => {
            let (data, indices) = (input(0)?, input(1)?);
            let axis = axis_within(node.int("axis", 0), data.len())?;
            Some([&data[..axis], indices, &data[axis + 1..]].concat())
        }
        "Slice" => {
            let mut shape = input(0)?.clone();
            for slice in axis_slices(node, known, &shape)? {
                shape[slice.axis] = slice.length;
            }
            Some(shape)
        }
        "Pad" if node.input_name(3).is_none() => {
            let shape = input(0)?;
            let pads = known.setting(node, "pads", 1)?;
            let (before, after) = pads.split_at_checked(shape.len())?;
            if after.len() != shape.len() {
                return None;
            }
            let padded = |((&dim, &before), &after): ((&Option<u64>, &i64), &i64)| {
                u64::try_from(i128::from(dim?) + i128::from(before) + i128::from(after)).ok()
            };
            Some(shape.iter().zip(before).zip(after).map(padded).collect())
        }
        "Resize" | "Upsample" => resize(node, known),
        "Shape" => Some(vec![Some(shape_range(node, input(0)?.len()).len() as u64)]),
        "Tile" => {
            let shape = input(0)?;
            let repeats = known.list(node.input_name(1)?)?;
            if repeats.len() != shape.len() {
                return None;
            }
            let times = |repeat: Option<i64>| u64::try_from(repeat?).ok();
            let tiled = shape.iter().zip(repeats);
            Some(
                tiled
                    .map(|(dim, &n)| dim.zip(times(n)).and_then(|(d, n)| d.checked_mul(n)))
                    .collect(),
            )
        }
        "ConstantOfShape" | "Expand" => {
            let index = usize::from(node.op_type == "Expand");
            let target: Shape = (known.list(node.input_name(index)?)?.iter())
                .map(|d| u64::try_from((*d)?).ok())
                .collect();
            match index {
                0 => Some(target),
                _ => broadcast(input(0)?, &target),
            }
        }
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
        | "ReduceL2" | "ReduceSumSquare" | "ReduceLogSumExp" => {
            let axes = match known.setting(node, "axes", 1) {
                Some(axes) => axes,
                None if node.input_name(1).is_some()
                    || node.int("noop_with_empty_axes", 0) != 0 =>
                {
                    return None;
                }
                None => (0..input(0)?.len() as i64).collect(),
            };
            reduce(node, input(0)?, &axes)
        }
        "ArgMax" | "ArgMin" => reduce(node, input(0)?, &[node.int("axis", 0)]),
        "DepthToSpace" => {
            let block = u64::try_from(node.int("blocksize", 0)).ok()?;
            let &[n, c, h, w] = input(0)?.as_slice() else {
                return None;
            };
            let depth = c.and_then(|c| c.checked_div(block.checked_mul(block)?));
            Some(vec![n, depth, times(h, block), times(w, block)])
        }
        "SpaceToDepth" => {
            let block = u64::try_from(node.int("blocksize", 0)).ok()?;
            let &[n, c, h, w] = input(0)?.as_slice() else {
                return None;
            };
            let side = |d: Option<u64>| {
                d.filter(|d| d.checked_rem(block) == Some(0))?
                    .checked_div(block)
            };
            Some(vec![n, times(times(c, block), block), side(h), side(w)])
        }
        _ => None,
    }
}

pub(super) fn times(dim: Option<u64>, factor: u64) -> Option<u64> {
    dim?.checked_mul(factor)
}

/// Returns the product of dimensions if all are known.
fn product(dims: &[Option<u64>]) -> Option<u64> {
    dims.iter().try_fold(1u64, |p, d| p.checked_mul((*d)?))
}

/// Returns the index of an axis, which may count from the end.
pub(crate) fn axis_within(axis: i64, rank: usize) -> Option<usize> {
    let from_end = if axis < 0 { rank as i64 } else { 0 };
    let axis = usize::try_from(axis.checked_add(from_end)?).ok()?;
    (axis < rank).then_some(axis)
}

/// Returns what is known of a dimension that two inputs share; `None` if they differ.
fn agreed(a: Option<u64>, b: Option<u64>) -> Option<Option<u64>> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => None,
        _ => Some(a.or(b)),
    }
}

/// Returns the shape of a multidirectional broadcast.
fn broadcast(a: &[Option<u64>], b: &[Option<u64>]) -> Option<Shape> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut shape = long.to_vec();
    let offset = long.len() - short.len();
    for (dim, &other) in shape[offset..].iter_mut().zip(short) {
        *dim = match (*dim, other) {
            (Some(1), d) | (d, Some(1)) => d,
            (Some(d), None) | (None, Some(d)) => Some(d),
            (Some(a), Some(b)) if a != b => return None,
            (d, _) => d,
        };
    }
    Some(shape)
}

fn matmul(a: &[Option<u64>], b: &[Option<u64>]) -> Option<Shape> {
    let (&inner, a_rest) = a.split_last()?;
    let (&columns, &b_inner, b_batch) = match b {
        [] => return None,
        [b_inner] => return agreed(inner, *b_inner).map(|_| a_rest.to_vec()),
        [batch @ .., b_inner, columns] => (columns, b_inner, batch),
    };
    agreed(inner, b_inner)?;
    let (rows, a_batch) = match a_rest {
        [] => (None, a_rest),
        [batch @ .., rows] => (Some(*rows), batch),
    };
    let mut shape = broadcast(a_batch, b_batch)?;
    shape.extend(rows);
    shape.push(columns);
    Some(shape)
}

fn reshape(node: &NodeProto, known: &InferredShapes) -> Option<Shape> {
    let input = node.input_name(0).and_then(|name| known.shape(name));
    // operator set 1 has the target as an attribute
    let target = match node.ints("shape") {
        Some(list) => list.iter().copied().map(Some).collect(),
        None => known.list(node.input_name(1)?)?.clone(),
    };
    let copies_zero = node.int("allowzero", 0) == 0;
    let mut inferred_at = None;
    let mut shape: Shape = Vec::with_capacity(target.len());
    for (axis, dim) in target.iter().enumerate() {
        shape.push(match *dim {
            Some(-1) => {
                if inferred_at.replace(axis).is_some() {
                    return None;
                }
                None
            }
            Some(0) if copies_zero => input.and_then(|s| s.get(axis).copied().flatten()),
            dim => dim.and_then(|d| u64::try_from(d).ok()),
        });
    }
    if let (Some(axis), Some(input)) = (inferred_at, input) {
        let others = product(&shape[..axis])
            .zip(product(&shape[axis + 1..]))
            .and_then(|(a, b)| a.checked_mul(b));
        shape[axis] = product(input)
            .zip(others)
            .filter(|&(total, others)| others > 0 && total % others == 0)
            .map(|(total, others)| total / others);
    }
    // two known totals that differ
    let totals = input.and_then(|input| product(input)).zip(product(&shape));
    if totals.is_some_and(|(before, after)| before != after) {
        return None;
    }
    Some(shape)
}

fn squeeze(node: &NodeProto, known: &InferredShapes) -> Option<Shape> {
    let shape = known.shape(node.input_name(0)?)?;
    let Some(axes) = known.setting(node, "axes", 1) else {
        // without axes every 1 is removed, so all must be known
        let all = shape.iter().all(Option::is_some) && node.input_name(1).is_none();
        return all.then(|| shape.iter().copied().filter(|d| *d != Some(1)).collect());
    };
    let axes: Option<Vec<usize>> = (axes.iter())
        .map(|&axis| axis_within(axis, shape.len()))
        .collect();
    let axes = axes?;
    let kept = shape.iter().enumerate().filter(|(i, _)| !axes.contains(i));
    Some(kept.map(|(_, dim)| *dim).collect())
}

fn unsqueeze(node: &NodeProto, known: &InferredShapes) -> Option<Shape> {
    let mut rest = known.shape(node.input_name(0)?)?.iter().copied();
    let axes = known.setting(node, "axes", 1)?;
    let rank = rest.len() + axes.len();
    let axes: Option<Vec<usize>> = axes.iter().map(|&axis| axis_within(axis, rank)).collect();
    let axes = axes?;
    (0..rank)
        .map(|axis| {
            if axes.contains(&axis) {
                Some(Some(1))
            } else {
                rest.next()
            }
        })
        .collect()
}

fn reduce(node: &NodeProto, shape: &[Option<u64>], axes: &[i64]) -> Option<Shape> {
    let mut reduced = vec![false; shape.len()];
    for &axis in axes {
        reduced[axis_within(axis, shape.len())?] = true;
    }
    let keep = node.int("keepdims", 1) != 0;
    let dims = shape.iter().zip(reduced).filter(|(_, r)| keep || !r);
    Some(dims.map(|(&d, r)| if r { Some(1) } else { d }).collect())
}

fn resize(node: &NodeProto, known: &InferredShapes) -> Option<Shape> {
    let shape = known.shape(node.input_name(0)?)?;
    // operator set 18: sizes of some axes, and sizes as limits
    if node.attribute("axes").is_some()
        || node.text("keep_aspect_ratio_policy", "stretch") != "stretch"
    {
        return None;
    }
    if let Some(sizes) = node.input_name(3) {
        let sizes = known.list(sizes)?.iter();
        return Some(sizes.map(|s| u64::try_from((*s)?).ok()).collect());
    }
    let scales = match node.attribute("scales") {
        Some(attribute) => &attribute.floats,
        // operator set 10 and Upsample have no region before the scales
        None => known.floats(node.input_name(if node.input.len() > 2 { 2 } else { 1 })?)?,
    };
    if scales.len() != shape.len() {
        return None;
    }
    let scaled = |(dim, &scale): (&Option<u64>, &f32)| {
        let size = (f64::from(scale) * (*dim)? as f64).floor();
        // below 2^53 the float holds the integer exactly
        (0.0..9e15).contains(&size).then_some(size as u64)
    };
    Some(shape.iter().zip(scales).map(scaled).collect())
}

fn split(node: &NodeProto, known: &InferredShapes) -> Option<Vec<Option<Shape>>> {
    let shape = known.shape(node.input_name(0)?)?;
    let axis = axis_within(node.int("axis", 0), shape.len())?;
    let parts = node.output.len();
    let before_last = (parts as u64).checked_sub(1)?;
    let sizes: Shape = match known.setting(node, "split", 1) {
        Some(sizes) if sizes.len() == parts => {
            sizes.iter().map(|&s| u64::try_from(s).ok()).collect()
        }
        Some(_) => return None,
        None if node.input_name(1).is_some() => vec![None; parts],
        None => {
            // equal parts, the last one smaller if the size is not divisible
            let part = shape[axis].map(|d| d.div_ceil(parts as u64));
            let last = shape[axis]
                .zip(part)
                .and_then(|(d, part)| d.checked_sub(part.checked_mul(before_last)?));
            let mut sizes = vec![part; parts];
            *sizes.last_mut()? = last;
            sizes
        }
    };
    let part = |size| {
        let mut part = shape.clone();
        part[axis] = size;
        Some(part)
    };
    Some(sizes.into_iter().map(part).collect())
}

/// Divides and rounds up, for `a >= 0` and `b > 0`.
pub(super) fn div_ceil(a: i128, b: i128) -> i128 {
    a / b + i128::from(a % b != 0)
}
