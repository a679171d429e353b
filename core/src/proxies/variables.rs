//! The environment variables that name proxies, by curl's rules.

use core::fmt;

use super::{Bypass, Proxies, Proxy, ProxyError};

/// For `http`: in lower case alone, since a CGI program's `HTTP_PROXY` is what its client sent
/// in a field named Proxy (curl, Go).
const HTTP: &[&str] = &["http_proxy", "all_proxy", "ALL_PROXY"];

const HTTPS: &[&str] = &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

const BYPASS: &[&str] = &["no_proxy", "NO_PROXY"];

/// A variable that names no proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with what it says.
    pub error: ProxyError,
}

impl core::error::Error for VariableError {}

impl fmt::Display for VariableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.error)
    }
}

impl Proxies {
    /// What the environment says, as curl reads it: `http_proxy` (lower case only),
    /// `https_proxy` and `HTTPS_PROXY`, for both `all_proxy` and `ALL_PROXY`, and `no_proxy` and
    /// `NO_PROXY`, of each the first that is set and not empty. `read` gives a variable's value.
    /// A proxy that names no port has `http_port`, or 443 for an `https` one.
    pub fn of_variables(
        read: impl Fn(&str) -> Option<String>,
        http_port: u16,
    ) -> Result<Self, VariableError> {
        let first = |names: &[&'static str]| {
            let set = names.iter().filter_map(|name| Some((*name, read(name)?)));
            set.into_iter().find(|(_, value)| !value.trim().is_empty())
        };
        let bypass = first(BYPASS).map(|(_, text)| Bypass::parse(&text)).unwrap_or_default();
        let mut proxies = Self::new().except(bypass);
        if proxies.bypass.is_all() {
            return Ok(proxies);
        }
        let proxy = |names| match first(names) {
            None => Ok(None),
            Some((variable, text)) => Proxy::parse_with_port(&text, http_port)
                .map(Some)
                .map_err(|error| VariableError { variable, error }),
        };
        if let Some(proxy) = proxy(HTTP)? {
            proxies = proxies.http(proxy);
        }
        if let Some(proxy) = proxy(HTTPS)? {
            proxies = proxies.https(proxy);
        }
        Ok(proxies)
    }
}
