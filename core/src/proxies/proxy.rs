//! One proxy: where it is, and what is said to it alone.

use core::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use crate::basic::Credentials;
use crate::types::{Origin, Scheme};

/// One HTTP proxy: where it is, and what is said to it and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    origin: Origin,
    /// Of CONNECT, and of requests that it forwards where they have none of that name.
    fields: HeaderMap,
    /// Of CONNECT alone.
    connect: HeaderMap,
}

/// Why a text names no proxy. Never shows the text, which may have a password in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// Its scheme is this, not `http` or `https`.
    Scheme(Box<str>),
    /// It is not `[scheme://][user[:password]@]host[:port]`.
    Malformed,
}

impl core::error::Error for ProxyError {}

impl fmt::Display for ProxyError {
    /// One sentence without a full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => {
                write!(f, "the proxy's scheme is {scheme}, expected http or https")
            }
            Self::Malformed => {
                f.write_str("expected a proxy like [http://][user[:password]@]host[:port]")
            }
        }
    }
}

impl Proxy {
    /// Reads `[scheme://][user[:password]@]host[:port]`, percent-encoded as in a URL; what
    /// follows the port is ignored. The scheme is `http`, or `https` for TLS to the proxy
    /// itself. Without a port 80 or 443 (Go; curl's own port is another: see
    /// [`Proxy::parse_with_port`]).
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        Self::parse_with_port(text, Scheme::Http.default_port())
    }

    /// As [`Proxy::parse`], with the port of an `http` proxy that names none: 1080 for curl.
    pub fn parse_with_port(text: &str, http_port: u16) -> Result<Self, ProxyError> {
        let (scheme, rest) = match text.trim().split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("http".to_owned(), text.trim()),
        };
        if scheme != "http" && scheme != "https" {
            return Err(ProxyError::Scheme(scheme.into()));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let uri: Uri = format!("{scheme}://{place}/").parse().map_err(|_| ProxyError::Malformed)?;
        let mut origin = Origin::of(&uri).map_err(|_| ProxyError::Malformed)?;
        let has_port = place.ends_with(|last: char| last.is_ascii_digit()) && uri.port().is_some();
        if !has_port && origin.scheme == Scheme::Http {
            origin.port = http_port;
        }
        let proxy = Self::at(origin);
        Ok(match user {
            None => proxy,
            Some(user) => proxy.authorized(&Credentials::of_url(user)),
        })
    }

    /// The proxy at this place.
    pub fn at(origin: Origin) -> Self {
        Self { origin, fields: HeaderMap::new(), connect: HeaderMap::new() }
    }

    /// With these credentials (RFC 7617).
    #[must_use]
    pub fn with_credentials(self, user: &str, password: &str) -> Self {
        let (user, password) = (user.as_bytes().to_vec(), password.as_bytes().to_vec());
        self.authorized(&Credentials { user, password })
    }

    fn authorized(self, credentials: &Credentials) -> Self {
        match credentials.basic() {
            Some(value) => self.with_field(header::PROXY_AUTHORIZATION, value),
            None => self,
        }
    }

    /// With this field in all that is said to the proxy itself: CONNECT, and requests that it
    /// forwards. Replaces one of the same name.
    #[must_use]
    pub fn with_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.insert(name, value);
        self
    }

    /// With this field in CONNECT alone: who asks for the tunnel (User-Agent). A field of the same
    /// name by [`Proxy::with_field`] goes before it.
    #[must_use]
    pub fn with_connect_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.connect.insert(name, value);
        self
    }

    /// Where it is, and whether TLS is spoken with it.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What is said to it alone, in CONNECT and in what it forwards.
    pub const fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// All that is said in CONNECT beside the target.
    pub fn connect_fields(&self) -> HeaderMap {
        let mut fields = self.connect.clone();
        fields.extend(self.fields.clone());
        fields
    }

    /// Whether it is told who asks.
    pub fn has_credentials(&self) -> bool {
        self.fields.contains_key(header::PROXY_AUTHORIZATION)
    }
}

/// Without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}
