//! The body of an answer in parts, so that a picture is sent to many viewers without a copy for each.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

pub(crate) struct BodyParts {
    left: VecDeque<Bytes>,
    left_bytes: u64,
}

impl BodyParts {
    pub fn new(parts: impl IntoIterator<Item = Bytes>) -> Self {
        let left: VecDeque<Bytes> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let left_bytes = left.iter().map(|part| part.len() as u64).sum();
        Self { left, left_bytes }
    }
}

impl Body for BodyParts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.left.pop_front();
        if let Some(part) = &next {
            self.left_bytes -= part.len() as u64;
        }
        Poll::Ready(next.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes)
    }
}
