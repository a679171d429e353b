//! One request's answer: the service's future, then the response's body.
//!
//! Its connection polls it once by itself. What is whole by then goes straight to the engine, and
//! the exchange that the connection and a task of the answer's own would share is never made.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use http::header::{ALT_SVC, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use regatta_core::engine::Decimal;

use crate::body::{self, BoxError, Side};
use crate::exchange::Exchange;
use crate::hooks::ToldRequest;
use crate::mail::{Frame, is_interim};
use crate::server::ConnectionHandle;
use crate::spans::ServerSpan;

pin_project! {
    /// The future of one answer: done when all is said, or the peer has given the request up.
    pub(crate) struct Answer<F, B> {
        #[pin]
        work: Work<F, B>,
        asked: Asked,
        // Behind the work: a service that is dropped is gone before its answer fails.
        exchange: Unfinished,
    }
}

pin_project! {
    #[project = WorkProjection]
    enum Work<F, B> {
        Call { #[pin] call: F },
        Body { #[pin] body: B },
        Over,
    }
}

/// What an answer needs to know of its request.
#[derive(Debug)]
pub(crate) struct Asked {
    head_only: bool,
    connect: bool,
    alt_svc: Option<HeaderValue>,
    told: ToldRequest,
    span: ServerSpan,
}

/// How far an answer has come when its connection has polled it.
#[derive(Debug)]
pub(crate) enum First {
    /// All of it is there.
    Whole(Whole),
    /// It is in this exchange, all of it or what there was of it yet.
    Begun(Arc<Exchange>, Poll<()>),
}

/// All of an answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) head: Response<()>,
    /// Its Content-Length, where the head does not say it.
    pub(crate) length: Option<u64>,
    /// Its body, where it has one.
    pub(crate) body: Option<Bytes>,
}

impl Whole {
    /// An answer that is a head alone.
    const fn head(head: Response<()>, length: Option<u64>) -> Self {
        Self { head, length, body: None }
    }

    /// The head for who has nothing else to say the length by.
    fn into_frame(self) -> Frame {
        let mut head = Box::new(self.head);
        if let Some(length) = self.length {
            head.headers_mut().insert(CONTENT_LENGTH, Decimal::of(length).value());
        }
        Frame::Head(head)
    }
}

/// What follows a head.
enum Follows<B> {
    Nothing,
    Body(B),
    Tunnel,
}

/// An answer that fails when it goes away before it is complete.
struct Unfinished(Option<Arc<Exchange>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(exchange) = &self.0 {
            // Harmless after the end.
            exchange.down.fail(None);
        }
    }
}

impl Asked {
    pub(crate) fn of(
        request: &Request<()>,
        on: Option<&ConnectionHandle>,
        alt_svc: Option<HeaderValue>,
        told: ToldRequest,
    ) -> Self {
        let method = request.method();
        let (head_only, connect) = (*method == Method::HEAD, *method == Method::CONNECT);
        Self { head_only, connect, alt_svc, told, span: ServerSpan::of(request, on) }
    }

    /// Works within the request's span.
    pub(crate) fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.scope(work)
    }

    /// What is said of a response as yet, and what follows it.
    fn say<B: HttpBody>(&mut self, response: Response<B>) -> (Whole, Follows<B>) {
        let (parts, body) = response.into_parts();
        let mut head = Response::from_parts(parts, ());
        if is_interim(head.status()) {
            // An interim response answers nothing: the peer would wait for ever.
            head = internal_error();
            self.tell(head.status());
            return (Whole::head(head, None), Follows::Nothing);
        }
        if let Some(alt_svc) = self.alt_svc.take() {
            head.headers_mut().entry(ALT_SVC).or_insert(alt_svc);
        }
        let status = head.status();
        self.tell(status);
        if status == StatusCode::SWITCHING_PROTOCOLS || (self.connect && status.is_success()) {
            return (Whole::head(head, None), Follows::Tunnel);
        }
        let exact = body.size_hint().exact();
        let ended = body.is_end_stream();
        // What follows an empty body that has not ended is trailers; and an empty body tells
        // nothing about what GET would have got.
        let unknown = exact == Some(0) && (self.head_only || !ended);
        let says_none = unknown || has_no_body(status) || frames_itself(head.headers());
        let whole = Whole::head(head, exact.filter(|_| !says_none));
        let end = self.head_only || ended || has_no_body(status);
        (whole, if end { Follows::Nothing } else { Follows::Body(body) })
    }

    fn tell(&self, status: StatusCode) {
        self.span.answered(status);
        self.told.answered(status);
    }
}

impl<F, B> Answer<F, B>
where
    F: Future<Output = Response<B>>,
    B: HttpBody<Error: Into<BoxError>>,
{
    /// The answer of a service that was called, into this exchange if there is one already.
    pub(crate) const fn new(call: F, asked: Asked, exchange: Option<Arc<Exchange>>) -> Self {
        Self { work: Work::Call { call }, asked, exchange: Unfinished(exchange) }
    }

    /// Polls it for the first time. `make` is asked for an exchange where there is none and more
    /// comes than a head and a piece of a body, or later.
    pub(crate) fn begin(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        make: impl FnOnce() -> Arc<Exchange>,
    ) -> First {
        if let Some(exchange) = self.exchange.0.clone() {
            return First::Begun(exchange, self.poll(cx));
        }
        let mut this = self.as_mut().project();
        let WorkProjection::Call { call } = this.work.as_mut().project() else {
            return First::Begun(make(), Poll::Ready(()));
        };
        let Poll::Ready(response) = this.asked.span.scope(|| call.poll(cx)) else {
            let exchange = make();
            this.exchange.0 = Some(Arc::clone(&exchange));
            return First::Begun(exchange, Poll::Pending);
        };
        let (mut whole, follows) = this.asked.say(response);
        // A request without an exchange asked for no tunnel: the engine refuses to make one.
        let Follows::Body(body) = follows else { return First::Whole(whole) };
        this.work.set(Work::Body { body });
        let WorkProjection::Body { mut body } = this.work.as_mut().project() else {
            return First::Whole(whole);
        };
        let frame = match this.asked.span.scope(|| body.as_mut().poll_frame(cx)) {
            Poll::Ready(None) => return First::Whole(whole),
            Poll::Ready(Some(Ok(frame))) if body.is_end_stream() => match frame.into_data() {
                Ok(mut data) => {
                    let bytes = data.copy_to_bytes(data.remaining());
                    whole.body = Some(bytes).filter(|bytes| !bytes.is_empty());
                    return First::Whole(whole);
                }
                Err(frame) => Poll::Ready(Ok(frame)),
            },
            Poll::Ready(Some(frame)) => Poll::Ready(frame),
            Poll::Pending => Poll::Pending,
        };
        let exchange = make();
        this.exchange.0 = Some(Arc::clone(&exchange));
        exchange.down.write(whole.into_frame());
        let is_over = match frame {
            Poll::Ready(frame) => body::write(frame, body.is_end_stream(), &exchange, Side::Server),
            Poll::Pending => Poll::Pending,
        };
        let rest = if is_over.is_ready() { Poll::Ready(()) } else { self.poll(cx) };
        First::Begun(exchange, rest)
    }
}

impl<F, B> Future for Answer<F, B>
where
    F: Future<Output = Response<B>>,
    B: HttpBody<Error: Into<BoxError>>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(exchange) = &this.exchange.0 else { return Poll::Ready(()) };
        if let WorkProjection::Call { call } = this.work.as_mut().project() {
            if exchange.down.poll_gone(cx).is_ready() {
                this.asked.span.given_up();
                return Poll::Ready(());
            }
            let response = ready!(this.asked.span.scope(|| call.poll(cx)));
            let (head, follows) = this.asked.say(response);
            let head = head.into_frame();
            match follows {
                Follows::Nothing => {
                    exchange.down.write_last(head);
                    this.work.set(Work::Over);
                }
                Follows::Body(body) => {
                    exchange.down.write(head);
                    this.work.set(Work::Body { body });
                }
                Follows::Tunnel => {
                    exchange.down.write(head);
                    this.work.set(Work::Over);
                    if exchange.begin_tunnel() {
                        // The tunnel's own handle ends it.
                        this.exchange.0 = None;
                    }
                    return Poll::Ready(());
                }
            }
        }
        if let WorkProjection::Body { mut body } = this.work.as_mut().project() {
            let into = || body::poll_into(&mut body, exchange, Side::Server, cx);
            // The error is in the pipe already, where the connection resets the stream for it.
            let _failed = ready!(this.asked.span.scope(into));
        }
        Poll::Ready(())
    }
}

fn internal_error() -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
    head
}

/// Whether the head says by itself how its body ends, or that trailers follow, which HTTP/1 can
/// only send behind chunks.
pub(crate) fn frames_itself(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| matches!(*name, CONTENT_LENGTH | TRANSFER_ENCODING | TRAILER))
}

fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::future::{pending, ready};
    use core::task::Waker;
    use std::collections::VecDeque;

    use http_body::{Frame as BodyFrame, SizeHint};
    use regatta_core::Instant;

    use super::*;
    use crate::mail::Received;

    /// A body that gives these one after the other; `None` where it has nothing at the moment.
    struct Pieces(VecDeque<Option<Result<&'static str, BoxError>>>, SizeHint);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<BodyFrame<Bytes>, BoxError>>> {
            match self.0.pop_front() {
                None => Poll::Ready(None),
                Some(None) => Poll::Pending,
                Some(Some(piece)) => {
                    Poll::Ready(Some(piece.map(|text| BodyFrame::data(text.into()))))
                }
            }
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            self.1
        }
    }

    fn pieces(exact: Option<u64>, all: impl IntoIterator<Item = Option<&'static str>>) -> Pieces {
        let all = all.into_iter().map(|piece| piece.map(Ok)).collect();
        Pieces(all, exact.map_or_else(SizeHint::default, SizeHint::with_exact))
    }

    fn asked(method: Method) -> Asked {
        let mut request = Request::new(());
        *request.method_mut() = method;
        Asked::of(&request, None, None, ToldRequest::default())
    }

    fn exchange() -> Arc<Exchange> {
        Arc::new(Exchange::new(Instant::EPOCH, 0))
    }

    fn begin(method: Method, response: Response<Pieces>) -> First {
        let mut answer = Box::pin(Answer::new(ready(response), asked(method), None));
        answer.as_mut().begin(&mut Context::from_waker(Waker::noop()), exchange)
    }

    /// What the connection finds in the exchange.
    fn found(exchange: &Exchange) -> Vec<String> {
        let mut all = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(received) = exchange.down.poll_read(&mut cx) {
            all.push(match received {
                Received::Frame(Frame::Head(head)) => format!("{:?}", head.headers()),
                Received::Frame(Frame::Data(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
                Received::Frame(Frame::Trailers(_)) => "trailers".to_owned(),
                Received::Frame(Frame::End) => "end".to_owned(),
                Received::Finished => break,
                Received::Failed(_) => {
                    all.push("failed".to_owned());
                    break;
                }
            });
        }
        all
    }

    /// Each row is a method, a status, a body, and the length and the body of the whole answer.
    #[test]
    fn what_is_there_at_once_needs_no_exchange() {
        let hello = || pieces(Some(5), [Some("hello")]);
        let rows = [
            (Method::GET, 200, hello(), Some(5), Some("hello")),
            (Method::HEAD, 200, hello(), Some(5), None),
            (Method::GET, 200, pieces(None, [Some("hello")]), None, Some("hello")),
            (Method::GET, 200, pieces(Some(0), []), Some(0), None),
            (Method::HEAD, 200, pieces(Some(0), []), None, None),
            (Method::GET, 204, hello(), None, None),
            // It answers nothing, so that something has to.
            (Method::GET, 103, hello(), None, None),
        ];
        for (method, status, body, length, said) in rows {
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let name = format!("{method} {status}");
            let First::Whole(whole) = begin(method, response) else { panic!("{name}") };
            let expected = if status == 103 { 500 } else { status };
            assert_eq!(whole.head.status().as_u16(), expected, "{name}");
            assert_eq!((whole.length, whole.body.as_deref()), (length, said.map(str::as_bytes)));
        }
    }

    #[test]
    fn a_head_that_says_its_length_is_left_alone() {
        let mut response = Response::new(pieces(Some(5), [Some("hello")]));
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(5));
        let First::Whole(whole) = begin(Method::GET, response) else { panic!("it is whole") };
        assert_eq!(whole.length, None);
    }

    #[test]
    fn what_is_more_goes_through_an_exchange() {
        let two = pieces(Some(4), [Some("aa"), Some("bb")]);
        let First::Begun(exchange, Poll::Ready(())) = begin(Method::GET, Response::new(two)) else {
            panic!("all of it is there, in two pieces");
        };
        assert_eq!(found(&exchange), [r#"{"content-length": "4"}"#, "aa", "bb", "end"]);
        let late = pieces(None, [None, None, Some("aa")]);
        let First::Begun(exchange, Poll::Pending) = begin(Method::GET, Response::new(late)) else {
            panic!("it is to come");
        };
        // The answer is gone with its future.
        assert_eq!(found(&exchange), ["{}", "failed"]);
        let broken = Pieces([Some(Err("no more".into()))].into(), SizeHint::default());
        let First::Begun(exchange, Poll::Ready(())) = begin(Method::GET, Response::new(broken))
        else {
            panic!("it has failed");
        };
        assert_eq!(found(&exchange), ["{}", "failed"]);
    }

    #[test]
    fn a_service_that_waits_goes_on_with_its_exchange() {
        let mut cx = Context::from_waker(Waker::noop());
        let call = pending::<Response<Pieces>>();
        let mut answer = Box::pin(Answer::new(call, asked(Method::GET), None));
        let First::Begun(exchange, Poll::Pending) = answer.as_mut().begin(&mut cx, exchange) else {
            panic!("it answers later");
        };
        assert!(answer.as_mut().poll(&mut cx).is_pending());
        exchange.down.close();
        assert!(answer.as_mut().poll(&mut cx).is_ready(), "the peer has given it up");
    }
}
