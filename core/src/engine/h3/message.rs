//! Heads and trailers: fields into messages (RFC 9114 4.1.2, 4.2, 4.3), messages into fields.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request, Response, StatusCode, Version};

use super::qpack::{Field, Line};
use crate::engine::{Extended, head};

/// What a message says of itself, by its pseudo-fields.
#[derive(Default)]
struct Pseudo {
    method: Option<Bytes>,
    scheme: Option<Bytes>,
    authority: Option<Bytes>,
    path: Option<Bytes>,
    protocol: Option<Bytes>,
    status: Option<Bytes>,
}

impl Pseudo {
    /// Each once, and none that is unknown.
    fn set(&mut self, name: &[u8], value: Bytes) -> Option<()> {
        let place = match name {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            b":protocol" => &mut self.protocol,
            b":status" => &mut self.status,
            _ => return None,
        };
        place.replace(value).is_none().then_some(())
    }
}

/// Takes pseudo-fields and fields apart. `None` where a field may not be.
fn sort(fields: &mut Vec<Field>) -> Option<(Pseudo, HeaderMap)> {
    let mut pseudo = Pseudo::default();
    let is_plain = |field: &&Field| field.name.first() != Some(&b':');
    let mut map = HeaderMap::with_capacity(fields.iter().filter(is_plain).count());
    for field in fields.drain(..) {
        if field.name.first() == Some(&b':') {
            if !map.is_empty() {
                return None;
            }
            pseudo.set(&field.name, field.value)?;
            continue;
        }
        let name = HeaderName::from_lowercase(&field.name).ok()?;
        let is_blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        if is_blank(field.value.first()) || is_blank(field.value.last()) {
            return None;
        }
        let mut value = HeaderValue::from_maybe_shared(field.value).ok()?;
        value.set_sensitive(field.is_sensitive);
        if head::is_of_connection(&name) && (name != header::TE || value != "trailers") {
            return None;
        }
        map.try_append(name, value).ok()?;
    }
    Some((pseudo, map))
}

/// The request that a server got. `None` if it is malformed.
pub(super) fn request(fields: &mut Vec<Field>) -> Option<Request<()>> {
    let (pseudo, map) = sort(fields)?;
    let method = Method::from_bytes(&pseudo.method?).ok()?;
    let is_extended = pseudo.protocol.is_some();
    let mut uri = http::uri::Parts::default();
    if let Some(authority) = pseudo.authority {
        uri.authority = Some(Authority::from_maybe_shared(authority).ok()?);
    }
    if method == Method::CONNECT && !is_extended {
        if pseudo.scheme.is_some() || pseudo.path.is_some() {
            return None;
        }
    } else {
        // RFC 9220 3: only CONNECT is extended.
        if pseudo.status.is_some() || (is_extended && method != Method::CONNECT) {
            return None;
        }
        let scheme = pseudo.scheme?;
        // RFC 3986 3.1.
        if !scheme.first()?.is_ascii_alphabetic() {
            return None;
        }
        let scheme = Scheme::try_from(&scheme[..]).ok()?;
        let path = pseudo.path?;
        if path.first() != Some(&b'/') && (method != Method::OPTIONS || path != "*") {
            return None;
        }
        // A fragment is no part of it (RFC 9114 4.3.1), and would be cut off without a word.
        if path.contains(&b'#') {
            return None;
        }
        uri.path_and_query = Some(PathAndQuery::from_maybe_shared(path).ok()?);
        uri.scheme = uri.authority.is_some().then_some(scheme);
    }
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.version_mut() = Version::HTTP_3;
    *request.uri_mut() = Uri::from_parts(uri).ok()?;
    *request.headers_mut() = map;
    if let Some(protocol) = pseudo.protocol {
        let protocol = Extended::new(core::str::from_utf8(&protocol).ok()?)?;
        request.extensions_mut().insert(protocol);
    }
    head::complete(&mut request, is_extended).then_some(request)
}

/// The response that a client got. `None` if it is malformed.
pub(super) fn response(fields: &mut Vec<Field>) -> Option<Response<()>> {
    let (pseudo, map) = sort(fields)?;
    let Pseudo { status, method: None, scheme: None, authority: None, path: None, protocol: None } =
        pseudo
    else {
        return None;
    };
    let status = StatusCode::from_bytes(&status?).ok()?;
    // RFC 9114 4.5: there is no upgrade in HTTP/3.
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return None;
    }
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = Version::HTTP_3;
    *response.headers_mut() = map;
    Some(response)
}

/// A trailer section. `None` if it is malformed.
pub(super) fn trailers(fields: &mut Vec<Field>) -> Option<HeaderMap> {
    match sort(fields)? {
        (
            Pseudo {
                status: None,
                method: None,
                scheme: None,
                authority: None,
                path: None,
                protocol: None,
            },
            map,
        ) => Some(map),
        _ => None,
    }
}

/// The length that a message says its body has. `None` if what it says is no length.
pub(super) fn content_length(fields: &HeaderMap) -> Option<Option<u64>> {
    let mut all = fields.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = all.next() else { return Some(None) };
    let is_digits = length.as_bytes().iter().all(u8::is_ascii_digit);
    let length = length.to_str().ok()?.parse().ok()?;
    (is_digits && all.next().is_none()).then_some(Some(length))
}

/// What a request says of itself, kept for as long as its section is written.
#[derive(Debug)]
pub(super) struct Outgoing {
    method: Method,
    scheme: Option<Scheme>,
    authority: Authority,
    path: Option<PathAndQuery>,
    protocol: Option<Extended>,
}

impl Outgoing {
    /// `None` if it cannot be said.
    pub(super) fn new(head: &Request<()>) -> Option<Self> {
        let protocol = head.extensions().get::<Extended>().cloned();
        let protocol = protocol.filter(|_| *head.method() == Method::CONNECT);
        let target = head::target(head, protocol.is_some())?;
        let (scheme, path) = (target.scheme, target.path_and_query);
        Some(Self {
            method: head.method().clone(),
            scheme,
            authority: target.authority?,
            path,
            protocol,
        })
    }

    pub(super) const fn is_extended(&self) -> bool {
        self.protocol.is_some()
    }

    /// The pseudo-fields.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let protocol = self.protocol.as_ref().map(Extended::as_str);
        let path = self.path.as_ref().map(PathAndQuery::as_str);
        let all = [
            (":method", Some(self.method.as_str())),
            (":scheme", self.scheme.as_ref().map(Scheme::as_str)),
            (":authority", Some(self.authority.as_str())),
            (":path", path),
            (":protocol", protocol),
        ];
        let said = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        said.map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()))
    }
}

/// A response's pseudo-field.
pub(super) fn status_line(status: &StatusCode) -> Line<'_> {
    Line::new(b":status", status.as_str().as_bytes())
}

/// Fields as they go out. Those that concern the connection, and Host, are to be left out
/// before: see [`clean`].
pub(super) fn lines(fields: &HeaderMap) -> impl Iterator<Item = Line<'_>> {
    fields.iter().map(|(name, value)| Line {
        name: name.as_str().as_bytes(),
        value: value.as_bytes(),
        is_sensitive: value.is_sensitive(),
    })
}

/// The fields without those of the connection and without Host; `None` where there are none.
pub(super) fn clean(fields: &HeaderMap) -> Option<HeaderMap> {
    let is_unclean = |name: &HeaderName| *name == header::HOST || head::is_of_connection(name);
    fields.keys().any(is_unclean).then(|| {
        let mut clean = head::fields(fields);
        clean.remove(header::HOST);
        clean
    })
}

/// How large a section is (RFC 9114 4.2.2).
pub(super) fn size<'a>(lines: impl Iterator<Item = Line<'a>>) -> u64 {
    let size = |line: Line<'_>| line.name.len() + line.value.len() + super::qpack::FIELD_OVERHEAD;
    lines.map(size).sum::<usize>() as u64
}
