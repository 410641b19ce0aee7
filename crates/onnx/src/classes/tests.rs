use proptest::prelude::*;

use super::*;
use crate::proto::AttributeProto;
use crate::test_graph::{SIZE, TestGraph, weight};

const CLASSES: usize = 5;

/// A head as in NanoDet-Plus: five class scores before two sides, in one output of cells.
fn head(two_maps: bool) -> TestGraph {
    let mut graph = TestGraph::new(3);
    let maps = if two_maps { 2 } else { 1 };
    let mut flat = Vec::new();
    for _ in 0..maps {
        let layer = graph.conv("image", 3, 7);
        let [scores, sides] = graph.split(&layer, [5, 2]);
        let scores = graph.node("Sigmoid", &[&scores], &[]);
        let joined = graph.concat(&[&scores, &sides]);
        flat.push(graph.reshape(&joined, &[1, 7, -1]));
    }
    let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
    let axis = AttributeProto::from_int("axis", 2);
    let cells = graph.node("Concat", &flat, &[axis]);
    let output = graph.transpose(&cells, &[0, 2, 1]);
    graph.output(&output);
    graph
}

/// Cuts the first output of the graph.
fn cut_to(graph: &TestGraph, kept: &[usize]) -> Result<Vec<u8>, NotCut> {
    let to = ClassCut {
        outputs: &[graph.parsed().graph.output[0].name.clone()],
        classes: CLASSES,
        kept,
    };
    cut(&graph.onnx(), to, &vec!["it's"; kept.len()])
}

/// The message for a graph that is not cut.
fn refusal(graph: &TestGraph) -> String {
    cut_to(graph, &[1, 2]).unwrap_err().to_string()
}

fn output_shape(onnx: &[u8]) -> Vec<u64> {
    let model = OnnxModel::parse(onnx).unwrap();
    let shapes = InferredShapes::infer(&model);
    shapes.full_shape(&model.graph.output[0].name).unwrap()
}

#[test]
fn rows_of_the_kept_classes_remain_in_the_new_order() {
    let onnx = cut_to(&head(true), &[4, 1]).unwrap();
    let cells = (2 * SIZE[0] * SIZE[1]) as u64;
    assert_eq!(output_shape(&onnx), [1, cells, 4]);
    let model = OnnxModel::parse(&onnx).unwrap();
    let names = &model.metadata_props[0];
    assert_eq!(
        (&*names.key, &*names.value),
        ("names", r#"{0: "it's", 1: "it's"}"#)
    );
    let layers: Vec<&NodeProto> = model.graph.node.iter().filter(|n| n.is("Conv")).collect();
    assert_eq!(layers.len(), 2);
    for layer in layers {
        let constant = |input: usize| {
            let name = &layer.input[input];
            let tensor = model.graph.initializer.iter().find(|t| t.name == *name);
            tensor.unwrap().to_floats(99).unwrap()
        };
        let rows = [4, 1, 5, 6];
        let expected = rows.map(|row| [0, 1, 2].map(|column| weight(row, column)));
        assert_eq!(constant(1), expected.as_flattened());
        assert_eq!(constant(2), rows.map(|row| row as f32));
    }
}

#[test]
fn scores_may_be_an_output_of_their_own() {
    let mut graph = TestGraph::new(3);
    let layer = graph.conv("image", 3, 7);
    let [sides, scores] = graph.split(&layer, [2, 5]);
    let flat = graph.reshape(&scores, &[1, 5, -1]);
    let output = graph.transpose(&flat, &[0, 2, 1]);
    graph.output(&output);
    let to = ClassCut {
        outputs: &[output],
        classes: CLASSES,
        kept: &[0],
    };
    graph.output(&sides);
    let onnx = cut(&graph.onnx(), to, &["a"]).unwrap();
    assert_eq!(output_shape(&onnx), [1, 20, 1]);
    let model = OnnxModel::parse(&onnx).unwrap();
    let shapes = InferredShapes::infer(&model);
    assert_eq!(shapes.full_shape(&sides).unwrap(), [1, 2, 4, 5]);
}

#[test]
fn classes_that_are_not_there_or_twice_are_refused() {
    for kept in [&[][..], &[5], &[1, 1]] {
        let error = cut_to(&head(false), kept).unwrap_err().to_string();
        assert!(error.contains("different classes from 0 to 4"), "{error}");
    }
}

#[test]
fn what_prevents_the_cut_is_named() {
    let with_end = |end: &dyn Fn(&mut TestGraph, &str) -> String| {
        let mut graph = TestGraph::new(3);
        let layer = graph.conv("image", 3, 5);
        let scores = end(&mut graph, &layer);
        let output = graph.transpose(&scores, &[0, 2, 3, 1]);
        graph.output(&output);
        graph.graph().output.reverse();
        refusal(&graph)
    };
    let softmax = with_end(&|graph, layer| {
        let axis = AttributeProto::from_int("axis", 1);
        graph.node("Softmax", &[layer], &[axis])
    });
    assert!(softmax.contains("depends on all classes"), "{softmax}");
    let relu = with_end(&|graph, layer| graph.node("Relu", &[layer], &[]));
    assert!(relu.contains("the Relu that writes"), "{relu}");
    let read = with_end(&|graph, layer| {
        let other = graph.node("Relu", &[layer], &[]);
        graph.output(&other);
        layer.to_owned()
    });
    assert!(read.contains("reads all classes"), "{read}");
    let given = with_end(&|graph, layer| {
        graph.output(layer);
        layer.to_owned()
    });
    assert!(given.contains("class scores too"), "{given}");
    let depthwise = with_end(&|graph, layer| graph.depthwise(layer, 5));
    assert!(depthwise.contains("from all channels"), "{depthwise}");

    let mut shared = head(true);
    let nodes = &mut shared.graph().node;
    let weights = nodes[0].input[1].clone();
    nodes[5].input[1].clone_from(&weights);
    assert!(cut_to(&shared, &[2]).is_ok());
    let other = shared.node("Conv", &["image", &weights], &[]);
    shared.output(&other);
    let error = refusal(&shared);
    assert!(error.contains("share its weights"), "{error}");
}

proptest! {
    #[test]
    fn damaged_files_are_refused_or_cut(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let graph = head(false);
        let outputs = [graph.parsed().graph.output[0].name.clone()];
        let mut bytes = graph.onnx();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let to = ClassCut { outputs: &outputs, classes: CLASSES, kept: &[0, 3] };
        let _ = cut(&bytes, to, &["a", "b"]);
    }
}
