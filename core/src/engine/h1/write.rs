//! Heads to the wire (RFC 9112 2 to 6). Framing and connection fields are always ours, never
//! the caller's.

use core::fmt::{self, Write as _};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Uri, Version, header};

use super::exchange::{Tx, Verb};
use super::framing::{self, Marks, Options};
use crate::engine::{AbsoluteForm, Decimal, Extended, Output};

/// How a message is framed and what its connection fields say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) tx: Tx,
    /// The Content-Length to write.
    pub(super) length: Option<u64>,
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    /// Which of the caller's fields need more than to be written.
    marks: Marks,
}

impl Plan {
    const fn new(options: Options, upgrade: bool, marks: Marks) -> Self {
        let close = options.close;
        Self { tx: Tx::Done, length: None, close, keep_alive: false, upgrade, marks }
    }

    /// How a request goes out; `None` when HTTP/1 cannot say it.
    pub(super) fn of_request(head: &Request<()>, end: bool) -> Option<Self> {
        let headers = head.headers();
        let marks = Marks::of(headers);
        let options = Options::of(headers, marks);
        let upgrade = options.upgrade && marks.has(Marks::UPGRADE);
        let mut plan = Self::new(options, upgrade, marks);
        plan.keep_alive = head.version() == Version::HTTP_10 && options.persists(head.version());
        let length = framing::content_length(headers, marks).ok()?;
        let connect = Verb::of(head.method()) == Verb::Connect;
        if connect {
            if head.extensions().get::<Extended>().is_some() {
                return None;
            }
            plan.tx = if end { Tx::Done } else { Tx::Tunnel };
            return Some(plan);
        }
        if end {
            // RFC 9110 8.6: a method that defines content says that there is none.
            let says_none = ["POST", "PUT", "PATCH"].contains(&head.method().as_str());
            plan.length = length.or_else(|| says_none.then_some(0));
            return (plan.length.unwrap_or(0) == 0).then_some(plan);
        }
        plan.length = length;
        plan.tx = match length {
            Some(length) => Tx::Exact(length),
            None if upgrade && head.method() == http::Method::GET => Tx::Tunnel,
            None if head.version() == Version::HTTP_10 => return None,
            None => Tx::Chunked,
        };
        Some(plan)
    }

    /// How a final response to a request goes out; `None` when it contradicts itself. `old` says
    /// that the request was HTTP/1.0, `closing` that the connection ends with this exchange, and
    /// `length` how long a body is of which the head does not say that.
    pub(super) fn of_response(
        head: &Response<()>,
        length: Option<u64>,
        end: bool,
        verb: Verb,
        old: bool,
        closing: bool,
    ) -> Option<Self> {
        let headers = head.headers();
        let marks = Marks::of(headers);
        let mut options = Options::of(headers, marks);
        options.close |= closing;
        let switching = head.status() == StatusCode::SWITCHING_PROTOCOLS;
        let upgrade = options.upgrade && marks.has(Marks::UPGRADE);
        let mut plan = Self::new(options, switching || upgrade, marks);
        if switching || (verb == Verb::Connect && head.status().is_success()) {
            plan.tx = Tx::Tunnel;
            plan.close = false;
            return Some(plan);
        }
        let length = framing::content_length(headers, marks).ok()?.or(length);
        let open = |tx| if end { Tx::Done } else { tx };
        if framing::has_no_body(head.status()) || verb == Verb::Head {
            let described = verb == Verb::Head || head.status() == StatusCode::NOT_MODIFIED;
            plan.length = length.filter(|_| described);
            plan.tx = open(Tx::Drop);
        } else if end {
            plan.length = Some(0);
            length.unwrap_or(0).eq(&0).then_some(())?;
        } else {
            plan.length = length;
            plan.tx = match length {
                Some(length) => Tx::Exact(length),
                None if old => Tx::Close,
                None => Tx::Chunked,
            };
        }
        plan.close |= plan.tx == Tx::Close;
        plan.keep_alive = old && !plan.close;
        Some(plan)
    }
}

/// Room for a start line and the fields that are written besides the caller's.
const OVERHEAD: usize = 160;

/// Writes a request head; `None`, with nothing written, when HTTP/1 cannot say it.
pub(super) fn request(out: &mut Output, head: &Request<()>, plan: &Plan) -> Option<()> {
    let mut hosts = head.headers().get_all(header::HOST).iter();
    let uri = head.uri();
    let authority = uri.authority().map(|authority| plain(authority.as_str()));
    let host = match (hosts.next(), authority) {
        (Some(host), _) => Some(host.as_bytes()),
        (None, Some(authority)) => Some(authority.as_bytes()),
        (None, None) => None,
    };
    let old = match head.version() {
        Version::HTTP_09 => return None,
        Version::HTTP_10 => true,
        _ => false,
    };
    if hosts.next().is_some() || (host.is_none() && !old) {
        return None;
    }
    let verb = Verb::of(head.method());
    if verb == Verb::Connect && !has_target(uri) {
        return None;
    }
    out.reserve(
        OVERHEAD + uri.path().len() + uri.query().map_or(0, str::len) + size(head.headers()),
    );
    out.put(head.method().as_str().as_bytes());
    out.put(b" ");
    match verb {
        Verb::Connect => put_target(out, uri),
        _ if head.extensions().get::<AbsoluteForm>().is_some() => put_absolute(out, head),
        _ => out.put(uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).as_bytes()),
    }
    out.put(if old { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" });
    if let Some(host) = host {
        field(out, b"host", host);
    }
    rest(out, head.headers(), plan, plan.tx == Tx::Chunked);
    Some(())
}

/// Writes a response head, interim or final.
pub(super) fn response(out: &mut Output, head: &Response<()>, plan: &Plan) {
    out.reserve(OVERHEAD + size(head.headers()));
    status_line(out, head.status());
    rest(out, head.headers(), plan, plan.tx == Tx::Chunked);
}

/// Writes an interim response.
pub(super) fn interim(out: &mut Output, head: &Response<()>) {
    out.reserve(OVERHEAD + size(head.headers()));
    status_line(out, head.status());
    let plan = Plan::new(Options::default(), false, Marks::of(head.headers()));
    rest(out, head.headers(), &plan, false);
}

/// Writes the answer to a request that cannot be understood, after which the connection ends.
pub(super) fn refusal(out: &mut Output, status: StatusCode) {
    out.reserve(OVERHEAD);
    status_line(out, status);
    out.put(b"connection: close\r\ncontent-length: 0\r\n\r\n");
}

fn status_line(out: &mut Output, status: StatusCode) {
    if status == StatusCode::OK {
        // What nearly all say, in one piece.
        return out.put(b"HTTP/1.1 200 OK\r\n");
    }
    out.put(b"HTTP/1.1 ");
    out.put(status.as_str().as_bytes());
    out.put(b" ");
    out.put(status.canonical_reason().unwrap_or_default().as_bytes());
    out.put(b"\r\n");
}

/// The caller's fields without those that are ours or another connection's (RFC 9110 7.6.1), then
/// ours, then the empty line.
fn rest(out: &mut Output, headers: &HeaderMap, plan: &Plan, chunked: bool) {
    let marks = plan.marks;
    for (name, value) in headers {
        if marks.is_empty() || passes(headers, name, plan) {
            field(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    // No coding but chunked is understood here, so none is asked for.
    let te = marks.has(Marks::TE)
        && framing::elements(headers, header::TE)
            .any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
    if te {
        out.put(b"te: trailers\r\n");
    }
    if let Some(length) = plan.length {
        out.put(b"content-length: ");
        out.put(Decimal::of(length).as_bytes());
        out.put(b"\r\n");
    }
    if chunked {
        out.put(b"transfer-encoding: chunked\r\n");
    }
    if !(plan.close || plan.keep_alive || plan.upgrade || te) {
        return out.put(b"\r\n");
    }
    let options = [
        (plan.close, "close"),
        (plan.keep_alive, "keep-alive"),
        (plan.upgrade, "upgrade"),
        (te, "te"),
    ];
    let mut before = "connection: ";
    for (_, option) in options.iter().filter(|(said, _)| *said) {
        out.put(before.as_bytes());
        out.put(option.as_bytes());
        before = ", ";
    }
    out.put(b"\r\n\r\n");
}

/// Whether a field of the caller's is written as it is.
fn passes(headers: &HeaderMap, name: &HeaderName, plan: &Plan) -> bool {
    // RFC 9110 10.1.1: without content there is nothing to expect.
    let idle = (*name == header::UPGRADE && !plan.upgrade)
        || (*name == header::EXPECT && plan.tx == Tx::Done);
    let told_apart = plan.marks.has(Marks::CONNECTION);
    !(idle || is_ours(name) || (told_apart && is_named(headers, name)))
}

/// Whether Connection says that a field is for the next hop only. Upgrade goes where it is kept.
fn is_named(headers: &HeaderMap, name: &HeaderName) -> bool {
    *name != header::UPGRADE
        && framing::elements(headers, header::CONNECTION)
            .any(|option| option.eq_ignore_ascii_case(name.as_str().as_bytes()))
}

/// Fields whose meaning is this connection's framing or life; HOST is written first.
fn is_ours(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::HOST
            | header::TE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

fn field(out: &mut Output, name: &[u8], value: &[u8]) {
    out.put(name);
    out.put(b": ");
    out.put(value);
    out.put(b"\r\n");
}

/// Writes one chunk; an empty one would end the body, so it is left out.
pub(super) fn chunk(out: &mut Output, bytes: Bytes) {
    if !bytes.is_empty() {
        put(out, format_args!("{:x}\r\n", bytes.len()));
        out.push(bytes);
        out.put(b"\r\n");
    }
}

/// Writes the last chunk and the trailer section without the fields that may not be there.
pub(super) fn last_chunk(out: &mut Output, trailers: &HeaderMap) {
    out.put(b"0\r\n");
    for (name, value) in trailers.iter().filter(|(name, _)| framing::may_trail(name)) {
        field(out, name.as_str().as_bytes(), value.as_bytes());
    }
    out.put(b"\r\n");
}

/// An authority without its userinfo, which is never sent (RFC 9110 4.2.4).
fn plain(authority: &str) -> &str {
    // It is short: byte by byte is the quickest.
    let at = authority.bytes().rposition(|byte| byte == b'@');
    at.and_then(|at| authority.get(at + 1..)).unwrap_or(authority)
}

fn has_target(uri: &Uri) -> bool {
    uri.authority().is_some()
        && (uri.port_u16().is_some_and(|port| port != 0) || default_port(uri).is_some())
}

fn default_port(uri: &Uri) -> Option<u16> {
    match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    }
}

/// CONNECT's authority-form: host and port (RFC 9112 3.2.3).
fn put_target(out: &mut Output, uri: &Uri) {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().or_else(|| default_port(uri)).unwrap_or_default();
    put(out, format_args!("{host}:{port}"));
}

/// The absolute-form for a proxy, without userinfo. OPTIONS of the whole server has no path there
/// (RFC 9112 3.2.4).
fn put_absolute(out: &mut Output, head: &Request<()>) {
    let uri = head.uri();
    out.put(uri.scheme_str().unwrap_or("http").as_bytes());
    out.put(b"://");
    out.put(plain(uri.authority().map_or("", |authority| authority.as_str())).as_bytes());
    let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if target != "*" {
        out.put(target.as_bytes());
    }
}

fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Formatted text straight into the output.
fn put(out: &mut Output, text: fmt::Arguments<'_>) {
    struct Text<'a>(&'a mut Output);
    impl fmt::Write for Text<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.put(text.as_bytes());
            Ok(())
        }
    }
    // Nothing here can fail: the output grows.
    let _ = Text(out).write_fmt(text);
}
