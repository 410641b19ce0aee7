//! The frames that would teach a model most: those on which it is unsure, or on which two models
//! disagree, and few of each scene.

mod choice;
mod hardness;
mod scene;
mod worker;

pub use choice::{Choice, Chosen, RankedFrame, hardest};
pub use hardness::{Candidate, hardness};
pub use scene::Scene;
pub use worker::{Annotator, HardnessWorker, RankedFrames};
