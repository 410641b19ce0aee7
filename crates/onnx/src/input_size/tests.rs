use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::proto::{AttributeProto, INT32, ModelProto, TensorProto};
use crate::test_graph::{TestGraph, value};

/// A graph with an `image` of 8 channels, 8 rows and 12 columns.
fn graph() -> TestGraph {
    TestGraph::with_input(&[1, 8, 8, 12])
}

/// The graph with an input of 20 columns and 4 rows.
fn resized(graph: &TestGraph) -> Result<OnnxModel, NotResized> {
    let onnx = graph.onnx();
    Ok(OnnxModel::parse(&resize(&onnx, 20, 4)?).unwrap())
}

/// The reason why a node of the graph does not work with 20 columns and 4 rows.
fn obstacle(graph: &TestGraph) -> Obstacle {
    match resized(graph) {
        Err(NotResized::Node { obstacle, .. }) => obstacle,
        other => panic!("{other:?}"),
    }
}

/// The list that a node reads as its input.
fn list(model: &OnnxModel, node: usize, input: usize) -> Vec<i64> {
    let name = &model.graph.node[node].input[input];
    let tensor = model.graph.initializer.iter().find(|t| t.name == *name);
    tensor.unwrap().to_ints(16).unwrap()
}

fn shape(model: &OnnxModel, name: &str) -> Vec<u64> {
    InferredShapes::infer(model).full_shape(name).unwrap()
}

/// A graph with one Reshape of `image`, and the target that it gets.
fn target(shape: &[i64]) -> Vec<i64> {
    let mut graph = graph();
    let output = graph.reshape("image", shape);
    graph.output(&output);
    list(&resized(&graph).unwrap(), 0, 1)
}

fn ints(name: &str, values: &[i64]) -> TensorProto {
    TensorProto::from_ints(name.to_owned(), values)
}

fn floats(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    TensorProto::from_floats(name.to_owned(), dims, values)
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
fn sizes_of_resize_follow_the_input() {
    let resize_to = |sizes: &[i64]| {
        let mut graph = graph();
        let sizes = graph.constant(ints("sizes", sizes));
        let output = graph.node("Resize", &["image", "", "", &sizes], &[]);
        graph.output(&output);
        graph
    };
    let sizes = |sizes: &[i64]| list(&resized(&resize_to(sizes)).unwrap(), 0, 3);
    assert_eq!(sizes(&[1, 8, 16, 24]), [1, 8, 8, 40]);
    assert_eq!(sizes(&[1, 8, 4, 6]), [1, 8, 2, 10]);
    assert_eq!(sizes(&[1, 8, 8, 36]), [1, 8, 4, 60]);
    let scale = |from, to, resized| Obstacle::Scale { from, to, resized };
    assert_eq!(obstacle(&resize_to(&[1, 8, 9, 12])), scale(8, 9, 4));
    // a half of the rows is whole, a third of the columns is not
    assert_eq!(obstacle(&resize_to(&[1, 8, 4, 4])), scale(12, 4, 20));
}

#[test]
fn scales_of_resize_must_be_whole() {
    let scaled = |scale: f32| {
        let mut graph = graph();
        let scales = graph.constant(floats("scales", &[4], &[1.0, 1.0, scale, scale]));
        let output = graph.node("Resize", &["image", "", &scales], &[]);
        graph.output(&output);
        (resized(&graph).map(|model| shape(&model, &output)), graph)
    };
    assert_eq!(scaled(2.0).0, Ok(vec![1, 8, 8, 40]));
    assert_eq!(scaled(0.5).0, Ok(vec![1, 8, 2, 10]));
    assert!(matches!(obstacle(&scaled(1.25).1), Obstacle::Scale { .. }));
}

#[test]
fn an_odd_map_that_no_longer_fits_is_refused() {
    let mut graph = graph();
    let kernel = AttributeProto::from_ints("kernel_shape", &[2, 2]);
    let strides = AttributeProto::from_ints("strides", &[2, 2]);
    let half = graph.node("MaxPool", &["image"], &[kernel, strides]);
    let scales = graph.constant(floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0]));
    let whole = graph.node("Resize", &[&half, "", &scales], &[]);
    let joined = graph.concat(&["image", &whole]);
    graph.output(&joined);
    let onnx = graph.onnx();
    assert!(resize(&onnx, 20, 4).is_ok());
    assert_eq!(
        resize(&onnx, 21, 4).unwrap_err().to_string(),
        "the Concat that writes `Concat_2` does not work at that input size: its inputs of shape [1, 8, 4, 21] and \
         [1, 8, 4, 20] do not fit together"
    );
}

#[test]
fn slices_keep_their_distance_from_both_ends() {
    let sliced = |starts: &[i64], ends: &[i64], axes: &[i64], steps: &[i64]| {
        let mut graph = graph();
        let inputs = [
            ("starts", starts),
            ("ends", ends),
            ("axes", axes),
            ("steps", steps),
        ]
        .map(|(name, list)| graph.constant(ints(name, list)));
        let [starts, ends, axes, steps] = &inputs;
        let output = graph.node("Slice", &["image", starts, ends, axes, steps], &[]);
        graph.output(&output);
        graph
    };
    let kept = |graph: &TestGraph| shape(&resized(graph).unwrap(), "Slice_0");
    // every second row and column, as YOLO's first layer takes them
    let focus = sliced(&[1, 0], &[i64::MAX, i64::MAX], &[2, 3], &[2, 2]);
    assert_eq!(kept(&focus), [1, 8, 2, 10]);
    let to_end = sliced(&[0, 0], &[8, 12], &[2, 3], &[1, 1]);
    assert_eq!(list(&resized(&to_end).unwrap(), 0, 2), [4, 20]);
    assert_eq!(kept(&to_end), [1, 8, 4, 20]);
    assert_eq!(kept(&sliced(&[0], &[-1], &[3], &[1])), [1, 8, 4, 19]);
    assert_eq!(kept(&sliced(&[-3], &[12], &[3], &[1])), [1, 8, 4, 3]);
    // half of the channels
    assert_eq!(kept(&sliced(&[4], &[8], &[1], &[1])), [1, 4, 4, 20]);
    for cut in [
        sliced(&[0], &[6], &[3], &[1]),
        sliced(&[6], &[12], &[3], &[1]),
    ] {
        assert_eq!(obstacle(&cut), Obstacle::Cuts { length: 12 });
    }
}

#[test]
fn edited_lists_keep_their_element_type() {
    let mut graph = graph();
    for (name, list) in [("starts", [0i32, 0]), ("ends", [8, 12]), ("axes", [2, 3])] {
        graph.constant(TensorProto {
            data_type: INT32,
            raw_data: list.into_iter().flat_map(i32::to_le_bytes).collect(),
            ..ints(name, &[0, 0])
        });
    }
    let output = graph.node("Slice", &["image", "starts", "ends", "axes"], &[]);
    graph.output(&output);
    let model = resized(&graph).unwrap();
    assert_eq!(list(&model, 0, 2), [4, 20]);
    let edited = model.graph.initializer.last().unwrap();
    assert_eq!(edited.data_type, INT32);
}

#[test]
fn lists_in_attributes_are_edited_too() {
    let mut graph = graph();
    let shape = AttributeProto::from_ints("shape", &[1, 2, 4, 8, 12]);
    let output = graph.node("Reshape", &["image"], &[shape]);
    graph.output(&output);
    let model = resized(&graph).unwrap();
    assert_eq!(
        model.graph.node[0].ints("shape"),
        Some(&[1, 2, 4, 4, 20][..])
    );
}

#[test]
fn expanded_maps_follow_the_input() {
    let mut graph = graph();
    let row = graph.gather("image", &[0]);
    let shape = graph.constant(ints("shape", &[1, 3, 8, 12]));
    let output = graph.node("Expand", &[&row, &shape], &[]);
    graph.output(&output);
    assert_eq!(list(&resized(&graph).unwrap(), 1, 1), [1, 3, 4, 20]);
}

/// Shape, Gather of the batch or of the sides, Concat.
fn computed_target(
    graph: &mut TestGraph,
    indices: &[i64],
    rest: &[i64],
    sides_first: bool,
) -> String {
    let shape = graph.node("Shape", &["image"], &[]);
    let number = graph.graph().node.len();
    let indices = graph.constant(ints(&format!("indices_{number}"), indices));
    let picked = graph.node("Gather", &[&shape, &indices], &[]);
    let rest = graph.constant(ints(&format!("rest_{number}"), rest));
    let parts = if sides_first {
        [&picked, &rest]
    } else {
        [&rest, &picked]
    };
    let axis = AttributeProto::from_int("axis", 0);
    graph.node("Concat", &parts.map(String::as_str), &[axis])
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

#[test]
fn classifiers_are_refused() {
    let weights = |graph: &mut TestGraph| graph.constant(floats("dense", &[768, 1], &[0.5; 768]));
    let mut flattened = graph();
    let flat = flattened.node("Flatten", &["image"], &[]);
    let dense = weights(&mut flattened);
    let output = flattened.node("Gemm", &[&flat, &dense], &[]);
    flattened.output(&output);
    assert_eq!(obstacle(&flattened), Obstacle::FixedLength { length: 768 });

    let mut reshaped = graph();
    let flat = reshaped.reshape("image", &[-1, 768]);
    let dense = weights(&mut reshaped);
    let output = reshaped.node("MatMul", &[&flat, &dense], &[]);
    reshaped.output(&output);
    assert_eq!(
        resized(&reshaped).unwrap_err().to_string(),
        "the MatMul that writes `MatMul_1` does not work at that input size: its weights take exactly 768 values, \
         the number of a native map"
    );
}

#[test]
fn what_reduces_the_whole_map_is_refused() {
    for operator in ["GlobalAveragePool", "ReduceMean"] {
        let mut graph = graph();
        let output = graph.node(operator, &["image"], &[]);
        graph.output(&output);
        assert_eq!(obstacle(&graph), Obstacle::WholeMap, "{operator}");
    }
    let mut pooled = graph();
    let kernel = AttributeProto::from_ints("kernel_shape", &[8, 12]);
    let output = pooled.node("AveragePool", &["image"], &[kernel]);
    pooled.output(&output);
    assert_eq!(obstacle(&pooled), Obstacle::CoversMap { kernel: 8 });

    // over the channels it keeps the map
    let mut channels = graph();
    let axes = AttributeProto::from_ints("axes", &[1]);
    let output = channels.node("ReduceMax", &["image"], &[axes]);
    channels.output(&output);
    assert_eq!(shape(&resized(&channels).unwrap(), &output), [1, 1, 4, 20]);
}

#[test]
fn constants_with_one_element_per_pixel_are_refused() {
    let mut added = graph();
    let flat = added.reshape("image", &[1, 8, 96]);
    let grid = added.constant(floats("grid", &[96], &[0.5; 96]));
    let output = added.node("Add", &[&flat, &grid], &[]);
    added.output(&output);
    let reason = "the Add that writes `Add_1` does not work at that input size: its input `grid`, of shape [96], \
                  has one element per pixel of the native map";
    assert_eq!(resized(&added).unwrap_err().to_string(), reason);
    // another map with as many pixels needs another grid
    let onnx = added.onnx();
    assert_eq!(resize(&onnx, 8, 12).unwrap_err().to_string(), reason);

    let mut joined = graph();
    let grid = joined.constant(floats("grid", &[1, 1, 8, 12], &[0.5; 96]));
    let output = joined.concat(&["image", &grid]);
    joined.output(&output);
    assert!(matches!(obstacle(&joined), Obstacle::OnePerPixel { .. }));
}

#[test]
fn constants_per_channel_stay() {
    let mut graph = graph();
    let means = graph.constant(floats("means", &[8, 1, 1], &[0.5; 8]));
    let output = graph.node("Sub", &["image", &means], &[]);
    graph.output(&output);
    assert_eq!(shape(&resized(&graph).unwrap(), &output), [1, 8, 4, 20]);
}

#[test]
fn coordinates_in_native_pixels_are_refused() {
    let mut graph = graph();
    let side = graph.constant(floats("side", &[1], &[12.0]));
    let output = graph.node("Div", &["image", &side], &[]);
    graph.output(&output);
    let value = side;
    assert_eq!(obstacle(&graph), Obstacle::SideConstant { value, side: 12 });

    let mut clipped = self::graph();
    let sides = AttributeProto {
        name: "value".to_owned(),
        t: Some(floats("", &[1, 1, 1, 1], &[12.0])),
        r#type: 4,
        ..AttributeProto::default()
    };
    let sides = clipped.node("Constant", &[], &[sides]);
    let output = clipped.node("Min", &["image", &sides], &[]);
    clipped.output(&output);
    let obstacle = obstacle(&clipped);
    assert!(
        matches!(obstacle, Obstacle::SideConstant { side: 12, .. }),
        "{obstacle}"
    );
}

#[test]
fn unknown_operators_and_picked_pixels_are_named() {
    let mut sorted = graph();
    let output = sorted.node("TopK", &["image"], &[]);
    sorted.output(&output);
    assert_eq!(
        resized(&sorted).unwrap_err().to_string(),
        "the TopK that writes `TopK_0` does not work at that input size: the shape of its output cannot be inferred"
    );

    let mut picked = graph();
    let indices = picked.constant(ints("indices", &[3]));
    let axis = AttributeProto::from_int("axis", 2);
    let output = picked.node("Gather", &["image", &indices], &[axis]);
    picked.output(&output);
    assert_eq!(obstacle(&picked), Obstacle::Picks);

    let mut split = graph();
    let lengths = split.constant(ints("lengths", &[4, 4]));
    let axis = AttributeProto::from_int("axis", 2);
    let output = split.node("Split", &["image", &lengths], &[axis]);
    split.output(&output);
    assert_eq!(obstacle(&split), Obstacle::Cuts { length: 8 });
}

#[test]
fn declared_shapes_become_the_new_ones() {
    let mut graph = graph();
    let conv = graph.conv("image", 8, 6);
    graph
        .graph()
        .value_info
        .push(value(&conv, Some(&[1, 6, 8, 12])));
    let output = graph.reshape(&conv, &[1, 6, 96]);
    graph.graph().output.push(value(&output, Some(&[1, 6, 96])));
    let model = resized(&graph).unwrap().graph;
    assert_eq!(model.input, [value("image", Some(&[1, 8, 4, 20]))]);
    assert_eq!(model.value_info, [value(&conv, Some(&[1, 6, 4, 20]))]);
    assert_eq!(model.output, [value(&output, Some(&[1, 6, 80]))]);
}

#[test]
fn a_file_that_declares_another_output_is_refused() {
    let mut graph = graph();
    let output = graph.conv("image", 8, 6);
    graph
        .graph()
        .output
        .push(value(&output, Some(&[1, 6, 8, 13])));
    assert_eq!(
        resized(&graph).unwrap_err().to_string(),
        "expected the output `Conv_0` to have the shape that the file declares, [1, 6, 8, 13], found [1, 6, 8, 12]"
    );
}

#[test]
fn open_sides_become_fixed() {
    let mut graph = TestGraph::with_input(&[-1, 8, -1, -1]);
    let target = computed_target(&mut graph, &[2, 3], &[1, 2, 4], false);
    let output = graph.node("Reshape", &["image", &target], &[]);
    graph.output(&output);
    let model = resized(&graph).unwrap();
    assert_eq!(model.graph.input, [value("image", Some(&[1, 8, 4, 20]))]);
    assert_eq!(shape(&model, &output), [1, 2, 4, 4, 20]);
}

#[test]
fn initializers_leave_the_inputs() {
    let mut graph = graph();
    graph.model.ir_version = Some(3);
    let output = graph.reshape("image", &[1, 8, 96]);
    graph.output(&output);
    let tensor = graph.graph().initializer[0].name.clone();
    graph.graph().input.push(value(&tensor, Some(&[3])));
    let model = resized(&graph).unwrap();
    assert_eq!((model.ir_version, model.graph.input.len()), (4, 1));
    assert_eq!(list(&model, 0, 1), [1, 8, 80]);
}

#[test]
fn files_without_one_image_are_refused() {
    for bytes in [&b"\xff\xd8\xff\xe0"[..], b""] {
        assert!(matches!(
            resize(bytes, 32, 32),
            Err(NotResized::NotRewritable(_))
        ));
    }
    let empty = ModelProto {
        ir_version: Some(7),
        graph: Some(GraphProto::default()),
        ..ModelProto::default()
    };
    let none = resize(&empty.encode_to_vec(), 32, 32).map(Cow::into_owned);
    assert_eq!(none, Err(NotResized::Inputs { found: 0 }));

    let vector = TestGraph::with_input(&[1, 8]);
    assert_eq!(
        resized(&vector).unwrap_err().to_string(),
        "expected the input `image` to be of shape [N, C, H, W], found [1, 8]"
    );
    let onnx = graph().onnx();
    for (width, height) in [(0, 32), (32, 0), (MAX_SIDE + 1, 32)] {
        let side = NotResized::Side { width, height };
        assert_eq!(resize(&onnx, width, height).unwrap_err(), side);
    }
}

/// A network with the parts of a detector: a shuffle, maps of two strides, boxes in rows.
fn detector() -> TestGraph {
    let mut graph = graph();
    let conv = graph.conv("image", 8, 8);
    let grouped = graph.reshape(&conv, &[1, 2, 4, 8, 12]);
    let swapped = graph.transpose(&grouped, &[0, 2, 1, 3, 4]);
    let shuffled = graph.reshape(&swapped, &[1, -1, 8, 12]);
    let kernel = AttributeProto::from_ints("kernel_shape", &[2, 2]);
    let strides = AttributeProto::from_ints("strides", &[2, 2]);
    let half = graph.node("MaxPool", &[&shuffled], &[kernel, strides]);
    let sizes = graph.constant(ints("sizes", &[1, 8, 8, 12]));
    let whole = graph.node("Resize", &[&half, "", "", &sizes], &[]);
    let sum = graph.node("Add", &[&shuffled, &whole], &[]);
    let fine = graph.reshape(&sum, &[1, 8, 96]);
    let coarse = graph.reshape(&half, &[1, 8, 24]);
    let axis = AttributeProto::from_int("axis", 2);
    let cells = graph.node("Concat", &[&fine, &coarse], &[axis]);
    let rows = graph.transpose(&cells, &[0, 2, 1]);
    graph.graph().output.push(value(&rows, Some(&[1, 120, 8])));
    graph
}

#[test]
fn a_resized_network_is_arranged() {
    let mut graph = graph();
    let conv = graph.conv("image", 8, 8);
    let grouped = graph.reshape(&conv, &[1, 2, 4, 8, 12]);
    let swapped = graph.transpose(&grouped, &[0, 2, 1, 3, 4]);
    let shuffled = graph.reshape(&swapped, &[1, 8, 8, 12]);
    let last = graph.conv(&shuffled, 8, 8);
    graph.output(&last);
    let onnx = graph.onnx();
    let resized = resize(&onnx, 20, 4).unwrap();
    let arranged = crate::layout::arrange(&resized, 8).unwrap();
    assert_eq!((arranged.nodes_before, arranged.nodes_after), (5, 3));
    assert_eq!(
        shape(&OnnxModel::parse(&arranged.onnx).unwrap(), &last),
        [1, 8, 4, 20]
    );
}

proptest! {
    #[test]
    fn the_native_size_changes_nothing(odd in any::<bool>()) {
        let graph = if odd { TestGraph::with_input(&[1, 3, 8, 12]) } else { detector() };
        let onnx = graph.onnx();
        prop_assert!(matches!(resize(&onnx, 12, 8), Ok(Cow::Borrowed(same)) if same == onnx));
    }

    #[test]
    fn the_last_size_counts(first in (1u32..40, 1u32..40), last in (1u32..40, 1u32..40)) {
        let onnx = detector().onnx();
        let once = resize(&onnx, 2 * last.0, 2 * last.1).unwrap();
        let before = resize(&onnx, 2 * first.0, 2 * first.1).unwrap();
        let twice = resize(&before, 2 * last.0, 2 * last.1);
        // at one pixel, it is open what a side is
        let Ok(twice) = twice else {
            prop_assert!(first.0 == 1 || first.1 == 1, "{:?}", twice);
            return Ok(());
        };
        prop_assert_eq!(same_constants(&twice), same_constants(&once));
        let cells = u64::from(5 * last.0 * last.1);
        prop_assert_eq!(&shape(&OnnxModel::parse(&once).unwrap(), "Transpose_10"), &[1, cells, 8]);
    }

    #[test]
    fn odd_sizes_are_refused(width in 1u32..40, height in 1u32..40) {
        let onnx = detector().onnx();
        let even = width % 2 == 0 && height % 2 == 0;
        prop_assert_eq!(resize(&onnx, width, height).is_ok(), even);
    }

    #[test]
    fn any_target_gives_a_shape_or_a_reason(shape in prop::collection::vec(-1i64..13, 0..6)) {
        let mut graph = graph();
        let output = graph.reshape("image", &shape);
        graph.output(&output);
        if let Ok(model) = resized(&graph) {
            let elements: u64 = super::tests::shape(&model, &output).iter().product();
            prop_assert_eq!(elements, 8 * 4 * 20);
        }
    }
}

/// A model with the lists in place of their names, and without initializers.
fn same_constants(onnx: &[u8]) -> OnnxModel {
    let mut model = OnnxModel::parse(onnx).unwrap();
    let lists: HashMap<String, String> = (model.graph.initializer.iter())
        .filter_map(|tensor| Some((tensor.name.clone(), format!("{:?}", tensor.to_ints(16)?))))
        .collect();
    for node in &mut model.graph.node {
        for input in &mut node.input {
            if let Some(list) = lists.get(input) {
                input.clone_from(list);
            }
        }
    }
    model.graph.initializer.clear();
    model
}
