//! One byte stream with or without TLS: the layer between a socket and an engine.

use core::cell::RefCell;
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};
use regatta_core::Instant;
use regatta_core::engine::Output;
use regatta_core::engine::tls::{Tls, TlsError};
use regatta_core::types::Cause;

use crate::runtime::Stream;

/// Bytes that one read may bring. More would bring a server more HTTP/2 requests than it may have
/// at a time, before the first is answered.
pub(super) const SCRATCH: usize = 16 << 10;

/// .. and a client, to which answers are brought that it has asked for.
pub(super) const ANSWERS: usize = 64 << 10;

/// So many bytes are left in their place for who can read them there.
const IN_PLACE: usize = 4 << 10;

/// A long body is read straight into frames of this size.
const DIRECT: usize = 64 << 10;

/// Fewer bytes than this are not worth a frame of that size: it would be kept alive for them.
const DIRECT_LEAST: usize = DIRECT / 2;

/// So much of a body that was decrypted is handed on in its buffer; less is copied out of it.
const OWN_LEAST: usize = 4 << 10;

/// So many frames of a thread are taken for the next ones, once their readers have let them go.
const LENT: usize = 4;

thread_local! {
    /// What every read of this thread goes into first; only what is left unparsed is kept.
    static READ: RefCell<BytesMut> = RefCell::new(BytesMut::zeroed(ANSWERS));
    /// Frames that were read into, the oldest first.
    static FRAMES: RefCell<VecDeque<Bytes>> = const { RefCell::new(VecDeque::new()) };
    /// What TLS makes of it.
    static PLAIN: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// A socket and its TLS.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    socket: S,
    /// With the proxy whose tunnel this is, where TLS is spoken with it: below all else.
    outer: Option<Box<Outer>>,
    layer: Option<Box<Layer>>,
    /// What the engine wants to say.
    pub(crate) plain: Output,
    read_open: bool,
    write: WriteHalf,
    /// Bytes that the socket has taken.
    written: u64,
}

/// TLS with the peer.
#[derive(Debug)]
struct Layer {
    tls: Tls,
    /// What is said, encrypted by it.
    sealed: Output,
}

impl Layer {
    fn new(tls: Tls) -> Box<Self> {
        Box::new(Self { tls, sealed: Output::new() })
    }
}

/// The TLS that a tunnel lies in.
#[derive(Debug)]
struct Outer {
    tls: Tls,
    /// Encrypted by it.
    sealed: Output,
    /// Decrypted by it, for a moment.
    opened: BytesMut,
    is_closed: bool,
}

/// What may still be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteHalf {
    Open,
    /// `close_notify` and FIN follow what is left.
    Closing,
    /// `close_notify` was said; FIN follows.
    Goodbye,
    /// FIN was sent.
    Closed,
    /// The transport took no more.
    Broken,
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
    /// How many it takes at a time.
    fn most(&self) -> usize {
        SCRATCH
    }
    fn take(&mut self, bytes: &[u8]);
    /// The same of what may be read in its place; the buffer comes back as it was.
    fn take_in_place(&mut self, bytes: &mut BytesMut) {
        self.take(bytes);
    }
    fn take_direct(&mut self, bytes: Bytes);
}

/// Bytes that came before there is an engine to understand them.
#[derive(Debug, Default)]
pub(crate) struct Early {
    pub(crate) bytes: BytesMut,
}

impl Sink for Early {
    fn direct(&self) -> usize {
        0
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn take_direct(&mut self, bytes: Bytes) {
        self.take(&bytes);
    }
}

impl<S: Stream> Wire<S> {
    pub(crate) fn new(socket: S, tls: Option<Tls>) -> Self {
        Self {
            socket,
            outer: None,
            layer: tls.map(Layer::new),
            plain: Output::new(),
            read_open: true,
            write: WriteHalf::Open,
            written: 0,
        }
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.layer.as_ref().map(|layer| &layer.tls)
    }

    pub(crate) const fn is_read_open(&self) -> bool {
        self.read_open
    }

    /// Whether all that was said has left.
    pub(crate) fn is_flushed(&self) -> bool {
        self.is_write_closed() || self.backlog() == 0
    }

    /// Whether FIN was sent, or nothing can be written any more.
    pub(crate) const fn is_write_closed(&self) -> bool {
        matches!(self.write, WriteHalf::Closed | WriteHalf::Broken)
    }

    /// Whether nothing can be written any more because the transport broke.
    pub(crate) fn is_write_broken(&self) -> bool {
        self.write == WriteHalf::Broken
    }

    /// How many bytes wait for the socket.
    pub(crate) fn backlog(&self) -> usize {
        let outer = self.outer.as_ref().map_or(0, |outer| outer.sealed.len());
        let sealed = self.layer.as_ref().map_or(0, |layer| layer.sealed.len());
        self.plain.len() + sealed + outer
    }

    /// Nothing more is written; what is left is dropped, here and with every later flush.
    pub(crate) fn break_off(&mut self) {
        self.write = WriteHalf::Broken;
        self.plain.clear();
        if let Some(layer) = &mut self.layer {
            layer.sealed.clear();
        }
        if let Some(outer) = &mut self.outer {
            outer.sealed.clear();
        }
    }

    /// What is said from now on goes through a tunnel in the TLS that was spoken so far, if any
    /// was: it is as a socket without TLS.
    pub(crate) fn begin_tunnel(&mut self) {
        self.outer = self.layer.take().map(|layer| {
            let Layer { tls, sealed } = *layer;
            Box::new(Outer { tls, sealed, opened: BytesMut::new(), is_closed: false })
        });
    }

    /// Begins TLS on what was plain text so far, with the bytes that came of it already.
    pub(crate) fn secure(
        &mut self,
        now: Instant,
        tls: Tls,
        begun: &[u8],
        sink: &mut impl Sink,
    ) -> Heard {
        self.layer = Some(Layer::new(tls));
        self.decrypt(now, begun, sink)
    }

    /// How many bytes the socket has taken so far.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Reads once and hands on what came.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Poll<Heard> {
        if self.layer.is_none() && self.outer.is_none() && sink.direct() >= DIRECT_LEAST {
            return self.read_direct(cx, sink);
        }
        READ.with_borrow_mut(|scratch| {
            let room = scratch.get_mut(..sink.most()).unwrap_or_default();
            let count = match self.socket.poll_read(cx, room) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(self.broken(&error)),
                Poll::Ready(Ok(count)) => count,
            };
            if count == 0 {
                return Poll::Ready(self.fin());
            }
            if count >= IN_PLACE && self.layer.is_none() && self.outer.is_none() {
                let rest = scratch.split_off(count.min(scratch.len()));
                sink.take_in_place(scratch);
                scratch.unsplit(rest);
                return Poll::Ready(Heard::Bytes);
            }
            let bytes = scratch.get(..count).unwrap_or_default();
            Poll::Ready(match &self.outer {
                None => self.hear(now, bytes, sink),
                Some(_) => self.hear_inside(now, bytes, sink),
            })
        })
    }

    fn hear(&mut self, now: Instant, bytes: &[u8], sink: &mut impl Sink) -> Heard {
        if self.layer.is_none() {
            sink.take(bytes);
            return Heard::Bytes;
        }
        self.decrypt(now, bytes, sink)
    }

    /// What the proxy's TLS has in it is what a socket would have brought; its end is the
    /// tunnel's.
    fn hear_inside(&mut self, now: Instant, bytes: &[u8], sink: &mut impl Sink) -> Heard {
        let Some(outer) = &mut self.outer else { return Heard::Bytes };
        let mut opened = core::mem::take(&mut outer.opened);
        let result = outer.tls.receive(now, bytes, &mut opened);
        let is_over = outer.tls.is_peer_closed();
        let heard = match opened.is_empty() {
            true => Heard::Bytes,
            false => self.hear(now, &opened, sink),
        };
        opened.clear();
        if let Some(outer) = &mut self.outer {
            outer.opened = opened;
        }
        match (heard, result) {
            (Heard::Bytes, Err(error)) => {
                self.read_open = false;
                Heard::End { clean: false, cause: error.cause, error: Some(error) }
            }
            (Heard::Bytes, Ok(())) if is_over => self.fin(),
            (heard, _) => heard,
        }
    }

    fn decrypt(&mut self, now: Instant, bytes: &[u8], sink: &mut impl Sink) -> Heard {
        let Some(Layer { tls, .. }) = self.layer.as_deref_mut() else { return Heard::Bytes };
        PLAIN.with_borrow_mut(|plain| {
            plain.clear();
            let result = tls.receive(now, bytes, plain);
            // A buffer that is mostly empty would be kept alive for the little in it.
            let is_full = plain.capacity() <= 2 * plain.len();
            if is_full && (OWN_LEAST..=sink.direct()).contains(&plain.len()) {
                sink.take_direct(core::mem::take(plain).freeze());
            } else if !plain.is_empty() {
                sink.take_in_place(plain);
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
        let mut frame = take_frame();
        let room = sink.direct().min(DIRECT);
        let read = self.socket.poll_read(cx, frame.get_mut(..room).unwrap_or_default());
        let frame = frame.freeze();
        let heard = read.map(|read| match read {
            Err(error) => self.broken(&error),
            Ok(0) => self.fin(),
            Ok(count) if count < DIRECT_LEAST => {
                sink.take(frame.get(..count).unwrap_or_default());
                Heard::Bytes
            }
            Ok(count) => {
                sink.take_direct(frame.slice(..count));
                Heard::Bytes
            }
        });
        FRAMES.with_borrow_mut(|frames| {
            if frames.len() < LENT {
                frames.push_back(frame);
            }
        });
        heard
    }

    fn fin(&mut self) -> Heard {
        self.read_open = false;
        let innermost = self.tls().or_else(|| Some(&self.outer.as_ref()?.tls));
        let clean = innermost.is_none_or(Tls::is_peer_closed);
        Heard::End { clean, cause: Cause::Closed, error: None }
    }

    fn broken(&mut self, error: &io::Error) -> Heard {
        self.read_open = false;
        let cause = match Cause::from(error) {
            // This connection was established: it is the peer that has fallen silent.
            Cause::ConnectTimeout => Cause::Os(error.raw_os_error().unwrap_or(0)),
            cause => cause,
        };
        Heard::End { clean: false, cause, error: None }
    }

    /// Writes as much as the socket takes. Ready when all has left, or nothing more ever will.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Flushed> {
        let mut wrote = false;
        if self.is_write_closed() {
            // The engine goes on until it hears of it: its bytes have nowhere to go. That there
            // were any counts, or nobody would ask the engine for what is left behind them.
            wrote = !self.plain.is_empty();
            self.plain.clear();
        }
        // What is plain is shrunk by who lends it its room.
        let is_plain = self.layer.is_none() && self.outer.is_none();
        while !self.is_write_closed() {
            let out = match self.layer.as_deref_mut() {
                Some(Layer { tls, sealed }) => {
                    tls.send(now, &mut self.plain, sealed);
                    sealed
                }
                None => &mut self.plain,
            };
            let out = match &mut self.outer {
                Some(outer) => {
                    outer.tls.send(now, out, &mut outer.sealed);
                    &mut outer.sealed
                }
                None => out,
            };
            let written = if out.is_empty() {
                if !is_plain {
                    out.shrink();
                }
                if self.write == WriteHalf::Open {
                    break;
                }
                self.poll_goodbye(cx)
            } else {
                let done = match out.only() {
                    Some(bytes) => self.socket.poll_write(cx, &[IoSlice::new(bytes)]),
                    None => {
                        let mut slices = [IoSlice::new(&[]); 32];
                        let filled = out.slices(&mut slices);
                        self.socket.poll_write(cx, slices.get(..filled).unwrap_or_default())
                    }
                };
                done.map(|done| {
                    let count = done.ok().filter(|count| *count > 0)?;
                    out.advance(count);
                    self.written += count as u64;
                    Some(())
                })
            };
            match written {
                Poll::Pending if wrote => return Poll::Ready(Flushed::Some),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    self.break_off();
                    wrote = true;
                }
                Poll::Ready(Some(())) => wrote = true,
            }
        }
        Poll::Ready(if wrote { Flushed::Some } else { Flushed::Nothing })
    }

    /// One step of the end: `close_notify`, that of the proxy's TLS, then FIN.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        if let (WriteHalf::Closing, Some(layer)) = (self.write, &mut self.layer) {
            layer.tls.close();
            self.write = WriteHalf::Goodbye;
            return Poll::Ready(Some(()));
        }
        if let Some(outer) = self.outer.as_mut().filter(|outer| !outer.is_closed) {
            outer.tls.close();
            outer.is_closed = true;
            return Poll::Ready(Some(()));
        }
        self.socket.poll_shutdown(cx).map(|done| {
            done.ok()?;
            self.write = WriteHalf::Closed;
            Some(())
        })
    }

    /// Says goodbye behind what is left, with the next flushes; the peer may still speak.
    pub(crate) fn close(&mut self) {
        if self.write == WriteHalf::Open {
            self.write = WriteHalf::Closing;
        }
    }
}

/// A frame to read into: one that nobody holds any more, or a new one.
fn take_frame() -> BytesMut {
    FRAMES.with_borrow_mut(|frames| {
        for _ in 0..frames.len() {
            let Some(frame) = frames.pop_front() else { break };
            match frame.try_into_mut() {
                Ok(frame) => return frame,
                Err(frame) => frames.push_back(frame),
            }
        }
        BytesMut::zeroed(DIRECT)
    })
}

/// What a flush did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// There was nothing to write.
    Nothing,
    /// Something was written, or it was found that nothing can be.
    Some,
}
