//! The cells of NanoDet-Plus's output.

use shuffledet_core::Resolution;

use crate::net::NANODET_PLUS_STRIDES;

/// A cell: the upper left corner in pixels of the input, and the stride.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    pub x: f32,
    pub y: f32,
    pub stride: f32,
}

/// Returns the cells of an input of `size` in the order of the output. As the product's decoder has it, a cell's point is
/// its upper left corner.
pub fn cells(size: Resolution) -> Vec<Cell> {
    let mut cells = Vec::new();
    for stride in NANODET_PLUS_STRIDES {
        let stride = stride as u32;
        for row in 0..size.height.div_ceil(stride) {
            for column in 0..size.width.div_ceil(stride) {
                cells.push(Cell {
                    x: (column * stride) as f32,
                    y: (row * stride) as f32,
                    stride: stride as f32,
                });
            }
        }
    }
    cells
}
