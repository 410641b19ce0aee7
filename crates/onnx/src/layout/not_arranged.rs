//! Why a graph stays unchanged.

use std::fmt::{Display, Formatter};

use thiserror::Error;

use super::limits::{MAX_AREA, MAX_CHANNELS, MAX_WEIGHTS};
use super::moves::Blocked;
use crate::OnnxError;
use crate::proto::{NodeProto, TensorProto, element_type_name};

/// Why the channels of a graph are not arranged. The unchanged graph is used, which is slower but
/// correct.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NotArranged {
    #[error(transparent)]
    NotAModel(#[from] OnnxError),
    #[error("expected a version of ONNX's own operator set, found none")]
    NoOperatorSet,
    #[error("expected no functions in the file, found {found}")]
    Functions { found: usize },
    #[error("expected operators of ONNX's own, found {0}")]
    OtherDomain(NodeLabel),
    #[error(
        "expected numbers, texts and tensors as attributes, found another type in `{attribute}` of {node}"
    )]
    Attribute { node: NodeLabel, attribute: String },
    #[error("expected dense initializers, found {found} sparse ones")]
    SparseInitializers { found: usize },
    #[error(
        "expected initializers in the file itself, of int32, int64 or float or as raw data, found `{tensor}` of \
         {found}"
    )]
    Initializer { tensor: String, found: String },
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
    /// Returns the error for a `tensor` that decoding and encoding would change.
    pub(super) fn initializer(tensor: &TensorProto) -> Self {
        let element_type = element_type_name(tensor.data_type);
        let place = if tensor.is_external() {
            " in another file"
        } else {
            ""
        };
        Self::Initializer {
            tensor: tensor.name.clone(),
            found: format!("{element_type}{place}"),
        }
    }

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

/// A node in messages: its operator and the first value that it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLabel {
    pub operator: String,
    pub output: String,
}

impl NodeLabel {
    pub(super) fn new(node: &NodeProto) -> Self {
        Self {
            operator: node.qualified_operator(),
            output: node.output.first().cloned().unwrap_or_default(),
        }
    }
}

impl Display for NodeLabel {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} that writes `{}`", self.operator, self.output)
    }
}

/// A shape in a message, such as `[1, 3, ?, ?]`.
struct Dimensions<'a>(Option<&'a [Option<u64>]>);

impl Display for Dimensions<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Some(dims) = self.0 else {
            return f.write_str("an unknown shape");
        };
        let dims: Vec<String> = dims
            .iter()
            .map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string()))
            .collect();
        write!(f, "[{}]", dims.join(", "))
    }
}
