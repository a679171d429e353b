//! Keys and randomness, all from the provider that TLS has: so a simulator's is enough.

use core::fmt;
use std::sync::Arc;

use quinn_proto::crypto::{AeadKey, CryptoError, HandshakeTokenKey, HmacKey};
use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey as RecordKey, InboundOpaqueMessage, Iv, NONCE_LEN, OutboundPlainMessage,
    Tls13AeadAlgorithm,
};
use rustls::crypto::tls13::{Hkdf, OkmBlock};
use rustls::{CipherSuite, ContentType, ProtocolVersion, SupportedCipherSuite};

use crate::engine::tls::TlsError;

/// SHA-256's output.
const TAG: usize = 32;
/// The length of the record header that the AEAD's encrypter writes and a token leaves out.
const HEADER: usize = 5;

/// `N` bytes of the provider's randomness.
pub(super) fn random<const N: usize>(provider: &CryptoProvider) -> Result<[u8; N], TlsError> {
    let mut bytes = [0; N];
    match provider.secure_random.fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(TlsError::config(rustls::Error::FailedToGetRandomBytes)),
    }
}

/// HMAC-SHA256 under one key.
#[derive(Clone)]
pub(super) struct Mac {
    hkdf: &'static dyn Hkdf,
    key: [u8; TAG],
}

impl Mac {
    /// QUIC itself asks for the cipher suite whose hash this is (RFC 9001 5.2).
    pub(super) fn new(provider: &CryptoProvider, key: [u8; TAG]) -> Result<Self, TlsError> {
        let hkdf = provider.cipher_suites.iter().find_map(|suite| match suite {
            SupportedCipherSuite::Tls13(tls13)
                if suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256 =>
            {
                Some(tls13.hkdf_provider)
            }
            _ => None,
        });
        match hkdf {
            Some(hkdf) => Ok(Self { hkdf, key }),
            None => Err(unusable()),
        }
    }

    /// The key that belongs to `label`.
    pub(super) fn derive(&self, label: &[u8]) -> Self {
        let mut key = [0; TAG];
        self.fill(label, &mut key);
        Self { hkdf: self.hkdf, key }
    }

    /// Fills `out`, of at most 32 bytes, from the tag of `message`.
    pub(super) fn fill(&self, message: &[u8], out: &mut [u8]) {
        let tag = self.hkdf.hmac_sign(&OkmBlock::new(&self.key), message);
        out.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    }
}

/// The provider lacks what QUIC cannot do without.
pub(super) fn unusable() -> TlsError {
    let words = "QUIC needs TLS 1.3, TLS_AES_128_GCM_SHA256 and a cipher with a key of 256 bits";
    TlsError::config(rustls::Error::General(words.into()))
}

/// What tokens of stateless resets are made with.
impl HmacKey for Mac {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        self.fill(data, signature_out);
    }

    fn signature_len(&self) -> usize {
        TAG
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let mut expected = [0; TAG];
        self.fill(data, &mut expected);
        // Every byte is looked at, so that the time tells nothing.
        let pairs = expected.iter().zip(signature);
        let differing = pairs.fold(0, |all, (one, other)| all | (one ^ other));
        let same = differing == 0 && signature.len() == TAG;
        same.then_some(()).ok_or(CryptoError)
    }
}

/// What tokens of address validation (Retry) are sealed with.
pub(super) struct TokenKey {
    mac: Mac,
    aead: &'static dyn Tls13AeadAlgorithm,
}

impl TokenKey {
    pub(super) fn new(provider: &CryptoProvider, mac: Mac) -> Result<Arc<Self>, TlsError> {
        let aead = provider.cipher_suites.iter().find_map(|suite| match suite {
            SupportedCipherSuite::Tls13(suite) => {
                Some(suite.aead_alg).filter(|aead| aead.key_len() == TAG)
            }
            SupportedCipherSuite::Tls12(_) => None,
        });
        match aead {
            Some(aead) => Ok(Arc::new(Self { mac, aead })),
            None => Err(unusable()),
        }
    }
}

impl HandshakeTokenKey for TokenKey {
    fn aead_from_hkdf(&self, random_bytes: &[u8]) -> Box<dyn AeadKey> {
        let mut key = [0; TAG];
        self.mac.fill(random_bytes, &mut key);
        Box::new(OneToken { aead: self.aead, key })
    }
}

/// The key of one token, used once: so its nonce may be zero.
struct OneToken {
    aead: &'static dyn Tls13AeadAlgorithm,
    key: [u8; TAG],
}

impl AeadKey for OneToken {
    fn seal(&self, data: &mut Vec<u8>, additional_data: &[u8]) -> Result<(), CryptoError> {
        if !additional_data.is_empty() {
            return Err(CryptoError);
        }
        let message = OutboundPlainMessage {
            typ: ContentType::ApplicationData,
            version: ProtocolVersion::TLSv1_2,
            payload: data.as_slice().into(),
        };
        let key = RecordKey::from(self.key);
        let mut encrypter = self.aead.encrypter(key, Iv::from([0; NONCE_LEN]));
        let record = encrypter.encrypt(message, 0).map_err(|_| CryptoError)?.encode();
        *data = record.get(HEADER..).ok_or(CryptoError)?.to_vec();
        Ok(())
    }

    fn open<'a>(
        &self,
        data: &'a mut [u8],
        additional_data: &[u8],
    ) -> Result<&'a mut [u8], CryptoError> {
        if !additional_data.is_empty() {
            return Err(CryptoError);
        }
        let mut sealed = data.to_vec();
        let message = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut sealed,
        );
        let key = RecordKey::from(self.key);
        let mut decrypter = self.aead.decrypter(key, Iv::from([0; NONCE_LEN]));
        let opened = decrypter.decrypt(message, 0).map_err(|_| CryptoError)?;
        let into = data.get_mut(..opened.payload.len()).ok_or(CryptoError)?;
        into.copy_from_slice(opened.payload);
        Ok(into)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mac").finish_non_exhaustive()
    }
}
