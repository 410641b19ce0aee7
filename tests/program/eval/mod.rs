//! `shuffledet eval` and `merge` from end to end: the program on real images and recordings.

pub mod program;

mod budget;
mod figures;
mod interrupted;
mod labels;
mod problems;
mod recording;
mod report;
mod shards;
