//! What runtimes over an operating system have in common, for whoever writes one.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use regatta_core::types::Cause;

use crate::runtime::Answer;

/// A seed as [`Runtime::seed`](crate::Runtime::seed) wants it, of the wall clock: two processes
/// differ by it and by where their stack lies, and hash keys want no more.
pub fn seed(unix_at_epoch: Duration) -> u64 {
    let here = core::ptr::from_ref(&unix_at_epoch).addr();
    unix_at_epoch.as_nanos() as u64 ^ (here as u64).rotate_left(32)
}

/// What the system's resolver said of a name, from what std's `ToSocketAddrs` made of it. It
/// answers both families at once.
pub fn answer(found: io::Result<impl Iterator<Item = SocketAddr>>) -> Result<Answer, Cause> {
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
