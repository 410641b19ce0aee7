//! Why a graph keeps its input size.

use std::fmt::{Display, Formatter};

use thiserror::Error;

use super::MAX_SIDE;
use super::regroup::Ungrouped;
use crate::OnnxError;
use crate::rewritable::{Dimensions, NodeLabel, NotRewritable};

/// Why a graph is not rewritten for another input size. The unchanged graph is used, at its own
/// size.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NotResized {
    #[error(transparent)]
    NotRewritable(#[from] NotRewritable),
    #[error(
        "expected a width and a height of 1 to {} pixels, found {width}x{height}",
        MAX_SIDE
    )]
    Side { width: u32, height: u32 },
    #[error("expected one graph input, found {found}")]
    Inputs { found: usize },
    #[error("expected the input `{input}` to be of shape [N, C, H, W], found {}", Dimensions(.found.as_deref()))]
    NotAnImage {
        input: String,
        /// `None` if not even the rank is known.
        found: Option<Vec<Option<u64>>>,
    },
    #[error("{node} does not work at that input size: {obstacle}")]
    Node { node: NodeLabel, obstacle: Obstacle },
    #[error(
        "expected the output `{output}` to have the shape that the file declares, {}, found {inferred:?}",
        Dimensions(Some(.declared))
    )]
    Declared {
        output: String,
        declared: Vec<Option<u64>>,
        inferred: Vec<u64>,
    },
    #[error("expected a shape of the output `{output}` that can be inferred, found none")]
    UnknownOutput { output: String },
    #[error(
        "expected `{value}` to be of shape {predicted:?} in the rewritten graph, found {}",
        Dimensions(.found.as_deref())
    )]
    Prediction {
        value: String,
        predicted: Vec<u64>,
        found: Option<Vec<Option<u64>>>,
    },
}

impl From<OnnxError> for NotResized {
    fn from(error: OnnxError) -> Self {
        Self::NotRewritable(error.into())
    }
}

/// Why one node does not work at that input size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Obstacle {
    #[error("the shape of its output cannot be inferred")]
    UnknownShape,
    #[error("its inputs of shape {} do not fit together", Shapes(.inputs))]
    Misfit { inputs: Vec<Vec<u64>> },
    #[error("its input `{value}`, of shape {dims:?}, has one element per pixel of the native map")]
    OnePerPixel { value: String, dims: Vec<u64> },
    #[error("its weights take exactly {length} values, the number of a native map")]
    FixedLength { length: u64 },
    #[error("it reduces the whole map to one value")]
    WholeMap,
    #[error("its kernel of {kernel} pixels covers a whole side of the native map")]
    CoversMap { kernel: u64 },
    #[error("it reshapes {from:?} to {to:?}, which splits a side of the map")]
    SplitsSide { from: Vec<u64>, to: Vec<u64> },
    #[error(
        "it reshapes {from:?} to {to:?}, which leaves open what a dimension of 1 is at another size"
    )]
    UnitSide { from: Vec<u64>, to: Vec<u64> },
    #[error("it cuts a map of {length} at a constant place")]
    Cuts { length: u64 },
    #[error("it picks elements of a map by constant indices")]
    Picks,
    #[error(
        "it resizes a side of {from} to {to}, and a side of {resized} has no whole size by that factor"
    )]
    Scale { from: u64, to: u64, resized: u64 },
    #[error("its attribute `{attribute}` holds a native size")]
    FixedSize { attribute: &'static str },
    #[error("it computes with {side} in `{value}`, a side of the native input")]
    SideConstant { value: String, side: u64 },
}

impl Obstacle {
    /// Returns the reason why a Reshape has no meaning at another size.
    pub(super) fn ungrouped(reason: Ungrouped, from: Vec<u64>, to: Vec<u64>) -> Self {
        match reason {
            Ungrouped::SplitsSide => Self::SplitsSide { from, to },
            Ungrouped::Ambiguous => Self::UnitSide { from, to },
        }
    }
}

/// Shapes in a message: `[1, 2] and [3]`.
struct Shapes<'a>(&'a [Vec<u64>]);

impl Display for Shapes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (index, shape) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " and " };
            write!(f, "{separator}{shape:?}")?;
        }
        Ok(())
    }
}
