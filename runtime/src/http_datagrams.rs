//! The datagrams of an exchange, as callers and services hold them.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use regatta_core::engine::h3::DatagramError;

use crate::mail::Packets;

/// The HTTP datagrams (RFC 9297) of one extended CONNECT over HTTP/3, beside the bytes of its
/// [`Tunnel`](crate::Tunnel): unreliable, out of order, and none longer than the path carries.
///
/// Up to [`h3_datagrams`](regatta_core::engine::Config::h3_datagrams) bytes wait in each direction,
/// 64 counted with each datagram; the oldest are lost first. Clones share the queues: each datagram
/// goes to one of them, and of several that wait the one that asked last is woken.
#[derive(Clone)]
pub struct HttpDatagrams {
    packets: Arc<Packets>,
}

impl HttpDatagrams {
    pub(crate) const fn new(packets: Arc<Packets>) -> Self {
        Self { packets }
    }

    pub(crate) const fn packets(&self) -> &Arc<Packets> {
        &self.packets
    }

    /// The longest datagram that may be sent now, in bytes. It changes with the path. `None` while
    /// the peer has not said that it takes datagrams, and after the end of the stream.
    pub fn max_size(&self) -> Option<usize> {
        self.packets.longest()
    }

    /// Sends a datagram. It never waits: where too much does, what has waited longest is lost.
    pub fn send(&self, datagram: Bytes) -> Result<(), DatagramError> {
        self.packets.send(datagram)
    }

    /// The oldest datagram that came and was not taken; `None` when the stream has ended.
    pub fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.packets.poll_came(cx)
    }

    /// As [`HttpDatagrams::poll_receive`], for `async` code. Dropping the future loses nothing.
    pub async fn receive(&self) -> Option<Bytes> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// How many datagrams were lost so far because too much waited here: of those that were to be
    /// sent, and of those that came. What the connection or the network loses does not count.
    pub fn lost(&self) -> (u64, u64) {
        self.packets.lost()
    }
}

impl fmt::Debug for HttpDatagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpDatagrams").finish_non_exhaustive()
    }
}
