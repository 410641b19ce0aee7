//! The `.bin` file: the weights of all layers one after the other, without names.
//!
//! What is stored is known from the layers' parameters alone. Weights of convolutions begin with a
//! tag that gives their format, and are padded to 4 bytes. Biases and the like are plain 32-bit
//! floats.

use half::f16;

use super::error::{ImportError, LayerLabel};

const HALF: u32 = 0x0130_6B47;
const INT8: u32 = 0x000D_4B38;
/// Plain floats, as ncnn writes them beside the scales of a quantized network.
const SCALED_FLOAT: u32 = 0x0002_C056;

/// Reads the file from front to end.
pub(super) struct WeightReader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> WeightReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Reads `count` values behind a tag.
    ///
    /// # Errors
    /// The file ends before, the format is not 16-bit or 32-bit float, or a value is not finite.
    pub fn tagged(&mut self, layer: &LayerLabel, count: usize) -> Result<Vec<f32>, ImportError> {
        let tag = self.take(layer, Some(4))?;
        match u32::from_le_bytes([tag[0], tag[1], tag[2], tag[3]]) {
            0 | SCALED_FLOAT => self.floats(layer, count),
            HALF => {
                let length = count.checked_next_multiple_of(2);
                let bytes = self.take(layer, length.and_then(|count| count.checked_mul(2)))?;
                let (pairs, _) = bytes.as_chunks::<2>();
                let values = pairs.iter().take(count);
                finite(
                    layer,
                    values
                        .map(|&pair| f16::from_le_bytes(pair).to_f32())
                        .collect(),
                )
            }
            tag => Err(ImportError::Layer {
                layer: layer.clone().into(),
                what: "format of its weights in the .bin file".to_owned(),
                expected: "32-bit or 16-bit floats".to_owned(),
                found: match tag {
                    INT8 => "8-bit integers; give the network before it was quantized".to_owned(),
                    _ => format!(
                        "the tag {tag:#010x}; give the .bin file that belongs to this .param file"
                    ),
                },
            }),
        }
    }

    /// Reads `count` 32-bit floats.
    ///
    /// # Errors
    /// The file ends before, or a value is not finite.
    pub fn floats(&mut self, layer: &LayerLabel, count: usize) -> Result<Vec<f32>, ImportError> {
        let bytes = self.take(layer, count.checked_mul(4))?;
        let (values, _) = bytes.as_chunks::<4>();
        finite(
            layer,
            values
                .iter()
                .map(|&value| f32::from_le_bytes(value))
                .collect(),
        )
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`ImportError::LongBin`].
    pub fn finish(self) -> Result<(), ImportError> {
        if self.offset == self.bytes.len() {
            return Ok(());
        }
        Err(ImportError::LongBin {
            expected: self.offset,
            found: self.bytes.len(),
        })
    }

    /// Takes `count` bytes; `None` is more than any file has.
    fn take(&mut self, layer: &LayerLabel, count: Option<usize>) -> Result<&'a [u8], ImportError> {
        let rest = &self.bytes[self.offset..];
        let count = count.unwrap_or(usize::MAX);
        let Some(taken) = rest.get(..count) else {
            return Err(ImportError::ShortBin {
                layer: layer.clone().into(),
                offset: self.offset,
                expected: count,
                found: rest.len(),
            });
        };
        self.offset += count;
        Ok(taken)
    }
}

fn finite(layer: &LayerLabel, values: Vec<f32>) -> Result<Vec<f32>, ImportError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(values),
        Some(index) => Err(ImportError::Layer {
            layer: layer.clone().into(),
            what: format!("weight {index}"),
            expected: "a finite number".to_owned(),
            found: format!(
                "{}; give the .bin file that belongs to this .param file",
                values[index]
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label() -> LayerLabel {
        LayerLabel {
            line: 7,
            kind: "Convolution".to_owned(),
            name: "stem".to_owned(),
        }
    }

    #[test]
    fn halves_are_padded_and_floats_follow() {
        let mut bytes = HALF.to_le_bytes().to_vec();
        for half in [0x3c00_u16, 0xc000, 0x0001, 0] {
            bytes.extend(half.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(2.5_f32.to_le_bytes());
        bytes.extend((-1.5_f32).to_le_bytes());
        let mut reader = WeightReader::new(&bytes);
        // 2^-24 is the smallest half
        let halves = [1.0, -2.0, 2_f32.powi(-24)];
        assert_eq!(reader.tagged(&label(), 3).unwrap(), halves);
        assert_eq!(reader.tagged(&label(), 1).unwrap(), [2.5]);
        assert_eq!(reader.floats(&label(), 1).unwrap(), [-1.5]);
        reader.finish().unwrap();
    }

    #[test]
    fn what_is_missing_too_much_or_unknown_is_named() {
        let short = WeightReader::new(&[0; 10]).tagged(&label(), 2);
        assert_eq!(
            short.unwrap_err().to_string(),
            "line 7: Convolution `stem`: the .bin file is too short: expected 8 bytes from byte 4 \
             on, found 6; give the .bin file that belongs to this .param file, whole"
        );
        let huge = WeightReader::new(&[0; 10]).floats(&label(), usize::MAX / 2);
        assert!(matches!(huge, Err(ImportError::ShortBin { .. })));
        let mut reader = WeightReader::new(&[0; 10]);
        reader.floats(&label(), 2).unwrap();
        let long = ImportError::LongBin {
            expected: 8,
            found: 10,
        };
        assert_eq!(reader.finish(), Err(long));
        for (tag, expected) in [
            (INT8, "8-bit integers"),
            (0x0101_0101, "the tag 0x01010101"),
        ] {
            let error = WeightReader::new(&tag.to_le_bytes()).tagged(&label(), 1);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let nan = WeightReader::new(&f32::NAN.to_le_bytes()).floats(&label(), 1);
        assert!(
            nan.unwrap_err()
                .to_string()
                .contains("weight 0: expected a finite number")
        );
    }
}
