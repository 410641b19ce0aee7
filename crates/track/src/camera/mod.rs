//! From pixels to the world: intrinsics, lens distortion, flat ground.
//!
//! Frames are REP 103's: optical (x right, y down, z forward) and body (x forward, y left, z up).

mod calibrated;
mod ground;
mod intrinsics;

pub use calibrated::{CalibratedCamera, ImageSizeError};
pub use ground::{GroundPlane, GroundPoint};
pub use intrinsics::{CameraError, Intrinsics};
