//! Widens weights that a file keeps as 16-bit floats behind a Cast, the form that
//! [`half_weights`](crate::half_weights) writes. The graph then has the 32-bit weights that the
//! Cast would compute, so that it can be rewritten.

use std::collections::{HashMap, HashSet};

use half::f16;

use crate::proto::{FLOAT, FLOAT16, GraphProto, NodeProto, TensorProto};

/// Replaces each Cast of a 16-bit constant to 32 bits by a constant. A constant that has another
/// reader too, or that a caller of the graph may override, stays: the memory is at most doubled.
pub(crate) fn widen(graph: &mut GraphProto) {
    let mut readers: HashMap<&str, usize> = HashMap::new();
    let outside = graph.input.iter().chain(&graph.output);
    let read = graph.node.iter().flat_map(|node| &node.input);
    for name in read.chain(outside.map(|info| &info.name)) {
        *readers.entry(name).or_default() += 1;
    }
    let half: HashMap<&str, &TensorProto> = (graph.initializer.iter())
        .filter(|tensor| tensor.data_type == FLOAT16 && readers.get(&*tensor.name) == Some(&1))
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    let mut wide = HashMap::new();
    let mut casts = HashSet::new();
    for (index, node) in graph.node.iter().enumerate() {
        let Some(name) = cast_to_float(node) else {
            continue;
        };
        let tensor = half.get(name).copied();
        if let Some(tensor) = tensor.and_then(|tensor| widened(tensor, &node.output[0])) {
            wide.insert(name.to_owned(), tensor);
            casts.insert(index);
        }
    }
    for tensor in &mut graph.initializer {
        if let Some(wide) = wide.remove(&tensor.name) {
            *tensor = wide;
        }
    }
    let mut index = 0..;
    graph
        .node
        .retain(|_| index.next().is_none_or(|index| !casts.contains(&index)));
}

/// Returns the input of a Cast to 32-bit floats.
fn cast_to_float(node: &NodeProto) -> Option<&str> {
    let is_cast = node.is("Cast") && node.int("to", 0) == i64::from(FLOAT);
    (is_cast && node.input.len() == 1 && node.output.len() == 1)
        .then(|| node.input_name(0))
        .flatten()
}

/// Returns the tensor as 32-bit floats under another name; `None` if its data have another length
/// than its shape.
fn widened(half: &TensorProto, name: &str) -> Option<TensorProto> {
    let (values, rest) = half.raw_data.as_chunks::<2>();
    let fits = half.elements() == Some(values.len() as u64) && rest.is_empty();
    let wide = |value: &[u8; 2]| f16::from_le_bytes(*value).to_f32().to_le_bytes();
    (fits && !half.is_external()).then(|| TensorProto {
        name: name.to_owned(),
        dims: half.dims.clone(),
        data_type: FLOAT,
        raw_data: values.iter().flat_map(wide).collect(),
        ..TensorProto::default()
    })
}
