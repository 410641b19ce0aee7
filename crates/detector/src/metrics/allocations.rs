//! Counts heap allocations, and ends the process with an error if there is no memory.

#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_int;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    safe fn _exit(status: c_int) -> !;
}

/// The system allocator with a counter; a program sets it as its `#[global_allocator]`. It does not
/// see allocations of libraries in other languages. Without memory, the process ends with an error
/// and exit code 1 instead of SIGABRT: nothing here goes on without memory.
pub struct CountingAllocator;

/// Returns the allocations of the process so far, including reallocations; 0 if
/// [`CountingAllocator`] is not in use.
pub fn so_far() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

fn count() {
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// Returns `block`, unless the system had none of `size` bytes.
fn given(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        // neither allocates; destructors would
        let _ = writeln!(
            io::stderr(),
            "error: out of memory: cannot get {size} bytes more; raise the limit of memory, or \
             set runtime.workers lower"
        );
        _exit(1);
    }
    block
}

// SAFETY: every call is passed to the system allocator unchanged, and a block is returned as it
// came.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller fulfils the contract of `alloc`.
        given(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller fulfils the contract of `alloc_zeroed`.
        given(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller fulfils the contract of `realloc`.
        given(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller fulfils the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}
