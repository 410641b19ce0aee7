//! The networks of one detector: the first, and those of the resolutions used last.

use std::sync::Arc;
use std::sync::mpsc::TryRecvError;

use super::network::Network;
use super::opener::{NetworkOpener, PendingNetwork};
use shuffledet_core::Resolution;
use shuffledet_infer::WhileBuilding;

/// A network that is always there, and networks at other resolutions, of which those used last are
/// kept.
pub(super) struct Networks {
    /// The first one is never removed.
    all: Vec<Network>,
    /// `None`: there is only the first one.
    opener: Option<Arc<NetworkOpener>>,
    pending: Option<PendingNetwork>,
    pictures: u64,
}

impl Networks {
    /// The number of networks kept beside the first, unless one picture needs more.
    pub const KEPT: usize = 8;

    pub fn new(first: Network, opener: Option<Arc<NetworkOpener>>) -> Self {
        Self {
            all: vec![first],
            opener,
            pending: None,
            pictures: 0,
        }
    }

    /// Lets sessions change their providers, and takes over a network that was made in the
    /// background.
    pub fn between_frames(&mut self) {
        for network in &mut self.all {
            network.between_frames();
        }
        let Some(pending) = &self.pending else { return };
        let resolution = pending.resolution;
        match pending.made.try_recv() {
            Ok(network) => {
                tracing::info!("input size {resolution}: its session is ready");
                self.keep(network);
                self.pending = None;
            }
            Err(TryRecvError::Empty) => {}
            // its thread has noted why
            Err(TryRecvError::Disconnected) => self.pending = None,
        }
    }

    /// Begins a picture that needs networks at `wanted`. Creates those that are missing, or starts
    /// to create one in the background. Returns whether sessions were created, which takes much
    /// longer than a frame.
    pub fn begin(&mut self, wanted: impl Iterator<Item = Resolution> + Clone) -> bool {
        self.pictures += 1;
        let mut missing = false;
        for resolution in wanted.clone() {
            match self.position(resolution) {
                Some(index) => self.all[index].used = self.pictures,
                None => missing = true,
            }
        }
        missing && self.make(wanted)
    }

    fn make(&mut self, wanted: impl Iterator<Item = Resolution>) -> bool {
        let Some(opener) = self.opener.clone() else {
            return false;
        };
        let mut made = false;
        for resolution in wanted {
            if self.position(resolution).is_some() {
                continue;
            }
            if opener.while_building == WhileBuilding::Wait {
                if let Some(network) = opener.try_open(resolution) {
                    tracing::debug!("input size {resolution}: its session is ready");
                    self.keep(network);
                    made = true;
                }
            } else if self.pending.is_none() {
                self.pending = opener.start(resolution);
                if self.pending.is_some() {
                    let serving = self.all[0].resolution;
                    tracing::info!(
                        "input size {resolution}: its session is created in the background; \
                         frames use {serving} until then"
                    );
                }
            }
        }
        made
    }

    /// Adds `network`, and removes the one that was not used for longest if there are too many.
    fn keep(&mut self, mut network: Network) {
        network.used = self.pictures;
        self.all.push(network);
        if self.all.len() <= 1 + Self::KEPT {
            return;
        }
        let idle = self.all.iter().enumerate().skip(1);
        let idle = idle.filter(|(_, network)| network.used < self.pictures);
        let oldest = idle.min_by_key(|(_, network)| network.used);
        if let Some(index) = oldest.map(|(index, _)| index) {
            let removed = self.all.remove(index);
            tracing::debug!("input size {}: its session is removed", removed.resolution);
        }
    }

    fn position(&self, resolution: Resolution) -> Option<usize> {
        let mut all = self.all.iter();
        all.position(|network| network.resolution == resolution)
    }

    /// Returns the index of the network for `resolution`: the first one if there is none.
    pub fn index_for(&self, resolution: Resolution) -> usize {
        self.position(resolution).unwrap_or(0)
    }

    pub fn get(&self, index: usize) -> &Network {
        &self.all[index]
    }

    pub fn get_mut(&mut self, index: usize) -> &mut Network {
        &mut self.all[index]
    }

    /// Returns the resolutions of the networks, that of the first one first.
    pub fn resolutions(&self) -> impl Iterator<Item = Resolution> {
        self.all.iter().map(|network| network.resolution)
    }
}
