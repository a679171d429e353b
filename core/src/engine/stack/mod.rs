//! TLS and HTTP of one client connection, one on the other: bytes of the socket in, bytes for the
//! socket out, and what they mean.
//!
//! ```text
//!             handshake done, ALPN chose                Closed, or our half has ended
//! handshaking --------------------------> established ----------------------------> finished
//!      |                                      ^
//!      +--- Failed --> (the alert is out)     +--- plain text begins here
//! ```
//!
//! It is for drivers that hold a socket and nothing else. One that reads into its own frames, or
//! serves, puts [`Tls`] and [`Engine`] together by itself.

use std::io;

use bytes::BytesMut;

use super::tls::{Tls, TlsError};
use super::{Config, Engine, Event, Output};
use crate::time::Instant;
use crate::types::{Cause, Limit, Protocol, TlsFault};

#[cfg(test)]
mod tests;

/// What came of the bytes.
#[derive(Debug)]
pub enum StackEvent {
    /// TLS has moved: [`AttemptProgress`](crate::upstream::Event::AttemptProgress).
    Progress,
    /// The handshake is done: [`Connected`](crate::upstream::Event::Connected). Commands may be
    /// given to [`Stack::engine`] from now on.
    Established {
        /// What ALPN chose; HTTP/1.1 where it chose nothing.
        protocol: Protocol,
        /// What the peer grants, as far as it is known by now.
        limit: Limit,
    },
    /// The handshake failed: [`AttemptFailed`](crate::upstream::Event::AttemptFailed). The last
    /// event; what is left to transmit is the alert.
    Failed {
        /// For the machines.
        cause: Cause,
        /// For people, where it was TLS that failed and not the transport.
        error: Option<TlsError>,
    },
    /// The engine's; before the [`Event::Reset`] of HTTP/1 comes an [`Event::GoAway`].
    Http(Event),
}

/// One client connection above its socket.
#[derive(Debug)]
pub struct Stack {
    tls: Option<Tls>,
    engine: Option<Engine>,
    config: Config,
    /// Between engine and TLS.
    plain: Output,
    /// What is to be told before the engine's next event.
    told: Option<StackEvent>,
    /// Nothing more is taken in.
    ended: bool,
    /// The engine has said that it is over.
    closed: bool,
}

impl Stack {
    /// Plain text, spoken by `engine` from the first byte.
    pub fn plain(engine: Engine) -> Self {
        let (protocol, limit) = (engine.protocol(), engine.limit());
        let told = Some(StackEvent::Established { protocol, limit });
        Self { engine: Some(engine), told, ..Self::new(None, Config::default()) }
    }

    /// Over TLS, whose handshake is still to come. The engine of the protocol that ALPN chooses
    /// is made with `config`.
    pub fn tls(tls: Tls, config: Config) -> Self {
        Self::new(Some(tls), config)
    }

    fn new(tls: Option<Tls>, config: Config) -> Self {
        let plain = Output::new();
        Self { tls, engine: None, config, plain, told: None, ended: false, closed: false }
    }

    /// What carries out commands; `None` before [`StackEvent::Established`].
    pub const fn engine(&mut self) -> Option<&mut Engine> {
        self.engine.as_mut()
    }

    /// What was agreed on below HTTP; `None` in plain text.
    pub const fn security(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Whether reading on is welcome.
    pub fn wants_input(&self) -> bool {
        !self.ended && self.engine.as_ref().is_none_or(Engine::wants_input)
    }

    /// Takes in all of `bytes`, as they came from the socket.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if self.ended {
            return;
        }
        let Some(tls) = &mut self.tls else {
            if let Some(engine) = &mut self.engine {
                engine.receive(now, bytes);
            }
            return;
        };
        let mut opened = BytesMut::new();
        let result = tls.receive(now, bytes, &mut opened);
        let is_peer_closed = tls.is_peer_closed();
        if self.engine.is_none() {
            self.on_moved(now);
        }
        if let Some(engine) = &mut self.engine
            && !opened.is_empty()
        {
            engine.receive_in_place(now, &mut opened);
        }
        match result {
            Err(error) => self.end(now, false, error.cause, Some(error)),
            Ok(()) if is_peer_closed => self.end(now, true, Cause::Closed, None),
            Ok(()) => {}
        }
    }

    /// The socket brings nothing more: its FIN came, or it broke. A FIN without TLS's own
    /// goodbye is a truncation.
    pub fn receive_end(&mut self, now: Instant, broken: Option<&io::Error>) {
        let clean = broken.is_none() && self.tls.is_none();
        let cause = match broken.map(Cause::from) {
            // This connection was established: it is the peer that has fallen silent.
            Some(Cause::ConnectTimeout) if self.engine.is_some() => {
                Cause::Os(broken.and_then(io::Error::raw_os_error).unwrap_or(0))
            }
            Some(cause) => cause,
            None => Cause::Closed,
        };
        self.end(now, clean, cause, None);
    }

    /// Writes out bytes for the socket until `out` holds about `room` or none is left.
    pub fn transmit(&mut self, now: Instant, out: &mut Output, room: usize) {
        let Some(tls) = &mut self.tls else {
            if let Some(engine) = &mut self.engine {
                engine.transmit(now, out, room);
            }
            return;
        };
        if let Some(engine) = &mut self.engine
            && out.len() < room
        {
            engine.transmit(now, &mut self.plain, room);
            if self.closed || engine.write_ended() {
                tls.close();
            }
        }
        tls.send(now, &mut self.plain, out);
        self.plain.shrink();
    }

    /// Whether this side has nothing more to say: once the last transmitted byte is written, the
    /// socket's writing half is to be closed.
    pub fn is_finished(&self) -> bool {
        self.closed || self.engine.as_ref().is_some_and(Engine::write_ended)
    }

    /// The oldest event that was not taken yet.
    pub fn poll_event(&mut self) -> Option<StackEvent> {
        if let Some(told) = self.told.take() {
            return Some(told);
        }
        let engine = self.engine.as_mut()?;
        let event = StackEvent::Http(engine.poll_event()?);
        match &event {
            StackEvent::Http(Event::Closed { .. }) => self.closed = true,
            StackEvent::Http(Event::Reset { .. }) if engine.protocol() == Protocol::Http1 => {
                // The connection ends with the stream. The pool hears that first, or it would
                // send the next waiting request here in vain.
                self.told = Some(event);
                return Some(StackEvent::Http(Event::GoAway { code: 0 }));
            }
            _ => {}
        }
        Some(event)
    }

    /// When [`Stack::handle_timeout`] wants to be called; in the past when work is left. The
    /// handshake has no deadline of its own: the pool's connect timeout ends it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.engine.as_ref()?.poll_timeout()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(engine) = &mut self.engine {
            engine.handle_timeout(now);
        }
    }

    /// TLS has taken something in: makes the engine once the handshake is done.
    fn on_moved(&mut self, now: Instant) {
        let Some(tls) = self.tls.as_ref().filter(|tls| !tls.is_handshaking()) else {
            self.told = Some(StackEvent::Progress);
            return;
        };
        let protocol = tls.alpn().unwrap_or(Protocol::Http1);
        match Engine::client(protocol, &self.config, now) {
            Some(engine) => {
                let limit = engine.limit();
                self.told = Some(StackEvent::Established { protocol, limit });
                self.engine = Some(engine);
            }
            None => self.end(now, false, Cause::Tls(TlsFault::NothingInCommon), None),
        }
    }

    fn end(&mut self, now: Instant, clean: bool, cause: Cause, error: Option<TlsError>) {
        if self.ended {
            return;
        }
        self.ended = true;
        match &mut self.engine {
            Some(engine) => engine.receive_end(now, clean, cause),
            None => self.told = Some(StackEvent::Failed { cause, error }),
        }
    }
}
