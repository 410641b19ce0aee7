//! Decodes graphs whose every part is known here, so that decoding and encoding changes nothing in
//! them that matters.

use std::fmt::{Display, Formatter};

use prost::Message;
use thiserror::Error;

use crate::proto::{GraphProto, ModelProto, NodeProto, TensorProto, element_type_name};
use crate::wide_weights::widen;
use crate::{OnnxError, OnnxModel};

/// Why a file is not rewritten: it has parts that decoding and encoding would lose.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NotRewritable {
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
}

impl NotRewritable {
    /// Returns the error for a `tensor` that decoding and encoding would change.
    fn initializer(tensor: &TensorProto) -> Self {
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
}

/// A node in messages: its operator and the first value that it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLabel {
    pub operator: String,
    pub output: String,
}

impl NodeLabel {
    pub(crate) fn new(node: &NodeProto) -> Self {
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
pub(crate) struct Dimensions<'a>(pub Option<&'a [Option<u64>]>);

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

/// Decodes a model that [`OnnxModel::encode`] can write again. Returns it with the version of ONNX's own
/// operator set. Weights of 16 bits behind a Cast are widened.
///
/// # Errors
/// The first part of the file that would be lost.
pub(crate) fn decode(onnx: &[u8]) -> Result<(OnnxModel, i64), NotRewritable> {
    let file = ModelProto::decode(onnx).map_err(OnnxError::from)?;
    let opset = file
        .opset_import
        .iter()
        .find(|set| set.domain.is_empty())
        .ok_or(NotRewritable::NoOperatorSet)?
        .version;
    if !file.functions.is_empty() {
        let found = file.functions.len();
        return Err(NotRewritable::Functions { found });
    }
    let mut model = OnnxModel::try_from(file)?;
    check_decoded(&model.graph)?;
    widen(&mut model.graph);
    Ok((model, opset))
}

/// Checks that decoding and encoding keeps the relevant parts of the graph.
fn check_decoded(graph: &GraphProto) -> Result<(), NotRewritable> {
    for node in &graph.node {
        if !node.in_default_domain() {
            return Err(NotRewritable::OtherDomain(NodeLabel::new(node)));
        }
        if let Some(attribute) = node.attribute.iter().find(|a| !a.is_decoded()) {
            return Err(NotRewritable::Attribute {
                node: NodeLabel::new(node),
                attribute: attribute.name.clone(),
            });
        }
    }
    if !graph.sparse_initializer.is_empty() {
        let found = graph.sparse_initializer.len();
        return Err(NotRewritable::SparseInitializers { found });
    }
    match graph.initializer.iter().find(|tensor| !tensor.is_decoded()) {
        Some(tensor) => Err(NotRewritable::initializer(tensor)),
        None => Ok(()),
    }
}
