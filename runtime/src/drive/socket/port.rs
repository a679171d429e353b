//! A UDP socket and its QUIC endpoint: datagrams in and out.

use core::cell::RefCell;
use core::net::SocketAddr;
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

/// Most datagrams of one transmit. With ten, which is quinn's, the server of a download spends a
/// third more CPU time. How many may leave together is the pacer's to say, in one call or in many.
const SEGMENTS: usize = 32;

/// Reads and writes of one turn; then others have theirs.
const TURN: usize = 16;

/// Bytes from which a turn has written enough.
const WRITTEN: usize = 256 << 10;

thread_local! {
    /// What every read of this thread goes into first.
    static READ: RefCell<Box<Scratch>> = RefCell::new(Box::new(Scratch {
        bytes: vec![0; BUFFERS * BUFFER].into_boxed_slice(),
        received: [Received::default(); BUFFERS],
    }));
    /// What every write of this thread comes from: no idle connection has its own.
    static WRITE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What reads write.
struct Scratch {
    bytes: Box<[u8]>,
    received: [Received; BUFFERS],
}

/// A UDP socket and its QUIC endpoint.
#[derive(Debug)]
pub(super) struct Port<S> {
    socket: S,
    pub(super) endpoint: quic::Endpoint,
    /// What the socket had no room for.
    unsent: Option<(quic::Transmit, Vec<u8>)>,
    /// It can be read no more.
    is_deaf: bool,
    /// Others were let go first, and what there is is sent now.
    has_waited: bool,
    /// From here no way leads there any more: the socket's address is gone, or its route.
    is_stranded: bool,
}

/// What the reads of one turn brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Datagrams.
    pub(super) datagrams: bool,
    /// The network says that one of our datagrams found nobody, which may be somebody's lie
    /// (RFC 9000 14.2.1); the socket stays as it was.
    pub(super) nobody: Option<Cause>,
    /// Why the socket can be read no more: told once, then it is not tried again.
    pub(super) broken: Option<Cause>,
    /// Its turn is over, and more may wait.
    more: bool,
}

/// What the writes of one turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Something has left.
    pub(super) some: bool,
    /// Nothing is left to be sent.
    pub(super) all: bool,
}

impl Sent {
    /// Nobody is there: what was to be sent is lost, and more may follow.
    pub(super) const LOST: Self = Self { some: true, all: false };
}

impl Heard {
    /// Whether it was all there is: the socket wakes the task for more, or is not read again.
    pub(super) const fn is_all(&self) -> bool {
        !self.more
    }

    /// Whether there is something to do now, or to read at once.
    pub(super) const fn is_something(&self) -> bool {
        self.datagrams || self.broken.is_some() || self.more
    }
}

impl<S: Datagrams> Port<S> {
    pub(super) const fn new(socket: S, endpoint: quic::Endpoint) -> Self {
        Self {
            socket,
            endpoint,
            unsent: None,
            is_deaf: false,
            has_waited: false,
            is_stranded: false,
        }
    }

    /// Whether who was told of what came is let go first, once before a transmit: what they say to
    /// it leaves in the datagrams of its acknowledgement. The task is to be woken again at once.
    pub(super) const fn waits(&mut self, has_told: bool) -> bool {
        self.has_waited = has_told && !self.has_waited;
        self.has_waited
    }

    /// Goes on with another socket. What the last one had no room for is lost with it.
    pub(super) fn replace(&mut self, socket: S) {
        self.socket = socket;
        (self.unsent, self.is_deaf, self.is_stranded) = (None, false, false);
    }

    /// Whether a datagram found no way since this was asked last.
    pub(super) const fn take_stranded(&mut self) -> bool {
        core::mem::replace(&mut self.is_stranded, false)
    }

    /// Whether nobody has to hear anything of it, once all there was is read and sent.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.is_stranded && self.endpoint.is_settled()
    }

    /// Takes in what has come, as far as its turn goes.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> Heard {
        let mut heard = Heard::default();
        if self.is_deaf {
            return heard;
        }
        READ.with_borrow_mut(|scratch| {
            let Scratch { bytes, received } = &mut **scratch;
            let mut chunks = bytes.chunks_mut(BUFFER).map(IoSliceMut::new);
            let mut buffers: [IoSliceMut<'_>; BUFFERS] =
                core::array::from_fn(|_| chunks.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            for _ in 0..TURN {
                match self.socket.poll_receive(cx, &mut buffers, received) {
                    Poll::Pending => return heard,
                    Poll::Ready(Ok(count)) => {
                        for (meta, buffer) in received.iter().zip(&buffers).take(count) {
                            self.take(now, meta, buffer);
                        }
                        heard.datagrams = true;
                    }
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Poll::Ready(Err(error)) => match Cause::from(&error) {
                        cause @ (Cause::Refused | Cause::ConnectionReset | Cause::Unreachable) => {
                            heard.nobody = Some(cause);
                        }
                        cause => {
                            self.is_deaf = true;
                            heard.broken = Some(cause);
                            return heard;
                        }
                    },
                }
            }
            heard.more = true;
            heard
        })
    }

    fn take(&mut self, now: Instant, received: &Received, buffer: &[u8]) {
        let from = quic::Received {
            source: received.source,
            destination: received.destination,
            ecn: received.ecn.map(mark),
        };
        let datagrams = buffer.get(..received.length).unwrap_or(buffer);
        self.endpoint.receive_all(now, &from, datagrams, received.stride);
    }

    /// Where the socket is bound.
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_address().ok()
    }

    /// Sends what there is, as far as its turn and the socket's room go. An error is the end of
    /// hope only where the system says that nobody is there.
    pub(super) fn transmit(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Sent, Cause> {
        WRITE.with_borrow_mut(|buffer| self.transmit_from(cx, now, buffer))
    }

    fn transmit_from(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        buffer: &mut Vec<u8>,
    ) -> Result<Sent, Cause> {
        let mut sent = Sent { some: false, all: false };
        let mut written = 0;
        for _ in 0..TURN {
            let next = match self.unsent.take() {
                Some((next, bytes)) => {
                    *buffer = bytes;
                    Some(next)
                }
                None => {
                    let segments = self.socket.max_segments().min(SEGMENTS);
                    self.endpoint.poll_transmit(now, segments, buffer)
                }
            };
            let Some(next) = next else {
                sent.all = true;
                break;
            };
            match self.socket.try_send(&transmit(&next, buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent = Some((next, core::mem::take(buffer)));
                    if self.socket.poll_writable(cx).is_pending() {
                        break;
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Err(Cause::from(&error));
                }
                // Whatever else it is, the datagram is lost, as others are.
                Err(error) => {
                    self.is_stranded |= is_stranded(&error, &next, buffer.len());
                    sent.some = true;
                }
                Ok(()) => sent.some = true,
            }
            written += buffer.len();
            if written >= WRITTEN {
                break;
            }
        }
        Ok(sent)
    }
}

/// Every path of QUIC carries datagrams of so many bytes (RFC 9000 14).
const LEAST: usize = 1_200;

/// Whether an error says that from this socket's address nothing goes there any more. Linux calls
/// an address that is gone an invalid argument, as it calls a datagram that is too long.
fn is_stranded(error: &io::Error, transmit: &quic::Transmit, length: usize) -> bool {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::AddrNotAvailable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::HostUnreachable => true,
        Kind::InvalidInput => transmit.segment_size.unwrap_or(length) <= LEAST,
        _ => false,
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
