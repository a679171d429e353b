//! Where the cryptography comes from.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// A source of cryptography for rustls: ring, aws-lc-rs, or one that the caller made (the
/// simulator's, with a seeded `secure_random`).
///
/// The default is ring where it is compiled in, else aws-lc-rs.
#[derive(Clone, Debug)]
pub struct Provider(Arc<CryptoProvider>);

impl Provider {
    /// The ring library.
    #[cfg(feature = "ring")]
    pub fn ring() -> Self {
        Self(Arc::new(rustls::crypto::ring::default_provider()))
    }

    /// The aws-lc-rs library.
    #[cfg(feature = "aws-lc-rs")]
    pub fn aws_lc_rs() -> Self {
        Self(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
    }

    /// Any other.
    pub fn custom(provider: CryptoProvider) -> Self {
        Self(Arc::new(provider))
    }

    /// Fills `bytes` with what nobody can guess. Whether it could.
    pub fn fill_random(&self, bytes: &mut [u8]) -> bool {
        self.0.secure_random.fill(bytes).is_ok()
    }

    /// As rustls wants it.
    pub(super) fn get(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.0)
    }
}

impl Default for Provider {
    #[cfg(feature = "ring")]
    fn default() -> Self {
        Self::ring()
    }

    #[cfg(not(feature = "ring"))]
    fn default() -> Self {
        Self::aws_lc_rs()
    }
}
