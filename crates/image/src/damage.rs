//! Damage that does not prevent decoding.

use std::fmt;

/// Damage of an image that was decoded nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A JPEG has a code that its tables do not define.
    UndefinedCode,
    /// A JPEG has image data that its decoder skipped.
    SkippedData,
}

impl Damage {
    /// The key of damage in counters: the same as for damage that prevents decoding.
    pub const REASON: &str = "damaged_image";
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::UndefinedCode => {
                "damaged JPEG: a code is not in its tables; parts of the image may be wrong"
            }
            Damage::SkippedData => {
                "damaged JPEG: some of its data was skipped; parts of the image may be wrong"
            }
        })
    }
}
