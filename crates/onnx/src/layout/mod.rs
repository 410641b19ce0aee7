//! Rewrites a network so that the order of its channels is the fastest to run.
//!
//! A ShuffleNet V2 unit splits, joins and shuffles channels, which takes a CPU longer than the
//! unit's computation: every shuffle is a transposition, and ONNX Runtime leaves its blocked layout
//! (NCHWc) before it and re-enters it after it. The shuffles are avoidable, because the path of
//! each channel is known in advance. [`channels`] follows each channel from the convolution that
//! writes it to the convolutions that read it. [`rewrite`] lets convolutions write their channels
//! grouped by reader, in whole blocks, and read them in the order of storage: the weights then
//! contain the shuffles. Before that, [`simplify`] converts a few operators to forms for which ONNX
//! Runtime has faster code. A graph that cannot be followed stays unchanged, and [`NotArranged`]
//! gives the reason.
//!
//! Sums are added in another order, which changes results in the last bits (below 1e-5 on the
//! models of the manifest); nothing else changes. `docs/performance.md` has the speed-up.

mod channels;
mod limits;
mod moves;
mod not_arranged;
mod rewrite;
mod simplify;
mod view;

use super::rewritable;

pub use super::rewritable::{NodeLabel, NotRewritable};
pub use channels::UnfollowedMove;
pub use moves::Blocked;
pub use not_arranged::NotArranged;

/// A model whose channels are arranged.
#[derive(Debug, Clone, PartialEq)]
pub struct Arranged {
    /// The encoded model.
    pub onnx: Vec<u8>,
    pub nodes_before: usize,
    pub nodes_after: usize,
    /// Nodes that move channels and were kept, because the channels cannot be followed through
    /// them.
    pub unfollowed: Vec<UnfollowedMove>,
}

/// Returns the number of channels in a block of ONNX Runtime's layout on this machine.
pub fn block() -> usize {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx512f") {
        return 8;
    }
    16
}

/// Arranges the channels of a model for blocks of `block`. The initializers of `onnx` must not be
/// graph inputs, see [`remove_initializer_inputs`](super::remove_initializer_inputs).
///
/// # Errors
/// The first construct of the graph that cannot be followed or rewritten.
pub fn arrange(onnx: &[u8], block: usize) -> Result<Arranged, NotArranged> {
    let (mut model, opset) = rewritable::decode(onnx)?;
    let nodes_before = model.graph.node.len();
    simplify::simplify(&mut model);
    let flow = channels::follow(&model)?;
    let graph = rewrite::rewrite(&model, &flow, block, opset)?;
    let unfollowed = flow.unfollowed;
    let nodes_after = graph.node.len();
    model.graph = graph;
    Ok(Arranged {
        onnx: model.encode(),
        nodes_before,
        nodes_after,
        unfollowed,
    })
}

#[cfg(test)]
mod tests;
