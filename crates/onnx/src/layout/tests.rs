use crate::OnnxModel;
use crate::test_graph::TestGraph;

use super::*;
use crate::proto::{AttributeProto, DOUBLE, TensorProto};

/// A convolution, a shuffle and a convolution.
fn shuffled() -> TestGraph {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 8);
    let shuffled = graph.shuffle(&conv, 8);
    let last = graph.conv(&shuffled, 8, 8);
    graph.output(&last);
    graph
}

fn reason(edit: impl Fn(&mut TestGraph)) -> String {
    let mut graph = shuffled();
    edit(&mut graph);
    arrange(&graph.onnx(), 8).unwrap_err().to_string()
}

#[test]
fn a_shuffle_vanishes() {
    let arranged = arrange(&shuffled().onnx(), 8).unwrap();
    assert_eq!((arranged.nodes_before, arranged.nodes_after), (5, 3));
    assert_eq!(arranged.unfollowed, []);
    let model = OnnxModel::parse(&arranged.onnx).unwrap();
    assert_eq!(model.graph.node.len(), 3);
    // arranged once, there is nothing left to arrange but the name of the output
    let again = arrange(&arranged.onnx, 8).unwrap();
    assert_eq!(again.nodes_after, again.nodes_before);
}

#[test]
fn a_move_that_is_kept_is_named() {
    let mut graph = shuffled();
    let turned = graph.transpose("Conv_4", &[0, 2, 3, 1]);
    graph.output(&turned);
    let arranged = arrange(&graph.onnx(), 8).unwrap();
    assert_eq!(arranged.unfollowed.len(), 1);
    assert_eq!(arranged.unfollowed[0].node.output, turned);
}

#[test]
fn what_is_no_model_is_not_arranged() {
    for bytes in [&b"\xff\xd8\xff\xe0"[..], b""] {
        assert!(arrange(bytes, 8).is_err());
    }
    assert!(reason(|graph| graph.model.ir_version = None).contains("ir_version"));
    assert!(reason(|graph| graph.model.graph = None).contains("expected a graph"));
}

#[test]
fn every_way_out_says_what_blocked() {
    assert_eq!(
        reason(|graph| graph.model.opset_import.clear()),
        "expected a version of ONNX's own operator set, found none"
    );
    assert_eq!(
        reason(|graph| graph.model.functions.push(Vec::new())),
        "expected no functions in the file, found 1"
    );
    assert_eq!(
        reason(|graph| graph.graph().node[4].domain = "org.example".into()),
        "expected operators of ONNX's own, found the org.example.Conv that writes `Conv_4`"
    );
    assert_eq!(
        reason(|graph| {
            // a graph
            let body = AttributeProto {
                name: "body".into(),
                r#type: 5,
                ..AttributeProto::default()
            };
            graph.graph().node[0].attribute.push(body);
        }),
        "expected numbers, texts and tensors as attributes, found another type in `body` of the Conv that writes `Conv_0`"
    );
    assert_eq!(
        reason(|graph| graph.graph().sparse_initializer.push(Vec::new())),
        "expected dense initializers, found 1 sparse ones"
    );
    assert_eq!(
        reason(|graph| {
            graph.graph().initializer.push(TensorProto {
                name: "list".into(),
                data_type: DOUBLE,
                ..TensorProto::default()
            });
        }),
        "expected initializers in the file itself, of int32, int64 or float or as raw data, found `list` of double"
    );
    assert_eq!(
        reason(|graph| graph.graph().initializer[0].data_location = 1),
        "expected initializers in the file itself, of int32, int64 or float or as raw data, found `weights_0` of \
         float in another file"
    );
    assert_eq!(
        reason(|graph| {
            let node = &mut graph.graph().node[2];
            node.op_type = "Softmax".into();
            node.attribute.clear();
        }),
        "expected `Reshape_1`, a reshaped image, to be shaped back before anything computes on it, found the Softmax \
         that writes `Transpose_2`: this operator does not only move channels"
    );
}
