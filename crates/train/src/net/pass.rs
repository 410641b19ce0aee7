//! The operations of the networks' layers.

use super::layers::{Conv, Linear};

/// A walk over a network's layers in their order. A value is what a layer reads and writes: N x C x
/// H x W, or N x C at the end of a classifier.
pub trait Pass {
    type Value;

    /// Convolves, then adds the bias or normalises, then activates.
    fn conv(&mut self, x: &Self::Value, layer: &Conv) -> Self::Value;
    fn linear(&mut self, x: &Self::Value, layer: &Linear) -> Self::Value;
    /// Takes the maximum of 3x3 at stride 2, with a border of 1.
    fn max_pool(&mut self, x: &Self::Value) -> Self::Value;
    /// Takes the mean of 3x3 at stride 2, with a border of zeros that count.
    fn average_pool(&mut self, x: &Self::Value) -> Self::Value;
    /// Takes the mean of each channel: N x C.
    fn mean(&mut self, x: &Self::Value) -> Self::Value;
    /// Doubles height and width by repeating.
    fn double_nearest(&mut self, x: &Self::Value) -> Self::Value;
    /// Doubles height and width bilinearly.
    fn double_linear(&mut self, x: &Self::Value) -> Self::Value;
    fn relu(&mut self, x: &Self::Value) -> Self::Value;
    fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;
    /// Joins channels.
    fn join(&mut self, parts: &[&Self::Value]) -> Self::Value;
    /// Joins the channels of two values and shuffles them in two groups: a0, b0, a1, b1, ...
    fn interleave(&mut self, a: &Self::Value, b: &Self::Value) -> Self::Value;
    /// Splits the channels into the first and the second half.
    fn halves(&mut self, x: &Self::Value) -> [Self::Value; 2];
    /// Splits the channels into the even and the odd ones.
    fn alternate(&mut self, x: &Self::Value) -> [Self::Value; 2];
}
