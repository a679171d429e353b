//! TLS by rustls, behind two functions over the caller's buffers.
//!
//! [`Tls::receive`] takes in what came from the wire and yields plain text; [`Tls::send`] takes
//! plain text and yields what goes to the wire, handshake and alerts included. A driver calls
//! `send` once after it has made a [`Tls`] and again after each `receive`.
//!
//! ```text
//!   handshaking --> open --close()--> closing --send()--> closed
//!        |            |
//!        +--- error --+--> failed --send()--> (the alert is out)
//! ```
//!
//! Time comes from the calls' `now` and a [`Clock`], randomness and ciphers from a [`Provider`].
//! That the transport ends without the peer's `close_notify` (truncation) is the driver's to
//! judge, by [`Tls::is_peer_closed`].

use core::fmt;
use std::io::{self, BufRead, IoSlice, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConnection, Connection, HandshakeKind, ProtocolVersion, ServerConnection,
    SupportedProtocolVersion,
};

use self::records::Records;
use super::Output;
use crate::time::Instant;
use crate::types::Protocol;

mod certificate;
mod client;
mod clock;
pub(super) mod error;
mod key_log;
mod provider;
mod records;
mod server;
pub(super) mod sessions;
#[cfg(test)]
pub(super) mod tests;
mod tickets;

pub use certificate::Certificate;
pub use client::{ClientConfig, ClientOptions, Identity};
pub use clock::Clock;
#[cfg(feature = "http3")]
pub(super) use clock::std_time;
pub use error::TlsError;
pub use key_log::KeyLog;
pub use provider::Provider;
pub use server::{ServerConfig, ServerOptions};

/// Most pieces of plain text that are sealed together.
const PIECES: usize = 64;
/// Sealed bytes from here on become a chunk of their own instead of a copy into the tail.
const OWN_CHUNK: usize = 4 << 10;

/// One TLS connection, client or server side.
pub struct Tls {
    rustls: Box<Connection>,
    clock: Clock,
    /// What the client expects the server to be.
    name: Option<Arc<str>>,
    phase: Phase,
    is_peer_closed: bool,
    records: Records,
}

/// This side's half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// `close_notify` goes out behind the plain text at hand.
    Closing,
    Closed,
    Failed,
}

impl Tls {
    /// Begins as a client towards `name`, a DNS name or an IP literal without brackets.
    pub fn client(config: &ClientConfig, name: &str, now: Instant) -> Result<Self, TlsError> {
        // A trailing dot marks a name as absolute; certificates and SNI have none (RFC 6066 3).
        let name = name.strip_suffix('.').unwrap_or(name);
        let server = ServerName::try_from(name).map_err(|_| TlsError::bad_name(name))?.to_owned();
        let name: Arc<str> = name.into();
        config.clock.set(now);
        let rustls = ClientConnection::new(Arc::clone(&config.rustls), server)
            .map_err(|error| TlsError::connection(error, Some(Arc::clone(&name)), false))?;
        Ok(Self::new(Connection::Client(rustls), &config.clock, Some(name)))
    }

    /// Begins as a server.
    pub fn server(config: &ServerConfig, now: Instant) -> Result<Self, TlsError> {
        config.clock.set(now);
        let rustls = ServerConnection::new(Arc::clone(&config.rustls))
            .map_err(|error| TlsError::connection(error, None, false))?;
        Ok(Self::new(Connection::Server(rustls), &config.clock, None))
    }

    fn new(mut rustls: Connection, clock: &Clock, name: Option<Arc<str>>) -> Self {
        // The caller bounds what it hands over, and a refused byte would have nowhere to stay.
        rustls.set_buffer_limit(None);
        let rustls = Box::new(rustls);
        let (phase, records) = (Phase::Open, Records::new());
        Self { rustls, clock: clock.clone(), name, phase, is_peer_closed: false, records }
    }

    /// Takes in all of `input` from the wire and appends what it says to `plain`. What came
    /// before an error is appended all the same. After an error nothing more is taken in, each
    /// call returns the same error, and [`Tls::send`] writes the alert out. What follows the
    /// peer's `close_notify` is ignored (RFC 8446 6.1).
    pub fn receive(
        &mut self,
        now: Instant,
        input: &[u8],
        plain: &mut BytesMut,
    ) -> Result<(), TlsError> {
        self.clock.set(now);
        let mut rest = input;
        // rustls takes a few KiB at a time, and no more than one record that is not decrypted.
        while !rest.is_empty() && !self.is_peer_closed {
            let taken = match self.phase {
                Phase::Failed => Ok(0),
                _ => self.rustls.read_tls(&mut rest),
            };
            let done = self.rustls.process_new_packets();
            self.take_plain(plain);
            let state = done.map_err(|error| self.fail(error))?;
            self.is_peer_closed = state.peer_has_closed();
            match taken {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    // A handshake message larger than rustls wants to keep.
                    return Err(self.fail(rustls::Error::General(error.to_string())));
                }
            }
        }
        self.shrink();
        Ok(())
    }

    /// Seals all of `plain` once the handshake is done, until when it stays where it is, and
    /// appends it to `out` behind the handshake bytes and alerts that are due. Plain text that
    /// can never be sent, after a close or an error, is dropped.
    pub fn send(&mut self, now: Instant, plain: &mut Output, out: &mut Output) {
        self.clock.set(now);
        match self.phase {
            Phase::Open => self.seal(now, plain, out),
            Phase::Closing => {
                self.seal(now, plain, out);
                plain.clear();
                self.rustls.send_close_notify();
                self.phase = Phase::Closed;
            }
            Phase::Closed | Phase::Failed => plain.clear(),
        }
        self.flush(out);
    }

    /// Sends `close_notify` with the next [`Tls::send`], behind the plain text given to it.
    pub fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    /// Whether [`Tls::send`] has something to write even without plain text.
    pub fn wants_send(&self) -> bool {
        self.rustls.wants_write() || self.phase == Phase::Closing
    }

    /// Whether the handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        self.rustls.is_handshaking()
    }

    /// Whether the peer said `close_notify`: an end of the transport is then no truncation.
    pub const fn is_peer_closed(&self) -> bool {
        self.is_peer_closed
    }

    /// What ALPN chose; `None` when the peer chose nothing, something that was never offered by
    /// us, or the handshake is under way.
    pub fn alpn(&self) -> Option<Protocol> {
        let chosen = self.rustls.alpn_protocol()?;
        let all = [Protocol::Http1, Protocol::Http2, Protocol::Http3];
        all.into_iter().find(|protocol| alpn_name(*protocol) == chosen)
    }

    /// Whether an earlier session was resumed; `false` as long as that is not known.
    pub fn is_resumed(&self) -> bool {
        self.rustls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The version agreed on, once it is.
    pub fn version(&self) -> Option<Version> {
        match self.rustls.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some(Version::Tls12),
            ProtocolVersion::TLSv1_3 => Some(Version::Tls13),
            _ => None,
        }
    }

    /// The cipher suite agreed on, by its name at IANA.
    pub fn cipher_suite(&self) -> Option<&'static str> {
        suite_name(self.rustls.negotiated_cipher_suite()?.suite().into())
    }

    /// The group of the key exchange, where there was one.
    pub fn key_exchange(&self) -> Option<&'static str> {
        self.rustls.negotiated_key_exchange_group()?.name().as_str()
    }

    /// The peer's certificate and those that lead to its root, in DER, as it sent them; empty
    /// as long as none came, and on servers.
    pub fn peer_certificates(&self) -> impl Iterator<Item = &[u8]> {
        let all = self.rustls.peer_certificates().unwrap_or_default();
        all.iter().map(CertificateDer::as_ref)
    }

    /// The peer's own certificate, for people.
    pub fn peer_certificate(&self) -> Option<Certificate> {
        Certificate::parse(self.peer_certificates().next()?)
    }

    fn seal(&mut self, now: Instant, plain: &mut Output, out: &mut Output) {
        if plain.is_empty() || self.rustls.is_handshaking() {
            return;
        }
        self.records.begin(now);
        while !plain.is_empty() {
            let most = self.records.most();
            let taken = match plain.only() {
                // Mostly one head with a short body: no list is filled for it.
                Some(bytes) => {
                    let bytes = most.and_then(|most| bytes.get(..most)).unwrap_or(bytes);
                    self.rustls.writer().write(bytes)
                }
                None => write_pieces(&mut self.rustls, plain, most),
            };
            // Without a limit rustls takes all, and it has no error: it has not failed.
            let Ok(taken @ 1..) = taken else { return };
            self.records.sealed(taken);
            plain.advance(taken);
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut Output) {
        let mut sink = Sink(out);
        while self.rustls.wants_write() {
            // The sink takes everything and never fails.
            if self.rustls.write_tls(&mut sink).is_err() {
                return;
            }
        }
    }

    fn take_plain(&mut self, plain: &mut BytesMut) {
        let mut reader = self.rustls.reader();
        while let Ok(piece @ [_, ..]) = reader.fill_buf() {
            plain.extend_from_slice(piece);
            let len = piece.len();
            reader.consume(len);
        }
    }

    /// Lets rustls cut its buffer back to 4 KiB when no record is incomplete in it: it does so
    /// before it reads, also if there is nothing to read.
    fn shrink(&mut self) {
        if !self.is_peer_closed {
            let _ = self.rustls.read_tls(&mut Nothing);
        }
    }

    fn fail(&mut self, error: rustls::Error) -> TlsError {
        // Looked at now: what came with it, in front of it, was understood.
        let first = self.rustls.protocol_version().is_none();
        self.phase = Phase::Failed;
        TlsError::connection(error, self.name.clone(), first)
    }
}

/// The name of a cipher suite as the RFCs spell it.
pub(super) fn suite_name(suite: u16) -> Option<&'static str> {
    match rustls::CipherSuite::from(suite).as_str()? {
        "TLS13_AES_128_GCM_SHA256" => Some("TLS_AES_128_GCM_SHA256"),
        "TLS13_AES_256_GCM_SHA384" => Some("TLS_AES_256_GCM_SHA384"),
        "TLS13_CHACHA20_POLY1305_SHA256" => Some("TLS_CHACHA20_POLY1305_SHA256"),
        other => Some(other),
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .field("phase", &self.phase)
            .field("version", &self.version())
            .field("is_handshaking", &self.is_handshaking())
            .field("is_peer_closed", &self.is_peer_closed)
            .finish_non_exhaustive()
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// Which versions of TLS may be agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.3, and 1.2 with peers that have no better.
    #[default]
    Both,
    /// 1.2 alone.
    Tls12,
    /// 1.3 alone.
    Tls13,
}

impl Versions {
    fn list(self) -> &'static [&'static SupportedProtocolVersion] {
        static TLS12: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
        static TLS13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
        match self {
            Self::Both => rustls::ALL_VERSIONS,
            Self::Tls12 => &TLS12,
            Self::Tls13 => &TLS13,
        }
    }
}

/// A protocol's name in ALPN (RFC 7301 6, RFC 9113 3.2, RFC 9114 3.1).
pub(super) const fn alpn_name(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Http1 => b"http/1.1",
        Protocol::Http2 => b"h2",
        Protocol::Http3 => b"h3",
    }
}

fn private_key(der: Vec<u8>) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::try_from(der).map_err(|_| {
        let words = "the private key is not PKCS#8, PKCS#1 or SEC1 in DER";
        TlsError::config(rustls::Error::General(words.into()))
    })
}

fn alpn_names(protocols: &[Protocol]) -> Vec<Vec<u8>> {
    protocols.iter().map(|protocol| alpn_name(*protocol).to_vec()).collect()
}

/// Seals what lies in several pieces, `most` bytes of it where that is bounded.
fn write_pieces(rustls: &mut Connection, plain: &Output, most: Option<usize>) -> io::Result<usize> {
    let mut pieces = [IoSlice::new(&[]); PIECES];
    let filled = plain.slices(&mut pieces);
    let mut pieces = pieces.get(..filled).unwrap_or_default();
    let mut short = [IoSlice::new(&[]); PIECES];
    if let Some(most) = most {
        let filled = cut(pieces, most, &mut short);
        pieces = short.get(..filled).unwrap_or_default();
    }
    rustls.writer().write_vectored(pieces)
}

/// Fills `short` with the first `most` bytes of `pieces`; returns how many of it were filled.
fn cut<'a>(pieces: &'a [IoSlice<'_>], most: usize, short: &mut [IoSlice<'a>]) -> usize {
    let mut left = most;
    let mut filled = 0;
    for (piece, place) in pieces.iter().zip(short) {
        let part = piece.get(..left).unwrap_or(piece);
        if part.is_empty() {
            break;
        }
        *place = IoSlice::new(part);
        left -= part.len();
        filled += 1;
    }
    filled
}

/// Takes sealed records, with one copy into a buffer of their size.
struct Sink<'a>(&'a mut Output);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        if len < OWN_CHUNK {
            pieces.iter().for_each(|piece| self.0.put(piece));
        } else {
            let mut all = Vec::with_capacity(len);
            pieces.iter().for_each(|piece| all.extend_from_slice(piece));
            self.0.push(Bytes::from(all));
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A transport that has nothing to read and has not ended.
struct Nothing;

impl io::Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
