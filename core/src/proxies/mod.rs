//! Which proxy a request goes through: a pure function of its origin.
//!
//! ```text
//! origin --bypass?--> Direct
//!        --http-----> Forward: the request goes to the proxy, in absolute-form
//!        --https----> Tunnel:  CONNECT, then TLS and HTTP with the origin itself
//! ```
//!
//! Nothing here reads the environment: [`Proxies::of_variables`] is given a function that does.

mod bypass;
mod proxy;
#[cfg(test)]
mod tests;
mod variables;

use std::sync::Arc;

pub use bypass::Bypass;
pub use proxy::{Proxy, ProxyError};
pub use variables::VariableError;

use crate::types::{Origin, Scheme};

/// Which proxies there are, for which origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    bypass: Bypass,
    tunnels_all: bool,
}

/// How a request reaches its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// By itself.
    Direct,
    /// The proxy is asked for it (RFC 9112 3.2.2).
    Forward(&'a Arc<Proxy>),
    /// The proxy opens a tunnel to the origin (RFC 9110 9.3.6).
    Tunnel(&'a Arc<Proxy>),
}

impl Proxies {
    /// None: every request goes by itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// This one for everything.
    #[must_use]
    pub fn all(mut self, proxy: Proxy) -> Self {
        let proxy = Arc::new(proxy);
        self.http = Some(Arc::clone(&proxy));
        self.https = Some(proxy);
        self
    }

    /// This one for `http` origins.
    #[must_use]
    pub fn http(mut self, proxy: Proxy) -> Self {
        self.http = Some(Arc::new(proxy));
        self
    }

    /// This one for `https` origins.
    #[must_use]
    pub fn https(mut self, proxy: Proxy) -> Self {
        self.https = Some(Arc::new(proxy));
        self
    }

    /// These origins go by themselves.
    #[must_use]
    pub fn except(mut self, bypass: Bypass) -> Self {
        self.bypass = bypass;
        self
    }

    /// Tunnels for `http` origins too (curl's `--proxytunnel`). Default false.
    #[must_use]
    pub fn tunnels_all(mut self, tunnels_all: bool) -> Self {
        self.tunnels_all = tunnels_all;
        self
    }

    /// Changes every proxy: its credentials, its fields.
    #[must_use]
    pub fn map(mut self, mut change: impl FnMut(Proxy) -> Proxy) -> Self {
        for place in [&mut self.http, &mut self.https] {
            *place = place.take().map(|proxy| Arc::new(change(Arc::unwrap_or_clone(proxy))));
        }
        self
    }

    /// Whether there is none at all.
    pub const fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// All of them, each once.
    pub fn each(&self) -> Vec<Arc<Proxy>> {
        let mut all: Vec<Arc<Proxy>> = self.http.iter().cloned().collect();
        all.extend(self.https.iter().filter(|proxy| self.http.as_ref() != Some(proxy)).cloned());
        all
    }

    /// How a request reaches `origin`.
    pub fn route(&self, origin: &Origin) -> Route<'_> {
        let proxy = match origin.scheme {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
        };
        match proxy {
            Some(_) if self.bypass.covers(origin) => Route::Direct,
            Some(proxy) if origin.scheme == Scheme::Https || self.tunnels_all => {
                Route::Tunnel(proxy)
            }
            Some(proxy) => Route::Forward(proxy),
            None => Route::Direct,
        }
    }
}
