//! Recordings: read like Python's readers read them, damaged in every way, written and read back.

mod damaged;
mod reading;
mod support;
mod writing;
