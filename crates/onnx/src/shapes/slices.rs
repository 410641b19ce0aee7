//! Infers the shape of a Slice's output.

use std::ops::Range;

use super::InferredShapes;
use super::operators::{axis_within, div_ceil};
use crate::proto::NodeProto;

/// The indices of one axis that a Slice keeps.
pub(crate) struct AxisSlice {
    pub axis: usize,
    pub start: i64,
    pub end: i64,
    pub step: i64,
    /// `None` if the size of the axis is unknown.
    pub length: Option<u64>,
}

impl AxisSlice {
    /// Returns the indices kept of an axis of size `count`; `None` if the step is zero.
    pub fn indices(&self, count: usize) -> Option<Vec<usize>> {
        let count = i128::try_from(count).ok()?;
        let last = if self.step < 0 { count - 1 } else { count };
        let first = clamp_index(self.start, count, 0, last);
        let length = slice_length(count, self.start, self.end, self.step)?;
        (0..length)
            .map(|k| usize::try_from(first + i128::from(k) * i128::from(self.step)).ok())
            .collect()
    }
}

/// Returns a Slice's axes as written, with the lengths that it keeps of `shape`.
pub(crate) fn axis_slices(
    node: &NodeProto,
    known: &InferredShapes,
    shape: &[Option<u64>],
) -> Option<Vec<AxisSlice>> {
    let starts = known.setting(node, "starts", 1)?;
    let ends = known.setting(node, "ends", 2)?;
    let axes = match (known.setting(node, "axes", 3), node.input_name(3)) {
        (Some(axes), _) => axes,
        (None, None) => (0..starts.len() as i64).collect(),
        (None, Some(_)) => return None,
    };
    let steps = match node.input_name(4) {
        Some(name) => known.full_list(name)?,
        None => vec![1; starts.len()],
    };
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return None;
    }
    (0..starts.len())
        .map(|i| {
            let axis = axis_within(axes[i], shape.len())?;
            let (start, end, step) = (starts[i], ends[i], steps[i]);
            let length = shape[axis].and_then(|n| slice_length(n.into(), start, end, step));
            Some(AxisSlice {
                axis,
                start,
                end,
                step,
                length,
            })
        })
        .collect()
}

/// Returns the indices that a Slice in steps of 1 keeps of a list of `length` elements.
pub(crate) fn slice_of_list(
    node: &NodeProto,
    known: &InferredShapes,
    length: u64,
) -> Option<Range<usize>> {
    let slice = axis_slices(node, known, &[Some(length)])?.pop()?;
    if slice.step != 1 {
        return None;
    }
    let from = clamp_index(slice.start, length.into(), 0, length.into());
    let from = usize::try_from(from).ok()?;
    Some(from..from.checked_add(usize::try_from(slice.length?).ok()?)?)
}

/// Returns the dimensions that a Shape keeps of `rank` dimensions: all of them, unless operator set
/// 15's attributes say otherwise.
pub(super) fn shape_range(node: &NodeProto, rank: usize) -> Range<usize> {
    let rank = rank as i128;
    let start = clamp_index(node.int("start", 0), rank, 0, rank);
    let end = clamp_index(node.int("end", i64::MAX), rank, 0, rank);
    start as usize..end.max(start) as usize
}

/// Returns an index, which may count from the end, clamped to `low..=high`.
fn clamp_index(index: i64, length: i128, low: i128, high: i128) -> i128 {
    let index = i128::from(index);
    let index = if index < 0 { index + length } else { index };
    index.max(low).min(high)
}

/// Returns the number of indices that a slice keeps of `length`; `None` if the step is zero.
pub(crate) fn slice_length(length: i128, start: i64, end: i64, step: i64) -> Option<u64> {
    let count = match step {
        0 => return None,
        1.. => {
            let from = clamp_index(start, length, 0, length);
            let to = clamp_index(end, length, 0, length);
            div_ceil((to - from).max(0), step.into())
        }
        _ => {
            let from = clamp_index(start, length, 0, length - 1);
            let to = clamp_index(end, length, -1, length - 1);
            div_ceil((from - to).max(0), -i128::from(step))
        }
    };
    u64::try_from(count).ok()
}
