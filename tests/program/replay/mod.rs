//! `shuffledet replay` from end to end: the program, real recordings, and what it leaves behind.

pub mod program;
pub mod recordings;

mod class_ids;
mod damaged;
mod forms;
mod memory;
mod paced;
mod providers;
mod ranges;
mod refused;
mod reports;
mod road;
mod selection;
mod whole;
