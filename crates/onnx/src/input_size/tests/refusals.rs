//! Networks whose meaning depends on the native size.

use super::*;

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
