//! One request and its response's head: `-v` tells about it, `--timeline` draws it.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response};
use regatta_core::Instant;
use regatta_core::types::{Cause::TunnelRefused, Origin, Scheme};
use regatta_tokio::{Body, Error, Proxy, RequestOptions, Route, Runtime as _, Timeline};

use super::batch::Batch;
use super::exit_code::{Exit, Failure};
use super::payload::Payload;
use super::rate::Pace;
use super::url::Url;
use super::verbose;
use crate::waterfall::file::Drawn;
use crate::{say, waterfall};

/// When a transfer must have ended, and the time that it was given.
pub(crate) type Deadline = Option<(Instant, Duration)>;

/// One request on its way.
pub(crate) struct Hop<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) url: &'a Url,
    pub(crate) method: Method,
}

/// What came of it.
pub(crate) struct Answer {
    pub(crate) result: Result<Response<Body>, Failure>,
    pub(crate) timeline: Option<Timeline>,
    /// Heads of interim responses, as on the wire.
    pub(crate) interim: Vec<u8>,
}

impl Answer {
    /// Nothing was asked.
    fn none(failure: Failure) -> Self {
        Self { result: Err(failure), timeline: None, interim: Vec::new() }
    }
}

#[derive(Default)]
struct Heard {
    said: String,
    heads: Vec<u8>,
}

impl Hop<'_> {
    /// Sends one request and waits for the response's head.
    pub(crate) async fn ask(
        &self,
        head: Request<()>,
        payload: &Payload,
        sent: &Arc<AtomicU64>,
        deadline: Deadline,
    ) -> Answer {
        let args = &self.batch.args;
        let mut options = RequestOptions::default();
        let now = self.batch.wire.now();
        options.timeout = deadline.map(|(at, _)| at.saturating_since(now));
        if let (Some(Duration::ZERO), Some((_, time))) = (options.timeout, deadline) {
            let text = format!("{}: the {time:?} of --max-time are over", self.url);
            return Answer::none(Failure::new(Exit::Timeout, text));
        }
        if let Some(proxy) = self.proxy().filter(|_| !args.way.connect_to.is_empty()) {
            // The rule would lead the connection to the proxy elsewhere, not the request.
            let text = format!(
                "{}: --connect-to does not go through the proxy {proxy}: leave one of them out, \
                 or name the host in --noproxy",
                self.url
            );
            return Answer::none(Failure::new(Exit::Usage, text));
        }
        if let Ok(origin) = Origin::of(self.url.uri()) {
            if args.way.http3_only && origin.scheme == Scheme::Http {
                let text = format!("{}: HTTP/3 is for https alone", self.url);
                return Answer::none(Failure::new(Exit::MalformedUrl, text));
            }
            self.batch.hint(&origin);
        }
        let heard = Arc::new(Mutex::new(Heard::default()));
        let hears = Arc::clone(&heard);
        options.on_informational = Some(Arc::new(move |response| {
            let mut heard = hears.lock().unwrap_or_else(PoisonError::into_inner);
            heard.said.push_str(&verbose::response(response));
            heard.heads.extend_from_slice(&verbose::head(response));
        }));
        let (mut parts, ()) = head.into_parts();
        let fields = args.output.verbose.then(|| parts.headers.clone());
        parts.extensions.insert(options);
        let body = payload.open(sent, Pace::new(args.way.limit_rate, self.batch.wire.clock()));
        let result = self.batch.client.request(Request::from_parts(parts, body)).await;
        let timeline = match &result {
            Ok(response) => timeline_of(response),
            Err(error) => error.timeline().cloned(),
        };
        let heard = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(fields) = fields {
            self.explain(&fields, timeline.as_ref(), &heard.said);
        }
        let result = match result {
            Ok(response) => {
                if args.output.verbose {
                    say::err(&verbose::response(&response));
                }
                Ok(response)
            }
            Err(error) => Err(self.failed(&error)),
        };
        Answer { result, timeline, interim: heard.heads }
    }

    /// The proxy that the request goes through.
    fn proxy(&self) -> Option<&Proxy> {
        let origin = Origin::of(self.url.uri()).ok()?;
        match self.batch.proxies.route(&origin) {
            Route::Forward(proxy) | Route::Tunnel(proxy) => Some(proxy),
            Route::Direct => None,
        }
    }

    /// `-v`: everything up to the response's own head.
    fn explain(&self, headers: &HeaderMap, timeline: Option<&Timeline>, interim: &str) {
        let uri = self.url.uri();
        let mut text = String::new();
        let mut was_sent = false;
        if let Some(timeline) = timeline {
            let mut decisions = self.batch.decisions.lock().unwrap_or_else(PoisonError::into_inner);
            decisions.read(self.batch.client.records());
            text.push_str(&verbose::connection(timeline, uri.host().unwrap_or_default()));
            text.push_str(&decisions.explain(timeline));
            was_sent = timeline.assigned.is_some();
        }
        if was_sent {
            let protocol = timeline.and_then(|timeline| timeline.connection.as_ref());
            let protocol =
                protocol.map_or_else(|| "HTTP/1.1".to_owned(), |used| used.protocol.to_string());
            let origin = Origin::of(uri).ok();
            let is_whole = origin.is_some_and(|origin| {
                matches!(self.batch.proxies.route(&origin), Route::Forward(_))
            });
            text.push_str(&verbose::request(&self.method, uri, is_whole, &protocol, headers));
        }
        text.push_str(interim);
        say::err(&text);
    }

    /// Draws what there is of a failed request.
    fn failed(&self, error: &Error) -> Failure {
        if let Some(timeline) = error.timeline() {
            self.draw("failed", timeline);
        }
        let mut failure = Failure::of(error);
        if self.batch.args.output.fail && matches!(error.cause(), Some(TunnelRefused(400..))) {
            failure.exit = Exit::Status;
        }
        failure
    }

    /// `--timeline`.
    pub(crate) fn draw(&self, outcome: &str, timeline: &Timeline) {
        let output = &self.batch.args.output;
        if output.timeline.is_none() {
            return;
        }
        if output.timeline_file().is_some() {
            return self.batch.shared.album.add(Drawn {
                method: self.method.to_string(),
                url: self.url.to_string(),
                outcome: outcome.to_owned(),
                timeline: timeline.clone(),
            });
        }
        let mut text = format!("\n{} {}: {outcome}\n", self.method, self.url);
        let summary = waterfall::summary(timeline);
        if !summary.is_empty() {
            let _ = writeln!(text, "{summary}");
        }
        text.push_str(&waterfall::draw(timeline));
        say::err(&text);
    }
}

fn timeline_of(response: &Response<Body>) -> Option<Timeline> {
    response.body().timeline().map(|handle| handle.snapshot())
}
