//! The output shapes of operators with a window: convolution and pooling.

use super::Shape;
use super::operators::{div_ceil, times};
use crate::proto::NodeProto;

/// Returns the output shape of a convolution or pooling: `[N, channels, ...]`.
pub(super) fn windowed(
    node: &NodeProto,
    input: &[Option<u64>],
    channels: Option<u64>,
    kernel: &[Option<u64>],
) -> Option<Shape> {
    let sides = input.get(2..)?;
    if sides.len() != kernel.len() {
        return None;
    }
    let mut shape = vec![input[0], channels];
    for (axis, (&side, &kernel)) in sides.iter().zip(kernel).enumerate() {
        shape.push(side.zip(kernel).and_then(|(side, kernel)| {
            window_positions(node, axis, sides.len(), side.into(), kernel.into())
        }));
    }
    Some(shape)
}

/// Returns the number of positions of a window along one side. The numbers come from 64-bit
/// attributes, so no step overflows 128 bits.
fn window_positions(
    node: &NodeProto,
    axis: usize,
    sides: usize,
    side: i128,
    kernel: i128,
) -> Option<u64> {
    let at = |name, index, default| list_item(node, name, index, default);
    let stride = at("strides", axis, 1).filter(|&s| s > 0)?;
    let dilation = at("dilations", axis, 1).filter(|&d| d > 0)?;
    let reach = kernel.checked_sub(1)?.checked_mul(dilation)?;
    let auto_pad = node.attribute("auto_pad").map_or(&b""[..], |a| &a.s);
    let (before, after) = match auto_pad {
        b"SAME_UPPER" | b"SAME_LOWER" => return u64::try_from(div_ceil(side, stride)).ok(),
        b"VALID" => (0, 0),
        _ => (at("pads", axis, 0)?, at("pads", axis + sides, 0)?),
    };
    let room = (side + before + after).checked_sub(reach + 1)?;
    if room < 0 {
        return None;
    }
    let mut steps = room / stride;
    if node.int("ceil_mode", 0) != 0 {
        steps = div_ceil(room, stride);
        // a window that would begin in the padding after the input does not count
        if steps * stride >= side + before {
            steps -= 1;
        }
    }
    u64::try_from(steps + 1).ok()
}

pub(super) fn conv_transpose(
    node: &NodeProto,
    input: &[Option<u64>],
    kernel: &[Option<u64>],
) -> Option<Shape> {
    if let Some(auto_pad) = node.attribute("auto_pad")
        && !matches!(auto_pad.s.as_slice(), b"" | b"NOTSET" | b"VALID")
    {
        return None;
    }
    let groups = u64::try_from(node.int("group", 1)).ok()?;
    let sides = input.get(2..)?;
    let mut shape = vec![input[0], times(*kernel.get(1)?, groups)];
    if let Some(sizes) = node.ints("output_shape") {
        shape.extend(sizes.iter().map(|&s| u64::try_from(s).ok()));
        return (shape.len() == input.len()).then_some(shape);
    }
    for (axis, side) in sides.iter().enumerate() {
        let at = |name, index, default| list_item(node, name, index, default);
        let stride = at("strides", axis, 1)?;
        let dilation = at("dilations", axis, 1)?;
        let extra = at("output_padding", axis, 0)?;
        let pads = at("pads", axis, 0)? + at("pads", axis + sides.len(), 0)?;
        let kernel = *kernel.get(axis + 2)?;
        shape.push(side.zip(kernel).and_then(|(side, kernel)| {
            let spread = stride.checked_mul(i128::from(side) - 1)?;
            let reach = dilation.checked_mul(i128::from(kernel) - 1)?;
            let length = spread.checked_add(reach)?.checked_add(extra + 1 - pads)?;
            u64::try_from(length).ok()
        }));
    }
    Some(shape)
}

/// Returns an element of a list attribute; the default if the node has no such attribute.
fn list_item(node: &NodeProto, name: &str, index: usize, default: i64) -> Option<i128> {
    match node.ints(name) {
        Some(list) => list.get(index).copied().map(i128::from),
        None => Some(default.into()),
    }
}
