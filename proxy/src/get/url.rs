//! URLs as people type them: curl's leniency in front, a strict `http::Uri` behind.

use std::fmt;

use http::Uri;
use regatta_core::basic::Credentials;

/// The absolute URL of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// Scheme, authority without user information, path and query; no fragment.
    uri: Uri,
    /// `user:password@`, decoded.
    credentials: Option<Credentials>,
}

/// Why a text is no URL that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UrlError {
    /// It breaks the grammar; the text says where.
    Malformed(String),
    /// Another scheme than http and https.
    Scheme(String),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => f.write_str(text),
            Self::Scheme(scheme) => {
                write!(f, "the scheme \"{scheme}\" is not supported, use http or https")
            }
        }
    }
}

impl Url {
    /// Reads a URL as it stands; without a scheme it is `http://`, without a path the path is `/`.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        Self::read(text, "http", true)
    }

    /// Reads a URL of the command line: blanks are mistakes there. Unless the path is taken as it
    /// is, its `.` and `..` are resolved.
    pub(crate) fn typed(text: &str, scheme: &str, as_is: bool) -> Result<Self, UrlError> {
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(malformed(text, "a blank must be written as %20"));
        }
        Self::read(text, scheme, as_is)
    }

    fn read(text: &str, default: &str, as_is: bool) -> Result<Self, UrlError> {
        let (scheme, rest) = split_scheme(text.trim(), default)
            .map_err(|scheme| malformed(text, &format!("\"{scheme}\" is no scheme")))?;
        if scheme != "http" && scheme != "https" {
            return Err(UrlError::Scheme(scheme));
        }
        let rest = rest.split('#').next().unwrap_or("");
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        check_host(text, host)?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        let path = format!("{slash}{path}");
        let path = if as_is { path } else { tidy_path(&path) };
        let uri = format!("{scheme}://{}{}", host.to_ascii_lowercase(), escape(&path));
        let uri = uri.parse::<Uri>().map_err(|error| malformed(text, &error.to_string()))?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(malformed(text, "it names no host"));
        }
        let credentials = user.map(Credentials::of_url);
        Ok(Self { uri, credentials })
    }

    /// The same URL with more behind its query.
    pub(crate) fn with_query(&self, more: &[u8]) -> Result<Self, UrlError> {
        let more = escape_bytes(more);
        let mark = match self.uri.query() {
            None => "?",
            Some("") => "",
            Some(_) => "&",
        };
        let text = format!("{}{mark}{more}", self.uri);
        let uri = text.parse::<Uri>().map_err(|error| malformed(&text, &error.to_string()))?;
        Ok(Self { uri, credentials: self.credentials.clone() })
    }

    /// The same URL with this name behind its path, where that ends with a slash: an upload's.
    pub(crate) fn with_name(&self, name: &str) -> Result<Self, UrlError> {
        if !self.uri.path().ends_with('/') || self.uri.query().is_some() {
            return Ok(self.clone());
        }
        let mut encoded = String::new();
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        let text = format!("{}{encoded}", self.uri);
        let uri = text.parse::<Uri>().map_err(|error| malformed(&text, &error.to_string()))?;
        Ok(Self { uri, credentials: self.credentials.clone() })
    }

    /// Resolves a `Location` against this URL (RFC 3986 5.2). Credentials stay within the origin.
    pub(crate) fn join(&self, reference: &str) -> Result<Self, UrlError> {
        let reference = reference.trim().split('#').next().unwrap_or("");
        let mut joined = Self::parse(&self.absolute(reference)?)?;
        if joined.credentials.is_none() && self.same_origin(&joined) {
            joined.credentials.clone_from(&self.credentials);
        }
        Ok(joined)
    }

    fn absolute(&self, reference: &str) -> Result<String, UrlError> {
        let named = reference.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
        if let Some((scheme, rest)) = named {
            return if rest.starts_with("//") {
                Ok(reference.to_owned())
            } else {
                Err(UrlError::Scheme(scheme.to_owned()))
            };
        }
        let scheme = self.uri.scheme_str().unwrap_or("http");
        if reference.starts_with("//") {
            return Ok(format!("{scheme}:{reference}"));
        }
        let base = self.uri.path();
        let path = match reference.as_bytes().first() {
            None => self.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            Some(b'?') => format!("{base}{reference}"),
            Some(b'/') => tidy_path(reference),
            Some(_) => {
                let folder = &base[..=base.rfind('/').unwrap_or(0)];
                tidy_path(&format!("{folder}{reference}"))
            }
        };
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        Ok(format!("{scheme}://{authority}{path}"))
    }

    /// The URI to ask for.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Its `user:password@`.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The host, lower case, without brackets.
    pub(crate) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Whether scheme, host and port are the same (RFC 9110 4.3.1).
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        let origin = |url: &Self| {
            let scheme = url.uri.scheme_str().map(str::to_owned);
            (scheme, url.uri.host().map(str::to_owned), url.port())
        };
        origin(self) == origin(other)
    }

    /// Whether it leads to this host (lower case, no brackets) and port.
    pub(crate) fn is_at(&self, host: &str, port: u16) -> bool {
        let own = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        own == host && self.port() == port
    }

    /// The last part of the path, where there is one: the file's name for `-O`.
    pub(crate) fn file_name(&self) -> Option<&str> {
        self.uri.path().rsplit('/').next().filter(|name| !matches!(*name, "" | "." | ".."))
    }

    fn port(&self) -> u16 {
        let is_secure = self.uri.scheme_str() == Some("https");
        self.uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

fn malformed(text: &str, why: &str) -> UrlError {
    UrlError::Malformed(format!("\"{text}\" is not a URL: {why}"))
}

/// The scheme and what follows its slashes, of which one to three will do.
fn split_scheme<'a>(text: &'a str, default: &str) -> Result<(String, &'a str), String> {
    match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => {
            let rest = rest.strip_prefix('/').unwrap_or(rest);
            return Ok((scheme.to_ascii_lowercase(), rest));
        }
        Some((scheme, _)) if !scheme.contains(['/', '?', '#']) => return Err(scheme.to_owned()),
        _ => {}
    }
    for scheme in ["http", "https"] {
        let rest = text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme));
        if let Some(rest) = rest.and_then(|_| text[scheme.len()..].strip_prefix(":/")) {
            return Ok((scheme.to_owned(), rest));
        }
    }
    Ok((default.to_ascii_lowercase(), text))
}

/// RFC 3986 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Names the commonest mistakes; `http::Uri` finds the rest.
fn check_host(text: &str, host: &str) -> Result<(), UrlError> {
    if host.is_empty() {
        return Err(malformed(text, "it names no host"));
    }
    if !host.is_ascii() {
        return Err(malformed(text, "write an international host name in its xn-- form"));
    }
    if let Some((literal, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && literal.split('%').next().is_none_or(|ip| ip.parse::<std::net::Ipv6Addr>().is_err())
    {
        return Err(malformed(text, "only an IPv6 address stands in brackets"));
    }
    let name_end = host.rfind(']').map_or(0, |end| end + 1);
    if let Some((_, port)) = host[name_end..].split_once(':')
        && !port.is_empty()
        && port.parse::<u16>().is_err()
    {
        return Err(malformed(text, "its port is not a number from 0 to 65535"));
    }
    Ok(())
}

/// Percent-encodes what may not stand in a path or query (RFC 3986 3.3, 3.4).
fn escape(path: &str) -> String {
    escape_bytes(path.as_bytes())
}

fn escape_bytes(bytes: &[u8]) -> String {
    let mut escaped = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(byte) {
            escaped.push(char::from(*byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Removes `.` and `..` from a path; its query stays (RFC 3986 5.2.4).
fn tidy_path(reference: &str) -> String {
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(part),
        }
    }
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        for (typed, meant) in [
            ("example.org", "http://example.org/"),
            ("example.org:8080/a?b=c", "http://example.org:8080/a?b=c"),
            ("HTTPS://Example.ORG", "https://example.org/"),
            ("http://example.org?q", "http://example.org/?q"),
            ("http://example.org/a#part", "http://example.org/a"),
            ("http://[::1]:80/x", "http://[::1]:80/x"),
            ("[::1]/x", "http://[::1]/x"),
            ("http://user:secret@example.org/", "http://example.org/"),
            ("example.org/?next=http://other/", "http://example.org/?next=http://other/"),
            ("http://example.org/a b", "http://example.org/a%20b"),
            ("http://example.org/{é}", "http://example.org/%7B%C3%A9%7D"),
            ("http://example.org/100%25", "http://example.org/100%25"),
        ] {
            assert_eq!(
                Url::parse(typed).map(|url| url.to_string()),
                Ok(meant.to_owned()),
                "{typed}"
            );
        }
    }

    #[test]
    fn what_is_no_url() {
        for typed in ["", "http://", "http://:80/", "http://a:99999/", "http://a:b/"] {
            assert!(matches!(Url::parse(typed), Err(UrlError::Malformed(_))), "{typed}");
        }
        for typed in [
            "http://exa mple/",
            "ht!tp://a/",
            "://a/",
            "http://müller.example/",
            "http://[::1/",
            "[]",
            "[a]:80",
        ] {
            assert!(matches!(Url::parse(typed), Err(UrlError::Malformed(_))), "{typed}");
        }
        assert_eq!(Url::parse("ftp://example.org/"), Err(UrlError::Scheme("ftp".to_owned())));
    }

    #[test]
    fn references_resolve_as_rfc_3986_section_5_4_says() {
        let base = Url::parse("http://a/b/c/d;p?q").unwrap();
        for (reference, meant) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            (";x", "http://a/b/c/;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("https://other/x", "https://other/x"),
        ] {
            assert_eq!(
                base.join(reference).map(|url| url.to_string()),
                Ok(meant.to_owned()),
                "{reference}"
            );
        }
        assert_eq!(base.join("mailto:a@b"), Err(UrlError::Scheme("mailto".to_owned())));
    }

    #[test]
    fn user_information_stays_within_the_origin() {
        let url = Url::parse("http://Aladdin:open%20sesame@example.org/").unwrap();
        assert_eq!(url.credentials(), Some(&Credentials::typed("Aladdin:open sesame")));
        assert_eq!(url.join("/next").unwrap().credentials(), url.credentials());
        assert_eq!(url.join("http://elsewhere/").unwrap().credentials(), None);
        assert_eq!(Url::parse("http://example.org/").unwrap().credentials(), None);
    }

    #[test]
    fn typed_urls_are_tidied_and_may_get_more() {
        let typed = |text: &str, as_is| Url::typed(text, "https", as_is).map(|u| u.to_string());
        assert_eq!(typed("a/b/../c", false), Ok("https://a/c".to_owned()));
        assert_eq!(typed("a/b/../c", true), Ok("https://a/b/../c".to_owned()));
        assert_eq!(typed("http:/a", false), Ok("http://a/".to_owned()));
        assert_eq!(typed("HTTP:///a", false), Ok("http://a/".to_owned()));
        assert!(typed("http://a/b c", false).is_err());
        let url = Url::parse("http://a/").unwrap();
        let more = url.with_query(b"x=1").unwrap().with_query(b"y").unwrap();
        assert_eq!(more.to_string(), "http://a/?x=1&y");
        assert_eq!(url.with_name("b c").unwrap().to_string(), "http://a/b%20c");
        assert_eq!(
            Url::parse("http://a/x").unwrap().with_name("b").unwrap().to_string(),
            "http://a/x"
        );
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| Url::parse(a).unwrap().same_origin(&Url::parse(b).unwrap());
        assert!(same("http://a/", "http://a:80/x"));
        assert!(same("https://a/", "https://A:443/x"));
        assert!(!same("http://a/", "https://a/"));
        assert!(!same("http://a/", "http://a:81/"));
        assert!(!same("http://a/", "http://b/"));
        assert!(Url::parse("https://A/").unwrap().is_at("a", 443));
        assert!(Url::parse("[::1]:81").unwrap().is_at("::1", 81));
        assert!(!Url::parse("a:81").unwrap().is_at("a", 80));
    }

    #[test]
    fn a_file_is_named_like_the_last_part_of_the_path() {
        let name = |url: &str| Url::parse(url).unwrap().file_name().map(str::to_owned);
        assert_eq!(name("http://a/b/c.txt?x=/y"), Some("c.txt".to_owned()));
        assert_eq!(name("http://a/"), None);
        assert_eq!(name("http://a/b/"), None);
        assert_eq!(name("http://a/.."), None);
    }
}
