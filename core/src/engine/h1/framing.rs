//! How long a message is (RFC 9112 6.3) and whether its connection lives on (9.3). Whatever two
//! readers could understand in two ways is an error.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use super::head::Fault;

/// A message body's extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// There is no body.
    Empty,
    /// So many bytes, at least 1.
    Exact(u64),
    /// Until the last chunk.
    Chunked,
    /// Until the connection ends.
    Close,
}

/// Which fields a head has of those that say how it is framed or what becomes of its connection.
/// Most have next to none of them, which one walk over the few fields there are tells sooner than
/// looking for each by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks(u16);

impl Marks {
    pub(super) const LENGTH: Self = Self(1);
    pub(super) const CODING: Self = Self(1 << 1);
    /// Connection, or Proxy-Connection.
    pub(super) const CONNECTION: Self = Self(1 << 2);
    pub(super) const UPGRADE: Self = Self(1 << 3);
    pub(super) const EXPECT: Self = Self(1 << 4);
    pub(super) const TE: Self = Self(1 << 5);
    /// Host, or Keep-Alive: nothing but that they are not passed on as they are.
    const OTHER: Self = Self(1 << 6);

    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(headers.keys().fold(0, |marks, name| marks | Self::of_name(name).0))
    }

    fn of_name(name: &HeaderName) -> Self {
        match *name {
            header::CONTENT_LENGTH => Self::LENGTH,
            header::TRANSFER_ENCODING => Self::CODING,
            header::CONNECTION => Self::CONNECTION,
            header::UPGRADE => Self::UPGRADE,
            header::EXPECT => Self::EXPECT,
            header::TE => Self::TE,
            header::HOST => Self::OTHER,
            _ => match name.as_str().as_bytes() {
                b"proxy-connection" => Self::CONNECTION,
                b"keep-alive" => Self::OTHER,
                _ => Self(0),
            },
        }
    }

    /// Whether there is none of them.
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether there is a field of this kind.
    pub(super) const fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }
}

/// The length of a request's body.
pub(super) fn of_request(
    version: Version,
    headers: &HeaderMap,
    marks: Marks,
) -> Result<Length, Fault> {
    declared(version, headers, marks).map(|length| length.unwrap_or(Length::Empty))
}

/// The length of a final response's body; `bodyless` when it answers HEAD.
pub(super) fn of_response(
    version: Version,
    status: StatusCode,
    headers: &HeaderMap,
    marks: Marks,
    bodyless: bool,
) -> Result<Length, Fault> {
    let length = declared(version, headers, marks)?;
    if bodyless || has_no_body(status) {
        return Ok(Length::Empty);
    }
    Ok(length.unwrap_or(Length::Close))
}

/// 1xx, 204 and 304 have no body, whatever their fields say.
pub(super) fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

fn declared(version: Version, headers: &HeaderMap, marks: Marks) -> Result<Option<Length>, Fault> {
    let length = content_length(headers, marks)?;
    if !marks.has(Marks::CODING) {
        return Ok(length.map(|length| match length {
            0 => Length::Empty,
            length => Length::Exact(length),
        }));
    }
    if length.is_some() || version == Version::HTTP_10 {
        return Err(Fault::LENGTH);
    }
    let (mut last, mut count, mut chunked) = (&b""[..], 0, 0);
    for coding in elements(headers, header::TRANSFER_ENCODING) {
        last = coding;
        count += 1;
        chunked += usize::from(coding.eq_ignore_ascii_case(b"chunked"));
        if coding.is_empty() {
            return Err(Fault::LENGTH);
        }
    }
    if chunked != 1 || !last.eq_ignore_ascii_case(b"chunked") {
        return Err(Fault::LENGTH);
    }
    if count > 1 { Err(Fault::CODING) } else { Ok(Some(Length::Chunked)) }
}

/// The one Content-Length, of digits only (RFC 9110 8.6).
pub(super) fn content_length(headers: &HeaderMap, marks: Marks) -> Result<Option<u64>, Fault> {
    if !marks.has(Marks::LENGTH) {
        return Ok(None);
    }
    let mut values = headers
        .iter()
        .filter_map(|(name, value)| (*name == header::CONTENT_LENGTH).then_some(value));
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let digits = value.as_bytes();
    if values.next().is_some() || digits.is_empty() {
        return Err(Fault::LENGTH);
    }
    let number = digits.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    });
    number.map(Some).ok_or(Fault::LENGTH)
}

/// What the Connection fields say about the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
}

impl Options {
    /// Reads Connection, and the `close` of the never standardised Proxy-Connection.
    pub(super) fn of(headers: &HeaderMap, marks: Marks) -> Self {
        let mut options = Self::default();
        if !marks.has(Marks::CONNECTION) {
            return options;
        }
        for (name, value) in headers {
            let whole = *name == header::CONNECTION;
            if !whole && name.as_str() != "proxy-connection" {
                continue;
            }
            for option in list(value) {
                options.close |= option.eq_ignore_ascii_case(b"close");
                options.keep_alive |= whole && option.eq_ignore_ascii_case(b"keep-alive");
                options.upgrade |= whole && option.eq_ignore_ascii_case(b"upgrade");
            }
        }
        options
    }

    /// Whether the sender of these options keeps the connection (RFC 9112 9.3).
    pub(super) fn persists(self, version: Version) -> bool {
        !self.close && (version != Version::HTTP_10 || self.keep_alive)
    }
}

/// The elements of a list field over all its lines; empty ones are kept.
pub(super) fn elements(
    headers: &HeaderMap,
    name: HeaderName,
) -> impl Iterator<Item = &[u8]> + use<'_> {
    headers.get_all(name).into_iter().flat_map(list)
}

/// The elements of one line of a list field.
fn list(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether a field may stand in a trailer section: none that frames, routes, authenticates or
/// decides how the message is read (RFC 9110 6.5.1).
pub(super) fn may_trail(name: &HeaderName) -> bool {
    NEVER.binary_search(&name.as_str()).is_err() && !name.as_str().starts_with("x-forwarded-")
}

/// In order, for the binary search.
const NEVER: &[&str] = &[
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_forbidden_trailer_is_found() {
        assert!(NEVER.is_sorted());
        for name in NEVER {
            assert!(!may_trail(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["etag", "x-checksum", "server-timing", "grpc-status", "digest"] {
            assert!(may_trail(&HeaderName::from_static(name)), "{name}");
        }
    }
}
