//! Edits of a graph, and the one place that applies them.

use std::collections::HashSet;

use crate::proto::{AttributeProto, GraphProto, INT32, NodeProto, TensorProto};

/// A list of integers of one node that becomes another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The index of the node in the graph.
    pub node: usize,
    pub place: Place,
    pub to: Vec<i64>,
}

/// Where a node has a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Input(usize),
    Attribute(&'static str),
}

/// Applies edits. A node whose input is edited gets a constant of its own; other readers of the old
/// one keep it. Nodes and initializers that nothing reads any more are removed.
pub(crate) fn apply(graph: &mut GraphProto, edits: &[Edit]) {
    if edits.is_empty() {
        return;
    }
    let int32 = int32_constants(graph);
    let constants: Vec<TensorProto> = edits
        .iter()
        .filter_map(|edit| apply_one(graph.node.get_mut(edit.node)?, edit, &int32))
        .collect();
    // a graph that was rewritten before has constants of these names
    let names: HashSet<&str> = (constants.iter())
        .map(|tensor| tensor.name.as_str())
        .collect();
    graph
        .initializer
        .retain(|tensor| !names.contains(tensor.name.as_str()));
    remove_unread(graph);
    graph.initializer.extend(constants);
}

/// Applies an edit. Returns the constant that the node then reads.
fn apply_one(node: &mut NodeProto, edit: &Edit, int32: &HashSet<String>) -> Option<TensorProto> {
    let input = match edit.place {
        Place::Input(input) => input,
        Place::Attribute(name) => {
            let old = node.attribute.iter_mut().find(|old| old.name == name)?;
            *old = AttributeProto::from_ints(name, &edit.to);
            return None;
        }
    };
    // no exporter writes such a name
    let name = format!("shuffledet/{}/{input}", node.output.first()?);
    let old = std::mem::replace(node.input.get_mut(input)?, name.clone());
    let mut tensor = TensorProto::from_ints(name, &edit.to);
    if int32.contains(&old) {
        let elements = edit
            .to
            .iter()
            .map(|&element| i32::try_from(element).unwrap_or(i32::MAX));
        tensor.data_type = INT32;
        tensor.raw_data = elements.flat_map(i32::to_le_bytes).collect();
    }
    Some(tensor)
}

/// Returns the names of the constants of 32-bit integers. The starts and ends of a Slice must be of
/// one type.
fn int32_constants(graph: &GraphProto) -> HashSet<String> {
    let initializers = (graph.initializer.iter()).map(|tensor| (&tensor.name, tensor));
    let constants = (graph.node.iter())
        .filter_map(|node| Some((node.output.first()?, node.attribute("value")?.t.as_ref()?)));
    (initializers.chain(constants))
        .filter(|(_, tensor)| tensor.data_type == INT32)
        .map(|(name, _)| name.clone())
        .collect()
}

fn remove_unread(graph: &mut GraphProto) {
    let mut read: HashSet<String> = (graph.output.iter())
        .map(|info| info.name.clone())
        .collect();
    let mut kept = Vec::with_capacity(graph.node.len());
    for node in std::mem::take(&mut graph.node).into_iter().rev() {
        if node.output.iter().any(|output| read.contains(output)) {
            read.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    graph.node = kept;
    graph
        .initializer
        .retain(|tensor| read.contains(&tensor.name));
}
