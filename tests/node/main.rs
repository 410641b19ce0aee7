//! `shuffledet_node` on a real ROS 2: the program, and an rclpy peer in another process. Each test has a domain of its own.

mod domain;
mod freeze;
mod peer;
mod program;

mod arrival;
mod bad_starts;
mod books;
mod cameras;
mod lifecycle;
mod logging;
mod model_change;
mod overload;
mod page;
mod parameters;
mod ranging;
mod recordings;
mod second_stage;
mod signals;
mod stuck;
mod suggestions;
mod surroundings;
mod transport;
mod waiting;
