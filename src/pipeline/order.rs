//! Frames that are done in any order, given out in the order in which they were received.

use std::collections::BTreeMap;

use super::{Frame, Outcome};

/// A frame and what became of it.
pub type Finished = (Box<Frame>, Outcome);

/// Holds back what is done before its turn. Its size is bounded by the number of frames that there are.
#[derive(Default)]
pub struct InOrder {
    next: u64,
    early: BTreeMap<u64, Finished>,
}

impl InOrder {
    pub fn push(&mut self, finished: Finished) {
        self.early.insert(finished.0.sequence, finished);
    }

    /// The next frame, if it is done.
    pub fn pop(&mut self) -> Option<Finished> {
        let finished = self.early.remove(&self.next)?;
        self.next += 1;
        Some(finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_order_becomes_the_one_order(shuffled in Just((0u64..50).collect::<Vec<_>>()).prop_shuffle()) {
            let mut in_order = InOrder::default();
            let mut out = Vec::new();
            for sequence in shuffled {
                let frame = Box::new(Frame { sequence, ..Frame::default() });
                in_order.push((frame, Outcome::Published));
                while let Some((frame, _)) = in_order.pop() {
                    out.push(frame.sequence);
                }
            }
            prop_assert_eq!(out, (0..50).collect::<Vec<_>>());
        }
    }
}
