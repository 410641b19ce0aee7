//! Reshapes: how the sides of a map move between dimensions.
//!
//! A Reshape keeps the order of the elements, so the input's factors, the outermost first, must be
//! the output's factors in the same order. The sizes at the native input size show where a
//! dimension of the output begins and ends in that order. Channels may be split and joined in any
//! way, because they do not change. A side of a map stays whole: copied, or joined with others.

use super::dim::{Dim, Factor};

/// Why a Reshape has no meaning at another size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ungrouped {
    /// A dimension of the output has a part of a side.
    SplitsSide,
    /// A side or a new dimension of size 1 could belong to several dimensions.
    Ambiguous,
}

/// Returns the output's dimensions, which have the sizes `output` at the native input size.
pub(super) fn regroup(input: &[Dim], output: &[u64]) -> Result<Vec<Dim>, Ungrouped> {
    let mut joined = Dim::default();
    for factor in input.iter().flat_map(Dim::factors) {
        if factor.native == 0 || (factor.spatial && factor.native == 1) {
            return Err(Ungrouped::Ambiguous);
        }
        joined.push(*factor);
    }
    let last_side = joined.factors().iter().rposition(|factor| factor.spatial);
    let mut rest = joined.factors().iter().copied().enumerate().peekable();
    let mut open: Option<Factor> = None;
    let mut sides_taken = 0;
    let mut dims = Vec::with_capacity(output.len());
    for &size in output {
        let mut dim = Dim::default();
        let mut left = size;
        while left > 1 {
            let factor = match open.take() {
                Some(factor) => factor,
                None => rest.next().ok_or(Ungrouped::SplitsSide)?.1,
            };
            if left.is_multiple_of(factor.native) {
                left /= factor.native;
                sides_taken += usize::from(factor.spatial);
                dim.push(factor);
            } else if !factor.spatial && factor.native.is_multiple_of(left) {
                let inner = factor.native / left;
                dim.push(Factor {
                    native: left,
                    resized: left,
                    spatial: false,
                });
                open = Some(Factor {
                    native: inner,
                    resized: inner,
                    spatial: false,
                });
                left = 1;
            } else {
                return Err(Ungrouped::SplitsSide);
            }
        }
        // between two sides, a 1 may be what is left of one that was divided
        let sides_follow = rest.peek().is_some_and(|&(at, _)| Some(at) <= last_side);
        if left == 0 || (dim.is_one() && sides_taken > 0 && sides_follow) {
            return Err(Ungrouped::Ambiguous);
        }
        dims.push(dim);
    }
    match (open, rest.next()) {
        (None, None) => Ok(dims),
        _ => Err(Ungrouped::SplitsSide),
    }
}
