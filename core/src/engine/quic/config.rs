//! TLS, keys and settings, as an endpoint wants them.

use core::fmt;
use std::sync::Arc;

use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{ConnectionId, ConnectionIdGenerator, EndpointConfig, TokenMemoryCache};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::quic::{ClientConnection, ServerConnection, Version};

use super::ids::Ids;
use super::keys::{self, Mac, TokenKey};
use super::options::{self, Options, Retry, ServerOptions};
use super::session::{Answering, Listening};
use crate::engine::h3::Settings;
use crate::engine::qlog::Sink;
use crate::engine::tls::sessions::Sessions;
use crate::engine::tls::{self, Clock, TlsError};
use crate::time::Duration;
use crate::types::{Cause, Protocol};

/// The length of what a client calls a server at first, in bytes; at least 8 (RFC 9000 7.2).
const FIRST_ID: usize = 16;

/// Trust, sessions and settings of a client, for the connections of one origin.
///
/// Clones share sessions and the tokens that servers gave.
#[derive(Clone)]
pub struct ClientConfig {
    pub(super) quinn: quinn_proto::ClientConfig,
    pub(super) common: Common,
    /// The same TLS with the same sessions, sending early data.
    early: quinn_proto::ClientConfig,
    sessions: Arc<Sessions>,
}

impl ClientConfig {
    /// The same with other settings of its connections.
    #[must_use]
    pub fn with_options(mut self, options: &Options) -> Self {
        let transport = options::transport(options);
        self.quinn.transport_config(Arc::clone(&transport));
        self.early.transport_config(transport);
        self
    }

    /// The same for a connection that may send early data, and what the server granted over HTTP/3
    /// when it gave the tickets; `None` where that is not known, and early data must wait
    /// (RFC 9114 7.2.4.2).
    pub fn early_data(&self) -> Option<(Self, Settings)> {
        let settings = self.sessions.settings()?;
        Some((Self { quinn: self.early.clone(), ..self.clone() }, settings))
    }

    /// Keeps what the server grants over HTTP/3 beside the tickets.
    pub fn remember(&self, settings: Settings) {
        self.sessions.remember(Some(settings));
    }

    /// A connection that sent early data has ended before the server said anew what it grants.
    /// Where it was against the rules, the server may not keep to what it had granted: the tickets
    /// are forgotten, and what was kept beside them.
    pub fn disappointed(&self, cause: Cause) {
        if let Cause::Protocol(_) = cause {
            self.sessions.remember(None);
        }
    }
}

/// What both sides have.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) clock: Clock,
    provider: Arc<CryptoProvider>,
    worker: u8,
    reset: Mac,
    /// Where connections' logs go.
    pub(super) qlog: Option<Arc<dyn Sink>>,
}

impl ClientConfig {
    /// Makes one with `tls`'s trust and a session store of its own, offering HTTP/3.
    ///
    /// An error means that these settings cannot speak TLS 1.3 as QUIC needs it.
    pub fn new(tls: &tls::ClientConfig, options: &Options) -> Result<Self, TlsError> {
        let tls = tls.with_alpn(&[Protocol::Http3]);
        let provider = Arc::clone(tls.rustls.crypto_provider());
        // quinn-proto takes for granted that a connection can be made of its settings.
        let name = ServerName::try_from("localhost").map_err(|_| keys::unusable())?;
        ClientConnection::new(Arc::clone(&tls.rustls), Version::V1, name, Vec::new())
            .map_err(TlsError::config)?;
        let random = Arc::clone(&provider);
        let first_id: Arc<dyn Fn() -> ConnectionId + Send + Sync> = Arc::new(move || {
            // Without randomness TLS fails as well, and says so.
            let id = keys::random::<FIRST_ID>(&random).unwrap_or_default();
            ConnectionId::new(&id)
        });
        let (transport, tokens) = (options::transport(options), Arc::<TokenMemoryCache>::default());
        let quinn = |tls: tls::ClientConfig| {
            let crypto = QuicClientConfig::try_from(tls.rustls).map_err(|_| keys::unusable())?;
            let mut quinn = quinn_proto::ClientConfig::new(Arc::new(Listening(Arc::new(crypto))));
            quinn
                .transport_config(Arc::clone(&transport))
                .token_store(Arc::<TokenMemoryCache>::clone(&tokens))
                .initial_dst_cid_provider(Arc::clone(&first_id));
            Ok(quinn)
        };
        let (early, sessions) = (quinn(tls.sending_early_data())?, Arc::clone(&tls.sessions));
        let clock = tls.clock.clone();
        let quinn = quinn(tls)?;
        let reset = Mac::new(&provider, keys::random(&provider)?)?;
        let common = Common { clock, provider, worker: 0, reset, qlog: None };
        Ok(Self { quinn, common, early, sessions })
    }

    /// The same with a log of each connection, or without. Default without.
    #[must_use]
    pub fn with_qlog(mut self, sink: Option<Arc<dyn Sink>>) -> Self {
        self.common.qlog = sink;
        self
    }

    /// One whose next connection calls the server `id` at first.
    pub(super) fn calling(
        config: &quinn_proto::ClientConfig,
        id: [u8; FIRST_ID],
    ) -> quinn_proto::ClientConfig {
        let mut config = config.clone();
        config.initial_dst_cid_provider(Arc::new(move || ConnectionId::new(&id)));
        config
    }
}

/// Certificate, keys and settings of a server. Clones know each other's tokens.
#[derive(Clone)]
pub struct ServerConfig {
    pub(super) quinn: Arc<quinn_proto::ServerConfig>,
    pub(super) common: Common,
    pub(super) limits: Limits,
}

/// What a server lets clients have of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) handshakes: usize,
    pub(super) retry: Retry,
    pub(super) handshake_timeout: Duration,
}

impl ServerConfig {
    /// Makes one with `tls`'s certificate and tickets, accepting HTTP/3.
    ///
    /// An error means that these settings cannot speak TLS 1.3 as QUIC needs it.
    pub fn new(tls: &tls::ServerConfig, options: &ServerOptions) -> Result<Self, TlsError> {
        let mut tls = tls.with_alpn(&[Protocol::Http3]);
        if options.early_data {
            tls = tls.taking_early_data();
        }
        let provider = Arc::clone(tls.rustls.crypto_provider());
        // quinn-proto takes for granted that a connection can be made of its settings.
        ServerConnection::new(Arc::clone(&tls.rustls), Version::V1, Vec::new())
            .map_err(TlsError::config)?;
        let secret = match options.secret {
            Some(secret) => secret,
            None => keys::random(&provider)?,
        };
        let secret = Mac::new(&provider, secret)?;
        let reset = secret.derive(b"stateless reset");
        let token = TokenKey::new(&provider, secret.derive(b"address validation"))?;
        let crypto = QuicServerConfig::try_from(tls.rustls).map_err(|_| keys::unusable())?;
        let mut quinn =
            quinn_proto::ServerConfig::new(Arc::new(Answering(Arc::new(crypto))), token);
        // Every first packet is answered at once, so that none waits.
        quinn
            .transport_config(options::transport(&options.connection))
            .migration(options.migration)
            .time_source(Arc::new(tls.clock.clone()));
        let common = Common { clock: tls.clock, provider, worker: 0, reset, qlog: None };
        let limits = Limits {
            connections: options.max_connections as usize,
            handshakes: options.max_handshakes as usize,
            retry: options.retry,
            handshake_timeout: options.handshake_timeout,
        };
        Ok(Self { quinn: Arc::new(quinn), common, limits })
    }

    /// The same with a log of each connection, or without. Default without.
    #[must_use]
    pub fn with_qlog(mut self, sink: Option<Arc<dyn Sink>>) -> Self {
        self.common.qlog = sink;
        self
    }

    /// The same for the endpoint of a worker, whose number its connection ids bear:
    /// [`worker`](super::worker) reads it from a datagram. The first is 0.
    #[must_use]
    pub const fn of_worker(mut self, worker: u8) -> Self {
        self.common.worker = worker;
        self
    }
}

/// The longest datagram there is, as RFC 9000 18.2 has it.
const LONGEST: u16 = 65_527;

impl Common {
    /// What a client calls a server at first, drawn at random.
    pub(super) fn first_id(&self) -> [u8; FIRST_ID] {
        // Without randomness TLS fails as well, and says so.
        keys::random::<FIRST_ID>(&self.provider).unwrap_or_default()
    }

    /// The settings of a new endpoint, with a seed of its own.
    pub(super) fn endpoint(&self) -> Result<Arc<EndpointConfig>, TlsError> {
        let mut config = EndpointConfig::new(Arc::new(self.reset.clone()));
        config.rng_seed(Some(keys::random(&self.provider)?));
        // What is read into takes any datagram, so that how long they may be is the path's to say,
        // and their sender's. It is in range, and there is no other error.
        let _ = config.max_udp_payload_size(LONGEST);
        let (worker, key) = (self.worker, Mac::new(&self.provider, keys::random(&self.provider)?)?);
        config.cid_generator(move || -> Box<dyn ConnectionIdGenerator> {
            Box::new(Ids::new(worker, key.clone()))
        });
        // The drafts of QUIC are not spoken (RFC 9000 alone).
        config.supported_versions(vec![1]);
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig").field("quinn", &self.quinn).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("quinn", &self.quinn)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
