//! Ends the process.

use std::ffi::{c_int, c_void};
use std::ptr;

unsafe extern "C" {
    fn fflush(stream: *mut c_void) -> c_int;
    safe fn _exit(status: c_int) -> !;
}

/// Ends the process with code 0 after flushing files, without the destructors of libraries. A
/// session that is being created cannot be interrupted, and its thread would crash if ONNX Runtime
/// were unloaded.
pub fn at_once() -> ! {
    // SAFETY: null stands for every open stream, each of which fflush locks.
    unsafe { fflush(ptr::null_mut()) };
    _exit(0)
}
