//! The exponential moving average of a network's weights.

use tch::no_grad;

use crate::net::Network;

/// How much of the average stays in each step, once the run is long enough.
const DECAY: f64 = 0.998;

/// A network whose weights follow those of another.
pub struct Average {
    pub network: Network,
}

impl Average {
    /// Starts with the weights that `network`, one of the same description, is given.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    /// Follows `trained` after `steps` steps.
    pub fn follow(&mut self, trained: &Network, steps: u64) {
        // a short memory first: the start is no better than what follows
        let decay = ((1 + steps) as f64 / (10 + steps) as f64).min(DECAY);
        mix(&self.network, trained, 1.0 - decay);
    }
}

/// Moves the weights of `into` towards those of `from` by `share`: 1 copies them.
pub fn mix(into: &Network, from: &Network, share: f64) {
    let from = from.vs.variables();
    no_grad(|| {
        for (name, mut tensor) in into.vs.variables() {
            if let Some(other) = from.get(&name) {
                match share == 1.0 {
                    true => tensor.copy_(other),
                    false => {
                        let _ = tensor.lerp_(other, share);
                    }
                }
            }
        }
    });
}
