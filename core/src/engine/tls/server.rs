//! The server's settings: certificate, ALPN, versions, tickets.

use core::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
#[cfg(feature = "http3")]
use rustls::server::ProducesTickets;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};

use super::tickets::Tickets;
use super::{Clock, KeyLog, Provider, TlsError, Versions, alpn_names, key_log};
use crate::types::Protocol;

/// Sessions kept where the provider has no cipher for tickets.
const STORED_SESSIONS: usize = 1_024;
/// Sessions kept where early data is taken; the oldest are forgotten, and their clients' early data
/// is refused then.
#[cfg(feature = "http3")]
const EARLY_SESSIONS: usize = 8_192;

/// What a server wants of TLS.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The certificate and those that lead to its root, in DER, the server's own first.
    pub certificates: Vec<Vec<u8>>,
    /// Its private key in DER: PKCS#8, PKCS#1 or SEC1.
    pub key: Vec<u8>,
    /// What ALPN accepts, best first. Default HTTP/2, then HTTP/1.1. A client that offers only
    /// others is refused with `no_application_protocol` (RFC 7301 3.2).
    pub alpn: Vec<Protocol>,
    /// Which versions of TLS. Default both, 1.2 and 1.3.
    pub versions: Versions,
    /// How many tickets a TLS 1.3 connection gets. Default 2; 0 is no resumption, in TLS 1.2
    /// neither.
    pub tickets: u8,
    /// Who gets the secrets, for a packet analyser. Default nobody.
    pub key_log: Option<Arc<dyn KeyLog>>,
    /// Where the cryptography comes from. Default what the runtime gives, and without one
    /// [`Provider::default`].
    pub provider: Option<Provider>,
}

impl ServerOptions {
    /// The defaults, for this certificate chain and key.
    pub fn new(certificates: Vec<Vec<u8>>, key: Vec<u8>) -> Self {
        Self {
            certificates,
            key,
            alpn: vec![Protocol::Http2, Protocol::Http1],
            versions: Versions::default(),
            tickets: 2,
            key_log: None,
            provider: None,
        }
    }
}

/// Certificate, ALPN and key log of a server. Clones share their ticket keys.
#[derive(Clone)]
pub struct ServerConfig {
    pub(in crate::engine) rustls: Arc<rustls::ServerConfig>,
    pub(in crate::engine) clock: Clock,
}

impl ServerConfig {
    /// Makes one from its settings.
    pub fn new(clock: &Clock, options: ServerOptions) -> Result<Self, TlsError> {
        let provider = options.provider.unwrap_or_default().get();
        let chain = options.certificates.into_iter().map(CertificateDer::from).collect();
        let key = super::private_key(options.key)?;
        let mut config = rustls::ServerConfig::builder_with_details(
            Arc::clone(&provider),
            Arc::new(clock.clone()),
        )
        .with_protocol_versions(options.versions.list())
        .map_err(TlsError::config)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::config)?;
        config.alpn_protocols = alpn_names(&options.alpn);
        config.key_log = key_log::adapt(options.key_log.as_ref());
        config.send_tls13_tickets = usize::from(options.tickets);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if options.tickets > 0 {
            match Tickets::new(clock, &provider) {
                Some(tickets) => config.ticketer = Arc::new(tickets),
                None => config.session_storage = ServerSessionMemoryCache::new(STORED_SESSIONS),
            }
        }
        Ok(Self { rustls: Arc::new(config), clock: clock.clone() })
    }

    /// The same, accepting another offer.
    pub fn with_alpn(&self, alpn: &[Protocol]) -> Self {
        let mut config = rustls::ServerConfig::clone(&self.rustls);
        config.alpn_protocols = alpn_names(alpn);
        Self { rustls: Arc::new(config), clock: self.clock.clone() }
    }

    /// The same, taking early data over QUIC. Its tickets name sessions that are kept here, and
    /// each is good for one handshake (RFC 8446 8.1): a recorded first flight finds nothing any
    /// more.
    #[cfg(feature = "http3")]
    pub(in crate::engine) fn taking_early_data(&self) -> Self {
        let mut config = rustls::ServerConfig::clone(&self.rustls);
        // RFC 9001 4.6.1 knows no other than 0.
        config.max_early_data_size = u32::MAX;
        config.ticketer = Arc::new(NoTickets);
        config.session_storage = ServerSessionMemoryCache::new(EARLY_SESSIONS);
        Self { rustls: Arc::new(config), clock: self.clock.clone() }
    }
}

/// Seals no session: what was sealed could be opened more than once.
#[cfg(feature = "http3")]
#[derive(Debug)]
struct NoTickets;

#[cfg(feature = "http3")]
impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig").field("clock", &self.clock).finish_non_exhaustive()
    }
}
