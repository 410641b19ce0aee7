//! The pass that writes the ONNX graph of a network.
//!
//! Operators have the forms of PyTorch's exporter, which `shuffledet_onnx` recognises: for
//! inspection, for channels without shuffles, and for other input sizes. Batch norms are folded into
//! the convolutions before them.

use shuffledet_onnx::OnnxModel;
use shuffledet_onnx::proto::{
    AttributeProto, GraphProto, INT64, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    ValueInfoProto,
};
use tch::{Device, Kind, Tensor};

use crate::net::{Activation, Conv, DISTANCES, EPSILON, Linear, Maps, Network, Offset, Pass};

/// The operator set whose forms are written, and the version of the file format with it.
const OPERATOR_SET: i64 = 13;
const IR_VERSION: i64 = 8;

/// The names of the input and of the output.
const INPUT: &str = "image";
const OUTPUT: &str = "output";

/// Returns the ONNX file of a network, for one image of the size in its description. Scores are
/// probabilities, as in the published models.
pub fn write(network: &Network) -> Vec<u8> {
    tch::no_grad(|| {
        let description = &network.description;
        let mut graph = GraphPass::default();
        let shape = vec![
            3,
            i64::from(description.input.height),
            i64::from(description.input.width),
        ];
        let image = Value {
            name: INPUT.to_owned(),
            shape,
        };
        graph.graph.input.push(info(&image));
        let classes = description.classes.len() as i64;
        match network.run(&mut graph, &image) {
            Maps::FastestDet(maps) => graph.fastestdet(maps),
            Maps::NanoDetPlus(maps) => graph.nanodet_plus(&maps, classes),
            Maps::Classifier(logits) => graph.classifier(&logits),
        }
        graph.into_model(&description.classes).encode()
    })
}

/// A value of the graph: its name, and its shape without the batch axis of 1.
pub(super) struct Value {
    name: String,
    shape: Vec<i64>,
}

/// A graph under construction.
#[derive(Default)]
struct GraphPass {
    graph: GraphProto,
}

impl GraphPass {
    /// Adds a node with one output of that name.
    fn named(
        &mut self,
        name: String,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        shape: Vec<i64>,
    ) -> Value {
        self.graph
            .push(operator, inputs, vec![name.clone()], attributes);
        Value { name, shape }
    }

    /// Adds a node with one output, which gets the operator's name and a number.
    fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        shape: Vec<i64>,
    ) -> Value {
        let name = format!("{operator}_{}", self.graph.node.len());
        self.named(name, operator, inputs, attributes, shape)
    }

    fn constant(&mut self, tensor: TensorProto) -> String {
        let name = tensor.name.clone();
        if !self
            .graph
            .initializer
            .iter()
            .any(|known| known.name == name)
        {
            self.graph.initializer.push(tensor);
        }
        name
    }

    /// Returns a constant list of integers, which nodes share.
    fn list(&mut self, values: &[i64]) -> String {
        let name = values.iter().map(i64::to_string).collect::<Vec<_>>();
        self.constant(TensorProto::from_ints(
            format!("list_{}", name.join("_")),
            values,
        ))
    }

    /// Returns a constant integer without axes.
    fn index(&mut self, value: i64) -> String {
        self.constant(TensorProto {
            name: format!("index_{value}"),
            data_type: INT64,
            raw_data: value.to_le_bytes().to_vec(),
            ..TensorProto::default()
        })
    }

    fn floats(&mut self, name: String, tensor: &Tensor) -> String {
        let dims: Vec<usize> = tensor.size().iter().map(|&dim| dim as usize).collect();
        self.constant(TensorProto::from_floats(name, &dims, &to_vec(tensor)))
    }

    fn reshape(&mut self, x: &Value, to: &[i64], shape: Vec<i64>) -> Value {
        let to = self.list(to);
        self.node("Reshape", &[&x.name, &to], Vec::new(), shape)
    }

    fn transpose(&mut self, x: &Value, perm: &[i64], shape: Vec<i64>) -> Value {
        let perm = vec![AttributeProto::from_ints("perm", perm)];
        self.node("Transpose", &[&x.name], perm, shape)
    }

    /// Splits the channels.
    fn split(&mut self, x: &Value, lengths: [i64; 2]) -> [Value; 2] {
        let number = self.graph.node.len();
        let names = [0, 1].map(|part| format!("Split_{number}_{part}"));
        let sizes = self.list(&lengths);
        let axis = vec![AttributeProto::from_int("axis", 1)];
        self.graph
            .push("Split", &[&x.name, &sizes], names.to_vec(), axis);
        let mut parts = names.into_iter().zip(lengths);
        [0, 1].map(|_| {
            let (name, length) = parts.next().unwrap_or_default();
            let mut shape = x.shape.clone();
            shape[0] = length;
            Value { name, shape }
        })
    }

    /// Resizes height and width by two.
    fn double(&mut self, x: &Value, attributes: Vec<AttributeProto>) -> Value {
        let scales = TensorProto::from_floats("scales".to_owned(), &[4], &[1.0, 1.0, 2.0, 2.0]);
        let scales = self.constant(scales);
        let shape = vec![x.shape[0], 2 * x.shape[1], 2 * x.shape[2]];
        self.node("Resize", &[&x.name, "", &scales], attributes, shape)
    }

    /// Makes probabilities of objectness and classes, and joins the maps.
    fn fastestdet(&mut self, [objectness, sides, classes]: [Value; 3]) {
        let objectness = self.sigmoid(&objectness);
        let axis = vec![AttributeProto::from_int("axis", 1)];
        let classes = self.node("Softmax", &[&classes.name], axis, classes.shape.clone());
        let parts = [&objectness, &sides, &classes];
        let output = self.join(&parts);
        self.finish(output);
    }

    /// Makes probabilities of the classes, and joins the cells of all strides.
    fn nanodet_plus(&mut self, maps: &[Value], classes: i64) {
        let features = classes + 4 * DISTANCES;
        let mut cells = 0;
        let mut flat = Vec::new();
        for map in maps {
            let [scores, sides] = self.split(map, [classes, 4 * DISTANCES]);
            let scores = self.sigmoid(&scores);
            let joined = self.join(&[&scores, &sides]);
            let here = map.shape[1] * map.shape[2];
            cells += here;
            flat.push(self.reshape(&joined, &[1, features, -1], vec![features, here]));
        }
        let names: Vec<&str> = flat.iter().map(|value| value.name.as_str()).collect();
        let axis = vec![AttributeProto::from_int("axis", 2)];
        let joined = self.node("Concat", &names, axis, vec![features, cells]);
        let output = self.transpose(&joined, &[0, 2, 1], vec![cells, features]);
        self.finish(output);
    }

    fn classifier(&mut self, logits: &Value) {
        let axis = vec![AttributeProto::from_int("axis", 1)];
        let output = self.node("Softmax", &[&logits.name], axis, logits.shape.clone());
        self.finish(output);
    }

    fn sigmoid(&mut self, x: &Value) -> Value {
        self.node("Sigmoid", &[&x.name], Vec::new(), x.shape.clone())
    }

    /// Makes the value of the last node the graph's output.
    fn finish(&mut self, value: Value) {
        if let Some(last) = self.graph.node.last_mut() {
            last.output = vec![OUTPUT.to_owned()];
        }
        self.graph.output.push(info(&Value {
            name: OUTPUT.to_owned(),
            ..value
        }));
    }

    fn into_model(mut self, classes: &[String]) -> OnnxModel {
        "shuffledet".clone_into(&mut self.graph.name);
        let names: Vec<String> = (classes.iter().enumerate())
            .map(|(class, name)| format!("{class}: {name:?}"))
            .collect();
        OnnxModel {
            ir_version: IR_VERSION,
            // no version of this program: the same weights give the same bytes
            producer_name: "shuffledet-train".to_owned(),
            producer_version: String::new(),
            graph: self.graph,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPERATOR_SET,
            }],
            metadata_props: vec![StringStringEntryProto {
                key: "names".to_owned(),
                value: format!("{{{}}}", names.join(", ")),
            }],
        }
    }
}

impl Pass for GraphPass {
    type Value = Value;

    fn conv(&mut self, x: &Value, layer: &Conv) -> Value {
        let (weight, bias) = folded(layer);
        let weight = self.floats(format!("{}.weight", layer.name), &weight);
        let bias = self.floats(format!("{}.bias", layer.name), &bias);
        let (kernel, padding, stride) = (layer.kernel(), layer.padding(), layer.stride);
        let side = |side: i64| (side + 2 * padding - kernel) / stride + 1;
        let shape = vec![layer.weight.size()[0], side(x.shape[1]), side(x.shape[2])];
        let attributes = vec![
            AttributeProto::from_int("group", layer.groups),
            AttributeProto::from_ints("kernel_shape", &[kernel; 2]),
            AttributeProto::from_ints("pads", &[padding; 4]),
            AttributeProto::from_ints("strides", &[stride; 2]),
        ];
        let inputs = [x.name.as_str(), &weight, &bias];
        let x = self.named(layer.name.clone(), "Conv", &inputs, attributes, shape);
        match layer.activation {
            Activation::None => x,
            Activation::Relu => self.relu(&x),
            Activation::LeakyRelu => {
                let alpha = vec![AttributeProto::from_float("alpha", 0.1)];
                self.node("LeakyRelu", &[&x.name], alpha, x.shape.clone())
            }
        }
    }

    fn linear(&mut self, x: &Value, layer: &Linear) -> Value {
        let weight = self.floats(format!("{}.weight", layer.name), &layer.weight);
        let bias = self.floats(format!("{}.bias", layer.name), &layer.bias);
        let shape = vec![layer.weight.size()[0]];
        let transposed = vec![AttributeProto::from_int("transB", 1)];
        let inputs = [x.name.as_str(), &weight, &bias];
        self.named(layer.name.clone(), "Gemm", &inputs, transposed, shape)
    }

    fn max_pool(&mut self, x: &Value) -> Value {
        self.pool("MaxPool", x, None)
    }

    fn average_pool(&mut self, x: &Value) -> Value {
        let counted = AttributeProto::from_int("count_include_pad", 1);
        self.pool("AveragePool", x, Some(counted))
    }

    fn mean(&mut self, x: &Value) -> Value {
        let channels = x.shape[0];
        let shape = vec![channels, 1, 1];
        let mean = self.node("GlobalAveragePool", &[&x.name], Vec::new(), shape);
        let axis = vec![AttributeProto::from_int("axis", 1)];
        self.node("Flatten", &[&mean.name], axis, vec![channels])
    }

    fn double_nearest(&mut self, x: &Value) -> Value {
        let attributes = [
            ("coordinate_transformation_mode", "asymmetric"),
            ("mode", "nearest"),
            ("nearest_mode", "floor"),
        ];
        let attributes = attributes.map(|(name, text)| AttributeProto::from_text(name, text));
        self.double(x, attributes.into())
    }

    fn double_linear(&mut self, x: &Value) -> Value {
        let attributes = [
            ("coordinate_transformation_mode", "half_pixel"),
            ("mode", "linear"),
        ];
        let attributes = attributes.map(|(name, text)| AttributeProto::from_text(name, text));
        self.double(x, attributes.into())
    }

    fn relu(&mut self, x: &Value) -> Value {
        self.node("Relu", &[&x.name], Vec::new(), x.shape.clone())
    }

    fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.node("Add", &[&a.name, &b.name], Vec::new(), a.shape.clone())
    }

    fn join(&mut self, parts: &[&Value]) -> Value {
        let mut shape = parts[0].shape.clone();
        shape[0] = parts.iter().map(|part| part.shape[0]).sum();
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let axis = vec![AttributeProto::from_int("axis", 1)];
        self.node("Concat", &names, axis, shape)
    }

    fn interleave(&mut self, a: &Value, b: &Value) -> Value {
        let joined = self.join(&[a, b]);
        let [channels, height, width] = image(&joined);
        let half = channels / 2;
        let shape = vec![2, half, height, width];
        let grouped = self.reshape(&joined, &[1, 2, half, height, width], shape);
        let shape = vec![half, 2, height, width];
        let swapped = self.transpose(&grouped, &[0, 2, 1, 3, 4], shape);
        let shape = vec![channels, height, width];
        self.reshape(&swapped, &[1, channels, height, width], shape)
    }

    fn halves(&mut self, x: &Value) -> [Value; 2] {
        let half = x.shape[0] / 2;
        self.split(x, [half, half])
    }

    fn alternate(&mut self, x: &Value) -> [Value; 2] {
        // the form in which Megvii's units are exported; these shapes have no batch axis
        let [channels, height, width] = image(x);
        let (half, plane) = (channels / 2, height * width);
        let paired = self.reshape(x, &[half, 2, plane], vec![2, plane]);
        let swapped = self.transpose(&paired, &[1, 0, 2], vec![half, plane]);
        let shape = vec![1, half, height, width];
        let parts = self.reshape(&swapped, &[2, -1, half, height, width], shape);
        [0, 1].map(|part| {
            let index = self.index(part);
            let axis = vec![AttributeProto::from_int("axis", 0)];
            let shape = vec![half, height, width];
            self.node("Gather", &[&parts.name, &index], axis, shape)
        })
    }
}

impl GraphPass {
    /// Adds a pooling of 3x3 at stride 2 with a border of 1.
    fn pool(&mut self, operator: &str, x: &Value, further: Option<AttributeProto>) -> Value {
        let [channels, height, width] = image(x);
        let mut attributes = vec![
            AttributeProto::from_ints("kernel_shape", &[3; 2]),
            AttributeProto::from_ints("pads", &[1; 4]),
            AttributeProto::from_ints("strides", &[2; 2]),
        ];
        attributes.extend(further);
        let shape = vec![channels, (height - 1) / 2 + 1, (width - 1) / 2 + 1];
        self.node(operator, &[&x.name], attributes, shape)
    }
}

fn image(x: &Value) -> [i64; 3] {
    [x.shape[0], x.shape[1], x.shape[2]]
}

/// Returns weight and bias of a convolution with its norm folded into it.
fn folded(layer: &Conv) -> (Tensor, Tensor) {
    match &layer.offset {
        Offset::Bias(bias) => (layer.weight.shallow_clone(), bias.shallow_clone()),
        Offset::Norm(norm) => {
            let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
            let slope = double(&norm.weight) / (double(&norm.variance) + EPSILON).sqrt();
            let bias = double(&norm.bias) - double(&norm.mean) * &slope;
            let weight = double(&layer.weight) * slope.view([-1, 1, 1, 1]);
            (weight.to_kind(Kind::Float), bias.to_kind(Kind::Float))
        }
    }
}

/// Returns the values of a tensor in the order of its axes.
pub(crate) fn to_vec(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous()
        .view(-1);
    let mut values = vec![0.0; flat.numel()];
    flat.copy_data(&mut values, flat.numel());
    values
}

fn info(value: &Value) -> ValueInfoProto {
    let dims: Vec<i64> = std::iter::once(1)
        .chain(value.shape.iter().copied())
        .collect();
    ValueInfoProto::floats(value.name.clone(), Some(&dims))
}
