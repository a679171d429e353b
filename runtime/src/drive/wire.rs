//! One byte stream with or without TLS: the layer between a socket and an engine.

use core::cell::RefCell;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};
use regatta_core::Instant;
use regatta_core::engine::Output;
use regatta_core::engine::tls::{Tls, TlsError};
use regatta_core::types::Cause;

use crate::runtime::Stream;

/// Bytes that one read may bring.
const SCRATCH: usize = 16 << 10;

/// A long body is read straight into frames of this size.
const DIRECT: usize = 64 << 10;

/// Fewer bytes than this are not worth a buffer of their own.
const DIRECT_LEAST: usize = 4 << 10;

thread_local! {
    /// What every read of this thread goes into first; only what is left unparsed is kept.
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
    /// What TLS makes of it.
    static PLAIN: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// A socket and its TLS.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    socket: S,
    tls: Option<Tls>,
    /// What the engine wants to say.
    pub(crate) plain: Output,
    /// The same, encrypted; unused without TLS.
    sealed: Output,
    read_open: bool,
    write_open: bool,
}

/// What a read brought.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Bytes, given to the sink.
    Bytes,
    /// The peer will say nothing more: `clean` if it said so.
    End { clean: bool, cause: Cause, error: Option<TlsError> },
}

/// Who takes bytes in.
pub(crate) trait Sink {
    /// How many bytes may be handed over without a copy.
    fn direct(&self) -> usize;
    fn take(&mut self, bytes: &[u8]);
    fn take_direct(&mut self, bytes: Bytes);
}

impl<S: Stream> Wire<S> {
    pub(crate) fn new(socket: S, tls: Option<Tls>) -> Self {
        Self {
            socket,
            tls,
            plain: Output::new(),
            sealed: Output::new(),
            read_open: true,
            write_open: true,
        }
    }

    pub(crate) const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(crate) const fn is_read_open(&self) -> bool {
        self.read_open
    }

    /// Whether all that was said has left.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.write_open || (self.plain.is_empty() && self.sealed.is_empty())
    }

    /// Reads once and hands on what came.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Poll<Heard> {
        if self.tls.is_none() && sink.direct() >= DIRECT_LEAST {
            return self.read_direct(cx, sink);
        }
        READ.with_borrow_mut(|scratch| {
            let count = match self.socket.poll_read(cx, scratch) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(self.broken(&error)),
                Poll::Ready(Ok(count)) => count,
            };
            let bytes = scratch.get(..count).unwrap_or_default();
            if count == 0 {
                return Poll::Ready(self.fin());
            }
            if self.tls.is_none() {
                sink.take(bytes);
                return Poll::Ready(Heard::Bytes);
            }
            Poll::Ready(self.decrypt(now, bytes, sink))
        })
    }

    fn decrypt(&mut self, now: Instant, bytes: &[u8], sink: &mut impl Sink) -> Heard {
        let Some(tls) = &mut self.tls else { return Heard::Bytes };
        PLAIN.with_borrow_mut(|plain| {
            plain.clear();
            let result = tls.receive(now, bytes, plain);
            if !plain.is_empty() {
                sink.take(plain);
            }
            if let Err(error) = result {
                self.read_open = false;
                return Heard::End { clean: false, cause: error.cause, error: Some(error) };
            }
            if tls.is_peer_closed() {
                self.read_open = false;
                return Heard::End { clean: true, cause: Cause::Closed, error: None };
            }
            Heard::Bytes
        })
    }

    fn read_direct(&mut self, cx: &mut Context<'_>, sink: &mut impl Sink) -> Poll<Heard> {
        let mut buffer = BytesMut::zeroed(sink.direct().min(DIRECT));
        match self.socket.poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(self.broken(&error)),
            Poll::Ready(Ok(0)) => Poll::Ready(self.fin()),
            Poll::Ready(Ok(count)) => {
                buffer.truncate(count);
                // A short read would keep a long buffer alive: copy it.
                if count < DIRECT_LEAST {
                    sink.take(&buffer);
                } else {
                    sink.take_direct(buffer.freeze());
                }
                Poll::Ready(Heard::Bytes)
            }
        }
    }

    fn fin(&mut self) -> Heard {
        self.read_open = false;
        let clean = self.tls.as_ref().is_none_or(Tls::is_peer_closed);
        Heard::End { clean, cause: Cause::Closed, error: None }
    }

    fn broken(&mut self, error: &io::Error) -> Heard {
        self.read_open = false;
        Heard::End { clean: false, cause: cause_of(error), error: None }
    }

    /// Writes as much as the socket takes. Ready when all has left.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Flushed> {
        let mut wrote = false;
        while self.write_open {
            let out = match &mut self.tls {
                Some(tls) => {
                    tls.send(now, &mut self.plain, &mut self.sealed);
                    &mut self.sealed
                }
                None => &mut self.plain,
            };
            if out.is_empty() {
                out.shrink();
                break;
            }
            let mut slices = [IoSlice::new(&[]); 32];
            let filled = out.slices(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            match self.socket.poll_write(cx, slices) {
                Poll::Pending if wrote => return Poll::Ready(Flushed::Some),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => self.give_up_writing(),
                Poll::Ready(Ok(count)) => {
                    wrote = true;
                    out.advance(count);
                }
            }
        }
        Poll::Ready(if wrote { Flushed::Some } else { Flushed::Nothing })
    }

    /// Nothing can be written any more; what the peer has sent may still be read.
    fn give_up_writing(&mut self) {
        self.write_open = false;
        self.plain.clear();
        self.sealed.clear();
    }

    pub(crate) const fn is_write_open(&self) -> bool {
        self.write_open
    }

    /// Says `close_notify` with the next flush.
    pub(crate) fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close();
        }
    }

    /// Sends FIN.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.write_open {
            return Poll::Ready(());
        }
        self.socket.poll_shutdown(cx).map(drop)
    }
}

/// What a flush did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// There was nothing to write.
    Nothing,
    /// Something was written.
    Some,
}

/// The cause that an error of the operating system stands for.
pub(crate) fn cause_of(error: &io::Error) -> Cause {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Cause::Refused,
        Kind::HostUnreachable | Kind::NetworkUnreachable => Cause::Unreachable,
        Kind::AddrNotAvailable | Kind::NetworkDown => Cause::Unreachable,
        Kind::TimedOut => Cause::ConnectTimeout,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
            Cause::ConnectionReset
        }
        _ => Cause::Os(error.raw_os_error().unwrap_or(0)),
    }
}
