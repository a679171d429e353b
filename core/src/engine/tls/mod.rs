//! TLS by rustls, behind two functions over the caller's buffers.

use core::fmt;
use std::sync::Arc;

use bytes::BytesMut;

use super::Output;
use crate::time::Instant;
use crate::types::{Cause, Protocol, TlsFault};

/// What rustls wants to know of the world: one anchor that the runtime passes in.
#[derive(Clone, Debug)]
pub struct Clock {}

impl Clock {
    /// The wall clock at the runtime's epoch, as the time since 1970.
    pub fn new(_unix_at_epoch: core::time::Duration) -> Self {
        Self {}
    }
}

/// Why TLS failed, with rustls's own words.
#[derive(Debug)]
pub struct TlsError {
    /// For machines.
    pub cause: Cause,
    /// For people.
    pub source: Option<rustls::Error>,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.source)
    }
}

/// Trust, ALPN and key log of a client, shared by the connections of one profile and origin.
#[derive(Clone, Debug)]
pub struct ClientConfig {}

/// Certificate, ALPN and key log of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {}

/// One TLS connection, client or server side.
#[derive(Debug)]
pub struct Tls {}

impl Tls {
    /// Begins as a client towards `name` (a DNS name or IP literal).
    pub fn client(_config: &ClientConfig, _name: &str, _now: Instant) -> Result<Self, TlsError> {
        Err(TlsError { cause: Cause::Tls(TlsFault::Other), source: None })
    }
    /// Begins as a server.
    pub fn server(_config: &ServerConfig, _now: Instant) -> Result<Self, TlsError> {
        Err(TlsError { cause: Cause::Tls(TlsFault::Other), source: None })
    }
    /// Takes in all of `input` from the wire and appends what it says to `plain`. On an error
    /// an alert may be left for [`Tls::send`] to write out.
    pub fn receive(
        &mut self,
        _now: Instant,
        _input: &[u8],
        _plain: &mut BytesMut,
    ) -> Result<(), TlsError> {
        Ok(())
    }
    /// Encrypts all of `plain` (once the handshake is done) and appends it, with handshake
    /// bytes and alerts that are due, to `out`.
    pub fn send(&mut self, _now: Instant, _plain: &mut Output, _out: &mut Output) {}
    /// Sends `close_notify` with the next [`Tls::send`].
    pub fn close(&mut self) {}
    /// Whether the handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        true
    }
    /// Whether the peer said `close_notify`.
    pub fn is_peer_closed(&self) -> bool {
        false
    }
    /// What ALPN chose; `None` when the peer chose nothing or the handshake is under way.
    pub fn alpn(&self) -> Option<Protocol> {
        None
    }
}
#[allow(dead_code)]
type Unused = Arc<()>;
