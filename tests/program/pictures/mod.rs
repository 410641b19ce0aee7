//! Pictures of every kind, whole and damaged: each gives what it gives alone, and what the field sends is read.

mod bad_output;
mod corpus;
mod damage;
mod damaged_table;
mod formats;
mod jpeg;
mod pipeline;
mod program;
mod reports;
mod sequences;
mod tiny;
