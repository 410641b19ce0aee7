//! Targets of Reshape.

use super::*;

/// A graph with one Reshape of `image`, and the target that it gets.
fn target(shape: &[i64]) -> Vec<i64> {
    let mut graph = graph();
    let output = graph.reshape("image", shape);
    graph.output(&output);
    list(&resized(&graph).unwrap(), 0, 1)
}

#[test]
fn sides_are_copied_and_joined_and_channels_are_split() {
    // the shuffle of two groups
    assert_eq!(target(&[1, 2, 4, 8, 12]), [1, 2, 4, 4, 20]);
    assert_eq!(target(&[4, 2, 96]), [4, 2, 80]);
    assert_eq!(target(&[1, 8, 96]), [1, 8, 80]);
    assert_eq!(target(&[768]), [640]);
    assert_eq!(target(&[64, 12]), [32, 20]);
    // the first 8 are the channels, the second the rows
    assert_eq!(target(&[8, 8, 12]), [8, 4, 20]);
    assert_eq!(target(&[1, 1, 8, 1, 8, 12]), [1, 1, 8, 1, 4, 20]);
}

#[test]
fn entries_that_hold_no_size_stay() {
    assert_eq!(target(&[1, -1, 8, 12]), [1, -1, 4, 20]);
    assert_eq!(target(&[0, 8, -1]), [0, 8, -1]);
    assert_eq!(target(&[0, 0, -1, 12]), [0, 0, -1, 20]);
    // the place of the input's rows, not their number
    assert_eq!(target(&[4, 2, 0, 12]), [4, 2, 0, 20]);
}

#[test]
fn a_side_that_is_split_is_refused() {
    for shape in [
        &[1, 8, 4, 24][..],
        &[1, 8, 2, 4, 12],
        &[1, 32, 24],
        &[1, 16, 4, 12],
    ] {
        let mut graph = graph();
        let output = graph.reshape("image", shape);
        graph.output(&output);
        let to = shape.iter().map(|&dim| dim as u64).collect();
        let from = vec![1, 8, 8, 12];
        assert_eq!(obstacle(&graph), Obstacle::SplitsSide { from, to });
    }
}

#[test]
fn a_dimension_of_one_between_sides_is_refused() {
    let mut graph = graph();
    let output = graph.reshape("image", &[1, 8, 8, 1, 12]);
    graph.output(&output);
    assert!(matches!(obstacle(&graph), Obstacle::UnitSide { .. }));

    let mut flat = TestGraph::with_input(&[1, 8, 1, 12]);
    let output = flat.reshape("image", &[1, 2, 4, 1, 12]);
    flat.output(&output);
    assert!(matches!(obstacle(&flat), Obstacle::UnitSide { .. }));
}

#[test]
fn joined_sides_are_separated_again() {
    let mut graph = graph();
    let grouped = graph.reshape("image", &[4, 2, 96]);
    let swapped = graph.transpose(&grouped, &[1, 0, 2]);
    let halves = graph.reshape(&swapped, &[2, -1, 4, 8, 12]);
    graph.output(&halves);
    let model = resized(&graph).unwrap();
    assert_eq!(list(&model, 0, 1), [4, 2, 80]);
    assert_eq!(list(&model, 2, 1), [2, -1, 4, 4, 20]);
    assert_eq!(shape(&model, &halves), [2, 1, 4, 4, 20]);
}

#[test]
fn a_shared_list_is_copied_for_the_reader_that_differs() {
    let mut graph = graph();
    let shared = graph.constant(ints("shared", &[1, 8, 8, 12]));
    let own = graph.constant(floats("own", &[768], &[0.5; 768]));
    let first = graph.node("Reshape", &["image", &shared], &[]);
    let second = graph.node("Reshape", &[&own, &shared], &[]);
    graph.output(&first);
    graph.output(&second);
    let model = resized(&graph).unwrap();
    assert_eq!(list(&model, 0, 1), [1, 8, 4, 20]);
    assert_eq!(list(&model, 1, 1), [1, 8, 8, 12]);
    assert_eq!(model.graph.node[1].input[1], "shared");
    assert_eq!(model.graph.initializer.len(), 3);
}

#[test]
fn targets_that_the_graph_computes_stay() {
    let mut graph = graph();
    let target = computed_target(&mut graph, &[2, 3], &[1, 2, 4], false);
    let output = graph.node("Reshape", &["image", &target], &[]);
    graph.output(&output);
    let model = resized(&graph).unwrap();
    assert_eq!(shape(&model, &output), [1, 2, 4, 4, 20]);
    assert_eq!(model.graph.node, graph.parsed().graph.node);
}

#[test]
fn a_computed_batch_beside_native_sides_becomes_constant() {
    let mut graph = graph();
    let target = computed_target(&mut graph, &[0], &[2, 4, 8, 12], true);
    let output = graph.node("Reshape", &["image", &target], &[]);
    graph.output(&output);
    let model = resized(&graph).unwrap();
    // nothing reads the shape any more
    assert_eq!(model.graph.node.len(), 1);
    assert_eq!(list(&model, 0, 1), [1, 2, 4, 4, 20]);
}

#[test]
fn computed_maps_follow_the_input() {
    let mut graph = graph();
    let target = computed_target(&mut graph, &[2, 3], &[1, 8], false);
    let zeros = graph.node("ConstantOfShape", &[&target], &[]);
    let output = graph.node("Add", &["image", &zeros], &[]);
    graph.output(&output);
    assert_eq!(shape(&resized(&graph).unwrap(), &output), [1, 8, 4, 20]);
}
