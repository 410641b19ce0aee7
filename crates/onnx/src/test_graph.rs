//! Small graphs for tests, built node by node.

use prost::Message;

use crate::OnnxModel;
use crate::proto::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Height and width of every image in these graphs.
pub(crate) const SIZE: [i64; 2] = [4, 5];

/// A graph under construction. Each method adds a node and returns the name of its output, which is
/// the operator's name and the number of the node.
pub(crate) struct TestGraph {
    pub model: ModelProto,
}

impl TestGraph {
    /// Starts a graph whose one input `image` has `channels` channels.
    pub fn new(channels: i64) -> Self {
        let [height, width] = SIZE;
        Self::with_input(&[1, channels, height, width])
    }

    /// Starts a graph with an input `image` of that shape; a negative dimension is not known.
    pub fn with_input(shape: &[i64]) -> Self {
        Self {
            model: ModelProto {
                ir_version: Some(7),
                graph: Some(GraphProto {
                    input: vec![value("image", Some(shape))],
                    ..GraphProto::default()
                }),
                opset_import: vec![OperatorSetIdProto {
                    domain: String::new(),
                    version: 13,
                }],
                ..ModelProto::default()
            },
        }
    }

    pub fn graph(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().unwrap()
    }

    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[AttributeProto],
    ) -> String {
        let output = format!("{operator}_{}", self.graph().node.len());
        self.add(operator, inputs, vec![output.clone()], attributes);
        output
    }

    fn add(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: Vec<String>,
        attributes: &[AttributeProto],
    ) {
        self.graph().node.push(NodeProto {
            op_type: operator.to_owned(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output,
            attribute: attributes.to_vec(),
            ..NodeProto::default()
        });
    }

    pub fn constant(&mut self, tensor: TensorProto) -> String {
        let name = tensor.name.clone();
        self.graph().initializer.push(tensor);
        name
    }

    /// Adds a pointwise convolution. The weight from channel `c` to channel `r` is `weight(r, c)`,
    /// the bias `r`.
    pub fn conv(&mut self, input: &str, from: usize, to: usize) -> String {
        let number = self.graph().node.len();
        let weights: Vec<f32> = (0..to)
            .flat_map(|row| (0..from).map(move |column| weight(row, column)))
            .collect();
        let weights =
            TensorProto::from_floats(format!("weights_{number}"), &[to, from, 1, 1], &weights);
        let bias: Vec<f32> = (0..to).map(|row| row as f32).collect();
        let bias = TensorProto::from_floats(format!("bias_{number}"), &[to], &bias);
        let (weights, bias) = (self.constant(weights), self.constant(bias));
        self.node("Conv", &[input, &weights, &bias], &[])
    }

    /// Adds a depthwise convolution of 1x1 without a bias; the weight of channel `c` is `c + 1`.
    pub fn depthwise(&mut self, input: &str, channels: usize) -> String {
        let number = self.graph().node.len();
        let weights: Vec<f32> = (1..=channels).map(|weight| weight as f32).collect();
        let weights =
            TensorProto::from_floats(format!("weights_{number}"), &[channels, 1, 1, 1], &weights);
        let weights = self.constant(weights);
        let group = AttributeProto::from_int("group", channels as i64);
        self.node("Conv", &[input, &weights], &[group])
    }

    pub fn reshape(&mut self, input: &str, shape: &[i64]) -> String {
        let name = format!("shape_{}", self.graph().node.len());
        let shape = self.constant(TensorProto::from_ints(name, shape));
        self.node("Reshape", &[input, &shape], &[])
    }

    pub fn transpose(&mut self, input: &str, perm: &[i64]) -> String {
        let perm = AttributeProto::from_ints("perm", perm);
        self.node("Transpose", &[input], &[perm])
    }

    /// Adds the channel shuffle of two groups: Reshape, Transpose, Reshape.
    pub fn shuffle(&mut self, input: &str, channels: i64) -> String {
        let [height, width] = SIZE;
        let grouped = self.reshape(input, &[1, 2, channels / 2, height, width]);
        let swapped = self.transpose(&grouped, &[0, 2, 1, 3, 4]);
        self.reshape(&swapped, &[1, channels, height, width])
    }

    /// Adds a Split of the channels into two parts.
    pub fn split(&mut self, input: &str, lengths: [i64; 2]) -> [String; 2] {
        let number = self.graph().node.len();
        let lengths = TensorProto::from_ints(format!("lengths_{number}"), &lengths);
        let lengths = self.constant(lengths);
        let outputs = [0, 1].map(|part| format!("Split_{number}_{part}"));
        let axis = AttributeProto::from_int("axis", 1);
        self.add("Split", &[input, &lengths], outputs.to_vec(), &[axis]);
        outputs
    }

    pub fn concat(&mut self, inputs: &[&str]) -> String {
        let axis = AttributeProto::from_int("axis", 1);
        self.node("Concat", inputs, &[axis])
    }

    /// Adds a Gather of channels.
    pub fn gather(&mut self, input: &str, indices: &[i64]) -> String {
        let name = format!("indices_{}", self.graph().node.len());
        let indices = self.constant(TensorProto::from_ints(name, indices));
        let axis = AttributeProto::from_int("axis", 1);
        self.node("Gather", &[input, &indices], &[axis])
    }

    /// Declares an output of the graph.
    pub fn output(&mut self, name: &str) {
        self.graph().output.push(value(name, None));
    }

    pub fn onnx(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    pub fn parsed(&self) -> OnnxModel {
        OnnxModel::parse(&self.onnx()).unwrap()
    }
}

/// The weight from channel `column` to channel `row` in every convolution of [`TestGraph::conv`].
pub(crate) fn weight(row: usize, column: usize) -> f32 {
    (100 * row + column + 1) as f32
}

/// The description of a float tensor.
pub(crate) fn value(name: &str, shape: Option<&[i64]>) -> ValueInfoProto {
    let dimension = |&dim: &i64| DimensionProto {
        dim_value: (dim >= 0).then_some(dim),
        dim_param: None,
    };
    let shape = shape.map(|shape| TensorShapeProto {
        dim: shape.iter().map(dimension).collect(),
    });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: FLOAT,
                shape,
            }),
        }),
    }
}
