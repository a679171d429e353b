//! Bodies that facts send.

use core::convert::Infallible;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;

use crate::error::Error;

/// Bytes by which a place in a body is known.
pub(super) fn pattern(length: usize) -> Bytes {
    (0..length).map(|n| (n % 251) as u8).collect::<Vec<_>>().into()
}

/// A body whose length nobody knows: each piece comes only when it was asked for twice.
pub(super) struct Pieces {
    pieces: VecDeque<Frame<Bytes>>,
    asked: bool,
}

impl Pieces {
    /// Cuts `bytes` into so many pieces.
    pub(super) fn cut(bytes: &Bytes, count: usize) -> Self {
        let size = bytes.len().div_ceil(count).max(1);
        let pieces = bytes.chunks(size).map(|piece| Frame::data(Bytes::copy_from_slice(piece)));
        Self { pieces: pieces.collect(), asked: false }
    }

    /// With trailers at the end.
    pub(super) fn and_trailers(mut self, trailers: HeaderMap) -> Self {
        self.pieces.push_back(Frame::trailers(trailers));
        self
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.asked = !self.asked;
        if self.asked {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front().map(Ok))
    }
}

/// Any body, whatever its type.
pub(super) type Boxed = UnsyncBoxBody<Bytes, Error>;

pub(super) fn boxed<B>(body: B) -> Boxed
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    body.map_err(|never| match never {}).boxed_unsync()
}

/// A body without an end, which counts the bytes that were taken of it.
pub(super) struct Endless {
    taken: Arc<AtomicU64>,
}

impl Endless {
    const PIECE: [u8; 16 << 10] = [b'x'; 16 << 10];

    pub(super) fn new() -> (Self, Arc<AtomicU64>) {
        let taken = Arc::new(AtomicU64::new(0));
        (Self::counted(&taken), taken)
    }

    /// With a counter that is there already.
    pub(super) fn counted(taken: &Arc<AtomicU64>) -> Self {
        Self { taken: Arc::clone(taken) }
    }
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.taken.fetch_add(Self::PIECE.len() as u64, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&Self::PIECE)))))
    }
}
