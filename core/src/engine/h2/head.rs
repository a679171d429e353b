//! Heads: what HTTP/2 must not say is taken out, what it says in pieces is put together.

use core::str::FromStr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Uri};
use http::{Method, Request, Response, StatusCode, Version};

/// Fields that concern one HTTP/1 connection only (RFC 9113 8.2.2), in lower case.
const CONNECTION_FIELDS: [&str; 6] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// A request as h2 takes it: absolute URI without user information, no connection fields, Host
/// moved into the authority. `None` if scheme or authority is missing.
pub(super) fn request(head: &Request<()>) -> Option<Request<()>> {
    let protocol = head.extensions().get::<h2::ext::Protocol>().cloned();
    let is_tunnel = *head.method() == Method::CONNECT && protocol.is_none();
    let mut out = Request::new(());
    *out.method_mut() = head.method().clone();
    *out.version_mut() = Version::HTTP_2;
    *out.headers_mut() = fields(head.headers());
    let host = out.headers_mut().remove(header::HOST);
    let mut parts = head.uri().clone().into_parts();
    let named =
        host.filter(|_| !is_tunnel).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let authority = named.or_else(|| parts.authority.take())?;
    parts.authority = Some(without_user(authority)?);
    if is_tunnel {
        parts.scheme = None;
        parts.path_and_query = None;
    } else {
        parts.scheme.as_ref()?;
        if parts.path_and_query.is_none() {
            parts.path_and_query = Some(PathAndQuery::from_static("/"));
        }
    }
    *out.uri_mut() = Uri::from_parts(parts).ok()?;
    if let Some(protocol) = protocol {
        out.extensions_mut().insert(protocol);
    }
    Some(out)
}

/// A response as h2 takes it.
pub(super) fn response(head: &Response<()>) -> Response<()> {
    let mut out = Response::new(());
    *out.status_mut() = head.status();
    *out.version_mut() = Version::HTTP_2;
    *out.headers_mut() = fields(head.headers());
    out
}

/// Fields without those of the connection.
pub(super) fn fields(from: &HeaderMap) -> HeaderMap {
    let mut out = from.clone();
    let of_connection =
        |name: &HeaderName| *name == header::TE || CONNECTION_FIELDS.contains(&name.as_str());
    if !from.keys().any(of_connection) {
        return out;
    }
    let named: Vec<HeaderName> = from
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
    let trailers = from
        .get_all(header::TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"));
    if out.remove(header::TE).is_some() && trailers {
        out.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    out
}

/// A request that came is made whole: cookie crumbs are joined (H2-6). `false` when it names no
/// host, or two (H2-5, H-3), and for a CONNECT without a port (H-6).
pub(super) fn complete(head: &mut Request<()>) -> bool {
    join_cookies(head.headers_mut());
    let is_tunnel =
        *head.method() == Method::CONNECT && head.extensions().get::<h2::ext::Protocol>().is_none();
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
    let has_port = |authority: &Authority| authority.port_u16().is_some_and(|port| port != 0);
    names_one && authority.is_none_or(is_plain) && (!is_tunnel || authority.is_some_and(has_port))
}

/// A host without userinfo (RFC 9113 8.3.1), its port, where given, a number.
fn is_plain(authority: &Authority) -> bool {
    let host = authority.host();
    match authority.as_str().strip_prefix(host) {
        Some("") => !host.is_empty(),
        Some(_) => !host.is_empty() && authority.port_u16().is_some(),
        None => false,
    }
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
fn without_user(authority: Authority) -> Option<Authority> {
    match authority.as_str().rsplit_once('@') {
        None => Some(authority),
        Some((_, host)) => Authority::from_str(host).ok(),
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
