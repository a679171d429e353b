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

use crate::body::{self, Body, BoxError, Side};
use crate::exchange::Exchange;
use crate::hooks::ToldRequest;
use crate::mail::{Frame, is_interim};
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
    /// All of it is there: its head, and its body where it has one.
    Whole(Response<()>, Option<Bytes>),
    /// It is in this exchange, all of it or what there was of it yet.
    Begun(Arc<Exchange>, Poll<()>),
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
        request: &Request<Body>,
        alt_svc: Option<HeaderValue>,
        told: ToldRequest,
    ) -> Self {
        let method = request.method();
        let (head_only, connect) = (*method == Method::HEAD, *method == Method::CONNECT);
        Self { head_only, connect, alt_svc, told, span: ServerSpan::of(request) }
    }

    /// Works within the request's span.
    pub(crate) fn scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.scope(work)
    }

    /// What is said of a response, and what follows it.
    fn say<B: HttpBody>(&mut self, response: Response<B>) -> (Response<()>, Follows<B>) {
        let (parts, body) = response.into_parts();
        let mut head = Response::from_parts(parts, ());
        if is_interim(head.status()) {
            // An interim response answers nothing: the peer would wait for ever.
            head = internal_error();
            self.tell(head.status());
            return (head, Follows::Nothing);
        }
        if let Some(alt_svc) = self.alt_svc.take() {
            head.headers_mut().entry(ALT_SVC).or_insert(alt_svc);
        }
        let status = head.status();
        self.tell(status);
        if status == StatusCode::SWITCHING_PROTOCOLS || (self.connect && status.is_success()) {
            return (head, Follows::Tunnel);
        }
        let exact = body.size_hint().exact();
        let ended = body.is_end_stream();
        // What follows an empty body that has not ended is trailers; and an empty body tells
        // nothing about what GET would have got.
        let unknown = exact == Some(0) && (self.head_only || !ended);
        if let Some(length) = exact
            && !unknown
            && !has_no_body(status)
            && !frames_itself(head.headers())
        {
            head.headers_mut().insert(CONTENT_LENGTH, Decimal::of(length).value());
        }
        let end = self.head_only || ended || has_no_body(status);
        (head, if end { Follows::Nothing } else { Follows::Body(body) })
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
        let (head, follows) = this.asked.say(response);
        // A request without an exchange asked for no tunnel: the engine refuses to make one.
        let Follows::Body(body) = follows else { return First::Whole(head, None) };
        this.work.set(Work::Body { body });
        let WorkProjection::Body { mut body } = this.work.as_mut().project() else {
            return First::Whole(head, None);
        };
        let frame = match this.asked.span.scope(|| body.as_mut().poll_frame(cx)) {
            Poll::Ready(None) => return First::Whole(head, None),
            Poll::Ready(Some(Ok(frame))) if body.is_end_stream() => match frame.into_data() {
                Ok(mut data) => {
                    let bytes = data.copy_to_bytes(data.remaining());
                    return First::Whole(head, Some(bytes).filter(|bytes| !bytes.is_empty()));
                }
                Err(frame) => Poll::Ready(Ok(frame)),
            },
            Poll::Ready(Some(frame)) => Poll::Ready(frame),
            Poll::Pending => Poll::Pending,
        };
        let exchange = make();
        this.exchange.0 = Some(Arc::clone(&exchange));
        exchange.down.write(Frame::Head(Box::new(head)));
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
            let head = Frame::Head(Box::new(head));
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
