//! A decoded picture.

use std::fs;
use std::path::Path;

use shuffledet_image::{BgrView, ImageDecoder};

/// Pixels with 8 bits per channel, in the order blue, green, red.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// Decodes a file as the product does, upright by its EXIF block.
    ///
    /// # Errors
    /// The reason as a text: the file cannot be read or decoded.
    pub fn read(path: &Path, decoder: &mut ImageDecoder) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let view = decoder
            .decode_file(&bytes)
            .map_err(|error| error.to_string())?;
        let (width, height) = (view.width(), view.height());
        let row = 3 * width as usize;
        let mut pixels = Vec::with_capacity(row * height as usize);
        for start in (0..height as usize).map(|y| y * view.step()) {
            pixels.extend_from_slice(&view.data()[start..start + row]);
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// Returns a picture of one colour.
    #[cfg(test)]
    pub fn grey(width: u32, height: u32) -> Self {
        let pixels = vec![114; 3 * width as usize * height as usize];
        Self {
            width,
            height,
            pixels,
        }
    }

    pub fn view(&self) -> BgrView<'_> {
        let step = 3 * self.width as usize;
        // both constructors fill every row
        BgrView::new(self.width, self.height, step, &self.pixels).expect("every row is there")
    }

    /// Returns width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }
}
