//! Whether a camera sees, judged from the network's input.
//!
//! A detector behind a covered lens finds nothing, which looks like an empty road. Each frame gives
//! a [`View`], a small grey copy of the picture. A [`Meter`] takes
//! the [`Measures`] of one view alone; a
//! [`Watch`] follows the views of one camera over time and tells its [`Faults`].
//!
//! ```
//! use shuffledet_sight::{Area, Fault, Settings, View, Watch};
//!
//! let plane = vec![3.0; 416 * 256];
//! let area = Area { left: 0, top: 0, width: 416, height: 256, enlargement: 1 };
//! let mut view = View::default();
//! view.fill(&plane, 416, area, |value| value);
//! let (mut watch, settings) = (Watch::default(), Settings::default());
//! for frame in 0..40 {
//!     watch.update(frame * 50_000_000, &view, &settings);
//! }
//! assert!(watch.faults().contains(Fault::Black));
//! ```
//!
//! The crate knows no images, no ROS and no clock: time is the stamp of a frame.

mod cover;
mod fault;
mod measures;
mod rows;
mod settings;
mod sharpness;
#[cfg(test)]
mod tests;
mod view;
mod watch;

pub use fault::{Fault, Faults};
pub use measures::{Measures, Meter};
pub use settings::Settings;
pub use view::{Area, View};
pub use watch::Watch;
