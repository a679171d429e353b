//! Heads from the wire (RFC 9112 2 to 5): where one ends, and what it says. httparse splits the
//! lines; what it is lenient about (bare LF, empty lines in front) is caught here.

use core::mem::MaybeUninit;
use std::io::BufRead as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version, header};
use httparse::{Error, Header, ParserConfig, Status};

use crate::downstream::Cut;
use crate::engine::authority::{is_plain, is_target, names_host};
use crate::types::ProtocolFault;

/// A broken rule, and the status by which a server answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) rule: ProtocolFault,
    pub(super) status: u16,
}

impl Fault {
    pub(super) const START: Self = Self { rule: ProtocolFault::StartLine, status: 400 };
    pub(super) const FIELD: Self = Self { rule: ProtocolFault::Field, status: 400 };
    pub(super) const LENGTH: Self = Self { rule: ProtocolFault::ConflictingLength, status: 400 };
    pub(super) const CHUNK: Self = Self { rule: ProtocolFault::Chunk, status: 400 };
    pub(super) const LARGE: Self = Self { rule: ProtocolFault::HeadTooLarge, status: 431 };
    pub(super) const TARGET: Self = Self { rule: ProtocolFault::HeadTooLarge, status: 414 };
    pub(super) const BODY: Self = Self { rule: ProtocolFault::BodyTooLarge, status: 413 };
    pub(super) const SLOW: Self = Self { rule: ProtocolFault::TooSlow, status: 408 };
    pub(super) const CODING: Self = Self { rule: ProtocolFault::ConflictingLength, status: 501 };
    pub(super) const VERSION: Self = Self { rule: ProtocolFault::Version, status: 505 };
}

impl Fault {
    /// What a server counts it as.
    pub(super) const fn cut(self) -> Cut {
        match self.status {
            408 => Cut::BodyTooSlow,
            413 => Cut::BodyTooLarge,
            414 => Cut::TargetTooLong,
            431 => Cut::HeadTooLarge,
            _ => Cut::Malformed,
        }
    }
}

/// Which kind of start line is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
}

/// Finds the empty line that ends a head or trailer section, each byte looked at once however
/// the input is cut.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Bytes looked at.
    at: usize,
    /// Where the current line begins.
    line: usize,
    /// Complete lines so far, the ending empty one included.
    pub(super) lines: usize,
    /// The first line's length.
    first: usize,
    start_checked: bool,
}

/// An incomplete start line of at most this length is checked as it grows, so that what is not
/// HTTP at all is told at once.
const EARLY: usize = 16;

/// Heads with at most this many fields are parsed without an allocation for the parser.
const ON_STACK: usize = 64;

impl Scanner {
    /// Whether nothing of the section has been looked at.
    pub(super) const fn is_fresh(&self) -> bool {
        self.at == 0
    }

    /// How long the first line is, as far as it has been looked at.
    pub(super) const fn start_length(&self) -> usize {
        if self.lines > 0 { self.first } else { self.at }
    }

    /// The length up to and including the empty line, once it is there. `buf` begins with the
    /// section and only ever grows between calls.
    pub(super) fn scan(&mut self, buf: &[u8], max: usize) -> Result<Option<usize>, Fault> {
        let mut rest = buf.get(self.at..).unwrap_or_default();
        while let Ok(n @ 1..) = rest.skip_until(b'\n') {
            self.at += n;
            if self.at > max {
                return Err(Fault::LARGE);
            }
            match buf.get(self.line..self.at) {
                Some([.., b'\r', b'\n']) => {}
                Some([.., b'\n']) => return Err(Fault::FIELD),
                _ => break,
            }
            if self.lines == 0 {
                self.first = self.at;
            }
            self.lines += 1;
            if self.at == self.line + 2 {
                return Ok(Some(self.at));
            }
            self.line = self.at;
        }
        Ok(None)
    }

    /// Looks at the start line of a head that is not whole, or is refused, and before that at the
    /// line's first bytes: no need to wait for the rest of nonsense. What is told does not depend
    /// on how the input was cut.
    pub(super) fn check_start(&mut self, buf: &[u8], kind: Kind) -> Result<(), Fault> {
        if self.start_checked {
            return Ok(());
        }
        self.start_checked = self.lines > 0;
        let line = if self.lines > 0 {
            buf.get(..self.first).unwrap_or(buf)
        } else {
            let early = buf.get(..EARLY).unwrap_or(buf);
            early.split(|byte| *byte == b'\n').next().unwrap_or_default()
        };
        let parsed = match kind {
            Kind::Request => httparse::Request::new(&mut []).parse(line),
            Kind::Response => httparse::Response::new(&mut []).parse(line),
        };
        parsed.map(drop).map_err(|error| match error {
            Error::Version => version_fault(line, kind),
            _ => Fault::START,
        })
    }
}

/// Parses a whole request head and checks target and Host (RFC 9112 3.2). Its fields are added to
/// `room`, which is empty.
pub(super) fn parse_request(
    head: &Bytes,
    lines: usize,
    room: HeaderMap,
) -> Result<Box<Request<()>>, Fault> {
    with_slots(lines, |slots| {
        let mut parsed = httparse::Request::new(&mut []);
        let config = ParserConfig::default();
        let done = config.parse_request_with_uninit_headers(&mut parsed, head, slots);
        complete(done, head, Kind::Request, || ())?;
        request_of(head, &parsed, room)
    })
}

/// Parses the request head in front of `buf` and says how long it is, when it is whole, breaks no
/// rule and has at most `most` fields.
pub(super) fn parse_front(
    buf: &Bytes,
    most: usize,
    room: impl FnOnce() -> HeaderMap,
) -> Option<(usize, Box<Request<()>>)> {
    let mut slots = [const { MaybeUninit::uninit() }; ON_STACK];
    let mut parsed = httparse::Request::new(&mut []);
    let config = ParserConfig::default();
    let done = config.parse_request_with_uninit_headers(&mut parsed, buf, &mut slots);
    let Ok(Status::Complete(length)) = done else { return None };
    if parsed.headers.len() > most || has_bare_line_feed(buf.get(..length)?) {
        return None;
    }
    Some((length, request_of(buf, &parsed, room()).ok()?))
}

/// Whether a line ends in LF alone. Without a branch for each byte, so that many are looked at in
/// one instruction.
fn has_bare_line_feed(head: &[u8]) -> bool {
    let pairs = head.iter().zip(head.get(1..).unwrap_or_default());
    let bare =
        pairs.fold(false, |bare, (before, byte)| bare | ((*byte == b'\n') & (*before != b'\r')));
    bare || head.first() == Some(&b'\n')
}

fn request_of(
    head: &Bytes,
    parsed: &httparse::Request<'_, '_>,
    room: HeaderMap,
) -> Result<Box<Request<()>>, Fault> {
    let (Some(method), Some(path), Some(minor)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(Fault::START);
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Fault::START)?;
    let version = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let uri = target(&method, head.slice_ref(path.as_bytes()))?;
    // It is long: made where it stays.
    let mut request = Box::new(Request::new(()));
    *request.headers_mut() = room;
    fields(head, parsed.headers, request.headers_mut())?;
    check_host(request.headers_mut(), &uri, &method, version)?;
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    Ok(request)
}

/// Parses a whole response head.
pub(super) fn parse_response(head: &Bytes, lines: usize) -> Result<Response<()>, Fault> {
    with_slots(lines, |slots| {
        let mut parsed = httparse::Response::new(&mut []);
        let config = ParserConfig::default();
        let done = config.parse_response_with_uninit_headers(&mut parsed, head, slots);
        let (Some(code), Some(minor)) =
            complete(done, head, Kind::Response, || (parsed.code, parsed.version))?
        else {
            return Err(Fault::START);
        };
        let mut response = Response::new(());
        *response.status_mut() = http::StatusCode::from_u16(code).map_err(|_| Fault::START)?;
        *response.version_mut() = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
        fields(head, parsed.headers, response.headers_mut())?;
        Ok(response)
    })
}

/// Parses a whole trailer section, its empty line included.
pub(super) fn parse_trailers(section: &Bytes, lines: usize) -> Result<HeaderMap, Fault> {
    let mut slots = vec![httparse::EMPTY_HEADER; lines];
    match httparse::parse_headers(section, &mut slots) {
        Ok(Status::Complete((length, parsed))) if length == section.len() => {
            let mut trailers = HeaderMap::new();
            fields(section, parsed, &mut trailers)?;
            Ok(trailers)
        }
        _ => Err(Fault::FIELD),
    }
}

fn with_slots<'b, T>(
    lines: usize,
    parse: impl FnOnce(&mut [MaybeUninit<Header<'b>>]) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if lines <= ON_STACK {
        parse(&mut [const { MaybeUninit::uninit() }; ON_STACK])
    } else {
        let mut slots = Vec::new();
        slots.resize_with(lines, MaybeUninit::uninit);
        parse(&mut slots)
    }
}

fn complete<T>(
    done: Result<Status<usize>, Error>,
    head: &[u8],
    kind: Kind,
    parts: impl FnOnce() -> T,
) -> Result<T, Fault> {
    match done {
        Ok(Status::Complete(length)) if length == head.len() => Ok(parts()),
        Ok(_) => Err(Fault::START),
        Err(error) => Err(fault(error, head, kind)),
    }
}

fn fault(error: Error, head: &[u8], kind: Kind) -> Fault {
    match error {
        Error::HeaderName | Error::HeaderValue => Fault::FIELD,
        Error::TooManyHeaders => Fault::LARGE,
        Error::Version => version_fault(head, kind),
        _ => Fault::START,
    }
}

/// Another version of HTTP, or something that is none.
fn version_fault(head: &[u8], kind: Kind) -> Fault {
    let mut words = head.split(|byte| matches!(byte, b' ' | b'\r'));
    let version = match kind {
        Kind::Request => words.nth(2),
        Kind::Response => words.next(),
    };
    match version {
        Some([b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', ..]) => Fault::VERSION,
        _ => Fault::START,
    }
}

/// Adds the fields of a section to `headers`, which are empty.
fn fields(head: &Bytes, parsed: &[Header<'_>], headers: &mut HeaderMap) -> Result<(), Fault> {
    headers.try_reserve(parsed.len()).map_err(|_| Fault::LARGE)?;
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Fault::FIELD)?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value))
            .map_err(|_| Fault::FIELD)?;
        headers.try_append(name, value).map_err(|_| Fault::LARGE)?;
    }
    Ok(())
}

/// The four forms of a request target, each only where it may stand (RFC 9112 3.2).
fn target(method: &Method, raw: Bytes) -> Result<Uri, Fault> {
    if raw.contains(&b'#') {
        return Err(Fault::START);
    }
    let origin = raw.first() == Some(&b'/');
    let asterisk = raw[..] == b"*"[..];
    let uri = Uri::from_maybe_shared(raw).map_err(|_| Fault::START)?;
    let allowed = if *method == Method::CONNECT {
        uri.scheme().is_none() && !origin && uri.authority().is_some_and(is_target)
    } else if asterisk {
        *method == Method::OPTIONS
    } else {
        origin || (uri.scheme().is_some() && uri.authority().is_some_and(is_plain))
    };
    if allowed { Ok(uri) } else { Err(Fault::START) }
}

/// Exactly one valid Host in HTTP/1.1; an absolute target replaces it (RFC 9112 3.2, 3.2.2).
fn check_host(
    headers: &mut HeaderMap,
    uri: &Uri,
    method: &Method,
    version: Version,
) -> Result<(), Fault> {
    let mut values =
        headers.iter().filter_map(|(name, value)| (*name == header::HOST).then_some(value));
    let host = values.next();
    if values.next().is_some() || (host.is_none() && version == Version::HTTP_11) {
        return Err(Fault::FIELD);
    }
    if host.is_some_and(|host| !host.is_empty() && !names_host(host.as_bytes())) {
        return Err(Fault::FIELD);
    }
    if let Some(authority) = uri.authority()
        && *method != Method::CONNECT
    {
        let value = HeaderValue::from_str(authority.as_str()).map_err(|_| Fault::START)?;
        headers.insert(header::HOST, value);
    }
    Ok(())
}
