//! Datagrams, in shapes that segmentation offload, coalescing and ECN survive.

use core::convert::Infallible;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::task::{Context, Poll};
use std::io::{self, IoSliceMut};

/// A bound UDP socket with one owner.
///
/// Whatever is sent may be lost, come late, come twice or out of order; it never comes in part,
/// and never together with another.
pub trait Datagrams: Send + Unpin + 'static {
    /// Receives into some of `buffers`, the first ones, and says what came in the same places of
    /// `received`; the number of places used is at least 1.
    ///
    /// A buffer takes [`max_received_segments`](Self::max_received_segments) of the longest
    /// datagrams that are expected: what does not fit is lost. With no buffer, or no place in
    /// `received`, the error is `InvalidInput`.
    ///
    /// A connected socket hears only its remote; that nobody is there is the error
    /// `ConnectionRefused`, here or from [`try_send`](Self::try_send), whichever is called first,
    /// and the socket stays as it was. One that is not connected never hears of it. Nobody hears
    /// that a datagram was too long for the path: it is lost.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        received: &mut [Received],
    ) -> Poll<io::Result<usize>>;

    /// Hands one transmit to the network, all of it or, with an error, nothing.
    ///
    /// `WouldBlock` means that there is no room: [`poll_writable`](Self::poll_writable) says
    /// when to try again. `InvalidInput` means that this transmit can never be sent, whatever
    /// the path: it is longer than the network allows (EMSGSIZE), has more segments than
    /// [`max_segments`](Self::max_segments), is of the other address family, or goes elsewhere
    /// than to the remote of a connected socket. Any other error is the path's.
    fn try_send(&mut self, transmit: &Transmit<'_>) -> io::Result<()>;

    /// Whether [`try_send`](Self::try_send) is worth a try; else the task is woken when it is.
    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Where it is really bound (port 0 becomes the chosen one).
    fn local_address(&self) -> io::Result<SocketAddr>;

    /// Most segments of one transmit; 1 where there is no segmentation offload. It may fall
    /// when the first try shows that a network card cannot do it.
    fn max_segments(&self) -> usize;

    /// Most datagrams that come in one buffer; 1 where there is no coalescing.
    fn max_received_segments(&self) -> usize;

    /// Whether the network layer may cut datagrams into fragments, so that the path's MTU
    /// cannot be found by trying.
    fn may_fragment(&self) -> bool;
}

/// Of a runtime that has no UDP; its [`bind`](crate::Runtime::bind) says `Unsupported`.
impl Datagrams for Infallible {
    fn poll_receive(
        &mut self,
        _: &mut Context<'_>,
        _: &mut [IoSliceMut<'_>],
        _: &mut [Received],
    ) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn try_send(&mut self, _: &Transmit<'_>) -> io::Result<()> {
        match *self {}
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        match *self {}
    }

    fn max_segments(&self) -> usize {
        match *self {}
    }

    fn max_received_segments(&self) -> usize {
        match *self {}
    }

    fn may_fragment(&self) -> bool {
        match *self {}
    }
}

/// One datagram to send, or several of one size in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// Where it goes; of a connected socket, its remote.
    pub destination: SocketAddr,
    /// The payload; empty is one empty datagram.
    pub contents: &'a [u8],
    /// Cuts `contents` into datagrams of so many bytes, of which the last may be shorter (UDP
    /// GSO). `None` is one datagram.
    pub segment_size: Option<usize>,
    /// The mark of its IP headers (RFC 3168 5); `None` is not ECN-capable.
    pub ecn: Option<Ecn>,
    /// The address that it comes from, where the socket is bound to all of a host's. `None`
    /// lets the host's routes choose.
    pub source: Option<IpAddr>,
}

impl<'a> Transmit<'a> {
    /// One datagram without a mark, from the address that the routes choose.
    pub const fn new(destination: SocketAddr, contents: &'a [u8]) -> Self {
        Self { destination, contents, segment_size: None, ecn: None, source: None }
    }

    /// How many datagrams it is; 0 where the size of a segment is 0, which nobody can send.
    pub const fn segments(&self) -> usize {
        match self.segment_size {
            None => 1,
            Some(0) => 0,
            Some(_) if self.contents.is_empty() => 1,
            Some(size) => self.contents.len().div_ceil(size),
        }
    }
}

/// What came into one buffer: one datagram, or several of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub source: SocketAddr,
    /// How many bytes of the buffer were written.
    pub length: usize,
    /// The bytes of each datagram in the buffer; the last may be shorter (UDP GRO).
    pub stride: usize,
    /// The mark of its IP header (RFC 3168 5); `None` is not ECN-capable, or not known.
    pub ecn: Option<Ecn>,
    /// The address that it was sent to, where the system says it.
    pub destination: Option<IpAddr>,
}

impl Received {
    /// The datagrams in `buffer`, in the order of their sending; an empty one is one.
    pub fn datagrams<'a>(&self, buffer: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let all = buffer.get(..self.length).unwrap_or(buffer);
        let empty = all.is_empty().then_some(all);
        empty.into_iter().chain(all.chunks(self.stride.max(1)))
    }
}

impl Default for Received {
    /// Nothing, from nobody: a place to be written over.
    fn default() -> Self {
        let source = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
        Self { source, length: 0, stride: 0, ecn: None, destination: None }
    }
}

/// An ECN mark (RFC 3168 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecn {
    /// ECN-capable, codepoint 10.
    Ect0,
    /// ECN-capable, codepoint 01.
    Ect1,
    /// Congestion was experienced, codepoint 11.
    Ce,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transmit_counts_its_segments() {
        let all = [
            (0, None, 1),
            (0, Some(10), 1),
            (7, None, 1),
            (7, Some(10), 1),
            (10, Some(10), 1),
            (11, Some(10), 2),
            (30, Some(10), 3),
            (7, Some(0), 0),
        ];
        for (length, segment_size, segments) in all {
            let contents = vec![0; length];
            let destination = Received::default().source;
            let transmit = Transmit { segment_size, ..Transmit::new(destination, &contents) };
            assert_eq!(transmit.segments(), segments, "{length} bytes, {segment_size:?}");
        }
    }

    #[test]
    fn what_was_received_is_cut_at_its_stride() {
        let all: [(usize, usize, &[&[u8]]); 6] = [
            (0, 0, &[b""]),
            (3, 3, &[b"abc"]),
            (3, 8, &[b"abc"]),
            (6, 2, &[b"ab", b"cd", b"ef"]),
            (5, 2, &[b"ab", b"cd", b"e"]),
            (6, 6, &[b"abcdef"]),
        ];
        for (length, stride, datagrams) in all {
            let received = Received { length, stride, ..Received::default() };
            let cut: Vec<_> = received.datagrams(b"abcdefgh").collect();
            assert_eq!(cut, datagrams, "{length} bytes, stride {stride}");
        }
    }
}
