//! A server whose packets hold other frames than its transport wrote.

use std::any::Any;
use std::sync::Arc;

use bytes::BytesMut;
use quinn_proto::coding::Codec;
use quinn_proto::crypto::{
    CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
    UnsupportedVersion,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, TransportError, VarInt};

/// Changes a packet's frames before they are encrypted; those of the first packets apart.
pub(crate) type Forge = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// A server's settings, with which its packets are changed.
pub(crate) fn forging(
    inner: Arc<dyn quinn_proto::crypto::ServerConfig>,
    forge: Forge,
) -> Arc<dyn quinn_proto::crypto::ServerConfig> {
    Arc::new(Forger { inner, forge })
}

/// With what such a server closes, which the wire then has otherwise.
pub(crate) const MARK: u32 = 0x1fe;
pub(crate) const REASON: &[u8] = b"a reason of some length";

fn varint(value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    VarInt::from_u64(value).unwrap().encode(&mut bytes);
    bytes
}

/// Makes a close with [`MARK`] and [`REASON`] one of the transport with `code`, as long as that.
pub(crate) fn closing_with(code: u64) -> Forge {
    let (mark, code) = (varint(MARK.into()), varint(code));
    let written = [&[0x1d][..], &mark, &[REASON.len() as u8], REASON].concat();
    let rest = written.len() - 1 - code.len() - 2;
    let said = [&[0x1c][..], &code, &[0, rest as u8], &REASON[..rest]].concat();
    Arc::new(move |packet| {
        let place = packet.windows(written.len()).position(|bytes| bytes == written);
        if let Some(at) = place {
            packet[at..at + said.len()].copy_from_slice(&said);
        }
    })
}

/// A server's settings with which it says something else than it means.
struct Forger {
    inner: Arc<dyn quinn_proto::crypto::ServerConfig>,
    forge: Forge,
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
        Box::new(Forged { inner, forge: Arc::clone(&self.forge) })
    }
}

struct Forged {
    inner: Box<dyn Session>,
    forge: Forge,
}

impl Session for Forged {
    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let mut keys = self.inner.write_handshake(buf)?;
        let (inner, forge) = (keys.packet.local, Arc::clone(&self.forge));
        keys.packet.local = Box::new(ForgedKey { inner, forge });
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
    forge: Forge,
}

impl PacketKey for ForgedKey {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        let end = buf.len() - self.inner.tag_len();
        (self.forge)(&mut buf[header_len..end]);
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
