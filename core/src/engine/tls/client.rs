//! The client's settings: trust, ALPN, versions, sessions.

use core::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::sessions::Sessions;
use super::{Clock, KeyLog, Provider, TlsError, Versions, alpn_names, key_log};
use crate::types::Protocol;

/// What a client of one profile wants of TLS.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientOptions {
    /// The certificates that are trusted, each in DER. Default none: nothing is trusted.
    /// Ones that cannot be read are passed over, as systems have some; if none can, that is an
    /// error.
    pub roots: Vec<Vec<u8>>,
    /// Trust every certificate, for every name (curl's `-k`). Default false. Signatures are
    /// still checked, but anybody between here and the server can be the server.
    pub danger_no_verify: bool,
    /// What ALPN offers, best first. Default nothing: the extension is not sent, and the
    /// server then speaks HTTP/1.1.
    pub alpn: Vec<Protocol>,
    /// Which versions of TLS. Default both, 1.2 and 1.3.
    pub versions: Versions,
    /// Who the client says it is where a server asks. Default nobody.
    pub identity: Option<Identity>,
    /// Who gets the secrets, for a packet analyser. Default nobody.
    pub key_log: Option<Arc<dyn KeyLog>>,
    /// Where the cryptography comes from. Default what the runtime gives, and without one
    /// [`Provider::default`].
    pub provider: Option<Provider>,
}

/// A client's own certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and those that lead to its root, in DER, the client's own first.
    pub certificates: Vec<Vec<u8>>,
    /// Its private key in DER: PKCS#8, PKCS#1 or SEC1.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}

/// Trust, ALPN and key log of a client, and the sessions of one origin.
///
/// Clones share their sessions. A pool takes its own by [`ClientConfig::for_origin`]; that
/// shares all the rest and costs a few hundred bytes.
#[derive(Clone)]
pub struct ClientConfig {
    pub(in crate::engine) rustls: Arc<rustls::ClientConfig>,
    pub(in crate::engine) clock: Clock,
    #[cfg(feature = "http3")]
    pub(in crate::engine) sessions: Arc<Sessions>,
}

impl ClientConfig {
    /// Makes one from its settings, with an empty session store.
    pub fn new(clock: &Clock, options: ClientOptions) -> Result<Self, TlsError> {
        let provider = options.provider.unwrap_or_default().get();
        let builder = rustls::ClientConfig::builder_with_details(
            Arc::clone(&provider),
            Arc::new(clock.clone()),
        )
        .with_protocol_versions(options.versions.list())
        .map_err(TlsError::config)?;
        let builder = if options.danger_no_verify {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(NoVerify::new(&provider)))
        } else {
            builder.with_root_certificates(root_store(options.roots)?)
        };
        let mut config = match options.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificates, key }) => {
                let chain = certificates.into_iter().map(CertificateDer::from).collect();
                let key = super::private_key(key)?;
                builder.with_client_auth_cert(chain, key).map_err(TlsError::config)?
            }
        };
        config.alpn_protocols = alpn_names(&options.alpn);
        config.key_log = key_log::adapt(options.key_log.as_ref());
        Ok(Self::with_fresh_sessions(config, clock))
    }

    /// The same settings with an empty session store of its own, for the connections of one
    /// origin on one transport.
    pub fn for_origin(&self) -> Self {
        let config = rustls::ClientConfig::clone(&self.rustls);
        Self::with_fresh_sessions(config, &self.clock)
    }

    /// As [`ClientConfig::for_origin`], with another offer: sessions are bound to it.
    pub fn with_alpn(&self, alpn: &[Protocol]) -> Self {
        let mut config = rustls::ClientConfig::clone(&self.rustls);
        config.alpn_protocols = alpn_names(alpn);
        Self::with_fresh_sessions(config, &self.clock)
    }

    /// The same with the same sessions, sending early data where a ticket allows it (RFC 8446
    /// 4.2.10).
    #[cfg(feature = "http3")]
    pub(in crate::engine) fn sending_early_data(&self) -> Self {
        let mut config = rustls::ClientConfig::clone(&self.rustls);
        config.enable_early_data = true;
        Self { rustls: Arc::new(config), ..self.clone() }
    }

    fn with_fresh_sessions(mut config: rustls::ClientConfig, clock: &Clock) -> Self {
        let sessions = Arc::new(Sessions::default());
        config.resumption = Resumption::store(Arc::<Sessions>::clone(&sessions));
        Self {
            rustls: Arc::new(config),
            clock: clock.clone(),
            #[cfg(feature = "http3")]
            sessions,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig").field("clock", &self.clock).finish_non_exhaustive()
    }
}

fn root_store(ders: Vec<Vec<u8>>) -> Result<RootCertStore, TlsError> {
    let given = ders.len();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(ders.into_iter().map(CertificateDer::from));
    if given > 0 && usable == 0 {
        return Err(TlsError::config(rustls::Error::General(format!(
            "none of the {given} trusted certificates could be read as X.509 in DER"
        ))));
    }
    Ok(roots)
}

/// Accepts every certificate, and checks that the peer has its key.
#[derive(Debug)]
struct NoVerify(WebPkiSupportedAlgorithms);

impl NoVerify {
    fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for NoVerify {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
