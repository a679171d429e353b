//! Bodies whose frames a test makes as it goes.

use core::convert::Infallible;
use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

/// A body that a test feeds through the sender; dropping that ends it.
pub(crate) fn channel() -> (Sender, Channel) {
    let (sender, frames) = mpsc::unbounded_channel();
    (Sender(sender), Channel(frames))
}

#[derive(Debug)]
pub(crate) struct Sender(mpsc::UnboundedSender<Frame<Bytes>>);

impl Sender {
    /// False when nobody reads any more.
    pub(crate) fn send(&self, data: &'static str) -> Result<(), String> {
        self.frame(Frame::data(Bytes::from_static(data.as_bytes())))
    }

    pub(crate) fn trailers(&self, trailers: HeaderMap) -> Result<(), String> {
        self.frame(Frame::trailers(trailers))
    }

    fn frame(&self, frame: Frame<Bytes>) -> Result<(), String> {
        self.0.send(frame).map_err(|error| error.to_string())
    }

    /// Waits until the body was dropped.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

#[derive(Debug)]
pub(crate) struct Channel(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Channel {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// A body of so many bytes that counts what was taken of it.
#[derive(Debug)]
pub(crate) struct Counted {
    left: u64,
    taken: Arc<AtomicU64>,
}

impl Counted {
    const CHUNK: u64 = 16 << 10;

    pub(crate) fn new(length: u64) -> (Self, Arc<AtomicU64>) {
        let taken = Arc::new(AtomicU64::new(0));
        (Self { left: length, taken: Arc::clone(&taken) }, taken)
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let n = self.left.min(Self::CHUNK);
        if n == 0 {
            return Poll::Ready(None);
        }
        self.left -= n;
        self.taken.fetch_add(n, Ordering::Relaxed);
        let chunk = Bytes::from_static(&[b'x'; Self::CHUNK as usize]).slice(..n as usize);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}
