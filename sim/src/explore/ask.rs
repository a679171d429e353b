//! A caller: makes one request, reads the answer as planned, and closes its entry.

use core::future::{Future as _, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use regatta_core::id::ProfileId;
use regatta_core::types::Priority;
use regatta_models::seen::Seen;
use regatta_runtime::{Body, Client, Error, ErrorKind, RequestOptions, Runtime as _};

use super::book::{Book, Result};
use super::case::{Case, OriginPlan};
use super::workload::{Reading, RequestPlan};
use crate::host::Host;
use crate::peer::{Pattern, byte_at};

/// What all callers of a run share.
#[derive(Clone)]
pub(crate) struct Callers {
    pub(crate) host: Host,
    pub(crate) case: Arc<Case>,
    pub(crate) book: Arc<Book>,
    pub(crate) seen: Arc<Mutex<Seen>>,
    /// What a caller saw and that cannot be.
    pub(crate) wrong: Arc<Mutex<Option<String>>>,
}

impl Callers {
    fn complain(&self, text: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }

    fn meet(&self, group: &'static str, item: &'static str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).sometimes(group, item);
    }

    fn failed(&self, error: &Error) -> String {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let ErrorKind::Refused(reason) = error.kind() {
            seen.refusal(reason, error.attempts());
        }
        error.to_string()
    }
}

/// Makes request `n` at its time.
pub(crate) async fn ask(callers: Callers, client: Client<Host>, n: usize) {
    let plan = callers.case.requests[n].clone();
    let origin = callers.case.origins[plan.origin].clone();
    callers.host.sleep(plan.at).await;
    callers.book.note(n, |entry| entry.begun = Some(callers.host.now()));
    callers.book.moves(1);
    let result = {
        let mut work = pin!(exchange(&callers, client, n, &plan, &origin));
        let mut limit = pin!(limit(&callers, n, plan.cancel));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => limit.as_mut().poll(cx).map(|()| Result::Cancelled),
        })
        .await
    };
    callers.meet("caller", result.name());
    let now = callers.host.now();
    callers.book.close(n, now, result);
}

/// Ends when the caller gives up.
async fn limit(callers: &Callers, n: usize, cancel: Option<Duration>) {
    match cancel {
        Some(time) => callers.host.sleep(time).await,
        None => callers.book.wants_end(n).await,
    }
}

fn request(host: &Host, n: usize, plan: &RequestPlan, origin: &OriginPlan) -> Request<Pattern> {
    let mut options = RequestOptions::default();
    options.timeout = plan.timeout;
    options.profile = ProfileId(plan.profile);
    options.priority = if plan.high { Priority::High } else { Priority::Default };
    let mut request = Request::builder()
        .method(plan.method.clone())
        .uri(format!("{}://{}/{n}", origin.scheme.as_str(), origin.name))
        .header("x-request", n)
        .extension(options);
    if plan.expect {
        request = request.header("expect", "100-continue");
    }
    let body = Pattern::new(host, n, plan.upload, plan.trickle);
    request.body(body).expect("the drawn request is well formed")
}

async fn exchange(
    callers: &Callers,
    client: Client<Host>,
    n: usize,
    plan: &RequestPlan,
    origin: &OriginPlan,
) -> Result {
    let mut response = client.request(request(&callers.host, n, plan, origin));
    drop(client);
    let answered = poll_fn(|cx| {
        let polled = core::pin::Pin::new(&mut response).poll(cx);
        if let Some(id) = response.id() {
            callers.book.note(n, |entry| entry.id = Some(id));
        }
        polled
    })
    .await;
    drop(response);
    let response = match answered {
        Ok(response) => response,
        Err(error) => return Result::Failed(callers.failed(&error)),
    };
    callers.book.note(n, |entry| entry.head = Some(callers.host.now()));
    callers.book.moves(1);
    if response.version() == Version::HTTP_3 {
        callers.meet("http3", "answered");
    }
    let Some(which) = response.headers().get("x-answered") else {
        return match response.into_body().collect().await {
            Ok(_) => Result::Scripted,
            Err(error) => Result::Broken(callers.failed(&error)),
        };
    };
    if which != n.to_string().as_str() {
        callers.complain(format!("request {n} got the answer of request {which:?}"));
    }
    if response.status() != plan.answer.status {
        let (status, expected) = (response.status(), plan.answer.status);
        callers.complain(format!("request {n} got status {status} instead of {expected}"));
    }
    read(callers, n, plan, response).await
}

/// How many bytes an answer's body has.
fn expected(plan: &RequestPlan) -> usize {
    let status = StatusCode::from_u16(plan.answer.status).unwrap_or(StatusCode::OK);
    let none = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    if plan.method == Method::HEAD || none.contains(&status) { 0 } else { plan.answer.bytes }
}

async fn read(callers: &Callers, n: usize, plan: &RequestPlan, response: Response<Body>) -> Result {
    let mut body = response.into_body();
    let mut place = 0;
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return Result::Broken(callers.failed(&error)),
        };
        let Ok(data) = frame.into_data() else { continue };
        if !data.iter().zip(place..).all(|(byte, place)| *byte == byte_at(n, place)) {
            callers.complain(format!("the answer to request {n} is wrong from byte {place} on"));
        }
        place += data.len();
        callers.book.moves(data.len());
        match plan.reading {
            Reading::Whole => {}
            Reading::Slow(pause) => callers.host.sleep(pause).await,
            Reading::Part(most) if place > most => return Result::Dropped,
            Reading::Part(_) => {}
        }
    }
    let expected = expected(plan);
    if place != expected {
        callers.complain(format!("the answer to {n} ended well with {place} bytes of {expected}"));
    }
    Result::Answered
}
