//! Describes an ONNX graph for `shuffledet models inspect`, so that a user sees that a detector is what it claims to be.

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

/// The description of a model. Its `Display` is the plain text, its serialisation the JSON of
/// `shuffledet models inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    pub ir_version: i64,
    /// Name and version of the exporter; empty if the file does not say.
    pub producer: String,
    /// Operator set version by domain; ONNX's own domain is `ai.onnx`.
    pub opsets: BTreeMap<String, i64>,
    /// Without the inputs that are initializers too.
    pub inputs: Vec<DeclaredValue>,
    pub outputs: Vec<DeclaredValue>,
    pub nodes: usize,
    /// Nodes by operator, those of another domain as `domain.operator`. Graphs inside a node
    /// are not looked into.
    pub operators: BTreeMap<String, usize>,
    pub initializers: usize,
    /// Initializers that are graph inputs too, the old form that hinders ONNX Runtime.
    pub initializers_among_inputs: usize,
    /// Initializers whose data lies in another file.
    pub external_initializers: usize,
    /// Elements of the initializers of a float type.
    pub parameters: u64,
    pub multiply_adds: MultiplyAdds,
    pub shufflenet: ShuffleNet,
    pub channel_layout: ChannelLayout,
}

/// What loading the model on this machine does to the order of its channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChannelLayout {
    /// Channels are arranged so that shuffles vanish, which leaves that many nodes.
    Arranged { nodes: usize },
    /// The graph is used as it is.
    NotArranged { reason: String },
}

/// An input or an output as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeclaredValue {
    pub name: String,
    /// As in ONNX's schema, lower case; `None` for what is not a tensor.
    pub element_type: Option<&'static str>,
    /// `None` where the rank is not known.
    pub shape: Option<Vec<Dimension>>,
}

/// One side of a shape as the file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Dimension {
    Fixed(i64),
    /// A name such as `batch`.
    Symbolic(String),
    /// `null` in JSON.
    Unknown,
}

/// Describes the bytes of a `.onnx` file. Weights in other files are counted by their
/// declared shapes.
///
/// # Errors
/// Those of [`OnnxModel::parse`]. A graph that parses but makes no sense is no error: figures that
/// cannot be inferred are left out.
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
    /// Loads the model as a session does, without ONNX Runtime.
    fn on_loading(bytes: &[u8]) -> Self {
        let arranged = remove_initializer_inputs(bytes)
            .map_err(layout::NotArranged::from)
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
