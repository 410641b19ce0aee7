//! Layers that move values without changing them.

use super::{Converted, LayerImport, MAX_DIMENSION, REST};
use crate::ncnn::error::ImportError;
use crate::ncnn::network::Blob;
use crate::proto::AttributeProto;

/// Converts a channel shuffle to the form in which PyTorch exports it.
pub(super) fn shuffle(import: &mut LayerImport<'_, '_>) -> Converted {
    let groups = import.size(0, 1)?;
    let reverse = import.flag(1, false)?;
    let (bottom, [channels, height, width]) = import.image()?;
    if channels % groups != 0 {
        return Err(import.wrong("channels", format!("a multiple of {groups}"), channels));
    }
    let [rows, columns] = if reverse {
        [channels / groups, groups]
    } else {
        [groups, channels / groups]
    };
    let grouped = import.reshaped(&bottom, &[rows, columns, height, width]);
    let perm = vec![AttributeProto::from_ints("perm", &[0, 2, 1, 3, 4])];
    let shape = vec![columns, rows, height, width];
    let swapped = import
        .network
        .node("Transpose", &[&grouped.value], perm, shape);
    Ok(vec![import.reshaped(&swapped, &[channels, height, width])])
}

/// Converts a split of one axis into parts, one per top.
pub(super) fn slice(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let axis = import.axis(1, bottom.shape.len())?;
    let lengths = import.ints(0)?;
    let ends = import.ints(2)?;
    let (length, parts) = (bottom.shape[axis], import.layer.tops.len());
    let given = if lengths.is_empty() { &ends } else { &lengths };
    // the end of the last part is not given
    let count = parts - usize::from(lengths.is_empty() && ends.len() + 1 == parts);
    if given.len() != count {
        let expected = format!("{parts}, one per top blob");
        return Err(import.wrong("number of slices", expected, given.len()));
    }
    let mut start = 0;
    let mut sizes = Vec::new();
    for part in 0..parts {
        let rest = length as i64 - start;
        let size = match (lengths.get(part), ends.get(part)) {
            (Some(&REST), _) => rest / (parts - part) as i64,
            (Some(&size), _) => size,
            (None, None | Some(&REST)) => rest,
            (None, Some(&end)) if end < 0 => end + rest,
            (None, Some(&end)) => end - start,
        };
        if !(1..=rest).contains(&size) {
            let expected = format!("1 to {rest} of the {length} values");
            return Err(import.wrong(format!("slice {part}"), expected, size));
        }
        sizes.push(size);
        start += size;
    }
    if start != length as i64 {
        return Err(import.wrong("slices", format!("{length} values together"), start));
    }
    let shapes = sizes.iter().map(|&size| {
        let mut shape = bottom.shape.clone();
        shape[axis] = size as usize;
        shape
    });
    let shapes = shapes.collect();
    let sizes = import.network.list(&sizes);
    let axis = vec![AttributeProto::from_int("axis", axis as i64 + 1)];
    let inputs = [bottom.value.as_str(), &sizes];
    Ok(import.network.node_of_many("Split", &inputs, axis, shapes))
}

/// Converts a crop: `starts`, `ends` and `axes` as numpy has them, or offsets and sizes.
pub(super) fn crop(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let (starts, ends, axes) = (import.ints(9)?, import.ints(10)?, import.ints(11)?);
    let ranges = if starts.is_empty() && ends.is_empty() {
        offset_ranges(import, &bottom)?
    } else {
        listed_ranges(import, &bottom, &starts, &ends, &axes)?
    };
    let mut top = bottom.shape.clone();
    for &AxisRange { axis, start, end } in &ranges {
        let length = bottom.shape[axis];
        if !(0 <= start && start < end && end <= length as i64) {
            let expected = format!("a part of the {length} values");
            let found = format!("{start} to {end}");
            return Err(import.wrong(format!("range of axis {axis}"), expected, found));
        }
        top[axis] = (end - start) as usize;
    }
    let starts = ranges.iter().map(|range| range.start).collect();
    let ends = ranges.iter().map(|range| range.end).collect();
    let axes = ranges.iter().map(|range| range.axis as i64 + 1).collect();
    let lists: [Vec<i64>; 3] = [starts, ends, axes];
    let [starts, ends, axes] = lists.map(|list| import.network.list(&list));
    let inputs = [bottom.value.as_str(), &starts, &ends, &axes];
    Ok(vec![import.network.node("Slice", &inputs, Vec::new(), top)])
}

/// The part of an axis that a crop keeps.
struct AxisRange {
    axis: usize,
    start: i64,
    /// The first index that is left out.
    end: i64,
}

/// Returns the ranges that lists of starts and ends give.
fn listed_ranges(
    import: &LayerImport<'_, '_>,
    bottom: &Blob,
    starts: &[i64],
    ends: &[i64],
    axes: &[i64],
) -> Result<Vec<AxisRange>, ImportError> {
    let rank = bottom.shape.len();
    let axes: Vec<usize> = if axes.is_empty() {
        (0..rank).collect()
    } else {
        axes.iter()
            .map(|&axis| import.axis_within("parameter 11".to_owned(), axis, rank))
            .collect::<Result<_, _>>()?
    };
    let distinct = (1..axes.len()).all(|at| !axes[..at].contains(&axes[at]));
    if starts.len() != axes.len() || ends.len() != axes.len() || !distinct {
        let found = format!(
            "{} starts, {} ends, axes {axes:?}",
            starts.len(),
            ends.len()
        );
        return Err(import.wrong("crop", "a start and an end for each axis", found));
    }
    let ranges = axes.iter().zip(starts.iter().zip(ends));
    Ok(ranges
        .map(|(&axis, (&start, &end))| {
            let length = bottom.shape[axis] as i64;
            let start = match start {
                REST => 0,
                start if start < 0 => start + length,
                start => start,
            };
            let end = match end {
                REST => length,
                end if end <= 0 => end + length,
                end => end.min(length),
            };
            AxisRange { axis, start, end }
        })
        .collect())
}

/// Returns the ranges that offsets at both ends and sizes give.
fn offset_ranges(
    import: &mut LayerImport<'_, '_>,
    bottom: &Blob,
) -> Result<Vec<AxisRange>, ImportError> {
    let mut ranges = Vec::new();
    let limit = MAX_DIMENSION as i64;
    // columns, rows and channels: from the innermost axis outwards
    for (index, [before, after, size]) in [[0, 6, 3], [1, 7, 4], [2, 8, 5]].into_iter().enumerate()
    {
        let before = import.int_in(before, 0, 0..=limit)?;
        let after = import.int_in(after, 0, 0..=limit)?;
        // without a size, ncnn takes that of another blob
        let size = import.int_in(size, 0, REST..=limit)?;
        let Some(axis) = bottom.shape.len().checked_sub(index + 1) else {
            continue;
        };
        let rest = bottom.shape[axis] as i64 - before - after;
        let size = match size {
            REST => rest,
            size if size > 0 => size.min(rest),
            size => {
                return Err(import.wrong(
                    format!("size of axis {axis}"),
                    "1 or more, or -233",
                    size,
                ));
            }
        };
        ranges.push(AxisRange {
            axis,
            start: before,
            end: before + size,
        });
    }
    ranges.reverse();
    Ok(ranges)
}

pub(super) fn concat(import: &mut LayerImport<'_, '_>) -> Converted {
    let Some(first) = import.bottoms.first().cloned() else {
        return Err(import.wrong("bottom blobs", "at least 1", 0));
    };
    let axis = import.axis(0, first.shape.len())?;
    let mut shape = first.shape;
    shape[axis] = 0;
    for bottom in &import.bottoms {
        let same = bottom.shape.len() == shape.len()
            && (0..shape.len()).all(|at| at == axis || bottom.shape[at] == shape[at]);
        if !same {
            let found = format!(
                "{:?}",
                import.bottoms.iter().map(|b| &b.shape).collect::<Vec<_>>()
            );
            return Err(import.wrong("bottom blobs", "shapes that differ in one axis", found));
        }
        shape[axis] += bottom.shape[axis];
    }
    let inputs: Vec<&str> = import
        .bottoms
        .iter()
        .map(|bottom| bottom.value.as_str())
        .collect();
    let axis = vec![AttributeProto::from_int("axis", axis as i64 + 1)];
    Ok(vec![import.network.node("Concat", &inputs, axis, shape)])
}

/// Converts a reshape. 0 copies a dimension, -1 is what is left.
pub(super) fn reshape(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    // the depth, and an order of the axes that old files have
    import.int_in(11, REST, REST..=REST)?;
    import.int_in(3, 0, 0..=0)?;
    let limit = MAX_DIMENSION as i64;
    let mut target = Vec::new();
    for (key, index) in [(0, 0), (1, 1), (2, 2)] {
        let dim = import.int_in(key, REST, REST..=limit)?;
        if dim == REST {
            break;
        }
        // the dimensions of ncnn that a blob does not have are 1
        let copied = bottom
            .shape
            .iter()
            .rev()
            .nth(index)
            .map_or(1, |&dim| dim as i64);
        target.insert(0, if dim == 0 { copied } else { dim });
    }
    let elements: usize = bottom.shape.iter().product();
    let open: Vec<usize> = (0..target.len()).filter(|&at| target[at] < 0).collect();
    let known: Option<usize> = (target.iter().filter(|&&dim| dim >= 0))
        .try_fold(1usize, |product, &dim| product.checked_mul(dim as usize));
    let rest = match (open.as_slice(), known) {
        ([], Some(known)) if known == elements => Some(1),
        (&[at], Some(known)) if target[at] == -1 && known > 0 && elements.is_multiple_of(known) => {
            Some(elements / known)
        }
        _ => None,
    };
    let (Some(rest), false) = (rest, target.is_empty()) else {
        let expected = format!("a shape of {elements} values, with -1 at most once");
        return Err(import.wrong("shape", expected, format!("{target:?}")));
    };
    let shape = target
        .iter()
        .map(|&dim| if dim < 0 { rest } else { dim as usize })
        .collect();
    let list: Vec<i64> = std::iter::once(1).chain(target).collect();
    let list = import.network.list(&list);
    let inputs = [bottom.value.as_str(), &list];
    Ok(vec![import.network.node(
        "Reshape",
        &inputs,
        Vec::new(),
        shape,
    )])
}

/// Converts an exchange of axes.
pub(super) fn permute(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let rank = bottom.shape.len();
    let orders: &[&[usize]] = match rank {
        1 => &[&[0]],
        2 => &[&[0, 1], &[1, 0]],
        _ => &[
            &[0, 1, 2],
            &[0, 2, 1],
            &[1, 0, 2],
            &[1, 2, 0],
            &[2, 0, 1],
            &[2, 1, 0],
        ],
    };
    let order = orders[import.int_in(0, 0, 0..=orders.len() as i64 - 1)? as usize];
    let shape = order.iter().map(|&axis| bottom.shape[axis]).collect();
    let perm: Vec<i64> = std::iter::once(0)
        .chain(order.iter().map(|&axis| axis as i64 + 1))
        .collect();
    let perm = vec![AttributeProto::from_ints("perm", &perm)];
    Ok(vec![import.network.node(
        "Transpose",
        &[&bottom.value],
        perm,
        shape,
    )])
}

pub(super) fn flatten(import: &mut LayerImport<'_, '_>) -> Converted {
    let bottom = import.bottom()?;
    let shape = vec![bottom.shape.iter().product()];
    Ok(vec![import.network.node(
        "Flatten",
        &[&bottom.value],
        Vec::new(),
        shape,
    )])
}
