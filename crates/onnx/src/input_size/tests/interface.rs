//! Inputs, outputs and initializers of a file.

use prost::Message;

use super::*;

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
