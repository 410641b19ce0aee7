//! `shuffledet replay` from end to end: the program, real recordings, and what it leaves behind.

#[path = "../support/ended.rs"]
mod ended;
#[path = "../support/python.rs"]
mod python;
#[path = "../support/mod.rs"]
mod support;

mod program;
mod recordings;

mod class_ids;
mod damaged;
mod forms;
mod memory;
mod paced;
mod providers;
mod refused;
mod reports;
mod selection;
mod whole;
