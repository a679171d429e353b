//! The server's session tickets: sealed by the provider's own AEAD, under keys that are renewed
//! by the runtime's clock.
//!
//! rustls has a ticketer for each provider, and both read the system's clock and draw from the
//! system's randomness. This one asks the [`Clock`] and the provider's `secure_random`, so that
//! a simulated server renews its keys in simulated time.
//!
//! A ticket is `nonce (12 bytes) | sealed session`. Keys change every 12 hours and the one before
//! is still accepted, so every ticket is good for at least that long and none for more than
//! twice that (RFC 8446 4.6.1 allows 7 days). A key with random nonces is good for 2^32 tickets
//! (NIST SP 800-38D 8.3); 12 hours at 90,000 handshakes a second are fewer.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, NONCE_LEN, OutboundPlainMessage, Tls13AeadAlgorithm,
};
use rustls::server::ProducesTickets;
use rustls::{ContentType, ProtocolVersion, SupportedCipherSuite};

use super::Clock;
use crate::time::Duration;

/// How long a key seals; it opens for as long again.
const PERIOD: Duration = Duration::from_secs(12 * 60 * 60);
const KEY_LEN: usize = 32;
/// The length of the record header that the AEAD's encrypter writes and a ticket leaves out.
const HEADER: usize = 5;
/// Largest session that is sealed: a record's (RFC 8446 5.1).
const MAX_PLAIN: usize = 1 << 14;

/// Seals and opens tickets.
pub(super) struct Tickets {
    clock: Clock,
    provider: Arc<CryptoProvider>,
    aead: &'static dyn Tls13AeadAlgorithm,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    current: Option<Key>,
    previous: Option<Key>,
}

#[derive(Clone)]
struct Key {
    secret: [u8; KEY_LEN],
    /// When it stops sealing, since 1970.
    until: Duration,
}

impl Tickets {
    /// `None` where the provider has no AEAD with a 256-bit key.
    pub(super) fn new(clock: &Clock, provider: &Arc<CryptoProvider>) -> Option<Self> {
        let aead = provider.cipher_suites.iter().find_map(|suite| match suite {
            SupportedCipherSuite::Tls13(suite) => {
                Some(suite.aead_alg).filter(|aead| aead.key_len() == KEY_LEN)
            }
            SupportedCipherSuite::Tls12(_) => None,
        })?;
        let keys = Mutex::new(Keys::default());
        Some(Self { clock: clock.clone(), provider: Arc::clone(provider), aead, keys })
    }

    /// The keys as they must be now; makes and retires them as time has passed.
    fn keys(&self) -> MutexGuard<'_, Keys> {
        let now = self.clock.unix();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.current.as_ref().is_some_and(|key| now >= key.until) {
            keys.previous = keys.current.take();
        }
        if keys.previous.as_ref().is_some_and(|key| now >= key.until.saturating_add(PERIOD)) {
            keys.previous = None;
        }
        if keys.current.is_none() {
            let mut secret = [0; KEY_LEN];
            if self.provider.secure_random.fill(&mut secret).is_ok() {
                keys.current = Some(Key { secret, until: now.saturating_add(PERIOD) });
            }
        }
        keys
    }

    fn open(&self, key: &Key, nonce: [u8; NONCE_LEN], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = sealed.to_vec();
        let message = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut buffer,
        );
        let mut decrypter = self.aead.decrypter(AeadKey::from(key.secret), Iv::from(nonce));
        let opened = decrypter.decrypt(message, 0).ok()?;
        Some(opened.payload.to_vec())
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(PERIOD.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if plain.len() > MAX_PLAIN {
            return None;
        }
        let key = self.keys().current.clone()?;
        let mut nonce = [0; NONCE_LEN];
        self.provider.secure_random.fill(&mut nonce).ok()?;
        let message = OutboundPlainMessage {
            typ: ContentType::ApplicationData,
            version: ProtocolVersion::TLSv1_2,
            payload: plain.into(),
        };
        let mut encrypter = self.aead.encrypter(AeadKey::from(key.secret), Iv::from(nonce));
        let record = encrypter.encrypt(message, 0).ok()?.encode();
        Some([&nonce, record.get(HEADER..)?].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = ticket.split_first_chunk::<NONCE_LEN>()?;
        let (current, previous) = {
            let keys = self.keys();
            (keys.current.clone(), keys.previous.clone())
        };
        let keys = [current, previous];
        keys.iter().flatten().find_map(|key| self.open(key, *nonce, sealed))
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}
