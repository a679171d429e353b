//! A response that is on its way: one try after the other, until one is the caller's.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use regatta_core::Instant;
#[cfg(feature = "http3")]
use regatta_core::engine::h3::Priority;
use regatta_core::id::RequestId;
use regatta_core::retry::{self, Decision, Outcome, Retry, Verdict, Why};
use regatta_core::types::{Key, MethodClass};
use regatta_core::upstream::Event;

use crate::body::{Body, GiveUp, Guard, Length, Side, Upload};
use crate::client::Inner;
use crate::error::{Error, Kind};
use crate::exchange::{Exchange, Message, Parcel, REPLAY_BUFFER};
use crate::hooks::Told;
use crate::hub::Hub;
use crate::mail::{Frame, Received, is_interim};
use crate::options::InformationalHook;
use crate::runtime::{Runtime, Timer as _};

/// What the request's method means for its response's Content-Length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// HEAD: it tells of a body that does not come.
    Head,
    /// CONNECT: it means nothing on success.
    Connect,
    Other,
}

impl Answers {
    pub(crate) fn to(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }

    /// Whether Content-Length is the body's length.
    fn has_length(self, status: StatusCode) -> bool {
        let empty = [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NOT_MODIFIED].contains(&status);
        match self {
            Self::Head => false,
            Self::Connect => !status.is_success(),
            Self::Other => !empty,
        }
    }
}

/// A response that is on its way.
#[must_use = "nothing is sent until it is polled"]
pub struct ResponseFuture<R: Runtime> {
    /// The client lives as long as a request of its own is on its way.
    pub(crate) inner: Arc<Inner<R>>,
    /// The current try's.
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) answers: Answers,
    pub(crate) upload: Option<Upload>,
    pub(crate) hook: Option<InformationalHook>,
    pub(crate) start: Option<Start>,
    pub(crate) tries: Option<Tries>,
    pub(crate) stage: Stage<R>,
}

pub(crate) enum Stage<R: Runtime> {
    Failed(Error),
    Start,
    Waiting(RequestId),
    /// The last try is over, or will be; the next begins when the timer says so.
    Pausing(Box<Pause<R>>),
    /// The last try gives its head back, for this one.
    Returning(RequestId, Arc<Exchange>),
    Done,
}

/// Between two tries.
pub(crate) struct Pause<R: Runtime> {
    /// The last one.
    request: RequestId,
    timer: Option<R::Timer>,
    /// The connection that answered is to take nothing more.
    elsewhere: bool,
    /// The next one's; the body is there already.
    next: Arc<Exchange>,
}

pub(crate) struct Start {
    pub(crate) parcel: Parcel,
    pub(crate) timeout: Option<Duration>,
    pub(crate) policy: Arc<retry::Policy>,
}

/// What every try of a request has in common.
pub(crate) struct Tries {
    pub(crate) key: Key,
    pub(crate) method: MethodClass,
    pub(crate) requested: Instant,
    pub(crate) deadline: Option<Instant>,
    /// `None` before the first try.
    pub(crate) retry: Option<Retry>,
    /// For those who listen, as the current try brought it.
    pub(crate) told: Told,
}

impl<R: Runtime> ResponseFuture<R> {
    /// The id of the request while its response's head is awaited: what records and views name.
    /// Each try has its own.
    pub const fn id(&self) -> Option<RequestId> {
        match self.stage {
            Stage::Waiting(request) => Some(request),
            _ => None,
        }
    }

    /// Changes how urgent the answer is, while its head is awaited; of what follows
    /// [`Body::prioritize`] does. What it is from the beginning says the request's own field:
    /// `request.header("priority", HttpPriority { urgency: 1, incremental: true })`.
    ///
    /// Over HTTP/3 the server is told by PRIORITY_UPDATE (RFC 9218 7.2), at once or when the
    /// request is sent, and again where the request goes again. Other protocols cannot say it:
    /// nothing is done.
    #[cfg(feature = "http3")]
    pub fn prioritize(&self, priority: Priority) {
        self.exchange.set_wish(priority);
        self.inner.hub.prioritize(&self.exchange);
    }

    pub(crate) fn failed(inner: Arc<Inner<R>>, error: Error) -> Self {
        let exchange = Arc::new(Exchange::new(inner.hub.runtime.now(), 0));
        let (answers, stage) = (Answers::Other, Stage::Failed(error));
        let (upload, hook, start, tries) = (None, None, None, None);
        Self { inner, exchange, answers, upload, hook, start, tries, stage }
    }

    fn start(&mut self) -> Option<RequestId> {
        let Start { parcel, timeout, policy } = self.start.take()?;
        let tries = self.tries.as_mut()?;
        tries.deadline = timeout.map(|timeout| self.inner.hub.runtime.now() + timeout);
        tries.retry = Some(Retry::new(policy, tries.method, tries.deadline));
        let (key, method, deadline) = (tries.key.clone(), tries.method, tries.deadline);
        Some(self.inner.hub.request(key, method, deadline, parcel))
    }

    /// What comes of the current try, when it is known.
    fn poll_answer(&self, cx: &mut Context<'_>) -> Poll<Result<Box<Response<()>>, Error>> {
        loop {
            match ready!(self.exchange.down.poll_read(cx)) {
                Received::Frame(Frame::Head(head)) if is_interim(head.status()) => {
                    if let Some(hook) = &self.hook {
                        hook(&head);
                    }
                }
                Received::Frame(Frame::Head(head)) => return Poll::Ready(Ok(head)),
                Received::Failed(Some(error)) => return Poll::Ready(Err(error)),
                _ => return Poll::Ready(Err(Error::new(Kind::Gone))),
            }
        }
    }

    /// When another try follows this one, and whether elsewhere; else what the caller is told of
    /// the tries, where there is anything to tell.
    fn judge(
        &mut self,
        answer: &Result<Box<Response<()>>, Error>,
    ) -> Result<(Instant, bool), Option<Verdict>> {
        let Some(retry) = self.tries.as_mut().and_then(|tries| tries.retry.as_mut()) else {
            return Err(None);
        };
        let outcome = match answer {
            Ok(head) => Outcome::Answered { status: head.status().as_u16(), retry_after: None },
            Err(error) => match error.kind() {
                Kind::Refused(reason) => Outcome::Refused(*reason),
                _ => return Err(Some(retry.verdict(Why::NotCovered))),
            },
        };
        if !retry.covers(outcome) {
            let verdict = retry.verdict(Why::NotCovered);
            let untold = answer.is_ok() && matches!(verdict, Verdict::NotRetried { .. });
            return Err((!untold).then_some(verdict));
        }
        let hub = &self.inner.hub;
        let outcome = match answer {
            Ok(head) => {
                let unix = hub.runtime.unix_at_epoch();
                let field = head.headers().get(RETRY_AFTER).and_then(|field| field.to_str().ok());
                let since = hub.runtime.now().saturating_since(Instant::EPOCH);
                let retry_after = field.and_then(|field| retry::retry_after(field, unix + since));
                Outcome::Answered { status: head.status().as_u16(), retry_after }
            }
            Err(_) => outcome,
        };
        let body = self.exchange.up.body_state();
        let decided =
            hub.retry(|now, active, ledger| retry.decide(now, outcome, body, active, ledger));
        match decided {
            Decision::Again { at, elsewhere } => Ok((at, elsewhere)),
            Decision::Stop(why) => Err(Some(retry.verdict(why))),
        }
    }

    /// The next try begins at `at`. Its body is taken out of the last one's hands at once, which
    /// may still be sending it. Otherwise what the caller is told.
    fn pause(
        &mut self,
        request: RequestId,
        (at, elsewhere): (Instant, bool),
    ) -> Result<(), Option<Verdict>> {
        let Some(tries) = &mut self.tries else { return Err(None) };
        let Some(frames) = self.exchange.up.take_back() else {
            return Err(tries.retry.as_mut().map(|retry| retry.unmade(elsewhere)));
        };
        let next = Arc::new(Exchange::held(tries.requested, REPLAY_BUFFER));
        next.count_in(&self.inner.hub.settings.bodies);
        for frame in frames {
            next.up.write(frame);
        }
        if let Some(upload) = &mut self.upload {
            upload.redirect(&next);
        }
        let runtime = &self.inner.hub.runtime;
        let timer = (at > runtime.now()).then(|| runtime.timer(at));
        self.stage = Stage::Pausing(Box::new(Pause { request, timer, elsewhere, next }));
        Ok(())
    }

    /// The pause is over: the last try gives everything back. A response that is still coming is
    /// given up only now, because one that ends by itself leaves its connection usable.
    fn take_back(&mut self, pause: Pause<R>) {
        let Pause { request, elsewhere, next, .. } = pause;
        let hub = &self.inner.hub;
        if elsewhere && let Some(connection) = self.exchange.connection() {
            hub.feed(Event::Refusing(connection));
        }
        self.stage = Stage::Returning(request, next);
        if !self.exchange.is_over() {
            self.exchange.down.close();
            hub.feed(Event::Cancelled(request));
        }
    }

    /// Begins the next try with the head that came back.
    fn try_again(
        &mut self,
        last: RequestId,
        message: Box<Message>,
        next: Arc<Exchange>,
    ) -> Option<RequestId> {
        let tries = self.tries.as_mut()?;
        let parcel = Parcel::new(message, &next, tries.told.next(last));
        #[cfg(feature = "http3")]
        if let Some(wish) = self.exchange.wish() {
            next.set_wish(wish);
        }
        self.exchange = next;
        let (key, method, deadline) = (tries.key.clone(), tries.method, tries.deadline);
        Some(self.inner.hub.request(key, method, deadline, parcel))
    }

    /// This is what the caller gets.
    fn deliver(
        &mut self,
        request: RequestId,
        answer: Result<Box<Response<()>>, Error>,
        verdict: Option<Verdict>,
    ) -> Result<Response<Body>, Error> {
        self.end_tries();
        self.exchange.let_go();
        let told = self.tries.take().map(|tries| tries.told).unwrap_or_default();
        match answer {
            Ok(head) => {
                told.span.answered(head.status(), told.tries, || self.exchange.timeline());
                Ok(self.response(request, *head, verdict))
            }
            Err(error) => {
                self.exchange.up.close();
                let error = error.with_timeline(self.exchange.timeline());
                told.span.failed(&error, told.tries);
                Err(error.with_verdict(verdict))
            }
        }
    }

    fn end_tries(&mut self) {
        if let Some(retry) = self.tries.as_mut().and_then(|tries| tries.retry.as_mut())
            && retry.holds()
        {
            self.inner.hub.retry(|_, _, ledger| retry.end(ledger));
        }
    }

    fn response(
        &mut self,
        request: RequestId,
        head: Response<()>,
        verdict: Option<Verdict>,
    ) -> Response<Body> {
        let (mut parts, ()) = head.into_parts();
        if let Some(verdict) = verdict {
            parts.extensions.insert(verdict);
        }
        let length = if self.answers.has_length(parts.status) {
            let length = parts.headers.get(CONTENT_LENGTH);
            length.and_then(|value| value.to_str().ok()?.parse().ok()).into()
        } else {
            Length::Untold
        };
        let guard = Guard { hub: Arc::clone(&self.inner.hub) as Arc<dyn GiveUp>, request };
        let body = Body::new(
            Arc::clone(&self.exchange),
            Side::Client,
            self.upload.take(),
            Some(guard),
            length,
        );
        Response::from_parts(parts, body)
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(done) = upload.poll(cx)
        {
            self.upload = None;
            if let Err(error) = done {
                self.give_up();
                return Err(error);
            }
        }
        Ok(())
    }

    fn give_up(&mut self) {
        self.end_tries();
        let stage = core::mem::replace(&mut self.stage, Stage::Done);
        let request = match stage {
            Stage::Waiting(request) => request,
            Stage::Pausing(pause) if !self.exchange.is_over() => pause.request,
            _ => return,
        };
        self.exchange.down.close();
        self.inner.hub.feed(Event::Cancelled(request));
    }
}

impl<R: Runtime> Future for ResponseFuture<R> {
    type Output = Result<Response<Body>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            // Before the request is made, so that a short body travels with its head.
            if let Err(error) = this.poll_upload(cx) {
                return Poll::Ready(Err(error));
            }
            match core::mem::replace(&mut this.stage, Stage::Done) {
                Stage::Failed(error) => return Poll::Ready(Err(error)),
                Stage::Start => match this.start() {
                    Some(request) => this.stage = Stage::Waiting(request),
                    None => return Poll::Ready(Err(Error::new(Kind::Gone))),
                },
                Stage::Waiting(request) => {
                    // Also while the caller's hook runs: if it panics, the request is given up.
                    this.stage = Stage::Waiting(request);
                    let answer = ready!(this.poll_answer(cx));
                    let again = this.judge(&answer).and_then(|again| this.pause(request, again));
                    if let Err(verdict) = again {
                        this.stage = Stage::Done;
                        return Poll::Ready(this.deliver(request, answer, verdict));
                    }
                }
                Stage::Pausing(mut pause) => {
                    let timer = pause.timer.as_mut();
                    if timer.is_some_and(|timer| timer.poll_expired(cx).is_pending()) {
                        this.stage = Stage::Pausing(pause);
                        return Poll::Pending;
                    }
                    this.take_back(*pause);
                }
                Stage::Returning(request, next) => {
                    let Poll::Ready(back) = this.exchange.poll_given_back(cx) else {
                        this.stage = Stage::Returning(request, next);
                        return Poll::Pending;
                    };
                    match back.and_then(|back| this.try_again(request, back, next)) {
                        Some(request) => this.stage = Stage::Waiting(request),
                        None => {
                            this.end_tries();
                            return Poll::Ready(Err(Error::new(Kind::Gone)));
                        }
                    }
                }
                Stage::Done => return Poll::Ready(Err(Error::new(Kind::Gone))),
            }
        }
    }
}

impl<R: Runtime> Drop for ResponseFuture<R> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<R: Runtime> fmt::Debug for ResponseFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<R: Runtime> GiveUp for Hub<R> {
    fn give_up(self: Arc<Self>, request: RequestId) {
        self.feed(Event::Cancelled(request));
    }

    #[cfg(feature = "http3")]
    fn prioritize(&self, exchange: &Arc<Exchange>) {
        Self::prioritize(self, exchange);
    }
}
