//! The planes of the input tensor, and how pixel levels become its values.

use super::Letterbox;

/// The tensor's planes and how levels become values, both by the picture's channel: blue, green, red.
pub struct Planes<'a> {
    pub of: [&'a mut [f32]; 3],
    /// Columns of a plane.
    pub width: usize,
    pub levels: Levels,
}

impl Planes<'_> {
    /// Row `y` of the picture, as it lies in each plane.
    pub fn row(&mut self, letterbox: Letterbox, y: usize) -> [&mut [f32]; 3] {
        let at = (letterbox.top as usize + y) * self.width + letterbox.left as usize;
        let columns = letterbox.size.0 as usize;
        self.of.each_mut().map(|plane| &mut plane[at..at + columns])
    }
}

/// The value of a level (0 to 255) is `level * scale + offset`, rounded once, by the picture's channel.
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
