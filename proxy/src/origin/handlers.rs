//! What the origin answers: one function from request to response.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, TRAILER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use regatta_tokio::EarlyData;

use super::httpbin;

/// Any error of a body.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub(crate) type Reply = UnsyncBoxBody<Bytes, BoxError>;

/// What there is to ask for.
pub(crate) const PATHS: &str = "\
\x20 /bytes/N           N bytes
  /echo              what was sent, as it comes; /echo?whole once all of it has come
  /delay/MS          an answer after so many milliseconds
  /status/N          that status; ?location=URL adds a Location field
  /trailers          a body with a trailer field behind it
  /goaway            an answer, and the end of this connection (GOAWAY, Connection: close)
  /reset             half an answer, then a reset of the stream
  /limits?streams=N  lowers how many streams this HTTP/2 connection may have at once
  /early             whether the request came in early data; 425 then with /early?refuse
  /page              an HTML page that asks for much of this and says what came, for browsers
";

/// What `/page` is.
const PAGE: &str = include_str!("page.html");

/// Largest frame of a generated body.
const PIECE: usize = 16 << 10;

/// What an answer asks of the connection that it goes out on.
pub(crate) trait Connection {
    /// Take no further request: GOAWAY, or `Connection: close`.
    fn drain(&self);
    /// Let the client have at most `streams` streams at once; false where the protocol has no
    /// such limit.
    fn limit_streams(&self, streams: u32) -> bool;
}

/// Answers one request.
pub(crate) async fn answer<B, C>(request: Request<B>, connection: &C) -> Response<Reply>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    C: Connection,
{
    let path = request.uri().path().to_owned();
    let (_, rest) = path.split_once('/').unwrap_or_default();
    let (name, argument) = match rest.split_once('/') {
        Some((name, argument)) => (name, Some(argument)),
        None => (rest, None),
    };
    let (head, body) = request.into_parts();
    if let Some(response) = httpbin::answer(&head) {
        return response;
    }
    let is_early = came_early(&head);
    if is_early && !head.method.is_safe() {
        // RFC 8470 3: it may have been recorded by somebody, and sent again.
        return text(StatusCode::TOO_EARLY, "only what is safe may come early\n");
    }
    let request = Request::from_parts(head, body);
    match (name, argument) {
        ("early", None) => early(is_early, request.uri().query() == Some("refuse")),
        ("echo", None) if request.uri().query() == Some("whole") => whole_echo(request).await,
        ("echo", None) => echo(request),
        ("status", Some(code)) => status(code, request.uri().query().unwrap_or("")),
        _ if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) => {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "use GET, HEAD or POST here\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
            refused
        }
        ("", None) => {
            let more = httpbin::PATHS;
            text(
                StatusCode::OK,
                format!("This is regatta's test origin. It answers:\n{PATHS}{more}"),
            )
        }
        ("bytes", Some(n)) => bytes(n),
        ("delay", Some(ms)) => delay(ms).await,
        ("trailers", None) => trailers(),
        ("goaway", None) => {
            connection.drain();
            text(StatusCode::OK, "this connection takes no further request\n")
        }
        ("reset", None) => reset(),
        ("page", None) => {
            let mut response = text(StatusCode::OK, PAGE);
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, html);
            response
        }
        ("limits", None) => limits(request.uri().query().unwrap_or(""), connection),
        _ => text(StatusCode::NOT_FOUND, "no such path; / has a list\n"),
    }
}

pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response<Reply> {
    let body = Bytes::from(text.into());
    let mut response = Response::new(whole(body));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

pub(super) fn whole(body: Bytes) -> Reply {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

fn expected(what: &str) -> Response<Reply> {
    text(StatusCode::BAD_REQUEST, format!("expected {what}\n"))
}

/// The request's body, as it comes, with its type.
fn echo<B>(request: Request<B>) -> Response<Reply>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (head, body) = request.into_parts();
    let mut response = Response::new(body.map_err(Into::into).boxed_unsync());
    let kind = HeaderValue::from_static("application/octet-stream");
    let kind = head.headers.get(CONTENT_TYPE).cloned().unwrap_or(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    let method = HeaderValue::from_str(head.method.as_str());
    response.headers_mut().extend(method.ok().map(|method| (ECHO_METHOD, method)));
    response
}

/// The same when all of the body has come, for clients that do not read while they send.
async fn whole_echo<B>(request: Request<B>) -> Response<Reply>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (head, body) = request.into_parts();
    match Limited::new(body, MOST_WHOLE).collect().await {
        Ok(body) => echo(Request::from_parts(head, Full::new(body.to_bytes()))),
        Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, "no more than 64 MiB here\n"),
    }
}

/// The longest body that is kept until all of it has come.
const MOST_WHOLE: usize = 64 << 20;

/// Which method an echo answers.
const ECHO_METHOD: http::HeaderName = http::HeaderName::from_static("x-echo-method");

fn bytes(n: &str) -> Response<Reply> {
    let Ok(n) = n.parse::<u64>() else { return expected("/bytes/N with a number of bytes") };
    let mut response = Response::new(Pattern { left: n }.boxed_unsync());
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(n));
    response
}

async fn delay(ms: &str) -> Response<Reply> {
    let Ok(ms) = ms.parse::<u32>() else { return expected("/delay/MS with milliseconds") };
    tokio::time::sleep(Duration::from_millis(ms.into())).await;
    text(StatusCode::OK, format!("after {ms} ms\n"))
}

fn status(code: &str, query: &str) -> Response<Reply> {
    let code = code.parse::<u16>().ok().filter(|code| (200..=599).contains(code));
    let Some(code) = code.and_then(|code| StatusCode::from_u16(code).ok()) else {
        return expected("/status/N with a status from 200 to 599");
    };
    let mut response = match code {
        // No body may follow these (RFC 9110 15.3.5, 15.3.6, 15.4.5).
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            let mut bare =
                Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
            *bare.status_mut() = code;
            bare
        }
        _ => text(code, format!("{code}\n")),
    };
    if let Some(location) = argument(query, "location") {
        let Ok(location) = HeaderValue::from_str(location) else {
            return expected("a location that can stand in a field");
        };
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The text behind `name=` in a query; nothing is decoded.
fn argument<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn trailers() -> Response<Reply> {
    let mut fields = HeaderMap::new();
    fields.insert(TRAILER_FIELD, HeaderValue::from_static("behind the body"));
    let parts =
        [Frame::data(Bytes::from_static(b"a trailer field follows\n")), Frame::trailers(fields)];
    let mut response =
        Response::new(Script { parts: parts.into_iter(), fails: false }.boxed_unsync());
    response.headers_mut().insert(TRAILER, HeaderValue::from_static("x-trailer"));
    response
}

/// The trailer field of `/trailers`.
const TRAILER_FIELD: http::HeaderName = http::HeaderName::from_static("x-trailer");

/// A body that promises more than comes: its error resets the stream.
fn reset() -> Response<Reply> {
    let parts = [Frame::data(Bytes::from_static(b"the second half of this never co"))];
    let mut response =
        Response::new(Script { parts: parts.into_iter(), fails: true }.boxed_unsync());
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("64"));
    response
}

/// Whether a request came in early data, here or at who has forwarded it (RFC 8470 5.1).
fn came_early(head: &Parts) -> bool {
    let said = head.headers.get("early-data");
    head.extensions.get::<EarlyData>().is_some() || said.is_some_and(|value| value == "1")
}

fn early(is_early: bool, refuses: bool) -> Response<Reply> {
    match (is_early, refuses) {
        (true, true) => text(StatusCode::TOO_EARLY, "this is too early\n"),
        (true, false) => text(StatusCode::OK, "it came early\n"),
        (false, _) => text(StatusCode::OK, "it did not come early\n"),
    }
}

fn limits(query: &str, connection: &impl Connection) -> Response<Reply> {
    let Some(streams) = argument(query, "streams").and_then(|n| n.parse().ok()) else {
        return expected("/limits?streams=N with a number of streams");
    };
    if connection.limit_streams(streams) {
        text(StatusCode::OK, format!("this connection now has at most {streams} streams\n"))
    } else {
        text(StatusCode::CONFLICT, "only HTTP/2 has a limit of streams\n")
    }
}

/// So many bytes: the letters from a to z, over and over.
struct Pattern {
    left: u64,
}

impl Body for Pattern {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // A whole number of alphabets, so that the next piece goes on where this one ends.
        const WHOLE: usize = PIECE / 26 * 26;
        static LETTERS: [u8; WHOLE] = {
            let mut letters = [0; WHOLE];
            let mut n = 0;
            while n < WHOLE {
                letters[n] = b'a' + (n % 26) as u8;
                n += 1;
            }
            letters
        };
        let n = usize::try_from(self.left).unwrap_or(WHOLE).min(WHOLE);
        if n == 0 {
            return Poll::Ready(None);
        }
        self.left -= n as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&LETTERS[..n])))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// These frames, then the end or a failure.
struct Script<I> {
    parts: I,
    fails: bool,
}

impl<I: Iterator<Item = Frame<Bytes>> + Unpin> Body for Script<I> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.parts.next() {
            Some(frame) => Some(Ok(frame)),
            None if self.fails => {
                self.fails = false;
                Some(Err("this answer ends early on purpose".into()))
            }
            None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Default)]
    struct Seen {
        drained: Cell<bool>,
        streams: Cell<Option<u32>>,
    }

    impl Connection for Seen {
        fn drain(&self) {
            self.drained.set(true);
        }
        fn limit_streams(&self, streams: u32) -> bool {
            self.streams.set(Some(streams));
            true
        }
    }

    async fn ask(seen: &Seen, method: Method, path: &str) -> Response<Reply> {
        let body = Full::new(Bytes::from_static(b"sent"));
        let request = Request::builder().method(method).uri(path).body(body).unwrap();
        answer(request, seen).await
    }

    async fn get(path: &str) -> (u16, Bytes) {
        let response = ask(&Seen::default(), Method::GET, path).await;
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn every_path_answers() {
        let (status, index) = get("/").await;
        assert!(status == 200 && index.ends_with(httpbin::PATHS.as_bytes()));
        assert_eq!(get("/bytes/0").await, (200, Bytes::new()));
        assert_eq!(get("/bytes/3?x").await, (200, Bytes::from_static(b"abc")));
        assert_eq!(get("/delay/1").await, (200, Bytes::from_static(b"after 1 ms\n")));
        assert_eq!(get("/status/404").await, (404, Bytes::from_static(b"404 Not Found\n")));
        assert_eq!(get("/status/204").await, (204, Bytes::new()));
        assert_eq!(get("/nowhere").await.0, 404);
        assert_eq!(get("/page").await, (200, Bytes::from_static(PAGE.as_bytes())));
        for wrong in ["/bytes/x", "/bytes/-1", "/delay/x", "/status/100", "/status/x", "/limits"] {
            assert_eq!(get(wrong).await.0, 400, "{wrong}");
        }
    }

    #[tokio::test]
    async fn bytes_are_the_alphabet_over_and_over_across_pieces() {
        let (_, body) = get("/bytes/40000").await;
        assert_eq!(body.len(), 40_000);
        let is_right = |(n, byte): (usize, &u8)| *byte == b'a' + u8::try_from(n % 26).unwrap();
        assert!(body.iter().enumerate().all(is_right));
    }

    #[tokio::test]
    async fn an_echo_tells_method_type_and_body() {
        for path in ["/echo", "/echo?whole"] {
            let response = ask(&Seen::default(), Method::PATCH, path).await;
            assert_eq!(response.headers()[ECHO_METHOD], "PATCH");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/octet-stream");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "sent");
        }
        let refused = ask(&Seen::default(), Method::PATCH, "/").await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn a_status_may_lead_elsewhere() {
        let response = ask(&Seen::default(), Method::GET, "/status/302?a=b&location=/echo").await;
        assert_eq!(response.headers()[LOCATION], "/echo");
    }

    #[tokio::test]
    async fn trailers_follow_the_body() {
        let response = ask(&Seen::default(), Method::GET, "/trailers").await;
        assert_eq!(response.headers()[TRAILER], "x-trailer");
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()[TRAILER_FIELD], "behind the body");
        assert_eq!(collected.to_bytes(), "a trailer field follows\n");
    }

    #[tokio::test]
    async fn a_reset_is_half_a_body_and_an_error() {
        let response = ask(&Seen::default(), Method::GET, "/reset").await;
        assert_eq!(response.headers()[CONTENT_LENGTH], "64");
        let mut body = response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 32);
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn the_connection_is_told() {
        let seen = Seen::default();
        ask(&seen, Method::GET, "/goaway").await;
        ask(&seen, Method::GET, "/limits?streams=2").await;
        assert!(seen.drained.get());
        assert_eq!(seen.streams.get(), Some(2));
    }
}
