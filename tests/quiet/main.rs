//! What the programs open and write: no socket and no file but what was asked for, whatever the environment says.
//!
//! Everything runs under strace, in a home of its own, and where the system allows it in a network namespace without a
//! route. `docs/security.md` lists what is found here.

mod home;
mod trace;
mod watch;

mod command_line;
mod fetch;
mod library;
#[cfg(feature = "ros")]
mod node;
mod peers;
