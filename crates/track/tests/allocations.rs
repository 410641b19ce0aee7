//! A tracker that has seen its scene allocates nothing more.

#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use shuffledet_core::{BBox, Detection};
use shuffledet_track::{Settings, TrackIds, Tracker};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn frames_of_a_known_number_of_objects_allocate_nothing() {
    let (mut tracker, ids) = (Tracker::new(Settings::default()), TrackIds::new());
    let mut boxes = Vec::with_capacity(8);
    let mut allocated = 0;
    for frame in 0..600 {
        boxes.clear();
        // one after the other disappears for a while, so that tracks coast, end and begin
        let hidden = frame / 40 % 8;
        for object in (0..8).filter(|&object| object != hidden) {
            let x = 120.0 * object as f32 + 0.5 * frame as f32;
            let bbox = BBox {
                x1: x,
                y1: 50.0,
                x2: x + 60.0,
                y2: 110.0,
            };
            boxes.push(Detection::new(object % 3, 0.7, bbox));
        }
        let before = COUNT.load(Ordering::Relaxed);
        tracker.update(frame as i64 * 40_000_000, &boxes, None, &ids);
        let now = COUNT.load(Ordering::Relaxed);
        if frame >= 340 {
            allocated += now - before;
        }
    }
    assert_eq!(allocated, 0);
    assert!(tracker.tracks().count() >= 7);
}
