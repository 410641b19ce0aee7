use super::super::channels::follow;
use super::super::limits::MAX_WEIGHTS;
use super::*;
use crate::proto::FLOAT16;
use crate::test_graph::{SIZE, TestGraph, weight};

const BLOCK: usize = 8;

fn rewritten(graph: &TestGraph) -> GraphProto {
    rewritten_for(graph, 13).unwrap()
}

fn rewritten_for(graph: &TestGraph, opset: i64) -> Result<GraphProto, NotArranged> {
    let model = graph.parsed();
    rewrite(&model, &follow(&model)?, BLOCK, opset)
}

fn operators(graph: &GraphProto) -> Vec<&str> {
    graph
        .node
        .iter()
        .map(|node| node.op_type.as_str())
        .collect()
}

fn constant<'g>(graph: &'g GraphProto, name: &str) -> &'g TensorProto {
    let found = graph.initializer.iter().find(|tensor| tensor.name == name);
    found.unwrap_or_else(|| panic!("no initializer {name}"))
}

/// The dimensions and the content of a convolution's weights.
fn weights(graph: &GraphProto, node: usize) -> (&[i64], Vec<f32>) {
    let tensor = constant(graph, &graph.node[node].input[1]);
    (&tensor.dims, tensor.to_floats(MAX_WEIGHTS).unwrap())
}

/// Rows and columns of [`weight`], zero where `None`.
fn expected(rows: &[Option<usize>], columns: &[Option<usize>]) -> Vec<f32> {
    let at = |row: &Option<usize>, column: &Option<usize>| match (row, column) {
        (Some(row), Some(column)) => weight(*row, *column),
        _ => 0.0,
    };
    rows.iter()
        .flat_map(|row| columns.iter().map(move |column| at(row, column)))
        .collect()
}

fn some(indices: impl IntoIterator<Item = usize>) -> Vec<Option<usize>> {
    indices.into_iter().map(Some).collect()
}

#[test]
fn a_shuffle_goes_into_the_columns_of_the_weights() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 8);
    let shuffled = graph.shuffle(&conv, 8);
    let last = graph.conv(&shuffled, 8, 2);
    graph.output(&last);
    let graph = rewritten(&graph);
    assert_eq!(operators(&graph), ["Conv", "Conv", "Identity"]);
    assert_eq!(graph.node[2].output, [last]);
    // the shuffled value is channel 0, 4, 1, 5, ...: channel 1 of the convolution is its column 2
    let columns = some([0, 2, 4, 6, 1, 3, 5, 7]);
    assert_eq!(
        weights(&graph, 1),
        (&[2, 8, 1, 1][..], expected(&some(0..2), &columns))
    );
}

#[test]
fn halves_in_whole_blocks_are_convolutions_of_their_own() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 16);
    let halves = graph.split(&conv, [8, 8]);
    for half in &halves {
        let branch = graph.conv(half, 8, 1);
        graph.output(&branch);
    }
    let graph = rewritten(&graph);
    assert_eq!(
        operators(&graph),
        ["Conv", "Conv", "Conv", "Conv", "Identity", "Identity"]
    );
    for (node, rows) in [(0, 0..8), (1, 8..16)] {
        let expected = expected(&some(rows), &some(0..3));
        assert_eq!(weights(&graph, node), (&[8, 3, 1, 1][..], expected));
        assert_eq!(graph.node[node].input[0], "image");
    }
    assert_eq!(graph.node[2].input[0], graph.node[0].output[0]);
    assert_eq!(graph.node[3].input[0], graph.node[1].output[0]);
}

#[test]
fn halves_of_odd_size_are_split_from_one_convolution() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 14);
    let shuffled = graph.shuffle(&conv, 14);
    let halves = graph.split(&shuffled, [7, 7]);
    for half in &halves {
        let branch = graph.conv(half, 7, 1);
        graph.output(&branch);
    }
    let new = rewritten(&graph);
    assert_eq!(
        operators(&new),
        ["Conv", "Split", "Conv", "Conv", "Identity", "Identity"]
    );
    // the first half of the shuffled channels is 0, 7, 1, 8, 2, 9, 3
    let rows = some([0, 1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12, 13]);
    let of_first = weights(&new, 0);
    assert_eq!(of_first, (&[14, 3, 1, 1][..], expected(&rows, &some(0..3))));
    let bias = constant(&new, &new.node[0].input[2]);
    let bias: Vec<usize> = (bias.to_floats(14).unwrap().iter())
        .map(|&bias| bias as usize)
        .collect();
    assert_eq!(some(bias), rows);
    let lengths = constant(&new, &new.node[1].input[1]);
    assert_eq!(lengths.to_ints(2), Some(vec![7, 7]));

    let old = rewritten_for(&graph, 11).unwrap();
    assert_eq!(old.node[1].input.len(), 1);
    assert_eq!(old.node[1].ints("split"), Some(&[7, 7][..]));
}

#[test]
fn channels_that_fill_no_block_get_zeros() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 5);
    let depthwise = graph.depthwise(&conv, 5);
    let last = graph.conv(&depthwise, 5, 1);
    graph.output(&last);
    let graph = rewritten(&graph);
    assert_eq!(operators(&graph), ["Conv", "Conv", "Conv", "Identity"]);
    let mut five = some(0..5);
    five.resize(8, None);
    assert_eq!(
        weights(&graph, 0),
        (&[8, 3, 1, 1][..], expected(&five, &some(0..3)))
    );
    assert_eq!(
        weights(&graph, 1),
        (
            &[8, 1, 1, 1][..],
            vec![1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0, 0.0]
        )
    );
    assert_eq!(graph.node[1].int("group", 1), 8);
    assert_eq!(
        weights(&graph, 2),
        (&[1, 8, 1, 1][..], expected(&some(0..1), &five))
    );
}

#[test]
fn a_concatenation_is_filled_up_for_the_convolution_that_reads_it() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 7);
    let other = graph.node("Sigmoid", &["image"], &[]);
    // both are outputs, so that they keep their number of channels
    graph.output(&conv);
    graph.output(&other);
    let joined = graph.concat(&[&other, &conv]);
    let last = graph.conv(&joined, 10, 1);
    graph.output(&last);
    let graph = rewritten(&graph);
    let concat = graph
        .node
        .iter()
        .position(|node| node.is("Concat"))
        .unwrap();
    let [height, width] = SIZE;
    assert_eq!(graph.node[concat].input.len(), 3);
    let zeros = constant(&graph, &graph.node[concat].input[2]);
    assert_eq!(zeros.dims, [1, 2, height, width]);
    assert_eq!(zeros.to_floats(40), Some(vec![0.0; 40]));
    // the convolution comes first, whose channels are columns 3 to 9
    let mut columns = some((3..10).chain(0..3));
    columns.extend([None, None]);
    assert_eq!(
        weights(&graph, concat + 1),
        (&[1, 12, 1, 1][..], expected(&some(0..1), &columns))
    );
}

#[test]
fn what_needs_an_order_gets_it() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 6);
    let shuffled = graph.shuffle(&conv, 6);
    let softmax = graph.node("Softmax", &[&shuffled], &[]);
    graph.output(&softmax);
    graph.output(&shuffled);
    let graph = rewritten(&graph);
    assert_eq!(
        operators(&graph),
        ["Conv", "Gather", "Softmax", "Gather", "Identity"]
    );
    for gather in [1, 3] {
        let indices = constant(&graph, &graph.node[gather].input[1]);
        assert_eq!(indices.to_ints(6), Some(vec![0, 3, 1, 4, 2, 5]));
    }
    assert_eq!(graph.node[2].input, graph.node[1].output);
    // the order matters, so nothing is added at the end
    assert_eq!(weights(&graph, 0).0, [6, 3, 1, 1]);
    assert_eq!(graph.node[2].output, [softmax]);
    assert_eq!(graph.node[4].output, [shuffled]);
}

#[test]
fn initializers_that_nobody_reads_any_more_are_left_out() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 8);
    let shuffled = graph.shuffle(&conv, 8);
    let last = graph.conv(&shuffled, 8, 8);
    graph.output(&last);
    let graph = rewritten(&graph);
    let all_new = |tensor: &TensorProto| tensor.name.starts_with("layout/");
    assert!(graph.initializer.iter().all(all_new));
    assert_eq!(graph.initializer.len(), 4);
}

#[test]
fn weights_that_are_not_floats_are_named() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 8);
    graph.output(&conv);
    let weights = &mut graph.graph().initializer[0];
    weights.data_type = FLOAT16;
    let error = rewritten_for(&graph, 13).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected float weights, at most 67108864 of them, found `weights_0` of float16 [8, 3, 1, 1] in the Conv \
         that writes `Conv_0`"
    );
}

#[test]
fn a_bias_of_another_length_is_named() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 8);
    graph.output(&conv);
    graph.graph().initializer[1] = TensorProto::from_floats("bias_0".into(), &[2], &[0.0, 1.0]);
    let error = rewritten_for(&graph, 13).unwrap_err();
    assert!(
        matches!(&error, NotArranged::Weights { tensor, .. } if tensor == "bias_0"),
        "{error}"
    );
}
