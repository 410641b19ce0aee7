//! The planes of the input tensor, and the conversion of pixel levels to its values.

use super::Letterbox;

/// The tensor's planes and the conversion of levels, both by the image's channel: blue, green, red.
pub struct Planes<'a> {
    pub of: [&'a mut [f32]; 3],
    /// The number of columns of a plane.
    pub width: usize,
    pub levels: Levels,
}

impl Planes<'_> {
    /// Returns row `y` of the image in each plane.
    pub fn row(&mut self, letterbox: Letterbox, y: usize) -> [&mut [f32]; 3] {
        let at = (letterbox.top as usize + y) * self.width + letterbox.left as usize;
        let columns = letterbox.size.0 as usize;
        self.of.each_mut().map(|plane| &mut plane[at..at + columns])
    }
}

/// Converts a level (0 to 255) to `level * scale + offset`, rounded once, by the image's channel.
#[derive(Debug, Clone, Copy)]
pub struct Levels {
    pub scales: [f32; 3],
    pub offsets: [f32; 3],
}

impl Levels {
    pub fn value(&self, channel: usize, level: u8) -> f32 {
        f32::from(level).mul_add(self.scales[channel], self.offsets[channel])
    }
}
