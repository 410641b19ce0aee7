//! Layers that change the size of a picture.

use super::{Converted, LayerImport, MAX_DIMENSION};
use crate::ncnn::error::ImportError;
use crate::ncnn::network::batched;
use crate::proto::AttributeProto;

const NEAREST: i64 = 1;
const BILINEAR: i64 = 2;
const BICUBIC: i64 = 3;

/// Converts an interpolation: of a picture, or of one value per channel to a picture of it.
pub(super) fn interp(import: &mut LayerImport<'_, '_>) -> Converted {
    let mut kind = import.int_in(0, 0, NEAREST..=BICUBIC)?;
    let scales = [import.float(1, 1.0)?, import.float(2, 1.0)?];
    let target = [import.int(3, 0)?, import.int(4, 0)?];
    // a size that another blob gives
    import.int_in(5, 0, 0..=0)?;
    let align_corners = import.flag(6, false)?;
    let mut bottom = import.bottom()?;
    if let [channels] = *bottom.shape {
        bottom = import.reshaped(&bottom, &[channels, 1, 1]);
        kind = NEAREST;
    }
    let [channels, height, width] = *bottom.shape else {
        let found = format!("the shape {:?}", bottom.shape);
        return Err(import.wrong("bottom blob", "one or three dimensions", found));
    };
    let by_scale = target.contains(&0);
    let size = [
        side(import, by_scale, scales[0], target[0], height)?,
        side(import, by_scale, scales[1], target[1], width)?,
    ];
    if kind == NEAREST && align_corners && bottom.shape.len() == 3 {
        return Err(import.wrong("parameter 6", "0 for nearest neighbours", 1));
    }
    let attribute = AttributeProto::from_text;
    let mut attributes = match kind {
        NEAREST => vec![
            attribute("mode", "nearest"),
            attribute("coordinate_transformation_mode", "asymmetric"),
            attribute("nearest_mode", "floor"),
        ],
        BILINEAR => vec![attribute("mode", "linear")],
        _ => vec![attribute("mode", "cubic")],
    };
    if kind != NEAREST {
        let coordinates = if align_corners {
            "align_corners"
        } else {
            "half_pixel"
        };
        attributes.push(attribute("coordinate_transformation_mode", coordinates));
    }
    let shape = vec![channels, size[0], size[1]];
    let resized = if by_scale {
        let [y, x] = [
            exact_scale(scales[0], height, size[0]),
            exact_scale(scales[1], width, size[1]),
        ];
        let scales = import.network.floats(&[1.0, 1.0, y, x]);
        let inputs = [bottom.value.as_str(), "", &scales];
        import.network.node("Resize", &inputs, attributes, shape)
    } else {
        let sizes = import.network.list(&batched(&shape));
        let inputs = [bottom.value.as_str(), "", "", &sizes];
        import.network.node("Resize", &inputs, attributes, shape)
    };
    Ok(vec![resized])
}

/// Returns a scale with which ONNX, too, gets `to` pixels from `from`: ncnn rounds the product of
/// the two to 32 bits before it cuts off the fraction, ONNX need not.
fn exact_scale(scale: f32, from: usize, to: usize) -> f32 {
    if f64::from(scale) * (from as f64) < to as f64 {
        scale.next_up()
    } else {
        scale
    }
}

/// Returns the number of rows or columns after an interpolation.
fn side(
    import: &LayerImport<'_, '_>,
    by_scale: bool,
    scale: f32,
    target: i64,
    length: usize,
) -> Result<usize, ImportError> {
    let side = if by_scale {
        length as f32 * scale
    } else {
        target as f32
    };
    let limit = MAX_DIMENSION as f32;
    if (1.0..=limit).contains(&side) {
        return Ok(side as usize);
    }
    Err(import.wrong("size of the top blob", format!("1 to {limit} pixels"), side))
}

/// Converts a padding of rows and columns.
pub(super) fn padding(import: &mut LayerImport<'_, '_>) -> Converted {
    let limit = MAX_DIMENSION as i64;
    let mut pad = |key| import.int_in(key, 0, 0..=limit);
    let [top, bottom_pad, left, right] = [pad(0)?, pad(1)?, pad(2)?, pad(3)?];
    let kind = import.int_in(4, 0, 0..=2)?;
    let value = import.float(5, 0.0)?;
    // values per channel, and padding of channels
    for key in [6, 7, 8] {
        import.int_in(key, 0, 0..=0)?;
    }
    let (bottom, [channels, height, width]) = import.image()?;
    let pads = [0, 0, top, left, 0, 0, bottom_pad, right];
    if kind == 2 && (top.max(bottom_pad) >= height as i64 || left.max(right) >= width as i64) {
        let expected = format!("less than {height} rows and {width} columns");
        return Err(import.wrong("reflected padding", expected, format!("{pads:?}")));
    }
    let mode = ["constant", "edge", "reflect"][kind as usize];
    let pads = import.network.list(&pads);
    let value = (kind == 0).then(|| import.network.scalar(value));
    let inputs: Vec<&str> = [&bottom.value, &pads]
        .into_iter()
        .chain(&value)
        .map(String::as_str)
        .collect();
    let shape = vec![
        channels,
        height + (top + bottom_pad) as usize,
        width + (left + right) as usize,
    ];
    let attributes = vec![AttributeProto::from_text("mode", mode)];
    Ok(vec![import.network.node("Pad", &inputs, attributes, shape)])
}
