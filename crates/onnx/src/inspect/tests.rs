//! Graphs made at random: none may make an inspection panic.

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::proto::{
    AttributeProto, GraphProto, INT64, ModelProto, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto,
};

const OPERATORS: [&str; 34] = [
    "Add",
    "ArgMax",
    "AveragePool",
    "Cast",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Div",
    "Expand",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "MatMul",
    "MaxPool",
    "Mul",
    "Pad",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Resize",
    "Shape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
    "Upsample",
    "Where",
];

const ATTRIBUTES: [&str; 19] = [
    "auto_pad",
    "axes",
    "axis",
    "blocksize",
    "ceil_mode",
    "dilations",
    "ends",
    "group",
    "keepdims",
    "kernel_shape",
    "output_padding",
    "output_shape",
    "pads",
    "perm",
    "scales",
    "split",
    "starts",
    "strides",
    "value",
];

/// Small numbers, and those at which arithmetic breaks.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => -3..10i64,
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, i64::MAX / 2, 1 << 32, -(1 << 31)]),
    ]
}

fn numbers() -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        Just(vec![1, 4, 9, 9]),
        prop::collection::vec(number(), 0..6)
    ]
}

fn value_name() -> impl Strategy<Value = String> {
    prop_oneof![9 => (0..12u8).prop_map(|n| format!("v{n}")), 1 => Just(String::new())]
}

fn tensor() -> impl Strategy<Value = TensorProto> {
    let list = prop_oneof![Just(None), number().prop_map(Some)];
    (value_name(), numbers(), numbers(), list).prop_map(|(name, dims, data, first)| {
        let mut tensor = TensorProto {
            name,
            dims,
            data_type: 1,
            ..Default::default()
        };
        if first.is_some() {
            tensor.dims = vec![data.len() as i64];
            tensor.data_type = INT64;
            tensor.int64_data = data;
        }
        tensor
    })
}

fn attribute() -> impl Strategy<Value = AttributeProto> {
    let name = prop::sample::select(ATTRIBUTES.to_vec());
    let floats = prop::collection::vec(any::<f32>(), 0..5);
    (name, number(), numbers(), floats, tensor()).prop_map(|(name, i, ints, floats, t)| {
        AttributeProto {
            name: name.into(),
            i: Some(i),
            s: if i > 0 {
                b"SAME_UPPER".to_vec()
            } else {
                b"VALID".to_vec()
            },
            t: Some(t),
            floats,
            ints,
            ..AttributeProto::default()
        }
    })
}

fn node() -> impl Strategy<Value = NodeProto> {
    (
        prop::collection::vec(value_name(), 0..5),
        prop::collection::vec(value_name(), 0..3),
        prop::sample::select(OPERATORS.to_vec()),
        prop::collection::vec(attribute(), 0..4),
    )
        .prop_map(|(input, output, op_type, attribute)| NodeProto {
            input,
            output,
            op_type: op_type.into(),
            attribute,
            domain: String::new(),
        })
}

fn input() -> impl Strategy<Value = ValueInfoProto> {
    (value_name(), numbers()).prop_map(|(name, dims)| {
        let dim = dims.into_iter().map(|d| DimensionProto {
            dim_value: Some(d),
            dim_param: None,
        });
        let tensor = TensorTypeProto {
            elem_type: 1,
            shape: Some(TensorShapeProto { dim: dim.collect() }),
        };
        ValueInfoProto {
            name,
            r#type: Some(TypeProto {
                tensor_type: Some(tensor),
            }),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_graph_makes_it_panic(
        node in prop::collection::vec(node(), 0..30),
        initializer in prop::collection::vec(tensor(), 0..8),
        input in prop::collection::vec(input(), 0..8),
    ) {
        let graph = GraphProto { node, initializer, input, ..Default::default() };
        let model = ModelProto {
            ir_version: Some(8),
            graph: Some(graph),
            ..Default::default()
        };
        let inspection = inspect(&model.encode_to_vec()).unwrap();
        prop_assert!(!inspection.to_string().is_empty());
    }
}
