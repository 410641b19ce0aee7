//! Describes an ONNX graph for `shuffledet models inspect`, so that users can verify a detector's
//! architecture.

mod cost;
mod shufflenet;
mod text;
mod units;

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::proto::{DimensionProto, ValueInfoProto, element_type_name};
use super::shapes::InferredShapes;
use super::{OnnxError, OnnxModel, layout, remove_initializer_inputs};

pub use cost::MultiplyAdds;
pub use shufflenet::{ShuffleNet, Stage};
pub use units::SplitForm;

/// The description of a model. `Display` prints the plain text; serialisation gives the JSON of
/// `shuffledet models inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    pub ir_version: i64,
    /// Name and version of the exporter; empty if the file does not give them.
    pub producer: String,
    /// Operator set version by domain; ONNX's own domain is `ai.onnx`.
    pub opsets: BTreeMap<String, i64>,
    /// Without inputs that are also initializers.
    pub inputs: Vec<DeclaredValue>,
    pub outputs: Vec<DeclaredValue>,
    pub nodes: usize,
    /// Nodes by operator, with `domain.operator` for other domains. Graphs inside nodes are not
    /// counted.
    pub operators: BTreeMap<String, usize>,
    pub initializers: usize,
    /// Initializers that are also graph inputs: the old form, which slows ONNX Runtime down.
    pub initializers_among_inputs: usize,
    /// Initializers with their data in another file.
    pub external_initializers: usize,
    /// Elements of all float initializers.
    pub parameters: u64,
    pub multiply_adds: MultiplyAdds,
    pub shufflenet: ShuffleNet,
    pub channel_layout: ChannelLayout,
}

/// How loading the model on this machine changes the order of its channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChannelLayout {
    /// Channels are arranged so that no shuffles remain; the graph then has this number of nodes.
    Arranged { nodes: usize },
    /// The graph is unchanged.
    NotArranged { reason: String },
}

/// An input or output as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeclaredValue {
    pub name: String,
    /// The name in ONNX's schema, in lower case; `None` if it is not a tensor.
    pub element_type: Option<&'static str>,
    /// `None` if the rank is unknown.
    pub shape: Option<Vec<Dimension>>,
}

/// One dimension of a shape as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Dimension {
    Fixed(i64),
    /// A name such as `batch`.
    Symbolic(String),
    /// `null` in JSON.
    Unknown,
}

/// Describes the bytes of a `.onnx` file. Weights in other files count by their declared shapes.
///
/// # Errors
/// The errors of [`OnnxModel::parse`]. An invalid graph that can be parsed is not an error: figures
/// that cannot be inferred are omitted.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, OnnxError> {
    let model = OnnxModel::parse(bytes)?;
    let known = InferredShapes::infer(&model);
    let graph = &model.graph;

    let initializers: HashSet<&str> = (graph.initializer.iter())
        .map(|tensor| tensor.name.as_str())
        .collect();
    let (constant, inputs): (Vec<_>, Vec<_>) =
        (graph.input.iter()).partition(|info| initializers.contains(info.name.as_str()));
    let mut operators = BTreeMap::new();
    for node in &graph.node {
        *operators.entry(node.qualified_operator()).or_default() += 1;
    }
    let domain = |domain: &str| match domain {
        "" => "ai.onnx".to_owned(),
        other => other.to_owned(),
    };

    Ok(Inspection {
        ir_version: model.ir_version,
        producer: format!("{} {}", model.producer_name, model.producer_version)
            .trim()
            .to_owned(),
        opsets: (model.opset_import.iter())
            .map(|set| (domain(&set.domain), set.version))
            .collect(),
        inputs: inputs.into_iter().map(DeclaredValue::new).collect(),
        outputs: graph.output.iter().map(DeclaredValue::new).collect(),
        nodes: graph.node.len(),
        operators,
        initializers: graph.initializer.len(),
        initializers_among_inputs: constant.len(),
        external_initializers: (graph.initializer.iter())
            .filter(|t| t.is_external())
            .count(),
        parameters: cost::parameters(&model),
        multiply_adds: cost::multiply_adds(&model, &known),
        shufflenet: shufflenet::recognise(&model, &known),
        channel_layout: ChannelLayout::on_loading(bytes),
    })
}

impl ChannelLayout {
    /// Prepares the model like a session, without ONNX Runtime.
    fn on_loading(bytes: &[u8]) -> Self {
        let arranged = remove_initializer_inputs(bytes)
            .map_err(|error| layout::NotRewritable::from(error).into())
            .and_then(|onnx| layout::arrange(&onnx, layout::block()));
        match arranged {
            Ok(arranged) => Self::Arranged {
                nodes: arranged.nodes_after,
            },
            Err(reason) => Self::NotArranged {
                reason: reason.to_string(),
            },
        }
    }
}

impl DeclaredValue {
    fn new(info: &ValueInfoProto) -> Self {
        let tensor = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        let dimension = |dim: &DimensionProto| match (dim.dim_value, dim.dim_param.as_deref()) {
            (Some(value), _) => Dimension::Fixed(value),
            (None, Some(name)) if !name.is_empty() => Dimension::Symbolic(name.to_owned()),
            _ => Dimension::Unknown,
        };
        Self {
            name: info.name.clone(),
            element_type: tensor.map(|t| element_type_name(t.elem_type)),
            shape: tensor
                .and_then(|t| t.shape.as_ref())
                .map(|shape| shape.dim.iter().map(dimension).collect()),
        }
    }
}

#[cfg(test)]
mod tests;
