//! Heads and trailers: fields into messages (RFC 9114 4.1.2, 4.2, 4.3), messages into fields.

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request, Response, StatusCode, Version};

use super::qpack::{Field, Line, STATIC_ENTRIES};
use super::stream::Fault;
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

/// The names of the static table as maps hold them; none where one is no field's.
static NAMES: LazyLock<[Option<HeaderName>; STATIC_ENTRIES.len()]> = LazyLock::new(|| {
    STATIC_ENTRIES.map(|(name, _)| (!name.starts_with(':')).then(|| HeaderName::from_static(name)))
});

/// The length that a message says its body has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Length {
    /// None.
    #[default]
    Untold,
    Told(u64),
    /// What it says is no length, or it says it twice.
    Wrong,
}

impl Length {
    fn note(&mut self, value: &[u8]) {
        *self = match self {
            Self::Untold => Self::read(value).map_or(Self::Wrong, Self::Told),
            Self::Told(_) | Self::Wrong => Self::Wrong,
        };
    }

    fn read(value: &[u8]) -> Option<u64> {
        value.first()?;
        value.iter().try_fold(0_u64, |so_far, byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            so_far.checked_mul(10)?.checked_add(digit)
        })
    }

    /// The length, if any is told.
    pub(super) const fn known(self) -> Result<Option<u64>, Fault> {
        match self {
            Self::Untold => Ok(None),
            Self::Told(length) => Ok(Some(length)),
            Self::Wrong => Err(Fault::MALFORMED),
        }
    }
}

/// Takes pseudo-fields and fields apart, these into `map`, which is empty. `None` where a field may
/// not be.
fn sort(fields: &mut Vec<Field>, map: &mut HeaderMap) -> Option<(Pseudo, Length)> {
    let (mut pseudo, mut length) = (Pseudo::default(), Length::default());
    let is_pseudo = |field: &Field| field.name.first() == Some(&b':');
    let in_front = fields.iter().take_while(|field| is_pseudo(field)).count();
    map.try_reserve(fields.len() - in_front).ok()?;
    for field in fields.drain(..) {
        if is_pseudo(&field) {
            if !map.is_empty() {
                return None;
            }
            pseudo.set(&field.name, field.value)?;
            continue;
        }
        let known = field.name.entry().and_then(|entry| NAMES.get(usize::from(entry))?.as_ref());
        let name = match known {
            Some(known) => known.clone(),
            None => HeaderName::from_lowercase(&field.name).ok()?,
        };
        let is_blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        if is_blank(field.value.first()) || is_blank(field.value.last()) {
            return None;
        }
        if name == header::CONTENT_LENGTH {
            length.note(&field.value);
        }
        let mut value = HeaderValue::from_maybe_shared(field.value).ok()?;
        value.set_sensitive(field.is_sensitive);
        // The static table has no name of these.
        if known.is_none()
            && head::is_of_connection(&name)
            && (name != header::TE || value != "trailers")
        {
            return None;
        }
        map.try_append(name, value).ok()?;
    }
    Some((pseudo, length))
}

/// The request that a server got, and how long it says that its body is. `None` if it is malformed.
pub(super) fn request(fields: &mut Vec<Field>) -> Option<(Request<()>, Length)> {
    let mut request = Request::new(());
    let (pseudo, length) = sort(fields, request.headers_mut())?;
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
    *request.method_mut() = method;
    *request.version_mut() = Version::HTTP_3;
    *request.uri_mut() = Uri::from_parts(uri).ok()?;
    if let Some(protocol) = pseudo.protocol {
        let protocol = Extended::new(core::str::from_utf8(&protocol).ok()?)?;
        request.extensions_mut().insert(protocol);
    }
    head::complete(&mut request, is_extended).then_some((request, length))
}

/// The response that a client got, and how long it says that its body is. `None` if it is
/// malformed.
pub(super) fn response(fields: &mut Vec<Field>) -> Option<(Response<()>, Length)> {
    let mut response = Response::new(());
    let (pseudo, length) = sort(fields, response.headers_mut())?;
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
    *response.status_mut() = status;
    *response.version_mut() = Version::HTTP_3;
    Some((response, length))
}

/// A trailer section. `None` if it is malformed.
pub(super) fn trailers(fields: &mut Vec<Field>) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    let (pseudo, _) = sort(fields, &mut map)?;
    let Pseudo {
        status: None,
        method: None,
        scheme: None,
        authority: None,
        path: None,
        protocol: None,
    } = pseudo
    else {
        return None;
    };
    Some(map)
}

/// What a request says of itself.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    method: &'a Method,
    scheme: Option<&'a Scheme>,
    authority: Cow<'a, Authority>,
    path: Option<&'a PathAndQuery>,
    protocol: Option<&'a Extended>,
    fields: Cow<'a, HeaderMap>,
}

impl<'a> Outgoing<'a> {
    /// `None` if it cannot be said.
    pub(super) fn new(head: &'a Request<()>) -> Option<Self> {
        let protocol = head.extensions().get::<Extended>();
        let protocol = protocol.filter(|_| *head.method() == Method::CONNECT);
        let head::Target { scheme, authority, path } = head::target(head, protocol.is_some())?;
        let fields = clean(head.headers());
        Some(Self { method: head.method(), scheme, authority, path, protocol, fields })
    }

    pub(super) const fn is_extended(&self) -> bool {
        self.protocol.is_some()
    }

    /// The pseudo-fields, then the fields.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let all = [
            (":method", Some(self.method.as_str())),
            (":scheme", self.scheme.map(Scheme::as_str)),
            (":authority", Some(self.authority.as_str())),
            (":path", self.path.map(PathAndQuery::as_str)),
            (":protocol", self.protocol.map(Extended::as_str)),
        ];
        let said = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let said = said.map(|(name, value)| Line::new(name.as_bytes(), value.as_bytes()));
        said.chain(lines(&self.fields))
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

/// The fields without those of the connection and without Host.
pub(super) fn clean(fields: &HeaderMap) -> Cow<'_, HeaderMap> {
    let is_unclean = |name: &HeaderName| *name == header::HOST || head::is_of_connection(name);
    if !fields.keys().any(is_unclean) {
        return Cow::Borrowed(fields);
    }
    let mut clean = head::fields(fields);
    clean.remove(header::HOST);
    Cow::Owned(clean)
}

/// How large a section is (RFC 9114 4.2.2).
pub(super) fn size<'a>(lines: impl Iterator<Item = Line<'a>>) -> u64 {
    let size = |line: Line<'_>| line.name.len() + line.value.len() + super::qpack::FIELD_OVERHEAD;
    lines.map(size).sum::<usize>() as u64
}
