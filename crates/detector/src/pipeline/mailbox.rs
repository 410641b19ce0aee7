//! One mailbox per camera, in which received frames wait for a worker.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Frame, SharedSettings};

/// What happens to a waiting frame when its camera's next frame arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The new frame replaces it: fresh results matter more than complete ones.
    Replace,
    /// It keeps waiting: complete results matter more than fresh ones. The number of frames limits
    /// the source.
    Keep,
}

/// The mailboxes of all cameras. With [`WhenFull::Keep`], frames are taken in the order of
/// reception. With [`WhenFull::Replace`], the cameras with a waiting frame take turns by priority:
/// start-time fair queueing (Goyal et al., 1996) gives each its share of the work, and no camera
/// starves.
pub struct Mailboxes {
    when_full: WhenFull,
    tuning: Arc<SharedSettings>,
    state: Mutex<State>,
    changed: Condvar,
}

/// What a worker does next.
pub enum Next {
    Frame(Box<Frame>),
    /// No frame waits, and the next one is for the model with this number.
    Model(u64),
    /// The mailboxes are closed and empty.
    End,
}

struct State {
    /// By camera.
    boxes: Vec<Mailbox>,
    /// The virtual time of the queueing: the start of the last turn.
    virtual_time: f64,
    taken: u64,
    closed: bool,
}

#[derive(Default)]
struct Mailbox {
    waiting: VecDeque<Box<Frame>>,
    /// The virtual end of the camera's last turn.
    turn_end: f64,
}

impl Mailboxes {
    /// Creates one empty mailbox for each of `cameras`. [`Frame::camera`] of a pushed frame must be
    /// below that number.
    pub fn new(cameras: usize, when_full: WhenFull, tuning: Arc<SharedSettings>) -> Self {
        let state = Mutex::new(State {
            boxes: (0..cameras).map(|_| Mailbox::default()).collect(),
            virtual_time: 0.0,
            taken: 0,
            closed: false,
        });
        Self {
            when_full,
            tuning,
            state,
            changed: Condvar::new(),
        }
    }

    /// Stores `frame` for a worker. Returns the frame that it superseded.
    pub fn push(&self, frame: Box<Frame>) -> Option<Box<Frame>> {
        let mut state = self.lock();
        let mailbox = &mut state.boxes[frame.camera].waiting;
        let superseded = match self.when_full {
            WhenFull::Replace => mailbox.pop_front(),
            WhenFull::Keep => None,
        };
        mailbox.push_back(frame);
        self.changed.notify_one();
        superseded
    }

    /// Waits for the next frame and returns it with its ticket and the number of its model; `None`
    /// when the mailboxes are closed and empty. Later tickets have the same model or a later one:
    /// the number is read under the lock.
    pub fn take(&self) -> Option<Box<Frame>> {
        match self.next(None) {
            Next::Frame(frame) => Some(frame),
            Next::Model(_) | Next::End => None,
        }
    }

    /// Does the same for a worker of the model `model`, which need not wait for a frame if the
    /// settings are those of another model.
    pub fn take_for(&self, model: u64) -> Next {
        self.next(Some(model))
    }

    /// Wakes the workers, because the settings are those of another model.
    pub fn tell_model(&self) {
        // a worker that has just looked at the settings waits before this lock is free
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Returns the number of the model that the next frame gets.
    pub fn model(&self) -> u64 {
        self.tuning.get().model
    }

    fn next(&self, model: Option<u64>) -> Next {
        let mut state = self.lock();
        loop {
            let taken = match self.when_full {
                WhenFull::Keep => state.take_first(),
                WhenFull::Replace => state.take_in_turn(&self.tuning),
            };
            if let Some(mut frame) = taken {
                frame.ticket = Some(state.taken);
                frame.model_number = self.model();
                state.taken += 1;
                return Next::Frame(frame);
            }
            if state.closed {
                return Next::End;
            }
            if let Some(model) = model
                && self.model() != model
            {
                return Next::Model(self.model());
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns whether no frame waits and every frame was taken with a ticket below `ticket`.
    pub fn all_taken_before(&self, ticket: u64) -> bool {
        let state = self.lock();
        state.taken == ticket && state.boxes.iter().all(|mailbox| mailbox.waiting.is_empty())
    }

    /// Closes the mailboxes: no more frames will arrive.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Locks the queues. They are valid even after a panic: each change is one push or pop.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_first(&mut self) -> Option<Box<Frame>> {
        let sequence = |mailbox: &&mut Mailbox| mailbox.waiting.front().map(|f| f.sequence);
        let filled = self
            .boxes
            .iter_mut()
            .filter(|mailbox| !mailbox.waiting.is_empty());
        filled.min_by_key(sequence)?.waiting.pop_front()
    }

    fn take_in_turn(&mut self, tuning: &SharedSettings) -> Option<Box<Frame>> {
        let now = self.virtual_time;
        let start = |mailbox: &Mailbox| mailbox.turn_end.max(now);
        let filled = self
            .boxes
            .iter_mut()
            .enumerate()
            .filter(|(_, m)| !m.waiting.is_empty());
        let (camera, next) = filled.min_by(|(_, a), (_, b)| {
            let oldest = || {
                a.waiting
                    .front()
                    .map(|f| f.sequence)
                    .cmp(&b.waiting.front().map(|f| f.sequence))
            };
            start(a).total_cmp(&start(b)).then_with(oldest)
        })?;
        self.virtual_time = start(next);
        let priority = tuning
            .get()
            .cameras
            .get(camera)
            .map_or(1.0, |camera| camera.priority);
        next.turn_end = self.virtual_time + 1.0 / priority;
        next.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::settings::tests::tuned;

    fn mailboxes(when_full: WhenFull, priorities: &[f64]) -> Mailboxes {
        let tuning = Arc::new(SharedSettings::new(tuned(priorities)));
        Mailboxes::new(priorities.len(), when_full, tuning)
    }

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
    fn the_newest_of_each_camera_replaces() {
        let mailboxes = mailboxes(WhenFull::Replace, &[1.0, 1.0]);
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
        let mailboxes = mailboxes(WhenFull::Keep, &[1.0, 5.0]);
        for sequence in 0..10 {
            assert!(
                mailboxes
                    .push(frame(sequence, (sequence % 3 == 0) as usize))
                    .is_none()
            );
        }
        assert_eq!(drain(&mailboxes), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn under_overload_each_camera_gets_its_share() {
        let mailboxes = mailboxes(WhenFull::Replace, &[1.0, 3.0]);
        let mut served = [0; 2];
        for sequence in 0..400 {
            // camera 0 sends ten times as often as camera 1 is served
            mailboxes.push(frame(2 * sequence, 0));
            mailboxes.push(frame(2 * sequence + 1, 1));
            served[mailboxes.take().unwrap().camera] += 1;
        }
        assert_eq!(served, [100, 300]);
    }

    #[test]
    fn a_camera_that_was_silent_does_not_catch_up() {
        let mailboxes = mailboxes(WhenFull::Replace, &[1.0, 1.0]);
        for sequence in 0..50 {
            mailboxes.push(frame(sequence, 0));
            mailboxes.take();
        }
        let mut served = [0; 2];
        for sequence in 50..70 {
            mailboxes.push(frame(2 * sequence, 0));
            mailboxes.push(frame(2 * sequence + 1, 1));
            served[mailboxes.take().unwrap().camera] += 1;
        }
        assert_eq!(served, [10, 10]);
    }
}
