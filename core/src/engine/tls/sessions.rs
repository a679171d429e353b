//! What a client remembers of one origin, so that its next connection shortens the handshake.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

#[cfg(feature = "http3")]
use crate::engine::h3::Settings;

/// Most TLS 1.3 tickets kept; each is used once (RFC 8446 appendix C.4), and servers usually
/// send two per connection.
const MAX_TICKETS: usize = 8;

/// The sessions of one (origin, offered ALPN). rustls tells its store only the server's name,
/// which several ports, transports and ALPN offers share; so each of them has a store of its own.
#[derive(Debug, Default)]
pub(in crate::engine) struct Sessions {
    of: Mutex<Option<Remembered>>,
    /// What the server granted over HTTP/3 in the connections that the tickets are from (RFC 9114
    /// 7.2.4.2).
    #[cfg(feature = "http3")]
    settings: Mutex<Option<Settings>>,
}

#[derive(Debug)]
struct Remembered {
    name: ServerName<'static>,
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// Oldest first.
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl Sessions {
    /// Nothing is left half-done under the lock, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Option<Remembered>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes what is remembered of `name`, if it is.
    fn with<T>(
        &self,
        name: &ServerName<'_>,
        f: impl FnOnce(&mut Remembered) -> Option<T>,
    ) -> Option<T> {
        let mut lock = self.lock();
        lock.as_mut().filter(|known| known.name == *name).and_then(f)
    }

    /// Remembers something of `name` and forgets any other.
    fn note(&self, name: ServerName<'static>, f: impl FnOnce(&mut Remembered)) {
        let mut lock = self.lock();
        if lock.as_ref().is_some_and(|known| known.name != name) {
            *lock = None;
        }
        f(lock.get_or_insert_with(|| Remembered {
            name,
            group: None,
            tls12: None,
            tls13: VecDeque::new(),
        }));
    }
}

#[cfg(feature = "http3")]
impl Sessions {
    /// What the server granted, if that is known of the tickets at hand.
    pub(in crate::engine) fn settings(&self) -> Option<Settings> {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the server grants. Tickets of connections in which it granted something else are
    /// forgotten: what they promise is not known any more.
    pub(in crate::engine) fn remember(&self, settings: Option<Settings>) {
        let before = {
            let mut known = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            core::mem::replace(&mut *known, settings)
        };
        if before.is_some()
            && before != settings
            && let Some(known) = &mut *self.lock()
        {
            known.tls13.clear();
        }
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.note(name, |known| known.group = Some(group));
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.with(name, |known| known.group)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.note(name, |known| known.tls12 = Some(value));
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.with(name, |known| known.tls12.clone())
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.with(name, |known| known.tls12.take());
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.note(name, |known| {
            if known.tls13.len() == MAX_TICKETS {
                known.tls13.pop_front();
            }
            known.tls13.push_back(value);
        });
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.with(name, |known| known.tls13.pop_back())
    }
}
