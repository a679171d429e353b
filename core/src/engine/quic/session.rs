//! TLS within QUIC. A client's is listened to: quinn-proto does not tell which cipher suite was
//! agreed on, nor whether the session was resumed. The server's hello says both in the clear. Keys
//! of both sides take padding away.

use core::any::Any;
use std::sync::Arc;

use quinn_proto::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn_proto::crypto::{
    ClientConfig, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig,
    Session, UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectError, ConnectionId, Side, TransportError};

use super::padding;
use crate::engine::integer;
use crate::engine::tls::suite_name;
use crate::time::Duration;

/// A hello is shorter than this, in bytes; what is not is not listened to.
const MOST_HELLO: usize = 4 << 10;

/// RFC 8446 4.1.3: the "random" of a HelloRetryRequest, which is no answer yet; its beginning.
const RETRY: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];

/// The extension that names the session which goes on (RFC 8446 4.2.11).
const PRE_SHARED_KEY: u16 = 41;

/// A client's settings, whose sessions are listened to.
pub(in crate::engine) struct Listening(pub(in crate::engine) Arc<QuicClientConfig>);

/// A server's settings.
pub(super) struct Answering(pub(super) Arc<QuicServerConfig>);

impl ClientConfig for Listening {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let inner = Arc::clone(&self.0).start_session(version, server_name, params)?;
        let own = idle_timeout_of(params);
        Ok(Box::new(Heard { inner, hello: Some(Vec::new()), said: None, own }))
    }
}

impl ServerConfig for Answering {
    fn initial_keys(
        &self,
        version: u32,
        dst_cid: &ConnectionId,
    ) -> Result<Keys, UnsupportedVersion> {
        self.0.initial_keys(version, dst_cid)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.0.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(
        self: Arc<Self>,
        version: u32,
        params: &TransportParameters,
    ) -> Box<dyn Session> {
        let inner = Arc::clone(&self.0).start_session(version, params);
        Box::new(Heard { inner, hello: None, said: None, own: idle_timeout_of(params) })
    }
}

/// What a server's hello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// The cipher suite's name (RFC 8446 B.4).
    pub(super) cipher_suite: Option<&'static str>,
    /// The session goes on from an earlier one.
    pub(super) is_resumed: bool,
}

/// What was agreed on: quinn-proto's own, and what a client heard.
pub(super) struct Agreed {
    pub(super) data: HandshakeData,
    pub(super) hello: Option<Hello>,
    /// The shorter of what both sides want (RFC 9000 10.1), where either wants any.
    pub(super) idle_timeout: Option<Duration>,
}

struct Heard {
    inner: Box<dyn Session>,
    /// Client: the server's first messages, until its hello is whole.
    hello: Option<Vec<u8>>,
    said: Option<Hello>,
    /// The idle timeout that this side wants.
    own: Option<Duration>,
}

/// After how much silence a connection ends whose handshake is complete; `None` for never.
pub(in crate::engine) fn idle_timeout(connection: &quinn_proto::Connection) -> Option<Duration> {
    let data = connection.crypto_session().handshake_data()?;
    data.downcast::<Agreed>().ok()?.idle_timeout
}

/// `max_idle_timeout` (RFC 9000 18.2), which quinn-proto keeps to itself and writes.
fn idle_timeout_of(params: &TransportParameters) -> Option<Duration> {
    const MAX_IDLE_TIMEOUT: u64 = 1;
    let mut written = Vec::new();
    params.write(&mut written);
    let mut rest = written.as_slice();
    while let Some(id) = integer::take(&mut rest) {
        let length = usize::try_from(integer::take(&mut rest)?).ok()?;
        let (mut value, behind) = rest.split_at_checked(length)?;
        if id == MAX_IDLE_TIMEOUT {
            let millis = integer::take(&mut value).filter(|millis| *millis > 0);
            return millis.map(Duration::from_millis);
        }
        rest = behind;
    }
    None
}

impl Heard {
    fn listen(&mut self, bytes: &[u8]) {
        let Some(hello) = &mut self.hello else { return };
        hello.extend_from_slice(bytes);
        match first_hello(hello) {
            Some(said) => {
                self.said = said;
                self.hello = None;
            }
            None if hello.len() > MOST_HELLO => self.hello = None,
            None => {}
        }
    }
}

/// The hello in `messages`, if one has come whole; within, nothing where it cannot be read.
fn first_hello(messages: &[u8]) -> Option<Option<Hello>> {
    let mut rest = Reader(messages);
    loop {
        // RFC 8446 4: a type of one byte, a length of three.
        let (kind, length) = (rest.number(1)?, rest.number(3)?);
        let mut message = Reader(rest.take(length)?);
        if kind == 2 && !message.0.get(2..).is_some_and(|random| random.starts_with(&RETRY)) {
            return Some(message.hello());
        }
    }
}

/// What is left of bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }

    /// A number of so many bytes.
    fn number(&mut self, length: usize) -> Option<usize> {
        let bytes = self.take(length)?;
        Some(bytes.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)))
    }

    fn short(&mut self) -> Option<u16> {
        u16::try_from(self.number(2)?).ok()
    }

    /// RFC 8446 4.1.3.
    fn hello(&mut self) -> Option<Hello> {
        let (_version, _random) = (self.number(2)?, self.take(32)?);
        let session = self.number(1)?;
        self.take(session)?;
        let cipher_suite = suite_name(self.short()?);
        let (_compression, length) = (self.number(1)?, self.number(2)?);
        let mut extensions = Reader(self.take(length)?);
        let mut is_resumed = false;
        while !extensions.0.is_empty() {
            let (kind, length) = (extensions.short()?, extensions.number(2)?);
            extensions.take(length)?;
            is_resumed |= kind == PRE_SHARED_KEY;
        }
        Some(Hello { cipher_suite, is_resumed })
    }
}

impl Session for Heard {
    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.listen(buf);
        self.inner.read_handshake(buf)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        let data = *self.inner.handshake_data()?.downcast::<HandshakeData>().ok()?;
        let theirs = self.inner.transport_parameters().ok().flatten();
        let theirs = theirs.and_then(|params| idle_timeout_of(&params));
        let idle_timeout = [self.own, theirs].into_iter().flatten().min();
        Some(Box::new(Agreed { data, hello: self.said, idle_timeout }))
    }

    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.inner.initial_keys(dst_cid, side)
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.inner.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        let (header, packet) = self.inner.early_crypto()?;
        Some((header, padding::key(packet)))
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        self.inner.write_handshake(buf).map(padding::keys)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.inner.next_1rtt_keys().map(padding::pair)
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.inner.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner.export_keying_material(output, label, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ServerHello with these extensions, in its message.
    fn hello(random: &[u8], suite: u16, extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(random);
        body.resize(2 + 32, 7);
        body.push(0);
        body.extend_from_slice(&suite.to_be_bytes());
        body.push(0);
        let mut all = Vec::new();
        for (kind, value) in extensions {
            all.extend_from_slice(&kind.to_be_bytes());
            all.extend_from_slice(&(value.len() as u16).to_be_bytes());
            all.extend_from_slice(value);
        }
        body.extend_from_slice(&(all.len() as u16).to_be_bytes());
        body.extend_from_slice(&all);
        let mut message = vec![2, 0, 0, body.len() as u8];
        message.extend_from_slice(&body);
        message
    }

    #[test]
    fn a_hello_tells_its_suite_and_whether_it_resumes() {
        let share: (u16, &[u8]) = (51, &[0, 29, 0, 1, 9]);
        let rows = [
            (hello(&[], 0x1301, &[share]), Some("TLS_AES_128_GCM_SHA256"), false),
            (hello(&[], 0x1302, &[(41, &[0, 0]), share]), Some("TLS_AES_256_GCM_SHA384"), true),
            (hello(&[], 0x1303, &[]), Some("TLS_CHACHA20_POLY1305_SHA256"), false),
            (hello(&[], 0x4a4a, &[]), None, false),
        ];
        for (bytes, cipher_suite, is_resumed) in rows {
            for cut in 0..bytes.len() {
                assert_eq!(first_hello(&bytes[..cut]), None, "{cut} bytes of {bytes:?}");
            }
            let wanted = Hello { cipher_suite, is_resumed };
            assert_eq!(first_hello(&bytes), Some(Some(wanted)));
        }
    }

    #[test]
    fn a_retry_is_no_answer_and_nonsense_tells_nothing() {
        let mut both = hello(&RETRY, 0x1302, &[(41, &[0, 0])]);
        assert_eq!(first_hello(&both), None);
        both.extend(hello(&[], 0x1301, &[]));
        let wanted = Hello { cipher_suite: Some("TLS_AES_128_GCM_SHA256"), is_resumed: false };
        assert_eq!(first_hello(&both), Some(Some(wanted)));
        assert_eq!(first_hello(&[2, 0, 0, 3, 1, 2, 3]), Some(None));
    }
}
