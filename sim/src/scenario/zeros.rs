//! Bodies of a given length.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::convert::Infallible;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// What a frame holds at most.
const FRAME: usize = 32 << 10;

static ZEROS: [u8; FRAME] = [0; FRAME];

/// A body of so many zeros.
#[derive(Debug)]
pub(super) struct Zeros(pub(super) u64);

impl Body for Zeros {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let count = usize::try_from(self.0).unwrap_or(FRAME).min(FRAME);
        if count == 0 {
            return Poll::Ready(None);
        }
        self.0 -= count as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS[..count])))))
    }

    fn is_end_stream(&self) -> bool {
        self.0 == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}
