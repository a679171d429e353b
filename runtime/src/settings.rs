//! What a client's connections need to know, fixed when the client was built.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use http::Method;
use regatta_core::engine::Config as EngineConfig;
use regatta_core::engine::tls::{
    ClientConfig, ClientOptions, Clock, Identity, KeyLog, Provider, Versions,
};
#[cfg(feature = "http3")]
use regatta_core::engine::{qlog, quic};
use regatta_core::id::ProfileId;
#[cfg(feature = "http3")]
use regatta_core::limits::QuicStream;
use regatta_core::retry;
use regatta_core::types::{MethodClass, Origin, Protocol};
use regatta_core::upstream::Protocols;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::by_origin::ByOrigin;
use crate::mail::Account;
use crate::roads::Roads;

/// Which certificates are trusted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Roots {
    /// None: every TLS handshake fails.
    None,
    /// These, each in DER.
    Der(Vec<Vec<u8>>),
    /// All certificates of this PEM text (curl's `--cacert`).
    Pem(Vec<u8>),
    /// What this function gives when the first TLS connection is made, each in DER.
    Load(fn() -> Vec<Vec<u8>>),
}

/// TLS, ALPN and protocol settings that belong together. Connections of different profiles are
/// never shared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// Which protocols may come out of a connection. Default [`Protocols::Auto`].
    pub protocols: Protocols,
    /// Which certificates are trusted. Default none; the runtimes' crates set the system's.
    pub roots: Roots,
    /// Trust every certificate, for every name (curl's `-k`). Default false.
    pub danger_accept_any_certificate: bool,
    /// Which versions of TLS. Default 1.2 and 1.3.
    pub versions: Versions,
    /// Who we say we are where a server asks (curl's `--cert`). Default nobody.
    pub identity: Option<Identity>,
    /// Send GET, HEAD and OPTIONS without a body in the first flight of a connection over HTTP/3
    /// that resumes a session (0-RTT). Default false: [`Builder::early_data`] says why.
    ///
    /// [`Builder::early_data`]: crate::Builder::early_data
    pub early_data: bool,
    /// Ask for the HTTPS records (RFC 9460) of origins that are not known to offer HTTP/3, where
    /// that races with TCP. Default false: [`Builder::https_records`] says more.
    ///
    /// [`Builder::https_records`]: crate::Builder::https_records
    pub https_records: bool,
    /// Who gets the secrets of each connection, for a packet analyser. Default nobody.
    pub key_log: Option<Arc<dyn KeyLog>>,
    /// Who gets the qlog of each connection of QUIC. Default nobody.
    #[cfg(feature = "http3")]
    pub qlog: Option<Arc<dyn qlog::Sink>>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            protocols: Protocols::Auto,
            roots: Roots::None,
            danger_accept_any_certificate: false,
            versions: Versions::Both,
            identity: None,
            early_data: false,
            https_records: false,
            key_log: None,
            #[cfg(feature = "http3")]
            qlog: None,
        }
    }
}

impl Profile {
    /// What is wrong with it, in one sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Roots::Pem(pem) = &self.roots {
            certificates(pem).map_err(|text| format!("roots: {text}"))?;
        }
        if self.protocols == Protocols::Http3 && self.versions == Versions::Tls12 {
            return Err("versions: HTTP/3 needs TLS 1.3".to_owned());
        }
        Ok(())
    }

    /// Leaves HTTP/3 out where it cannot be had: nothing is tried in vain.
    pub(crate) fn settle(&mut self) {
        let can = cfg!(feature = "http3") && self.versions != Versions::Tls12;
        if self.protocols == Protocols::AutoHttp3 && !can {
            self.protocols = Protocols::Auto;
        }
    }

    fn alpn(&self) -> Vec<Protocol> {
        match self.protocols {
            Protocols::Auto | Protocols::AutoHttp3 | Protocols::Http2 => {
                vec![Protocol::Http2, Protocol::Http1]
            }
            Protocols::Http1 => vec![Protocol::Http1],
            Protocols::Http2PriorKnowledge => vec![Protocol::Http2],
            Protocols::Http3 => vec![Protocol::Http3],
        }
    }

    fn client_config(&self, clock: &Clock, provider: &Provider) -> Result<ClientConfig, Arc<str>> {
        let mut options = ClientOptions::default();
        options.roots = match &self.roots {
            Roots::None => Vec::new(),
            Roots::Der(ders) => ders.clone(),
            Roots::Pem(pem) => certificates(pem)?,
            Roots::Load(load) => load(),
        };
        options.danger_no_verify = self.danger_accept_any_certificate;
        options.alpn = self.alpn();
        options.versions = self.versions;
        options.identity.clone_from(&self.identity);
        options.key_log.clone_from(&self.key_log);
        options.provider = Some(provider.clone());
        ClientConfig::new(clock, options).map_err(|error| error.to_string().into())
    }
}

/// The certificates of a PEM text, in DER.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, Arc<str>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.map(|der| der.as_ref().to_vec()))
        .collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err("no CERTIFICATE section was found in the PEM text".into()),
        Err(error) => Err(format!("the PEM text of certificates is malformed: {error}").into()),
    }
}

/// Everything that a hub's connections share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) engine: Arc<EngineConfig>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) roads: Arc<Roads>,
    pub(crate) overrides: BTreeMap<String, Vec<IpAddr>>,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) retry: Arc<retry::Policy>,
    /// What all bodies hold together.
    pub(crate) bodies: Arc<Account>,
    pub(crate) retry_budget: Option<retry::Budget>,
    /// Whether spans tell queries.
    pub(crate) trace_queries: bool,
    pub(crate) clock: Clock,
    /// The runtime's.
    pub(crate) provider: Provider,
    /// Sessions belong to one origin and one profile.
    pub(crate) tls: ByOrigin<ClientConfig>,
    /// Of QUIC, before it is known what all bodies hold.
    #[cfg(feature = "http3")]
    pub(crate) quic_options: quic::Options,
    /// As `tls` for QUIC, with the tokens that servers gave.
    #[cfg(feature = "http3")]
    pub(crate) quic: ByOrigin<quic::ClientConfig>,
    /// By profile, a tunnel's by that of its origins; made without a lock, because roots are
    /// loaded by a caller's function.
    pub(crate) bases: Vec<OnceLock<Result<ClientConfig, Arc<str>>>>,
}

impl Settings {
    pub(crate) fn protocols(&self, profile: ProfileId) -> Protocols {
        let found = self.profiles.get(usize::from(profile.0));
        found.map(|profile| profile.protocols).unwrap_or_default()
    }

    /// Whether requests may go in early data.
    pub(crate) fn early_data(&self, profile: ProfileId) -> bool {
        let found = self.profiles.get(usize::from(profile.0));
        found.is_some_and(|profile| profile.early_data)
    }

    /// How freely a request may be repeated, and whether it may go early.
    pub(crate) fn class(&self, profile: ProfileId, method: &Method, end: bool) -> MethodClass {
        match self.early_data(profile) && end {
            true => MethodClass::early(method),
            false => MethodClass::of(method),
        }
    }

    pub(crate) fn addresses_of(&self, name: &str) -> Option<Vec<IpAddr>> {
        self.overrides.get(name).cloned()
    }

    /// The TLS settings of one origin, with its sessions.
    pub(crate) fn tls_client(
        &self,
        profile: ProfileId,
        origin: &Origin,
    ) -> Result<ClientConfig, Arc<str>> {
        let base = self.base(profile)?;
        self.tls.of(profile, origin, || Ok(base.for_origin()))
    }

    /// The QUIC settings of one origin, with its sessions.
    #[cfg(feature = "http3")]
    pub(crate) fn quic_client(
        &self,
        profile: ProfileId,
        origin: &Origin,
    ) -> Result<quic::ClientConfig, Arc<str>> {
        let base = self.base(profile)?;
        self.quic.of(profile, origin, || {
            let profile = self.profiles.get(self.roads.base(profile));
            let config = quic::ClientConfig::new(base, &self.quic_options);
            let config = config.map_err(|error| error.to_string())?;
            Ok(config.with_qlog(profile.and_then(|profile| profile.qlog.clone())))
        })
    }

    /// The settings of a QUIC connection that begins now, and of HTTP/3 on it, by what all bodies
    /// may hold.
    #[cfg(feature = "http3")]
    pub(crate) fn quic_now(&self) -> (quic::Options, EngineConfig) {
        let (mut options, mut engine) =
            (self.quic_options.clone(), EngineConfig::clone(&self.engine));
        let configured = QuicStream { window: options.stream_window, buffer: engine.stream_buffer };
        let stream = self.bodies.quic_stream(configured);
        (options.stream_window, engine.stream_buffer) = (stream.window, stream.buffer);
        (options, engine)
    }

    fn base(&self, profile: ProfileId) -> Result<&ClientConfig, Arc<str>> {
        let at = self.roads.base(profile);
        let (Some(place), Some(settings)) = (self.bases.get(at), self.profiles.get(at)) else {
            return Err("no such profile is configured".into());
        };
        let base = place.get_or_init(|| settings.client_config(&self.clock, &self.provider));
        base.as_ref().map_err(Arc::clone)
    }
}
