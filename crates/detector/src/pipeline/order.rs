//! Restores the order in which frames were taken, after they finish in any order.

use std::collections::VecDeque;

use super::Frame;
use shuffledet_core::Outcome;

/// A frame and its outcome.
pub type Finished = (Box<Frame>, Outcome);

/// Holds frames that finish before their turn. The number of frames bounds its size: while one
/// worker is slow, the others continue until the pool is empty. A frame that no worker took is
/// returned at once.
#[derive(Default)]
pub struct InOrder {
    /// The ticket of the first of `early`.
    next: u64,
    /// By ticket, from `next` on; `None` if it is not finished.
    early: VecDeque<Option<Finished>>,
    without_ticket: Option<Finished>,
}

impl InOrder {
    /// Adds a finished frame. Call [`InOrder::pop`] until it returns `None`.
    pub fn push(&mut self, finished: Finished) {
        match finished.0.ticket {
            Some(ticket) => {
                // tickets are consecutive: the distance is less than the number of frames
                let ahead = ticket.saturating_sub(self.next) as usize;
                while self.early.len() <= ahead {
                    self.early.push_back(None);
                }
                self.early[ahead] = Some(finished);
            }
            None => self.without_ticket = Some(finished),
        }
    }

    /// Returns the ticket of the next frame that has one.
    pub fn next_ticket(&self) -> u64 {
        self.next
    }

    /// Returns the next frame in order, if it is finished.
    pub fn pop(&mut self) -> Option<Finished> {
        if let Some(finished) = self.without_ticket.take() {
            return Some(finished);
        }
        let finished = self.early.front_mut()?.take()?;
        self.early.pop_front();
        self.next += 1;
        Some(finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finished(sequence: u64, ticket: Option<u64>) -> Finished {
        (
            Box::new(Frame {
                sequence,
                ticket,
                ..Frame::default()
            }),
            Outcome::Published,
        )
    }

    proptest! {
        #[test]
        fn any_order_becomes_the_one_order(shuffled in Just((0u64..50).collect::<Vec<_>>()).prop_shuffle()) {
            let mut in_order = InOrder::default();
            let mut out = Vec::new();
            for sequence in shuffled {
                in_order.push(finished(sequence, Some(sequence)));
                while let Some((frame, _)) = in_order.pop() {
                    out.push(frame.sequence);
                }
            }
            prop_assert_eq!(out, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_frame_that_no_worker_took_waits_for_nobody() {
        let mut in_order = InOrder::default();
        in_order.push(finished(1, Some(1)));
        assert!(in_order.pop().is_none());
        in_order.push(finished(2, None));
        assert_eq!(in_order.pop().map(|(frame, _)| frame.sequence), Some(2));
        assert!(in_order.pop().is_none());
    }
}
