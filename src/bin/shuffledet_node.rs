//! `shuffledet_node`: detects objects in the images of ROS 2 topics.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Err(error) = shuffledet::ros::node::run();
    shuffledet::cli::explain(&error)
}
