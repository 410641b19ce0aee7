//! Pooling.

use super::convolution::{Window, positions, window_attributes};
use super::{Converted, LayerImport};
use crate::proto::AttributeProto;

pub(super) fn pooling(import: &mut LayerImport<'_, '_>) -> Converted {
    let average = import.flag(0, false)?;
    let (bottom, [channels, height, width]) = import.image()?;
    let global = import.flag(4, false)?;
    let adaptive = import.flag(7, false)?;
    if global || adaptive {
        if adaptive {
            import.int_in(8, 0, 1..=1)?;
            import.int_in(18, 1, 1..=1)?;
        }
        // a global pooling may have a window too, which ncnn ignores
        for key in [1, 2, 3, 5, 6, 11, 12, 13, 14, 15] {
            import.int(key, 0)?;
        }
        let operator = if average {
            "GlobalAveragePool"
        } else {
            "GlobalMaxPool"
        };
        let shape = vec![channels, 1, 1];
        let pooled = import
            .network
            .node(operator, &[&bottom.value], Vec::new(), shape);
        // the tops have one and three dimensions
        let top = if global {
            import.reshaped(&pooled, &[channels])
        } else {
            pooled
        };
        return Ok(vec![top]);
    }
    let kernel_x = import.size(1, 0)?;
    let kernel_y = import.size(11, kernel_x)?;
    let stride_x = import.size(2, 1)?;
    let stride_y = import.size(12, stride_x)?;
    let pad = |value: i64| value.unsigned_abs() as usize;
    let limit = super::MAX_DIMENSION as i64;
    let left = import.int_in(3, 0, 0..=limit)?;
    let right = import.int_in(14, left, 0..=limit)?;
    let top = import.int_in(13, left, 0..=limit)?;
    let bottom_pad = import.int_in(15, top, 0..=limit)?;
    let mode = import.int_in(5, 0, 0..=3)?;
    let mut counts_padding = import.flag(6, false)?;
    let window = |kernel, stride, pads: [i64; 2]| Window {
        kernel,
        stride,
        dilation: 1,
        pads: pads.map(pad),
    };
    let mut windows = [
        window(kernel_y, stride_y, [top, bottom_pad]),
        window(kernel_x, stride_x, [left, right]),
    ];
    for (window, length) in windows.iter_mut().zip([height, width]) {
        match mode {
            // "full": more padding at the end, so that every pixel is in a window
            0 => {
                let padded = length + window.pads[0] + window.pads[1];
                let rest = padded.saturating_sub(window.kernel) % window.stride;
                if rest != 0 {
                    window.pads[1] += window.stride - rest;
                }
            }
            1 => {}
            // "same", with the odd pixel after or before the picture
            _ => {
                let total = window.same_padding(length).unwrap_or(0);
                window.pads = [total / 2, total - total / 2];
                if mode == 3 {
                    window.pads.reverse();
                }
                counts_padding = true;
            }
        }
        if window.pads.iter().any(|&pad| pad >= window.kernel) {
            let (found, expected) = (window.pads, window.kernel);
            return Err(import.wrong(
                "padding",
                format!("less than the kernel's {expected} pixels"),
                format!("{found:?}"),
            ));
        }
    }
    let [rows, columns] = positions(import, windows, [height, width])?;
    let mut attributes = window_attributes(windows);
    if average && counts_padding {
        attributes.push(AttributeProto::from_int("count_include_pad", 1));
    }
    let operator = if average { "AveragePool" } else { "MaxPool" };
    let shape = vec![channels, rows, columns];
    Ok(vec![import.network.node(
        operator,
        &[&bottom.value],
        attributes,
        shape,
    )])
}
