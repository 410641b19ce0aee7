//! Resize, Slice, Expand and other operators that state sizes.

use super::*;

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
