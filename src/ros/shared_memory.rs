//! The shared memory of DDS and of ROS 2's tracer.

use rustix::fs::statvfs;
use thiserror::Error;

/// Where Linux has it.
const FOLDER: &str = "/dev/shm";

/// The least that must be free, in bytes. With less, the process is killed by SIGBUS when it writes
/// to the first page that the system does not have.
const LEAST_FREE: u64 = 256 << 10;

/// Too little shared memory is free.
#[derive(Debug, Error)]
#[error(
    "{FOLDER}: expected {LEAST_FREE} bytes free or more, found {free}; delete files there \
     (`fastdds shm clean`), or make it larger (Docker: --shm-size=256m)"
)]
pub struct TooLittle {
    free: u64,
}

/// Checks that DDS and the tracer can start.
pub fn check() -> Result<(), TooLittle> {
    // without the folder, they use none
    let Ok(system) = statvfs(FOLDER) else {
        return Ok(());
    };
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    match free < LEAST_FREE {
        true => Err(TooLittle { free }),
        false => Ok(()),
    }
}
