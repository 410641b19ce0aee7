//! Why a graph stays unchanged.

use thiserror::Error;

use super::limits::{MAX_AREA, MAX_CHANNELS, MAX_WEIGHTS};
use super::moves::Blocked;
use crate::proto::{NodeProto, TensorProto, element_type_name};
use crate::rewritable::{Dimensions, NodeLabel, NotRewritable};

/// Why the channels of a graph are not arranged. The unchanged graph is used, which is slower but
/// correct.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NotArranged {
    #[error(transparent)]
    NotRewritable(#[from] NotRewritable),
    #[error("expected one graph input, found {found}")]
    Inputs { found: usize },
    #[error("expected `{value}` to be of shape [1, C, H, W], found {}", Dimensions(.found.as_deref()))]
    NotAnImage {
        value: String,
        /// `None` if not even the rank is known.
        found: Option<Vec<Option<u64>>>,
    },
    #[error(
        "expected at most {} channels of at most {} pixels, found `{value}` with {channels} of {height}x{width}",
        MAX_CHANNELS,
        MAX_AREA
    )]
    TooLarge {
        value: String,
        channels: u64,
        height: u64,
        width: u64,
    },
    #[error(
        "expected `{value}`, a reshaped image, to be shaped back before anything computes on it, found {node}: {blocked}"
    )]
    Reshaped {
        value: String,
        node: NodeLabel,
        blocked: Blocked,
    },
    #[error("expected the output `{output}` to be computed, found a reshaped image")]
    ReshapedOutput { output: String },
    #[error(
        "expected float weights, at most {} of them, found `{tensor}` of {element_type} {dims:?} in {node}",
        MAX_WEIGHTS
    )]
    Weights {
        node: NodeLabel,
        tensor: String,
        element_type: &'static str,
        dims: Vec<i64>,
    },
}

impl NotArranged {
    /// Returns the error for a `tensor` with weights or a bias of `node` that cannot be rewritten.
    pub(super) fn weights(node: &NodeProto, tensor: &TensorProto) -> Self {
        Self::Weights {
            node: NodeLabel::new(node),
            tensor: tensor.name.clone(),
            element_type: element_type_name(tensor.data_type),
            dims: tensor.dims.clone(),
        }
    }
}
