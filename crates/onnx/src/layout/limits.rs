//! Sizes above which channels are not arranged. No detector reaches them, and they bound what a damaged file can ask for.

/// Channels of one image tensor.
pub(super) const MAX_CHANNELS: usize = 1 << 14;

/// Pixels of one channel.
pub(super) const MAX_AREA: u64 = 1 << 22;

/// Weights of one convolution.
pub(super) const MAX_WEIGHTS: usize = 1 << 26;
