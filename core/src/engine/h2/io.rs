//! The memory that h2 reads from and writes to, with the frame tap between it and the peer.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::{Step, Walker};
use super::input::Input;
use super::setting;
use super::tap::Tap;
use crate::engine::Output;

/// h2 writes no further frame while so many bytes wait to be transmitted.
const HIGH: usize = 64 << 10;
/// An idle connection keeps no larger buffer.
const KEPT: usize = 4 << 10;
/// Reading on is not welcome while h2 has left so many bytes unread, because it cannot write the
/// answers to what it has read (A15).
const BACKLOG: usize = 256 << 10;

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Wire {
    input: Input,
    /// The peer's end: `Ok` when it was clean.
    end: Option<Result<(), io::ErrorKind>>,
    reader: Option<Waker>,
    output: BytesMut,
    writer: Option<Waker>,
    walker: Walker,
    /// This side has written its first frame.
    begun: bool,
    /// What its SETTINGS are to say of heads, until they have been written.
    head_limit: Option<u32>,
    /// Bytes of the client's preface that are still to be written.
    preface_left: usize,
    pub(super) tap: Tap,
}

/// A [`Wire`] shared by the engine and by h2, which owns its half.
#[derive(Clone, Debug)]
pub(super) struct Io(Arc<Mutex<Wire>>);

impl Io {
    /// Makes an empty wire. `preface_left`: how much of a preface this side writes first.
    pub(super) fn new(tap: Tap, preface_left: usize) -> Self {
        Self(Arc::new(Mutex::new(Wire {
            input: Input::default(),
            end: None,
            reader: None,
            output: BytesMut::new(),
            writer: None,
            walker: Walker::default(),
            begun: false,
            head_limit: None,
            preface_left,
            tap,
        })))
    }

    /// The wire itself.
    pub(super) fn wire(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    /// Takes in what the peer sent.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.input.reserve(bytes.len());
        self.walk(bytes);
    }

    /// The same; h2 may read it in its place until [`Wire::give_back`] is called.
    pub(super) fn borrow(&mut self, bytes: &mut BytesMut) {
        if !self.input.may_borrow(bytes) {
            return self.receive(bytes);
        }
        self.walk(bytes);
        self.input.borrow(bytes);
    }

    /// Gives back what was borrowed, if it was, as it was.
    pub(super) fn give_back(&mut self, bytes: &mut BytesMut) {
        if bytes.is_empty() {
            self.input.give_back(bytes);
        }
    }

    fn walk(&mut self, bytes: &[u8]) {
        self.tap.incoming(bytes, &mut self.input);
        if !self.input.is_empty() {
            self.wake_reader();
        }
    }

    /// Whether h2 keeps up with what comes.
    pub(super) fn wants_input(&self) -> bool {
        self.input.len() < BACKLOG
    }

    /// Whether h2 knows what the peer takes.
    pub(super) fn knows_peer(&self) -> bool {
        self.tap.settings.are_heard() && self.input.is_empty()
    }

    /// Whether h2 may write: it does not wait for the transport to take what it wrote before.
    pub(super) const fn has_room(&self) -> bool {
        self.writer.is_none()
    }

    /// Nothing more will come.
    pub(super) fn receive_end(&mut self, end: Result<(), io::ErrorKind>) {
        self.end.get_or_insert(end);
        self.wake_reader();
    }

    /// Moves bytes out until `out` holds `room` of them. Returns whether h2 has more to write.
    pub(super) fn transmit(&mut self, out: &mut Output, room: usize) -> bool {
        if out.len() < room && self.output.len() <= KEPT {
            out.put(&self.output);
            self.output.clear();
        } else if out.len() < room {
            out.push(core::mem::take(&mut self.output).freeze());
        }
        match self.writer.take() {
            Some(writer) if out.len() < room => {
                writer.wake();
                true
            }
            writer => {
                self.writer = writer;
                false
            }
        }
    }

    /// Adds a frame of the engine's own. Only between calls of h2: it stops at frame boundaries.
    pub(super) fn inject(&mut self, frame: &[u8]) {
        self.write(frame, usize::MAX);
    }

    /// Whether this side has written its first frame.
    pub(super) const fn has_begun(&self) -> bool {
        self.begun
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// The peer is told another limit for heads than h2 has.
    pub(super) const fn say_head_limit(&mut self, limit: u32) {
        self.head_limit = Some(limit);
    }

    /// Takes bytes until the output holds `most` at a frame boundary; returns how many.
    fn write(&mut self, bytes: &[u8], most: usize) -> usize {
        let (mut taken, mut said) = (0, None);
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            if self.preface_left > 0 {
                let n = rest.len().min(self.preface_left);
                self.preface_left -= n;
                taken += n;
                continue;
            }
            if self.output.len() + taken >= most
                && self.walker.at_boundary()
                && self.tap.may_pause()
            {
                break;
            }
            taken += match self.walker.step(rest) {
                Step::Partial(n) | Step::Payload(n, None) => n,
                Step::Payload(n, Some(frame)) => {
                    self.tap.sent(frame);
                    n
                }
                Step::Header(n, frame) => {
                    if !core::mem::replace(&mut self.begun, true) {
                        // The first frame is SETTINGS, and h2 writes it in one piece.
                        let at = self.output.len() + taken + n;
                        said = self.head_limit.take().map(|limit| (at..at + frame.len, limit));
                    }
                    if self.walker.is_bare()
                        && let Step::Payload(_, Some(frame)) = self.walker.step(&[])
                    {
                        self.tap.sent(frame);
                    }
                    n
                }
            };
        }
        self.output.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if let Some((place, limit)) = said
            && let Some(payload) = self.output.get_mut(place)
        {
            setting::say_head_limit(payload, limit);
        }
        taken
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.wire();
        if wire.input.is_empty() {
            return match wire.end {
                Some(end) => Poll::Ready(end.map_err(io::Error::from)),
                None => {
                    wire.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        wire.input.read(buf);
        if wire.input.is_empty() {
            // While more is likely to come the same buffer takes it.
            let most = if wire.tap.is_idle() { KEPT } else { HIGH };
            wire.input.shrink(most);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.wire();
        let mut written = 0;
        let mut full = false;
        for slice in slices {
            let n = wire.write(slice, HIGH);
            written += n;
            full = n < slice.len();
            if full {
                break;
            }
        }
        if written == 0 && full {
            wire.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
