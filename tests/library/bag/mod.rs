//! Recordings: read like Python's readers read them, damaged in every way, written and read back.

mod recordings;

mod damaged;
mod odd;
mod reading;
mod writing;
