//! Measures networks and exported models on labelled pictures.

pub mod classifier;
pub mod evaluate;
pub mod figures;
pub mod product;

pub use evaluate::{Evaluator, Measured, Summary};
pub use figures::{Compared, Figures};
pub use product::Product;
