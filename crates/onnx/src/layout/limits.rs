//! Sizes above which channels are not arranged. No detector reaches them, and they limit the
//! resources that a damaged file can take.

/// The maximum number of channels of one image tensor.
pub(super) const MAX_CHANNELS: usize = 1 << 14;

/// The maximum number of pixels of one channel.
pub(super) const MAX_AREA: u64 = 1 << 22;

/// The maximum number of weights of one convolution.
pub(super) const MAX_WEIGHTS: usize = 1 << 26;
