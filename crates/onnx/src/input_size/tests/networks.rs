//! Whole networks.

use proptest::prelude::*;

use super::*;

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
            let elements: u64 = super::shape(&model, &output).iter().product();
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
