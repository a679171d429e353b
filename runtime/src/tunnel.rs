//! Raw bytes both ways, after 101 (Switching Protocols) or 2xx to CONNECT.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;

use crate::body::{Body, Guard, Side};
use crate::error::{Error, Kind};
use crate::exchange::Exchange;
#[cfg(feature = "http3")]
use crate::http_datagrams::HttpDatagrams;
use crate::mail::{Frame, Pipe, Received};

/// Both directions of a stream that has become a tunnel. Each ends by itself: a half-close.
///
/// Dropping it gives up what has not ended.
pub struct Tunnel {
    exchange: Arc<Exchange>,
    side: Side,
    guard: Option<Guard>,
    read_ended: bool,
    write_ended: bool,
}

impl Tunnel {
    /// Makes a tunnel of the body of a 101 response, or of a 2xx response to CONNECT; on a
    /// server of the body of the request that is answered so. `None` for a body that has no
    /// stream.
    pub fn from_body(body: Body) -> Option<Self> {
        let (exchange, side, guard) = body.into_exchange();
        let exchange = exchange?;
        Some(Self { exchange, side, guard, read_ended: false, write_ended: false })
    }

    fn incoming(&self) -> &Pipe<Error> {
        match self.side {
            Side::Client => &self.exchange.down,
            Side::Server => &self.exchange.up,
        }
    }

    fn outgoing(&self) -> &Pipe<Error> {
        match self.side {
            Side::Client => &self.exchange.up,
            Side::Server => &self.exchange.down,
        }
    }

    /// The datagrams that go beside the bytes (RFC 9297): over HTTP/3, of an extended CONNECT,
    /// where this side takes datagrams ([`h3_datagrams`]). Anywhere else `None`: there datagrams
    /// are [`capsule`]s among the bytes, to be read by [`Capsules`].
    ///
    /// [`h3_datagrams`]: regatta_core::engine::Config::h3_datagrams
    /// [`capsule`]: regatta_core::engine::h3::capsule
    /// [`Capsules`]: regatta_core::engine::h3::Capsules
    #[cfg(feature = "http3")]
    pub fn datagrams(&self) -> Option<HttpDatagrams> {
        self.exchange.packets().map(HttpDatagrams::new)
    }

    /// The next bytes from the peer; `None` at its half-close.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if self.read_ended {
                return Poll::Ready(None);
            }
            match self.incoming().poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Received::Frame(Frame::Data(bytes))) => {
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Poll::Ready(Received::Frame(Frame::Head(_))) => {}
                Poll::Ready(Received::Failed(error)) => {
                    self.read_ended = true;
                    let error = error.unwrap_or_else(|| Error::new(Kind::Gone));
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Received::Frame(_) | Received::Finished) => self.read_ended = true,
            }
        }
    }

    /// Ready when [`Tunnel::write`] is welcome; an error when the peer reads no more.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.outgoing().poll_room(cx).map_err(|()| Error::new(Kind::Gone))
    }

    /// Sends bytes. Without [`Tunnel::poll_ready`] before it the queue grows.
    pub fn write(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.outgoing().write(Frame::Data(bytes));
        }
    }

    /// Half-closes: nothing more is sent.
    pub fn finish(&mut self) {
        self.write_ended = true;
        self.outgoing().write(Frame::End);
    }

    /// As [`Tunnel::poll_read`], for `async` code.
    pub async fn read(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// Waits until there is room, then sends bytes.
    pub async fn send(&mut self, bytes: Bytes) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.write(bytes);
        Ok(())
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if self.read_ended && self.write_ended {
            return;
        }
        self.incoming().close();
        self.outgoing().fail(None);
        if let Some(guard) = self.guard.take() {
            guard.give_up();
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}
