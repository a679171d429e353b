//! What HTTP/2 and HTTP/3 have in common in the heads of messages: what must not be said is taken
//! out, what is said in pieces is put together.

use core::str::FromStr;
use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, StatusCode};

use super::authority::{is_plain, is_target};

/// Fields that concern one HTTP/1 connection only (RFC 9113 8.2.2, RFC 9114 4.2), in lower case.
const CONNECTION_FIELDS: [&str; 6] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// What a request asks for, and of whom: its URI with Host in the authority's place and without
/// user information. A CONNECT that is no extended one has an authority alone.
pub(super) struct Target<'a> {
    pub(super) scheme: Option<&'a Scheme>,
    pub(super) authority: Cow<'a, Authority>,
    /// One that is empty says `/`.
    pub(super) path: Option<&'a PathAndQuery>,
}

/// The request's. `None` if scheme or authority is missing.
pub(super) fn target(head: &Request<()>, is_extended: bool) -> Option<Target<'_>> {
    let is_tunnel = *head.method() == Method::CONNECT && !is_extended;
    let uri = head.uri();
    let host = head.headers().get(header::HOST).filter(|_| !is_tunnel);
    let named = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let authority = match named {
        Some(named) => Cow::Owned(named),
        None => Cow::Borrowed(uri.authority()?),
    };
    let authority = without_user(authority)?;
    if is_tunnel {
        return Some(Target { scheme: None, authority, path: None });
    }
    Some(Target { scheme: Some(uri.scheme()?), authority, path: uri.path_and_query() })
}

/// Whether a field concerns one connection, or may do so (TE).
pub(super) fn is_of_connection(name: &HeaderName) -> bool {
    *name == header::TE || CONNECTION_FIELDS.contains(&name.as_str())
}

/// Fields without those of the connection.
pub(super) fn fields(from: &HeaderMap) -> HeaderMap {
    let mut out = from.clone();
    strip(&mut out);
    out
}

/// Takes the fields of the connection out.
pub(super) fn strip(out: &mut HeaderMap) {
    if !out.keys().any(is_of_connection) {
        return;
    }
    let named: Vec<HeaderName> = out
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_str(name.trim()).ok())
        // HTTP/1.1 has to name it; what of it goes on is decided below.
        .filter(|name| *name != header::TE)
        .collect();
    for name in named {
        out.remove(name);
    }
    for name in CONNECTION_FIELDS {
        out.remove(name);
    }
    let trailers = out
        .get_all(header::TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"));
    if out.remove(header::TE).is_some() && trailers {
        out.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// A request that came is made whole: cookie crumbs are joined (H2-6). `false` when it names no
/// host, or two (H2-5, H-3), and for a CONNECT without a port (H-6).
pub(super) fn complete(head: &mut Request<()>, is_extended: bool) -> bool {
    join_cookies(head.headers_mut());
    let is_tunnel = *head.method() == Method::CONNECT && !is_extended;
    let mut hosts = head.headers().get_all(header::HOST).iter();
    let (host, another, authority) = (hosts.next(), hosts.next(), head.uri().authority());
    let names_one = match (host, authority) {
        _ if another.is_some() => false,
        (None, None) => false,
        (None, Some(_)) => true,
        (Some(host), Some(authority)) => {
            is_same_host(host.as_bytes(), authority.as_str(), head.uri().scheme_str())
        }
        (Some(host), None) => !is_tunnel && Authority::try_from(host.as_bytes()).is_ok(),
    };
    names_one && authority.is_none_or(is_plain) && (!is_tunnel || authority.is_some_and(is_target))
}

/// Whether Host and authority agree; the scheme's default port may be named by one of them only.
fn is_same_host(host: &[u8], authority: &str, scheme: Option<&str>) -> bool {
    let default = if scheme == Some("http") { ":80" } else { ":443" };
    let plain = |name: &str| name.strip_suffix(default).unwrap_or(name).to_ascii_lowercase();
    core::str::from_utf8(host).is_ok_and(|host| plain(host) == plain(authority))
}

fn join_cookies(fields: &mut HeaderMap) {
    let crumbs = fields.get_all(header::COOKIE);
    if crumbs.iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = crumbs.iter().map(HeaderValue::as_bytes).collect();
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        fields.insert(header::COOKIE, whole);
    }
}

/// RFC 9113 8.3.1: the authority must not hold user information.
fn without_user(authority: Cow<'_, Authority>) -> Option<Cow<'_, Authority>> {
    match authority.as_str().bytes().rposition(|byte| byte == b'@') {
        None => Some(authority),
        Some(at) => {
            let rest = authority.as_str().as_bytes().get(at + 1..)?;
            Some(Cow::Owned(Authority::try_from(rest).ok()?))
        }
    }
}

/// Whether the request asks to be told to go on before it sends its body (RFC 9110 10.1.1).
pub(super) fn expects_continue(fields: &HeaderMap) -> bool {
    fields
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Whether a response of this status has no content (RFC 9110 6.4.1).
pub(super) fn has_no_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
