use super::*;
use crate::OnnxModel;

const SIZE: InputSize = InputSize {
    width: 8,
    height: 6,
};

/// A `.param` file with an input `in` of three channels, and these layers.
fn param(layers: &[&str]) -> String {
    let lines = layers.join("\n");
    let count = layers.len() + 1;
    format!("7767517\n{count} 99\nInput data 0 1 in\n{lines}\n")
}

fn model(layers: &[&str]) -> OnnxModel {
    let onnx = import(param(layers).as_bytes(), &[], Some(SIZE)).unwrap();
    OnnxModel::parse(&onnx).unwrap()
}

fn message(layers: &[&str]) -> String {
    let error = import(param(layers).as_bytes(), &[0; 220], Some(SIZE));
    error.unwrap_err().to_string()
}

fn operators(model: &OnnxModel) -> Vec<&str> {
    let nodes = model.graph.node.iter();
    nodes.map(|node| node.op_type.as_str()).collect()
}

#[test]
fn blobs_that_no_layer_reads_are_outputs_under_their_names() {
    let model = model(&[
        "Split copies 1 2 in a b",
        "ReLU act 1 1 a x",
        "Split ends 1 2 x y z",
        "Noop same 1 1 b w",
    ]);
    let outputs = model.graph.output.iter();
    let names: Vec<&str> = outputs.map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["y", "z", "w"]);
    assert_eq!(
        operators(&model),
        ["Relu", "Identity", "Identity", "Identity"]
    );
}

#[test]
fn a_shuffle_has_the_form_of_exporters() {
    let model = model(&["ShuffleChannel mix 1 1 in out 0=3"]);
    assert_eq!(operators(&model), ["Reshape", "Transpose", "Reshape"]);
    let shapes = model.graph.initializer.iter();
    let shapes: Vec<_> = shapes.map(|shape| shape.to_ints(9).unwrap()).collect();
    assert_eq!(shapes, [vec![1, 3, 1, 6, 8], vec![1, 3, 6, 8]]);
    assert_eq!(model.graph.node[2].output, ["out"]);
}

#[test]
fn names_of_parts_avoid_those_of_blobs() {
    let model = model(&["Noop a 1 1 in out.Sigmoid", "Swish b 1 1 out.Sigmoid out"]);
    let outputs: Vec<_> = model
        .graph
        .node
        .iter()
        .map(|node| &node.output[0])
        .collect();
    assert_eq!(outputs, ["out.Sigmoid_2", "out"]);
}

#[test]
fn the_size_is_that_of_the_option_or_of_the_file() {
    let sized = param(&["ReLU act 1 1 in out"]).replace("0 1 in", "0 1 in 0=32 1=64 2=1");
    let shape = |size| {
        let onnx = import(sized.as_bytes(), &[], size).unwrap();
        let input = OnnxModel::parse(&onnx).unwrap().graph.input.remove(0);
        let dims = input
            .r#type
            .unwrap()
            .tensor_type
            .unwrap()
            .shape
            .unwrap()
            .dim;
        dims.iter()
            .map(|dim| dim.dim_value.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(None), [1, 1, 64, 32]);
    assert_eq!(shape(Some(SIZE)), [1, 1, 6, 8]);
    let deep = sized.replace("2=1", "11=2");
    let error = import(deep.as_bytes(), &[], None).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("found a depth or other parameters")
    );
    let huge = InputSize {
        width: 5000,
        height: 32,
    };
    let error = import(sized.as_bytes(), &[], Some(huge)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("at most 4096x4096, found 5000x32")
    );
}

#[test]
fn what_is_not_supported_is_named_by_line_type_and_layer() {
    let unknown = message(&["Yolov3DetectionOutput head 1 1 in out 0=80"]);
    assert!(
        unknown.starts_with("line 4: Yolov3DetectionOutput `head`: this type of layer is not"),
        "{unknown}"
    );
    for (layer, expected) in [
        (
            "ReLU r 1 1 in out 5=1",
            "line 4: ReLU `r`: parameter 5: expected no such parameter, found 1",
        ),
        (
            "ReLU r 1 1 in out 0=2",
            "parameter 0: expected a number with a point, found 2",
        ),
        ("ReLU r 0 1 out", "bottom blobs: expected 1, found 0"),
        ("Noop r 1 0 in", "top blobs: expected 1 or more, found none"),
        ("ReLU r 1 2 in out b", "top blobs: expected 1, found 2"),
        (
            "Reshape r 1 1 in out 0=7 1=-1",
            "expected a shape of 144 values",
        ),
        (
            "Reshape r 1 1 in out 0=-1 1=-1",
            "expected a shape of 144 values",
        ),
        ("Reshape r 1 1 in out 6=\"-1,80\"", "found []"),
        (
            "Concat r 1 1 in out 0=3",
            "parameter 0: expected an axis from -3 to 2, found 3",
        ),
        (
            "Slice r 1 2 in out b -23300=2,1,1",
            "slices: expected 3 values together, found 2",
        ),
        (
            "Slice r 1 2 in out b -23300=2,3,-233",
            "slice 1: expected 1 to 0 of the 3 values",
        ),
        (
            "Slice r 1 2 in out b",
            "number of slices: expected 2, one per top blob, found 0",
        ),
        (
            "Crop r 1 1 in out -23309=1,2 -23310=1,1 -23311=1,0",
            "range of axis 0: expected a part of the 3",
        ),
        (
            "Crop r 1 1 in out",
            "size of axis 2: expected 1 or more, or -233, found 0",
        ),
        (
            "Permute r 1 1 in out 0=6",
            "parameter 0: expected an integer from 0 to 5, found 6",
        ),
        (
            "ShuffleChannel r 1 1 in out 0=2",
            "channels: expected a multiple of 2, found 3",
        ),
        (
            "Softmax r 1 1 in out 0=1",
            "parameter 1: expected 1; nothing else is supported",
        ),
        (
            "Interp r 1 1 in out 0=2 5=1",
            "parameter 5: expected 0; nothing else is supported",
        ),
        (
            "Interp r 1 1 in out 0=1 1=1e9 2=1e9",
            "size of the top blob",
        ),
        (
            "Pooling r 1 1 in out 1=9",
            "at least the kernel's 9x9 pixels, found 8x6",
        ),
        (
            "Pooling r 1 1 in out 1=2 3=2 5=1",
            "less than the kernel's 2 pixels, found [2, 2]",
        ),
        (
            "Padding r 1 1 in out 0=6 4=2",
            "expected less than 6 rows and 8 columns",
        ),
        (
            "Padding r 1 1 in out 2=16000000 3=16000000",
            "expected 1 to 268435456 elements",
        ),
        (
            "BinaryOp r 1 1 in out 0=11 1=1",
            "parameter 0: expected an integer from 0 to 9",
        ),
        (
            "Convolution r 1 1 in out 0=2 1=3 6=53",
            "number of weights: expected 2 x 3 x 3 x 3, found 53",
        ),
        (
            "Convolution r 1 1 in out 0=2 1=3 6=54 8=1",
            "parameter 8: expected 0; nothing else",
        ),
        (
            "Convolution r 1 1 in out 0=2 1=3 6=54 9=2",
            "parameter 10 of activation 2: expected one",
        ),
        (
            "Convolution r 1 1 in out 0=2 1=3 6=54 4=-233 15=1",
            "-233 or -234 for all",
        ),
        (
            "Convolution r 1 1 in out 0=4 1=3 6=108",
            "expected 432 bytes from byte 4 on, found 216",
        ),
        (
            "InnerProduct r 1 1 in out 0=2 2=9",
            "number of weights: expected 2 x 144, found 9",
        ),
        (
            "BatchNorm r 1 1 in out 0=4",
            "parameter 0: expected 3, found 4",
        ),
        (
            "MemoryData r 0 1 out 0=16777216 1=16777216",
            "expected 1 to 268435456 elements",
        ),
        (
            "Input r 0 1 out",
            "inputs of the network: expected one, found 2",
        ),
    ] {
        let error = message(&[layer]);
        assert!(error.contains(expected), "{layer}: {error}");
    }
}

#[test]
fn large_files_are_refused_by_their_size() {
    let error = import(&vec![b' '; MAX_PARAM + 1], &[], None).unwrap_err();
    assert!(matches!(
        error,
        ImportError::TooLarge { file: ".param", .. }
    ));
}
