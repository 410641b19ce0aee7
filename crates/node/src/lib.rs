//! The live node's logic without ROS: arguments, parameters, lifecycle, diagnostics, the
//! watchdog's decisions, and the search for the reason if no images arrive.
//!
//! ```
//! use shuffledet_node::arguments::RosArguments;
//!
//! let arguments = ["shuffledet_node", "--ros-args", "-r", "__node:=front"].map(str::to_owned);
//! assert_eq!(RosArguments::parse(arguments).node_name("shuffledet"), "front");
//! ```

pub mod arguments;
pub mod diagnostics;
pub mod doctor;
pub mod failures;
pub mod lifecycle;
pub mod model_change;
pub mod parameters;
pub mod qos;
pub mod transport;
pub mod watch;
