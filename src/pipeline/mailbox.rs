//! Where received frames wait for a worker: a mailbox per camera.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Frame;

/// What becomes of a frame that waits when the next one of its camera comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It makes room: fresh beats complete.
    Replace,
    /// It waits on: complete beats fresh. The source is held back by the number of frames there are.
    Keep,
}

/// The mailboxes of all cameras. The frame that was received first is taken first, whichever camera it is of, so that
/// no camera starves another.
pub struct Mailboxes {
    when_full: WhenFull,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<VecDeque<Box<Frame>>>,
    taken: u64,
    closed: bool,
}

impl Mailboxes {
    /// A mailbox for each of `cameras`, all empty. [`Frame::camera`] of what is pushed is below that number.
    pub fn new(cameras: usize, when_full: WhenFull) -> Self {
        let waiting = (0..cameras).map(|_| VecDeque::new()).collect();
        let state = Mutex::new(State {
            waiting,
            taken: 0,
            closed: false,
        });
        Self {
            when_full,
            state,
            changed: Condvar::new(),
        }
    }

    /// Leaves `frame` for a worker. Gives back the frame that it superseded.
    pub fn push(&self, frame: Box<Frame>) -> Option<Box<Frame>> {
        let mut state = self.lock();
        let mailbox = &mut state.waiting[frame.camera];
        let superseded = match self.when_full {
            WhenFull::Replace => mailbox.pop_front(),
            WhenFull::Keep => None,
        };
        mailbox.push_back(frame);
        self.changed.notify_one();
        superseded
    }

    /// The frame that has waited longest, with its ticket, as soon as there is one; `None` when the mailboxes are closed
    /// and empty.
    pub fn take(&self) -> Option<Box<Frame>> {
        let mut state = self.lock();
        loop {
            let oldest = state
                .waiting
                .iter_mut()
                .filter(|mailbox| !mailbox.is_empty())
                .min_by_key(|mailbox| mailbox.front().map(|frame| frame.sequence));
            if let Some(mut frame) = oldest.and_then(VecDeque::pop_front) {
                frame.ticket = Some(state.taken);
                state.taken += 1;
                return Some(frame);
            }
            if state.closed {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No more frames will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// A thread that panicked has left the queues whole: each change is one push or pop.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u64, camera: usize) -> Box<Frame> {
        Box::new(Frame {
            sequence,
            camera,
            ..Frame::default()
        })
    }

    fn drain(mailboxes: &Mailboxes) -> Vec<u64> {
        mailboxes.close();
        std::iter::from_fn(|| mailboxes.take())
            .map(|frame| frame.sequence)
            .collect()
    }

    #[test]
    fn the_newest_of_each_camera_replaces_and_the_oldest_camera_is_served_first() {
        let mailboxes = Mailboxes::new(2, WhenFull::Replace);
        assert!(mailboxes.push(frame(0, 0)).is_none());
        assert!(mailboxes.push(frame(1, 1)).is_none());
        assert_eq!(
            mailboxes.push(frame(2, 0)).map(|frame| frame.sequence),
            Some(0)
        );
        assert_eq!(drain(&mailboxes), [1, 2]);
    }

    #[test]
    fn keeping_loses_nothing_and_keeps_the_order() {
        let mailboxes = Mailboxes::new(2, WhenFull::Keep);
        for sequence in 0..10 {
            assert!(
                mailboxes
                    .push(frame(sequence, (sequence % 3 == 0) as usize))
                    .is_none()
            );
        }
        assert_eq!(drain(&mailboxes), (0..10).collect::<Vec<_>>());
    }
}
