//! The ONNX graph under construction.

use std::collections::{HashMap, HashSet};

use crate::proto::{
    AttributeProto, GraphProto, ModelProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};

/// The operator set whose forms are written, and the version of the file format with it.
const OPERATOR_SET: i64 = 13;
const IR_VERSION: i64 = 8;

/// A blob of ncnn: the ONNX value that holds it, and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    pub value: String,
    /// The dimensions, outermost first: channels, rows, columns; rows, columns; or columns. The
    /// ONNX value has a batch axis of 1 before them.
    pub shape: Vec<usize>,
}

/// Returns a blob's shape with the batch axis.
pub(super) fn batched(shape: &[usize]) -> Vec<i64> {
    let dims = shape.iter().map(|&dim| dim as i64);
    std::iter::once(1).chain(dims).collect()
}

/// Collects nodes and constants. Names depend only on the order of the calls.
#[derive(Default)]
pub(super) struct Network {
    graph: GraphProto,
    /// Names that may not be given again.
    names: HashSet<String>,
    /// Constants that nodes share, by content.
    lists: HashMap<Vec<i64>, String>,
    /// Floats by their dimensions and bits.
    floats: HashMap<(Vec<usize>, Vec<u32>), String>,
    /// The first node of the current layer, and what the names of its parts begin with.
    layer_start: usize,
    layer_name: String,
}

impl Network {
    /// Starts a graph in which the names of `blobs` are taken.
    pub fn new(blobs: HashSet<String>) -> Self {
        Self {
            names: blobs,
            ..Self::default()
        }
    }

    /// Starts the nodes of a layer. The names of its parts begin with `name`, which no other layer
    /// has.
    pub fn begin_layer(&mut self, name: &str) {
        self.layer_start = self.graph.node.len();
        name.clone_into(&mut self.layer_name);
    }

    /// Adds a graph input under the name of a blob.
    pub fn input(&mut self, name: &str, shape: Vec<usize>) -> Blob {
        let dims = batched(&shape);
        self.graph
            .input
            .push(ValueInfoProto::floats(name.to_owned(), Some(&dims)));
        Blob {
            value: name.to_owned(),
            shape,
        }
    }

    /// Adds a graph output under the name of a blob.
    pub fn output(&mut self, name: &str, blob: &Blob) {
        if blob.value != name {
            let output = vec![name.to_owned()];
            self.graph
                .push("Identity", &[&blob.value], output, Vec::new());
        }
        let shape = batched(&blob.shape);
        self.graph
            .output
            .push(ValueInfoProto::floats(name.to_owned(), Some(&shape)));
    }

    /// Adds a node with one output.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        shape: Vec<usize>,
    ) -> Blob {
        let value = self.free_name(operator);
        self.graph
            .push(operator, inputs, vec![value.clone()], attributes);
        Blob { value, shape }
    }

    /// Adds a node with an output for each of `shapes`.
    pub fn node_of_many(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        shapes: Vec<Vec<usize>>,
    ) -> Vec<Blob> {
        let blobs: Vec<Blob> = shapes
            .into_iter()
            .map(|shape| Blob {
                value: self.free_name(operator),
                shape,
            })
            .collect();
        let outputs = blobs.iter().map(|blob| blob.value.clone()).collect();
        self.graph.push(operator, inputs, outputs, attributes);
        blobs
    }

    /// Gives a value that the current layer wrote the name of its top blob. A value of a layer
    /// before keeps its name: the top is another name for it.
    pub fn name_top(&mut self, top: &str, blob: Blob) -> Blob {
        let nodes = &mut self.graph.node[self.layer_start..];
        let written = nodes.iter().any(|node| node.output.contains(&blob.value));
        if !written {
            return blob;
        }
        for node in nodes {
            for name in node.input.iter_mut().chain(&mut node.output) {
                if *name == blob.value {
                    top.clone_into(name);
                }
            }
        }
        Blob {
            value: top.to_owned(),
            shape: blob.shape,
        }
    }

    /// Adds weights of the current layer.
    pub fn weights(&mut self, role: &str, dims: &[usize], values: &[f32]) -> String {
        let name = self.free_name(role);
        let tensor = TensorProto::from_floats(name.clone(), dims, values);
        self.graph.initializer.push(tensor);
        name
    }

    /// Returns a constant list of integers.
    pub fn list(&mut self, values: &[i64]) -> String {
        if let Some(name) = self.lists.get(values) {
            return name.clone();
        }
        let name = self.constant_name();
        let tensor = TensorProto::from_ints(name.clone(), values);
        self.graph.initializer.push(tensor);
        self.lists.insert(values.to_vec(), name.clone());
        name
    }

    /// Returns a constant float without dimensions.
    pub fn scalar(&mut self, value: f32) -> String {
        self.constant_floats(&[], &[value])
    }

    /// Returns a constant list of floats.
    pub fn floats(&mut self, values: &[f32]) -> String {
        self.constant_floats(&[values.len()], values)
    }

    fn constant_floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        let bits = values.iter().map(|value| value.to_bits()).collect();
        let key = (dims.to_vec(), bits);
        if let Some(name) = self.floats.get(&key) {
            return name.clone();
        }
        let name = self.constant_name();
        let tensor = TensorProto::from_floats(name.clone(), dims, values);
        self.graph.initializer.push(tensor);
        self.floats.insert(key, name.clone());
        name
    }

    /// Returns the finished model.
    pub fn into_model(mut self) -> ModelProto {
        // the checker of onnx refuses a graph without a name
        "ncnn".clone_into(&mut self.graph.name);
        ModelProto {
            ir_version: Some(IR_VERSION),
            // no version of this program: the same network gives the same bytes
            producer_name: "shuffledet".to_owned(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPERATOR_SET,
            }],
            ..ModelProto::default()
        }
    }

    fn constant_name(&mut self) -> String {
        let count = self.lists.len() + self.floats.len();
        self.free(format!("constant_{count}"))
    }

    /// Returns a new name for a part of the current layer.
    fn free_name(&mut self, part: &str) -> String {
        self.free(format!("{}.{part}", self.layer_name))
    }

    fn free(&mut self, name: String) -> String {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone())
            .chain(numbered)
            .find(|name| !self.names.contains(name))
            .unwrap_or(name);
        self.names.insert(free.clone());
        free
    }
}
