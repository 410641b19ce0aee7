//! Why a network of ncnn cannot be imported.

use std::fmt;

use thiserror::Error;

/// A layer of a `.param` file, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerLabel {
    /// The line of the `.param` file, from 1.
    pub line: usize,
    /// The layer's type, such as `Convolution`.
    pub kind: String,
    pub name: String,
}

impl fmt::Display for LayerLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {} `{}`", self.line, self.kind, self.name)
    }
}

/// Why a network of ncnn cannot be imported. Lines are those of the `.param` file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImportError {
    #[error(
        "the {file} file is too large: expected at most {limit} bytes, found {found}; give the \
         files of one detector"
    )]
    TooLarge {
        /// `.param` or `.bin`.
        file: &'static str,
        limit: usize,
        found: usize,
    },
    #[error("line {line} of the .param file: expected {expected}, found {found}; {advice}")]
    Param {
        line: usize,
        expected: String,
        found: String,
        advice: &'static str,
    },
    #[error("{layer}: this type of layer is not supported; supported are: {supported}")]
    UnknownLayer {
        layer: Box<LayerLabel>,
        supported: String,
    },
    #[error("{layer}: {what}: expected {expected}, found {found}")]
    Layer {
        layer: Box<LayerLabel>,
        what: String,
        expected: String,
        found: String,
    },
    #[error(
        "{layer}: the .bin file is too short: expected {expected} bytes from byte {offset} on, \
         found {found}; give the .bin file that belongs to this .param file, whole"
    )]
    ShortBin {
        layer: Box<LayerLabel>,
        offset: usize,
        expected: usize,
        found: usize,
    },
    #[error(
        "the .bin file is too long: expected {expected} bytes, found {found}; give the .bin file \
         that belongs to this .param file"
    )]
    LongBin { expected: usize, found: usize },
    #[error(
        "{layer}: the .param file gives no input size; give the size that the network was trained \
         for (--input-size WIDTHxHEIGHT)"
    )]
    NoInputSize { layer: Box<LayerLabel> },
}
