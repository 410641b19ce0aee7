use super::*;
use crate::proto::{AttributeProto, TensorProto};
use crate::test_graph::{SIZE, TestGraph, value};

const HEIGHT: i64 = SIZE[0];
const WIDTH: i64 = SIZE[1];

/// The channels that an operation reads through its first input, in order.
fn reads<'f>(flow: &'f ChannelFlow<'_>, operation: usize) -> &'f [Channel] {
    match &flow.operations[operation].kind {
        OperationKind::DenseConv { reads, .. } | OperationKind::PerChannel { reads, .. } => reads,
        OperationKind::OrderDependent { reads, .. } => reads[0].as_deref().unwrap(),
    }
}

fn kinds(flow: &ChannelFlow<'_>) -> Vec<&'static str> {
    flow.operations
        .iter()
        .map(|operation| match operation.kind {
            OperationKind::DenseConv { .. } => "dense",
            OperationKind::PerChannel { .. } => "per channel",
            OperationKind::OrderDependent { .. } => "order",
        })
        .collect()
}

fn blocked(graph: &TestGraph) -> NotArranged {
    follow(&graph.parsed())
        .err()
        .expect("expected the graph not to be followed")
}

#[test]
fn a_shuffle_is_an_order_of_channels() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 6);
    let shuffled = graph.shuffle(&conv, 6);
    let last = graph.conv(&shuffled, 6, 2);
    graph.output(&last);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    assert_eq!(kinds(&flow), ["dense", "dense"]);
    // the image has the channels 0 to 2
    assert_eq!(reads(&flow, 0), [0, 1, 2]);
    assert_eq!(reads(&flow, 1), [3, 6, 4, 7, 5, 8]);
    assert_eq!(flow.outputs, [(last.as_str(), vec![9, 10])]);
    assert_eq!(flow.unfollowed, []);
}

#[test]
fn a_split_tells_the_readers_of_each_half() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 8);
    let [passing, entering] = graph.split(&conv, [4, 4]);
    let branch = graph.conv(&entering, 4, 4);
    let joined = graph.concat(&[&passing, &branch]);
    let last = graph.conv(&joined, 8, 2);
    graph.output(&last);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    assert_eq!(flow.readers[3..7], vec![vec![2]; 4]);
    assert_eq!(flow.readers[7..11], vec![vec![1]; 4]);
    assert_eq!(reads(&flow, 2), [3, 4, 5, 6, 11, 12, 13, 14]);
    // nothing but the output needs an order
    let fixed: Vec<usize> = (0..flow.fixed.len()).filter(|&c| flow.fixed[c]).collect();
    assert_eq!(fixed, [15, 16]);
}

#[test]
fn odd_numbers_of_channels_are_followed() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 7);
    let [three, four] = graph.split(&conv, [3, 4]);
    let joined = graph.concat(&[&four, &three]);
    let last = graph.conv(&joined, 7, 1);
    graph.output(&last);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    assert_eq!(reads(&flow, 1), [6, 7, 8, 9, 3, 4, 5]);
}

#[test]
fn slices_and_gathers_are_followed() {
    let mut graph = TestGraph::new(5);
    for (name, list) in [("starts", 4), ("ends", -6), ("axes", 1), ("steps", -2)] {
        let list = TensorProto::from_ints(name.to_owned(), &[list]);
        graph.graph().initializer.push(list);
    }
    let conv = graph.conv("image", 5, 5);
    let backwards = graph.node("Slice", &[&conv, "starts", "ends", "axes", "steps"], &[]);
    let picked = graph.gather(&backwards, &[-1, 0]);
    let last = graph.conv(&picked, 2, 1);
    graph.output(&last);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    // of 5 to 9 backwards 9, 7, 5; of these the last and the first
    assert_eq!(reads(&flow, 1), [5, 9]);
}

#[test]
fn an_activation_belongs_to_the_convolution_that_it_alone_reads() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 4);
    let relu = graph.node("Relu", &[&conv], &[]);
    let shared = graph.conv(&relu, 4, 4);
    let second = graph.node("Relu", &[&shared], &[]);
    let third = graph.depthwise(&shared, 4);
    graph.output(&second);
    graph.output(&third);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    assert_eq!(
        kinds(&flow),
        ["dense", "dense", "per channel", "per channel"]
    );
    assert!(matches!(
        flow.operations[0].kind,
        OperationKind::DenseConv {
            activation: Some(_),
            ..
        }
    ));
    // outputs need an order, and so does what they are computed from channel by channel
    assert_eq!(flow.fixed[3..7], [false; 4]);
    assert_eq!(flow.fixed[7..], [true; 12]);
}

#[test]
fn a_channel_that_is_read_twice_is_read_in_order() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 4);
    let doubled = graph.gather(&conv, &[0, 0, 1]);
    let last = graph.conv(&doubled, 3, 2);
    graph.output(&last);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    assert_eq!(kinds(&flow), ["dense", "order"]);
    assert_eq!(reads(&flow, 1), [3, 3, 4]);
}

#[test]
fn moves_that_mix_channels_and_pixels_are_named_and_kept() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 4);
    let last = graph.transpose(&conv, &[0, 2, 3, 1]);
    graph.output(&last);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    assert_eq!(kinds(&flow), ["dense", "order"]);
    let [unfollowed] = flow.unfollowed.as_slice() else {
        panic!("{:?}", flow.unfollowed);
    };
    assert_eq!(unfollowed.blocked, Blocked::MixesPixels);
    assert_eq!(
        unfollowed.node.to_string(),
        "the Transpose that writes `Transpose_1`"
    );
    assert_eq!(flow.fixed[3..7], [true; 4]);
}

#[test]
fn concatenations_say_what_blocked_them() {
    let mut graph = TestGraph::new(4);
    let rows = AttributeProto::from_int("axis", 2);
    let high = graph.node("Concat", &["image", "image"], &[rows]);
    let joined = graph.concat(&[&high, "image"]);
    let other = graph.concat(&["image", "elsewhere"]);
    for name in [&joined, &other] {
        graph.output(name);
    }
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    let reasons: Vec<Blocked> = flow.unfollowed.iter().map(|kept| kept.blocked).collect();
    assert_eq!(
        reasons,
        [
            Blocked::OtherAxis,
            Blocked::SizesDiffer,
            Blocked::UnfollowedInput { input: 1 }
        ]
    );
}

#[test]
fn an_operator_within_a_shuffle_blocks() {
    for operator in ["Identity", "Relu"] {
        let mut graph = TestGraph::new(6);
        let grouped = graph.reshape("image", &[1, 2, 3, HEIGHT, WIDTH]);
        let computed = graph.node(operator, &[&grouped], &[]);
        let swapped = graph.transpose(&computed, &[0, 2, 1, 3, 4]);
        let last = graph.reshape(&swapped, &[1, 6, HEIGHT, WIDTH]);
        graph.output(&last);
        let expected = NotArranged::Reshaped {
            value: "Reshape_0".to_owned(),
            node: NodeLabel {
                operator: operator.to_owned(),
                output: format!("{operator}_1"),
            },
            blocked: Blocked::OtherOperator,
        };
        assert_eq!(blocked(&graph), expected);
    }
}

#[test]
fn a_transposition_that_reverses_all_axes_blocks() {
    let mut graph = TestGraph::new(6);
    let grouped = graph.reshape("image", &[1, 2, 3, HEIGHT, WIDTH]);
    let swapped = graph.node("Transpose", &[&grouped], &[]);
    graph.output(&swapped);
    let reason = blocked(&graph).to_string();
    assert!(
        reason.contains("`Reshape_0`")
            && reason.contains("the Transpose that writes `Transpose_1`")
            && reason.contains("mixes channels with height or width"),
        "{reason}"
    );
}

#[test]
fn maps_whose_cells_are_joined_do_not_block() {
    let mut graph = TestGraph::new(6);
    let conv = graph.conv("image", 6, 6);
    let cells = [&conv, "image"].map(|map| graph.reshape(map, &[1, 6, -1]));
    let axis = AttributeProto::from_int("axis", 2);
    let joined = graph.node("Concat", &[&cells[0], &cells[1]], &[axis]);
    graph.output(&joined);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    let kept: Vec<_> = flow
        .unfollowed
        .iter()
        .map(|kept| (&*kept.node.output, kept.blocked))
        .collect();
    assert_eq!(
        kept,
        cells
            .each_ref()
            .map(|cells| (&**cells, Blocked::JoinedPixels))
    );
    assert!(flow.fixed.iter().all(|&fixed| fixed));
}

#[test]
fn an_output_within_a_shuffle_blocks() {
    let mut graph = TestGraph::new(6);
    let grouped = graph.reshape("image", &[1, 2, 3, HEIGHT, WIDTH]);
    graph.output(&grouped);
    let output = "Reshape_0".to_owned();
    assert_eq!(blocked(&graph), NotArranged::ReshapedOutput { output });
}

#[test]
fn inputs_that_are_not_one_image_block() {
    let mut graph = TestGraph::new(3);
    graph.graph().input.push(value("second", Some(&[1])));
    assert_eq!(blocked(&graph), NotArranged::Inputs { found: 2 });

    let dynamic = TestGraph::with_input(&[1, 3, -1, -1]);
    assert_eq!(
        blocked(&dynamic).to_string(),
        "expected `image` to be of shape [1, C, H, W], found [1, 3, ?, ?]"
    );
    let batch = TestGraph::with_input(&[2, 3, 4, 5]);
    assert!(blocked(&batch).to_string().ends_with("found [2, 3, 4, 5]"));

    for shape in [[1, 1 << 15, 4, 5], [1, 3, 1 << 12, 1 << 12]] {
        let large = TestGraph::with_input(&shape);
        assert!(matches!(blocked(&large), NotArranged::TooLarge { .. }));
    }
}

#[test]
fn a_convolution_of_unknown_size_blocks() {
    let mut graph = TestGraph::new(3);
    let conv = graph.conv("image", 3, 4);
    // more padding taken away than there are pixels
    let pads = AttributeProto::from_ints("pads", &[-9; 4]);
    graph.graph().node[0].attribute.push(pads);
    graph.output(&conv);
    assert_eq!(
        blocked(&graph).to_string(),
        "expected `Conv_0` to be of shape [1, C, H, W], found [1, 4, ?, ?]"
    );
}

#[test]
fn moves_that_are_not_known_beforehand_say_so() {
    let mut graph = TestGraph::new(4);
    let axis = AttributeProto::from_int("axis", 1);
    graph.gather("image", &[0, 4]);
    graph.node("Gather", &["image", "computed"], &[axis]);
    graph.node("Reshape", &["image", "computed"], &[]);
    let [.., second] = graph.split("image", [2, 2]);
    graph.output(&second);
    let model = graph.parsed();
    let flow = follow(&model).unwrap();
    let reasons: Vec<Blocked> = flow.unfollowed.iter().map(|kept| kept.blocked).collect();
    assert_eq!(
        reasons,
        [
            Blocked::OutOfRange,
            Blocked::NotConstant,
            Blocked::UnknownShape
        ]
    );
    assert_eq!(flow.outputs, [(second.as_str(), vec![2, 3])]);
}
