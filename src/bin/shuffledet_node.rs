//! `shuffledet_node`: detects objects in the images of ROS 2 topics.

use std::process::ExitCode;

use shuffledet::cli;
use shuffledet::ros::node;
use shuffledet_detector::metrics::allocations::CountingAllocator;

/// Ends the process with an error if there is no memory.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let Err(error) = node::run();
    match error.downcast_ref() {
        Some(usage) => cli::explain_usage(usage),
        None => cli::explain(&error),
    }
}
