//! The origin's certificate: made at start, or read from PEM files.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use regatta_core::engine::tls::ServerOptions;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate made at start, and who vouches for it.
#[derive(Clone, Debug)]
pub(crate) struct SelfSigned {
    /// The server's certificate and key.
    pub(crate) options: ServerOptions,
    /// The authority that clients must trust, in PEM.
    pub(crate) authority: String,
}

/// Makes an authority and a certificate of it for `names` (host names or IP addresses).
pub(crate) fn self_signed(names: &[String]) -> Result<SelfSigned, rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "regatta test authority");
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut server = CertificateParams::new(names.to_vec())?;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    if let Some(name) = names.first() {
        server.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    let chain = vec![certificate.der().to_vec()];
    Ok(SelfSigned {
        options: ServerOptions::new(chain, key.serialize_der()),
        authority: authority_certificate.pem(),
    })
}

/// Reads a certificate chain and its private key, both in PEM.
pub(crate) fn from_pem(certificates: &[u8], key: &[u8]) -> Result<ServerOptions, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates)
        .map(|found| found.map(|certificate| certificate.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificates are malformed: {error}"))?;
    if chain.is_empty() {
        return Err("there is no CERTIFICATE section in the certificates' file".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| format!("the private key is malformed: {error}"))?;
    Ok(ServerOptions::new(chain, key.secret_der().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_vouches_for_one_certificate() {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = self_signed(&names).unwrap();
        assert!(made.authority.starts_with("-----BEGIN CERTIFICATE-----"), "{}", made.authority);
        assert_eq!(made.options.certificates.len(), 1);
        let again = self_signed(&names).unwrap();
        assert_ne!(made.options.key, again.options.key);
    }

    #[test]
    fn a_name_must_be_one() {
        assert!(self_signed(&["mü".to_owned()]).is_err());
    }

    #[test]
    fn files_are_read_as_they_are_written() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        let (chain, key) = (certificate.pem().repeat(2), key.serialize_pem());
        let options = from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(options.certificates, vec![certificate.der().to_vec(); 2]);
        assert!(!options.key.is_empty());
        for (chain, key) in [("", key.as_str()), (chain.as_str(), ""), (key.as_str(), key.as_str())]
        {
            assert!(from_pem(chain.as_bytes(), key.as_bytes()).is_err());
        }
    }
}
