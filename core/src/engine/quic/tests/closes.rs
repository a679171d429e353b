//! Every code with which a peer's transport may close a connection, in its packets.

use std::any::Any;
use std::sync::Arc;

use quinn_proto::coding::Codec;
use quinn_proto::crypto::{
    CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
    UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, TransportError};

use super::*;
use crate::types::TlsFault;

/// With what this side closes, which the wire then has otherwise.
const MARK: u32 = 0x1fe;
const REASON: &[u8] = b"a reason of some length";

fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    VarInt::from_u64(value).unwrap().encode(&mut bytes);
    bytes
}

/// The frame that is written, and one of the transport's with `code`, as long as that.
fn frames(code: u64) -> (Vec<u8>, Vec<u8>) {
    let (mark, code) = (varint(MARK.into()), varint(code));
    let written = [&[0x1d][..], &mark, &[REASON.len() as u8], REASON].concat();
    let rest = written.len() - 1 - code.len() - 2;
    let reason = &REASON[..rest];
    (written, [&[0x1c][..], &code, &[0, rest as u8], reason].concat())
}

/// A server's settings with which it says something else than it means.
struct Forger {
    inner: Arc<dyn quinn_proto::crypto::ServerConfig>,
    code: u64,
}

impl quinn_proto::crypto::ServerConfig for Forger {
    fn initial_keys(
        &self,
        version: u32,
        dst_cid: &ConnectionId,
    ) -> Result<Keys, UnsupportedVersion> {
        self.inner.initial_keys(version, dst_cid)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.inner.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(
        self: Arc<Self>,
        version: u32,
        params: &TransportParameters,
    ) -> Box<dyn Session> {
        let inner = Arc::clone(&self.inner).start_session(version, params);
        Box::new(Forged { inner, code: self.code })
    }
}

struct Forged {
    inner: Box<dyn Session>,
    code: u64,
}

impl Session for Forged {
    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let mut keys = self.inner.write_handshake(buf)?;
        keys.packet.local = Box::new(ForgedKey { inner: keys.packet.local, code: self.code });
        Some(keys)
    }

    fn initial_keys(&self, dst_cid: &ConnectionId, side: quinn_proto::Side) -> Keys {
        self.inner.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.inner.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.inner.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.inner.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.inner.read_handshake(buf)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.inner.next_1rtt_keys()
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

struct ForgedKey {
    inner: Box<dyn PacketKey>,
    code: u64,
}

impl PacketKey for ForgedKey {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        let (written, said) = frames(self.code);
        let place = buf.windows(written.len()).position(|bytes| bytes == written);
        if let Some(at) = place {
            buf[at..at + said.len()].copy_from_slice(&said);
        }
        self.inner.encrypt(packet, buf, header_len);
    }

    fn decrypt(
        &self,
        packet: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        self.inner.decrypt(packet, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.inner.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.inner.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.inner.integrity_limit()
    }
}

/// How a client hears of a close with `code`.
fn closed_with(code: u64) -> QuicError {
    let world = World::new();
    let mut net = world.net(1);
    let (_, mut server) = world.configs();
    let quinn = Arc::make_mut(&mut server.quinn);
    quinn.crypto = Arc::new(Forger { inner: Arc::clone(&quinn.crypto), code });
    net.server.endpoint = Endpoint::server(&server, false).unwrap();
    net.connect(0);
    net.run(SECOND);
    let (now, accepted) = (net.now, net.accepted());
    net.server.endpoint.close(now, accepted, MARK, Bytes::from_static(REASON));
    net.run_for(SECOND);
    net.clients[0].lost.pop().unwrap_or_else(|| panic!("{code:#x}: nothing was heard"))
}

#[test]
fn each_code_of_the_transport_has_its_cause_and_its_words() {
    let alert = |alert| Cause::Tls(TlsFault::Alert(alert));
    let rows = [
        (0x0, Cause::Closed, "the peer closed the connection before it answered"),
        (0x1, Cause::Quic(0x1), "QUIC's INTERNAL_ERROR"),
        (0x2, Cause::Refused, "connection refused"),
        (0x3, Cause::Quic(0x3), "QUIC's FLOW_CONTROL_ERROR"),
        (0x4, Cause::Quic(0x4), "QUIC's STREAM_LIMIT_ERROR"),
        (0x5, Cause::Quic(0x5), "QUIC's STREAM_STATE_ERROR"),
        (0x6, Cause::Quic(0x6), "QUIC's FINAL_SIZE_ERROR"),
        (0x7, Cause::Quic(0x7), "QUIC's FRAME_ENCODING_ERROR"),
        (0x8, Cause::Quic(0x8), "QUIC's TRANSPORT_PARAMETER_ERROR"),
        (0x9, Cause::Quic(0x9), "QUIC's CONNECTION_ID_LIMIT_ERROR"),
        (0xa, Cause::Quic(0xa), "QUIC's PROTOCOL_VIOLATION"),
        (0xb, Cause::Quic(0xb), "QUIC's INVALID_TOKEN"),
        (0xc, Cause::Quic(0xc), "QUIC's APPLICATION_ERROR"),
        (0xd, Cause::Quic(0xd), "QUIC's CRYPTO_BUFFER_EXCEEDED"),
        (0xe, Cause::Quic(0xe), "QUIC's KEY_UPDATE_ERROR"),
        (0xf, Cause::Quic(0xf), "QUIC's AEAD_LIMIT_REACHED"),
        (0x10, Cause::Quic(0x10), "QUIC's NO_VIABLE_PATH"),
        (0x128, Cause::Tls(TlsFault::NothingInCommon), "in common"),
        (0x12a, alert(42), "alert"),
        (0x130, alert(48), "alert"),
        (0x16d, alert(109), "alert"),
        (0x178, Cause::Tls(TlsFault::NothingInCommon), "in common"),
        (0x3ff0, Cause::Quic(0x3ff0), "QUIC's error code 0x3ff0"),
    ];
    for (code, cause, words) in rows {
        let error = closed_with(code);
        assert_eq!(error.cause, cause, "{code:#x}");
        let said = error.cause.to_string();
        assert!(said.contains(words), "{code:#x}: {said}");
        assert!(error.to_string().contains("a reason"), "{code:#x}: {error}");
    }
}
