//! What runtimes over an operating system have in common, for whoever writes one.

mod alarms;

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::time::Duration;
use std::io;
use std::net::ToSocketAddrs as _;
use std::time::{Instant as SystemInstant, SystemTime, UNIX_EPOCH};

pub use alarms::{Alarm, Alarms};
use regatta_core::Instant;
use regatta_core::types::Cause;

use crate::builder::Builder;
use crate::client::Client;
use crate::runtime::{Answer, Runtime};

/// Begins to build a client on `runtime`. It trusts what the operating system trusts where the
/// feature `system-roots` is on.
pub fn client<R: Runtime>(runtime: R) -> Builder<R> {
    let builder = Client::builder(runtime);
    #[cfg(feature = "system-roots")]
    let builder = builder.roots(crate::Roots::Load(system_roots));
    builder
}

/// What a runtime's time begins with.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    at: SystemInstant,
    unix: Duration,
    seed: u64,
}

impl Epoch {
    /// The present: what the runtime's clock and the wall clock say now.
    pub fn new(now: SystemInstant, wall: SystemTime) -> Self {
        let unix = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { at: now, unix, seed: seed(unix) }
    }

    /// [`Runtime::now`], of what the runtime's clock says.
    pub fn instant(&self, now: SystemInstant) -> Instant {
        Instant::EPOCH + now.saturating_duration_since(self.at)
    }

    /// What the runtime's clock says at `at`.
    pub fn system_instant(&self, at: Instant) -> SystemInstant {
        self.at + Duration::from_nanos(at.as_nanos())
    }

    /// [`Runtime::unix_at_epoch`].
    pub const fn unix(&self) -> Duration {
        self.unix
    }

    /// [`Runtime::seed`].
    pub const fn seed(&self) -> u64 {
        self.seed
    }
}

/// A seed of the wall clock: two processes differ by it and by where their stack lies, and hash
/// keys want no more.
fn seed(unix: Duration) -> u64 {
    let here = core::ptr::from_ref(&unix).addr();
    unix.as_nanos() as u64 ^ (here as u64).rotate_left(32)
}

/// A look-up that goes on elsewhere. `Some` of it is a [`Resolution`](crate::Resolution).
pub type LookUp = Pin<Box<dyn Future<Output = Result<Answer, Cause>> + Send>>;

/// Looks `name` up by the system's resolver, where it is called: it blocks, so a runtime does it
/// on another thread.
pub fn look_up(name: &str) -> impl FnOnce() -> Result<Answer, Cause> + Send + use<> {
    let name = name.to_owned();
    // The port is not looked up; any will do.
    move || answer((name, 0).to_socket_addrs())
}

/// What the system's resolver said of a name, from what std's `ToSocketAddrs` made of it. It
/// answers both families at once.
fn answer(found: io::Result<impl Iterator<Item = SocketAddr>>) -> Result<Answer, Cause> {
    match found {
        Ok(found) => {
            let addresses = found.map(|address| address.ip()).collect();
            Ok(Answer { addresses, ttl: None })
        }
        Err(error) if error.raw_os_error().is_none() => Err(reason(&error.to_string())),
        Err(_) => Err(Cause::ResolveFailed),
    }
}

/// What getaddrinfo meant: std keeps of its codes only the words, which are never translated,
/// because Rust sets no locale. A name that does not exist is the usual reason.
fn reason(words: &str) -> Cause {
    // EAI_AGAIN and EAI_FAIL of glibc, musl and the BSDs.
    let failures = ["Temporary failure", "Try again", "Non-recoverable", "non-recoverable"];
    match failures.iter().any(|failure| words.contains(failure)) {
        true => Cause::ResolveFailed,
        false => Cause::NameNotFound,
    }
}

/// The certificates that the operating system trusts, in DER; `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` take their place where they are set. Ones that cannot be read are left out.
#[cfg(feature = "system-roots")]
pub fn system_roots() -> Vec<Vec<u8>> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.into_iter().map(|certificate| certificate.as_ref().to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_fails_is_told_from_a_name_that_does_not_exist() {
        let all = [
            ("Name or service not known", Cause::NameNotFound),
            ("No address associated with hostname", Cause::NameNotFound),
            ("nodename nor servname provided, or not known", Cause::NameNotFound),
            ("Name does not resolve", Cause::NameNotFound),
            ("Temporary failure in name resolution", Cause::ResolveFailed),
            ("Try again", Cause::ResolveFailed),
            ("Non-recoverable failure in name resolution", Cause::ResolveFailed),
        ];
        for (words, expected) in all {
            let words = format!("failed to lookup address information: {words}");
            let found: io::Result<std::vec::IntoIter<SocketAddr>> = Err(io::Error::other(words));
            assert_eq!(answer(found), Err(expected));
        }
        let gone: io::Result<std::vec::IntoIter<_>> = Err(io::Error::from_raw_os_error(24));
        assert_eq!(answer(gone), Err(Cause::ResolveFailed), "too many open files");
    }
}
