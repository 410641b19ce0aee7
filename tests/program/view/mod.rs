//! The page of a run: in a real browser, and of the program.

mod page;
mod replayed;
