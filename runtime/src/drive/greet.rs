//! The beginning of a connection that was accepted: TLS or not, and which protocol.
//!
//! Where both are spoken the first byte decides: 0x16 is a TLS handshake (RFC 8446 5.1), and no
//! HTTP method or preface begins with it. How long all of it may take is core's to say: it ends
//! by a letter.

use core::future::poll_fn;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::BytesMut;
use regatta_core::Instant;
use regatta_core::downstream::{Cut, Event};
use regatta_core::engine::tls::Tls;
use regatta_core::types::Protocol;

use super::gate::{Gate, Served};
use super::letter::Letter;
use super::wire::{Early, Flushed, Heard, Wire};
use crate::mail::Letters;
use crate::runtime::Runtime;

/// What every HTTP/2 client says first (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Its first line, which nobody else says.
const FIRST_LINE: usize = 16;

/// The first byte of every TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// A connection that has greeted.
pub(super) struct Greeted<S> {
    pub(super) wire: Wire<S>,
    pub(super) protocol: Protocol,
    /// What came of HTTP already.
    pub(super) early: BytesMut,
    /// When its HTTP began.
    pub(super) since: Instant,
}

/// How far a greeting has come.
enum Stage {
    /// It is not known whether it is TLS.
    Silent,
    /// TLS waits for its turn; it is not read meanwhile.
    Waiting,
    /// TLS.
    Shaking,
}

struct Greeting<'a, R: Runtime> {
    gate: &'a Gate<R>,
    served: &'a Served,
    wire: Wire<R::Stream>,
    early: Early,
    letters: Letters<Letter>,
    stage: Stage,
}

/// TLS handshake and protocol; `None` when it came to nothing.
pub(super) async fn greet<R: Runtime>(
    gate: &Arc<Gate<R>>,
    socket: R::Stream,
    served: &Served,
) -> Option<Greeted<R::Stream>> {
    let accepted = gate.runtime.now();
    let mut greeting = Greeting {
        gate,
        served,
        wire: Wire::new(socket, None),
        early: Early::default(),
        letters: Letters::new(),
        stage: Stage::Silent,
    };
    let protocol = poll_fn(|cx| greeting.poll(cx)).await?;
    let Greeting { wire, early, stage, .. } = greeting;
    let since = match stage {
        Stage::Silent => accepted,
        Stage::Waiting | Stage::Shaking => gate.runtime.now(),
    };
    gate.feed(Event::Greeted(served.0));
    Some(Greeted { wire, protocol, early: early.bytes, since })
}

impl<R: Runtime> Greeting<'_, R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Protocol>> {
        loop {
            let now = self.gate.runtime.now();
            // Until there are none: only then is the task woken by the next.
            while self.served.1.poll(cx, &mut self.letters).is_ready() {
                if !self.read_letters(cx, now) {
                    return Poll::Ready(None);
                }
            }
            let flushed = self.wire.poll_flush(cx, now);
            match self.decide() {
                Some(Protocol::Http3) | None => {}
                decided => return Poll::Ready(decided),
            }
            if matches!(self.stage, Stage::Waiting) {
                // The turn may be there already.
                match self.served.1.poll(cx, &mut self.letters) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) if self.read_letters(cx, now) => continue,
                    Poll::Ready(()) => return Poll::Ready(None),
                }
            }
            match self.wire.poll_read(cx, now, &mut self.early) {
                Poll::Pending if flushed == Poll::Ready(Flushed::Some) => {}
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Heard::Bytes) => {}
                Poll::Ready(Heard::End { .. }) => {
                    self.fail(cx, now);
                    return Poll::Ready(None);
                }
            }
        }
    }

    /// Does what the letters say; false when the connection is to end: there is nothing that
    /// would have to be finished.
    fn read_letters(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut goes_on = true;
        let letters = core::mem::take(&mut self.letters);
        for letter in letters {
            goes_on &= match letter {
                Letter::Handshake => {
                    let begun = self.shake(now);
                    if !begun {
                        self.fail(cx, now);
                    }
                    begun
                }
                Letter::Shutdown | Letter::Abort => false,
                _ => true,
            };
        }
        goes_on
    }

    /// Begins TLS with what came before its turn.
    fn shake(&mut self, now: Instant) -> bool {
        let Some(config) = &self.gate.speaks.tls else { return false };
        let Ok(tls) = Tls::server(config, now) else { return false };
        self.stage = Stage::Shaking;
        let begun = core::mem::take(&mut self.early.bytes);
        matches!(self.wire.secure(now, tls, &begun, &mut self.early), Heard::Bytes)
    }

    /// What is spoken, once that can be said; asks for a turn where it is TLS.
    fn decide(&mut self) -> Option<Protocol> {
        match (&self.stage, self.wire.tls()) {
            (Stage::Shaking, Some(tls)) if !tls.is_handshaking() => {
                Some(tls.alpn().unwrap_or_else(|| self.early.sniff_or_http1()))
            }
            (Stage::Silent, _) => {
                let first = *self.early.bytes.first()?;
                let speaks = &self.gate.speaks;
                let is_tls = speaks.tls.is_some() && (first == HANDSHAKE || !speaks.plain);
                if !is_tls {
                    return self.early.sniff();
                }
                self.stage = Stage::Waiting;
                self.gate.feed(Event::Handshaking(self.served.0));
                None
            }
            _ => None,
        }
    }

    /// The peer has gone, or does not speak TLS: an alert says why, if it can leave at once.
    fn fail(&mut self, cx: &mut Context<'_>, now: Instant) {
        let _ = self.wire.poll_flush(cx, now);
        // Who has said nothing at all had nothing to say: a port that was looked at.
        if matches!(self.stage, Stage::Shaking) || !self.early.bytes.is_empty() {
            self.gate.cut(Cut::HandshakeFailed);
        }
    }
}

impl Early {
    /// HTTP/2 by the first line of its preface, HTTP/1 as soon as it cannot be one; `None` when it
    /// is too early. What is wrong behind that line is the engine's to say.
    fn sniff(&self) -> Option<Protocol> {
        let line = PREFACE.get(..FIRST_LINE).unwrap_or(PREFACE);
        let seen = self.bytes.len().min(line.len());
        if self.bytes.get(..seen) != line.get(..seen) {
            Some(Protocol::Http1)
        } else if seen == line.len() {
            Some(Protocol::Http2)
        } else {
            None
        }
    }

    fn sniff_or_http1(&self) -> Protocol {
        self.sniff().unwrap_or(Protocol::Http1)
    }
}
