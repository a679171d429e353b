//! TLS of the simulator: seeded randomness, one key exchange, fixed certificates.
//!
//! Ed25519 signatures and X25519 shares have one length each, so that flights have the same
//! sizes in every run. The key exchange's own secrets are not seeded: sizes and times are what
//! a run is compared by.

use core::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use regatta_core::engine::tls::{Provider, ServerOptions};
use regatta_core::rng::Rng;
use rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom, ring};

/// The certificate that a client must trust, in DER. Its key was thrown away.
pub const ROOT: &[u8] = include_bytes!("../../certificates/root.der");

/// A server's certificate: for `www.test`, `a.test` to `d.test`, all names below `sim.test`,
/// `www.example` and localhost.
pub fn good() -> ServerOptions {
    options(
        include_bytes!("../../certificates/good.der"),
        include_bytes!("../../certificates/good.key.der"),
    )
}

/// As [`good`], but it expired in 2021.
pub fn expired() -> ServerOptions {
    options(
        include_bytes!("../../certificates/expired.der"),
        include_bytes!("../../certificates/expired.key.der"),
    )
}

/// A certificate for another name, `stranger.invalid`.
pub fn stranger() -> ServerOptions {
    options(
        include_bytes!("../../certificates/stranger.der"),
        include_bytes!("../../certificates/stranger.key.der"),
    )
}

fn options(certificate: &[u8], key: &[u8]) -> ServerOptions {
    ServerOptions::new(vec![certificate.to_vec()], key.to_vec())
}

/// Cryptography whose `secure_random` is the running net's.
pub fn provider() -> Provider {
    Provider::custom(CryptoProvider {
        kx_groups: vec![ring::kx_group::X25519],
        secure_random: &SeededRandom,
        ..ring::default_provider()
    })
}

/// Begins the random bytes of this thread anew, for who uses [`provider`] outside of a net and
/// wants to have the same again.
pub fn reseed(seed: u64) {
    CURRENT.set(Random::new(seed));
}

/// The bytes that TLS draws, made from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(Rng);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Rng::new(seed ^ 0x746c_7372_616e_646f))
    }
}

thread_local! {
    /// The random bytes of the net that runs on this thread.
    static CURRENT: RefCell<Random> = const { RefCell::new(Random::new(0)) };
}

/// Makes a net's random bytes those of the thread, until it is dropped.
pub(crate) struct Borrowed<'a> {
    home: &'a Mutex<Random>,
    before: Random,
}

impl<'a> Borrowed<'a> {
    pub(crate) fn new(home: &'a Mutex<Random>) -> Self {
        let random = home.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let before = CURRENT.replace(random);
        Self { home, before }
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let random = CURRENT.replace(self.before.clone());
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = random;
    }
}

#[derive(Debug)]
struct SeededRandom;

impl SecureRandom for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        CURRENT.with_borrow_mut(|Random(rng)| {
            for chunk in buffer.chunks_mut(8) {
                let bytes = rng.next_u64().to_le_bytes();
                chunk.copy_from_slice(&bytes[..chunk.len()]);
            }
        });
        Ok(())
    }
}
