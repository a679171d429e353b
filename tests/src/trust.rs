//! Certificates for tests: an authority, and servers that it vouches for.

use core::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ED25519,
    date_time_ymd,
};
use regatta_core::engine::tls::ServerOptions;
use regatta_tokio::Roots;

/// An authority that nobody knows but who is told.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        // Two of one name would be taken for one another.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    /// What a client must trust.
    pub(crate) fn roots(&self) -> Roots {
        Roots::Der(vec![self.issuer.der().to_vec()])
    }

    /// The same as PEM text.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server's certificate for these names, and its key.
    pub(crate) fn server(&self, names: &[&str]) -> ServerOptions {
        let (certificate, key) = self.signed(names, &PKCS_ED25519);
        ServerOptions::new(vec![certificate.der().to_vec()], key.serialize_der())
    }

    /// As [`Authority::server`], but it expired in 2021.
    pub(crate) fn expired(&self, names: &[&str]) -> ServerOptions {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = params(names);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        ServerOptions::new(vec![certificate.der().to_vec()], key.serialize_der())
    }

    /// The same as PEM text, with a key that every TLS library takes.
    pub(crate) fn server_pem(&self, names: &[&str]) -> (String, String) {
        let (certificate, key) = self.signed(names, &rcgen::PKCS_ECDSA_P256_SHA256);
        (certificate.pem(), key.serialize_pem())
    }

    fn signed(
        &self,
        names: &[&str],
        algorithm: &'static rcgen::SignatureAlgorithm,
    ) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        (params(names).signed_by(&key, &self.issuer).unwrap(), key)
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}
