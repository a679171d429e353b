//! A UDP socket and its QUIC endpoint: datagrams in and out.

use core::cell::RefCell;
use core::task::{Context, Poll};
use std::io::{self, IoSliceMut};

use regatta_core::Instant;
use regatta_core::engine::quic;
use regatta_core::types::Cause;

use crate::datagrams::{Datagrams, Ecn, Received, Transmit};

/// Buffers of one read; each takes what the system puts together.
const BUFFERS: usize = 4;

/// What one read can bring into a buffer: more than any datagram, or 44 of Ethernet's.
const BUFFER: usize = 64 << 10;

/// Most datagrams of one transmit: what quinn found to be enough.
const SEGMENTS: usize = 10;

/// Reads and writes of one turn; then others have theirs.
const TURN: usize = 16;

thread_local! {
    /// What every read of this thread goes into first.
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFERS * BUFFER].into_boxed_slice());
}

/// A UDP socket and its QUIC endpoint.
#[derive(Debug)]
pub(super) struct Port<S> {
    socket: S,
    pub(super) endpoint: quic::Endpoint,
    /// What the socket had no room for; its bytes are in `buffer`.
    unsent: Option<quic::Transmit>,
    buffer: Vec<u8>,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Datagrams,
    /// The system says that the peer cannot be reached.
    Broken(Cause),
}

impl<S: Datagrams> Port<S> {
    pub(super) const fn new(socket: S, endpoint: quic::Endpoint) -> Self {
        Self { socket, endpoint, unsent: None, buffer: Vec::new() }
    }

    /// Takes in what has come, as far as its turn goes.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> Heard {
        READ.with_borrow_mut(|scratch| {
            let mut heard = Heard::Nothing;
            for _ in 0..TURN {
                let mut received = [Received::default(); BUFFERS];
                let mut chunks = scratch.chunks_mut(BUFFER).map(IoSliceMut::new);
                let mut buffers: [IoSliceMut<'_>; BUFFERS] = core::array::from_fn(|_| {
                    chunks.next().unwrap_or_else(|| IoSliceMut::new(&mut []))
                });
                match self.socket.poll_receive(cx, &mut buffers, &mut received) {
                    Poll::Pending => break,
                    Poll::Ready(Err(error)) => return Heard::Broken(Cause::from(&error)),
                    Poll::Ready(Ok(count)) => {
                        for (meta, buffer) in received.iter().zip(&buffers).take(count) {
                            self.take(now, meta, buffer);
                        }
                        heard = Heard::Datagrams;
                    }
                }
            }
            heard
        })
    }

    fn take(&mut self, now: Instant, received: &Received, buffer: &[u8]) {
        let from = quic::Received {
            source: received.source,
            destination: received.destination,
            ecn: received.ecn.map(mark),
        };
        for datagram in received.datagrams(buffer) {
            self.endpoint.receive(now, &from, datagram);
        }
    }

    /// Sends what there is, as far as its turn and the socket's room go. An error is the end of
    /// hope only where the system says that nobody is there.
    pub(super) fn transmit(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, Cause> {
        let mut sent = false;
        for _ in 0..TURN {
            let segments = self.socket.max_segments().min(SEGMENTS);
            let next = self.unsent.take();
            let next =
                next.or_else(|| self.endpoint.poll_transmit(now, segments, &mut self.buffer));
            let Some(next) = next else { break };
            match self.socket.try_send(&transmit(&next, &self.buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent = Some(next);
                    if self.socket.poll_writable(cx).is_pending() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Err(Cause::from(&error));
                }
                // Whatever else it is, the datagram is lost, as others are.
                Ok(()) | Err(_) => sent = true,
            }
        }
        Ok(sent)
    }
}

fn transmit<'a>(transmit: &quic::Transmit, contents: &'a [u8]) -> Transmit<'a> {
    Transmit {
        destination: transmit.destination,
        contents,
        segment_size: transmit.segment_size,
        ecn: transmit.ecn.map(|mark| match mark {
            quic::Ecn::Ect0 => Ecn::Ect0,
            quic::Ecn::Ect1 => Ecn::Ect1,
            quic::Ecn::Ce => Ecn::Ce,
        }),
        source: transmit.source,
    }
}

const fn mark(mark: Ecn) -> quic::Ecn {
    match mark {
        Ecn::Ect0 => quic::Ecn::Ect0,
        Ecn::Ect1 => quic::Ecn::Ect1,
        Ecn::Ce => quic::Ecn::Ce,
    }
}
