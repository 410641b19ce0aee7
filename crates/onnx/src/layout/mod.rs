//! The same network with its channels in the order that is cheapest to run.
//!
//! A ShuffleNet V2 unit splits, joins and shuffles channels, which costs a CPU more than it computes there: every
//! shuffle is a transposition, and ONNX Runtime leaves its blocked layout (NCHWc) before it and enters it again behind.
//! None of it is needed. Which channel goes where is known beforehand, so [`channels`] follows each one from the
//! convolution that writes it to those that read it, and [`rewrite`] lets convolutions write their channels grouped by
//! reader, in whole blocks, and read them in the order in which they come: the shuffles are gone into the weights.
//! [`simplify`] first puts a few operators into forms that ONNX Runtime has faster code for.
//!
//! Sums are added up in another order, which changes results in the last bits (below 1e-5 on the models of the
//! manifest); nothing else changes. `docs/performance.md` has what it gains.

mod channels;
mod rewrite;
mod simplify;

use prost::Message;

use super::onnx::Model;
use super::onnx::proto::ModelProto;

/// Channels in a block of ONNX Runtime's layout on this machine.
pub fn block() -> usize {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx512f") {
        return 8;
    }
    16
}

/// The model, encoded, with its channels arranged for blocks of `block`; `None` where it holds something that is not
/// understood, or no shuffle to be gained by. `prepared` is what [`super::onnx::prepare()`] gave.
pub fn arrange(prepared: &[u8], block: usize) -> Option<Vec<u8>> {
    let file = ModelProto::decode(prepared).ok()?;
    let ModelProto {
        functions,
        opset_import,
        ..
    } = &file;
    let opset = opset_import
        .iter()
        .find(|set| set.domain.is_empty())?
        .version;
    if !functions.is_empty() {
        return None;
    }
    let mut model = Model {
        ir_version: file.ir_version?,
        producer_name: file.producer_name,
        producer_version: file.producer_version,
        opset_import: file.opset_import,
        graph: file.graph?,
    };
    if !is_understood(&model) {
        return None;
    }
    simplify::simplify(&mut model);
    let traced = channels::trace(&model)?;
    let graph = rewrite::rewrite(&model, &traced, block, opset)?;
    let arranged = ModelProto {
        ir_version: Some(model.ir_version),
        producer_name: model.producer_name,
        producer_version: model.producer_version,
        graph: Some(graph),
        opset_import: model.opset_import,
        functions: Vec::new(),
    };
    Some(arranged.encode_to_vec())
}

/// Whether all of it survives decoding and encoding.
fn is_understood(model: &Model) -> bool {
    let graph = &model.graph;
    let nodes = graph.node.iter().all(|node| {
        node.in_default_domain() && node.attribute.iter().all(|attribute| attribute.is_whole())
    });
    nodes
        && graph.sparse_initializer.is_empty()
        && graph.initializer.iter().all(|tensor| tensor.is_whole())
}
