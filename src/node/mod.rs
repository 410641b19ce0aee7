//! What a live node does beside the work on frames, without any middleware.

pub mod lifecycle;
