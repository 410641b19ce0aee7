//! Recordings: read like Python's readers read them, damaged in every way, written and read back.

#[path = "../support/python.rs"]
mod python;
#[path = "../support/mod.rs"]
mod support;

mod recordings;

mod damaged;
mod odd;
mod reading;
mod writing;
