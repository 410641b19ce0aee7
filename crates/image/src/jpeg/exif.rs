//! Reads the orientation of an image from its EXIF block.

use opencv::core::{self, Mat};

/// The transformation of the image, as EXIF numbers it; undoing it turns the image upright.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Orientation {
    #[default]
    Upright,
    Mirrored,
    UpsideDown,
    Flipped,
    Transposed,
    TurnedLeft,
    Transversed,
    TurnedRight,
}

impl Orientation {
    /// Returns the orientation of a number from 1 to 8.
    fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Upright,
            2 => Self::Mirrored,
            3 => Self::UpsideDown,
            4 => Self::Flipped,
            5 => Self::Transposed,
            6 => Self::TurnedLeft,
            7 => Self::Transversed,
            8 => Self::TurnedRight,
            _ => return None,
        })
    }

    /// Whether width and height are swapped.
    pub fn swaps_sides(self) -> bool {
        use Orientation::{Transposed, Transversed, TurnedLeft, TurnedRight};
        matches!(self, Transposed | TurnedLeft | Transversed | TurnedRight)
    }

    /// Returns the width and height of the upright image.
    pub fn upright(self, (width, height): (u32, u32)) -> (u32, u32) {
        match self.swaps_sides() {
            true => (height, width),
            false => (width, height),
        }
    }

    /// Turns `picture` upright.
    pub fn undo(self, picture: &Mat, upright: &mut Mat) -> opencv::Result<()> {
        /// The codes of `cv::flip`.
        const ROWS: i32 = 0;
        const COLUMNS: i32 = 1;
        const BOTH: i32 = -1;
        match self {
            Self::Upright => core::copy_to(picture, upright, &core::no_array()),
            Self::Mirrored => core::flip(picture, upright, COLUMNS),
            Self::UpsideDown => core::flip(picture, upright, BOTH),
            Self::Flipped => core::flip(picture, upright, ROWS),
            Self::Transposed => core::transpose(picture, upright),
            Self::TurnedLeft => core::rotate(picture, upright, core::ROTATE_90_CLOCKWISE),
            Self::TurnedRight => core::rotate(picture, upright, core::ROTATE_90_COUNTERCLOCKWISE),
            Self::Transversed => {
                let mut turned = Mat::default();
                core::rotate(picture, &mut turned, core::ROTATE_180)?;
                core::transpose(&turned, upright)
            }
        }
    }
}

/// Returns the orientation in a TIFF block, which follows the word `Exif`; upright if it has no
/// valid one.
pub fn orientation(tiff: &[u8]) -> Orientation {
    read(tiff).unwrap_or_default()
}

fn read(tiff: &[u8]) -> Option<Orientation> {
    const ORIENTATION: u32 = 0x0112;
    /// The types of a value.
    const SHORT: u32 = 3;
    const LONG: u32 = 4;
    let big_endian = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let number = |at: usize, length: usize| {
        let bytes = tiff.get(at..at.checked_add(length)?)?.iter();
        let join = |number: u32, &byte: &u8| (number << 8) | u32::from(byte);
        Some(match big_endian {
            true => bytes.fold(0, join),
            false => bytes.rev().fold(0, join),
        })
    };
    let directory = number(4, 4)? as usize;
    let entries = number(directory, 2)? as usize;
    for entry in (0..entries).map(|index| directory + 2 + 12 * index) {
        if number(entry, 2)? == ORIENTATION {
            let length = match number(entry + 2, 2)? {
                SHORT => 2,
                LONG => 4,
                _ => return None,
            };
            return Orientation::from_number(number(entry + 8, length)?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orientation_is_read_in_either_byte_order() {
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";
        assert_eq!(orientation(little), Orientation::TurnedLeft);
        assert_eq!(orientation(big), Orientation::TurnedLeft);
        for length in 0..little.len() - 2 {
            assert_eq!(
                orientation(&little[..length]),
                Orientation::Upright,
                "{length}"
            );
        }
        let far = b"II*\0\xff\xff\xff\xff\x01\0";
        assert_eq!(orientation(far), Orientation::Upright);
    }
}
