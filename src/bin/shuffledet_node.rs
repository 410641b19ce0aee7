//! `shuffledet_node`: detects objects in the images of ROS 2 topics.

use std::process::ExitCode;

fn main() -> ExitCode {
    match shuffledet::ros::node::run() {
        Ok(code) => code,
        Err(error) => shuffledet::cli::explain(&error),
    }
}
