//! Memory of sessions that are gone.

#![cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "a function of the C library")
)]

#[cfg(target_env = "gnu")]
use std::ffi::c_int;

/// Gives memory that nobody uses back to the system. glibc keeps what sessions leave in its arenas
/// otherwise, some megabytes for each change of the model. Takes some milliseconds.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> c_int;
    }
    // SAFETY: glibc's malloc_trim may be called at any time and by any thread; it takes the locks of
    // the arenas
    unsafe { malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
