//! What a live node does beside its frames: parameters, life cycle, diagnostics. Nothing here knows the middleware.

pub mod parameters;
