//! From samples to batches: crop, zoom, mirror image and colour, all drawn from the seed and the step.
//!
//! A batch depends on nothing but the samples, the settings, the seed and its step: a run that is resumed gets the same
//! pictures. The picture goes into the tensor by the product's own code ([`shuffledet_image::TensorBuilder`]).

mod colour;
mod crop;
pub mod loader;
mod mosaic;
pub mod order;
pub mod view;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use shuffledet_core::{BBox, Resolution};

pub use loader::{Batch, Loader};
pub use view::Renderer;

/// How far pictures are changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Sizes of the network's input; a batch has one of them.
    pub sizes: Vec<Resolution>,
    /// The least and the most share of the longest possible side that a crop has; above 1 the picture gets a margin.
    pub zoom: [f32; 2],
    /// How often a picture is taken whole and unchanged in colour, from 0 to 1.
    pub plain: f32,
    /// Whether a picture may be mirrored.
    pub mirror: bool,
    /// The most relative change of brightness, contrast and saturation.
    pub colour: f32,
    /// How often four pictures are joined into one, from 0 to 1.
    pub mosaic: f32,
}

impl Augmentation {
    /// Returns the default for inputs of `sizes`.
    pub fn new(sizes: Vec<Resolution>) -> Self {
        Self {
            sizes,
            zoom: [0.5, 1.25],
            plain: 0.15,
            mirror: true,
            colour: 0.25,
            mosaic: 0.0,
        }
    }

    /// Returns the size of the batch of `step`.
    pub fn size_of(&self, seed: u64, step: u64) -> Resolution {
        let mut random = random(seed, Purpose::Size, step, 0);
        self.sizes[random.random_range(0..self.sizes.len())]
    }
}

/// What random numbers are for, so that no two purposes share a sequence.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Order = 1,
    Size,
    Picture,
}

/// Returns the random numbers of one picture of one step.
fn random(seed: u64, purpose: Purpose, step: u64, slot: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    for (part, value) in key
        .chunks_exact_mut(8)
        .zip([seed, purpose as u64, step, slot])
    {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// An object in the network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    pub class: usize,
    /// In pixels of the input.
    pub bbox: BBox,
    /// From 0 to 1.
    pub weight: f32,
    /// Neither an object nor background.
    pub ignored: bool,
}

/// The objects of a picture in the network's input, and the classes that it is annotated for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Targets {
    pub objects: Vec<Target>,
    /// By class.
    pub annotated: Vec<bool>,
}
