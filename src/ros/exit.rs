//! How the process ends.

use std::ffi::{c_int, c_void};
use std::ptr;

unsafe extern "C" {
    fn fflush(stream: *mut c_void) -> c_int;
    safe fn _exit(status: c_int) -> !;
}

/// Ends the process with code 0, files flushed, without running the destructors of libraries. A session that is still
/// being made cannot be interrupted: its thread goes on, and ONNX Runtime taken down beneath it is a crash.
pub fn at_once() -> ! {
    // SAFETY: null stands for every open stream, each of which fflush locks.
    unsafe { fflush(ptr::null_mut()) };
    _exit(0)
}
