//! `shuffledet eval` and `merge` from end to end: the program on real images and recordings.

#[path = "../support/browser.rs"]
mod browser;
#[path = "../support/ended.rs"]
mod ended;
#[path = "../support/python.rs"]
mod python;
#[path = "../support/mod.rs"]
mod support;

mod program;

mod budget;
mod figures;
mod interrupted;
mod labels;
mod problems;
mod recording;
mod report;
mod shards;
