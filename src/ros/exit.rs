//! Ends the process. The codes are 0 after a signal, 1 after an error at the start, and
//! [`STUCK_EXIT_CODE`](shuffledet_node::watch::STUCK_EXIT_CODE) if the node has to be started again.

#![expect(unsafe_code, reason = "functions of the C library")]

use std::ffi::{c_int, c_void};
use std::ptr;

unsafe extern "C" {
    fn fflush(stream: *mut c_void) -> c_int;
    safe fn _exit(status: c_int) -> !;
}

/// Ends the process with `code` after flushing files, without the destructors of libraries. A
/// session that is being created cannot be interrupted, and its thread would crash if ONNX Runtime
/// were unloaded.
pub fn at_once(code: i32) -> ! {
    // SAFETY: null stands for every open stream, each of which fflush locks.
    unsafe { fflush(ptr::null_mut()) };
    _exit(code)
}

/// Ends the process with `code` without waiting for anything, not even for the lock of a file.
pub fn whatever_hangs(code: i32) -> ! {
    _exit(code)
}
