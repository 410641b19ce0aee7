//! The mean of two networks: it keeps what the start knew, and some of what the training taught.

use tch::Device;

use super::average::mix;
use crate::net::{Network, NetworkError};

/// Returns a network whose weights are `share` of the trained and the rest of the start's. Both have one description.
///
/// # Errors
/// Those of [`Network::new`].
pub fn blend(
    start: &Network,
    trained: &Network,
    share: f64,
    device: Device,
) -> Result<Network, NetworkError> {
    let blended = Network::new(&trained.description, device)?;
    mix(&blended, start, 1.0);
    mix(&blended, trained, share);
    Ok(blended)
}
