//! The client that people hold: requests in, responses out.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use http::header::CONTENT_LENGTH;
use http::uri::{Authority, Scheme};
use http::{Method, Request, Uri};
use http_body::Body as HttpBody;
use regatta_core::Instant;
use regatta_core::altsvc::{Clock, FileError, Ledger, Said, Source};
use regatta_core::engine::Decimal;
use regatta_core::id::ClusterId;
use regatta_core::types::{Key, Origin, OriginError};
use regatta_core::upstream::{Event, Upstream};

use crate::answer::frames_itself;
use crate::body::{BoxError, Side, Upload};
use crate::builder::Builder;
use crate::closing::Closing;
use crate::error::{Error, Kind, shown};
use crate::exchange::{Exchange, Message, Parcel, REPLAY_BUFFER};
use crate::hooks::Told;
use crate::hub::Hub;
use crate::options::RequestOptions;
use crate::response::{Answers, ResponseFuture, Stage, Start, Tries};
use crate::roads::Led;
use crate::runtime::Runtime;
use crate::spans::RequestSpan;
use crate::stats::Stats;

/// An HTTP client on a pool of connections. Clones share the pool; when the last one is
/// dropped and no response future is left, idle connections close and busy ones close when
/// their streams end.
pub struct Client<R: Runtime> {
    inner: Arc<Inner<R>>,
}

pub(crate) struct Inner<R: Runtime> {
    pub(crate) hub: Arc<Hub<R>>,
    /// The origin that was asked for last, as its URI wrote it: requests come in rows.
    recent: Mutex<Option<(Scheme, Authority, Origin)>>,
}

impl<R: Runtime> Inner<R> {
    /// The origin of an absolute URI.
    fn origin(&self, uri: &Uri) -> Result<Origin, Error> {
        // Who would have to wait for another thread finds it out anew.
        let (Some(scheme), Some(authority), Ok(mut recent)) =
            (uri.scheme(), uri.authority(), self.recent.try_lock())
        else {
            return origin_of(uri);
        };
        if let Some((known, place, origin)) = &*recent
            && known == scheme
            && place.as_str() == authority.as_str()
        {
            return Ok(origin.clone());
        }
        let origin = origin_of(uri)?;
        *recent = Some((scheme.clone(), authority.clone(), origin.clone()));
        Ok(origin)
    }
}

impl<R: Runtime> Drop for Inner<R> {
    fn drop(&mut self) {
        self.hub.feed(Event::Drain);
    }
}

impl<R: Runtime> Client<R> {
    /// Begins to build a client on `runtime`.
    pub fn builder(runtime: R) -> Builder<R> {
        Builder::new(runtime)
    }

    pub(crate) fn of(hub: Arc<Hub<R>>) -> Self {
        Self { inner: Arc::new(Inner { hub, recent: Mutex::default() }) }
    }

    /// Sends a request. The future resolves when the final response's head is there; dropping
    /// it, or the response's body before its end, gives the request up.
    ///
    /// The URI is absolute. A body with a known length gets its Content-Length.
    pub fn request<B>(&self, request: Request<B>) -> ResponseFuture<R>
    where
        B: HttpBody + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let inner = Arc::clone(&self.inner);
        let (mut parts, body) = request.into_parts();
        parts.uri = with_path(parts.uri);
        let mut head = Request::from_parts(parts, ());
        let options = head.extensions_mut().remove::<RequestOptions>().unwrap_or_default();
        let settings = &inner.hub.settings;
        let led = match (options.to.clone(), options.profile) {
            (Some(to), profile) => {
                settings.roads.may(&to, profile).map(|()| Led { to, profile, asked: None })
            }
            (None, profile) => match inner.origin(head.uri()) {
                Ok(origin) => settings.roads.lead(&mut head, origin, profile),
                Err(error) => return ResponseFuture::failed(inner, error),
            },
        };
        let led = match led {
            Ok(led) => led,
            Err(why) => {
                let error = Error::new(Kind::Request(why.to_string()));
                return ResponseFuture::failed(inner, error);
            }
        };
        let exact = body.size_hint().exact();
        let end = body.is_end_stream();
        // What follows an empty body that has not ended is trailers.
        if let Some(length) = exact.filter(|length| *length > 0)
            && !end
            && head.method() != Method::CONNECT
            && !frames_itself(head.headers())
        {
            head.headers_mut().insert(CONTENT_LENGTH, Decimal::of(length).value());
        }
        let now = inner.hub.runtime.now();
        let exchange = Arc::new(Exchange::held(now, REPLAY_BUFFER));
        let answers = Answers::to(head.method());
        let upload = (!end).then(|| Upload::new(body, &exchange, Side::Client));
        let Led { to: origin, profile, asked } = led;
        let key =
            Key { cluster: ClusterId::new(0, 0), origin, profile, priority: options.priority };
        let timeout = options.timeout.or(settings.request_timeout);
        let policy = options.retry.unwrap_or_else(|| Arc::clone(&settings.retry));
        let method = settings.class(key.profile, head.method(), end);
        // A tunnel is opened with nothing said, and speaks later.
        let end = end && *head.method() != Method::CONNECT;
        exchange.count_in(&settings.bodies);
        let span =
            RequestSpan::of(&head, asked.as_ref().unwrap_or(&key.origin), settings.trace_queries);
        let told = Told { span, ..Told::default() };
        let parcel = Parcel::new(Box::new(Message { head, end }), &exchange, told.clone());
        ResponseFuture {
            inner,
            exchange,
            answers,
            upload,
            hook: options.on_informational,
            start: Some(Start { parcel, timeout, policy }),
            tries: Some(Tries { key, method, requested: now, deadline: None, retry: None, told }),
            stage: Stage::Start,
        }
    }

    /// Counters, pools and connections as they are now.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.inner.hub)
    }

    /// Takes nothing new, closes what is idle, and the rest when its streams end.
    pub fn drain(&self) {
        self.inner.hub.feed(Event::Drain);
    }

    /// As [`Client::drain`], and cuts off what is not over after `within`: such requests fail
    /// with [`Refusal::Closed`](regatta_core::types::Refusal::Closed), their streams are reset,
    /// and a connection that is not gone 1 s later is aborted.
    ///
    /// It begins at once; the future only waits until nothing is left, and says what was cut.
    /// Dropping it takes nothing back. Of several calls the earliest deadline holds.
    pub fn close(&self, within: Duration) -> Closing<R> {
        let hub = Arc::clone(&self.inner.hub);
        let at = hub.runtime.now() + within;
        hub.feed(Event::Close { at });
        Closing::new(hub)
    }

    /// The network changed: addresses are forgotten and connections drained. Over HTTP/3 what is
    /// under way goes on from the new address (RFC 9000 9).
    pub fn network_changed(&self) {
        self.inner.hub.feed(Event::NetworkChanged);
        #[cfg(feature = "http3")]
        self.inner.hub.move_connections();
    }

    /// Tells the client what else serves an origin, as who has it from elsewhere: an HTTPS record,
    /// a guess. What came to it in responses counts more than a guess ([`Source::Hint`]).
    pub fn learn(&self, origin: &Origin, said: Said, source: Source) {
        let origin = origin.clone();
        self.inner.hub.feed(Event::Learnt { origin, said, source, age: Duration::ZERO });
    }

    /// Takes what [`Client::alternatives`] of an earlier run has written, or curl's `--alt-svc`,
    /// in the place of all that is known of alternatives. Of a text that cannot be read nothing is
    /// taken; the error says which line is wrong.
    pub fn restore(&self, text: &str) -> Result<(), FileError> {
        let clock = self.clock();
        let config = self.inspect(|upstream| upstream.alternatives().config().clone());
        Ledger::from_text(config, clock, text)?;
        self.inner.hub.feed(Event::Restored { unix: clock.unix, text: text.into() });
        Ok(())
    }

    /// What is known of alternatives, as text for [`Client::restore`].
    pub fn alternatives(&self) -> String {
        let clock = self.clock();
        self.inspect(|upstream| upstream.alternatives().text(clock))
    }

    fn clock(&self) -> Clock {
        let runtime = &self.inner.hub.runtime;
        let now = runtime.now();
        let unix = runtime.unix_at_epoch() + now.saturating_since(Instant::EPOCH);
        Clock { now, unix: unix.as_secs() }
    }

    /// Recounts everything that the client holds and panics on the first lie. For tests, fuzzers
    /// and the simulator; production never calls it.
    pub fn check(&self) {
        self.inner.hub.check();
    }

    /// Looks at the decision machines, under their lock: `look` must not use the client.
    pub fn inspect<T>(&self, look: impl FnOnce(&Upstream) -> T) -> T {
        self.inner.hub.look(look)
    }

    /// How many requests were tried again by the policy of retries, and how many the budget kept
    /// from it.
    pub fn retries(&self) -> (u64, u64) {
        self.inner.hub.retries()
    }

    /// Bytes of bodies that all requests hold together, now and at most so far: what waits for its
    /// reader, and what is kept for sending it again.
    pub fn body_memory(&self) -> (usize, usize) {
        let bodies = &self.inner.hub.settings.bodies;
        (bodies.used(), bodies.most())
    }

    /// The most bytes that one direction of one request holds between its two tasks now, what is
    /// kept for sending it again included, and the most letters that wait for one connection.
    pub fn held(&self) -> (usize, usize) {
        self.inner.hub.held()
    }

    /// Takes what happened inside since the last call, oldest first.
    pub fn records(&self) -> Vec<regatta_core::record::Record> {
        self.inner.hub.records()
    }
}

impl<R: Runtime> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<R: Runtime> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The origin of an absolute URI.
fn origin_of(uri: &Uri) -> Result<Origin, Error> {
    Origin::of(uri).map_err(|error| {
        Error::new(Kind::Request(match error {
            OriginError::Relative => format!("the URI {} is not absolute", shown(uri)),
            OriginError::Scheme(scheme) => {
                format!("the scheme of {} is {scheme}, not http or https", shown(uri))
            }
            OriginError::Port(port) => {
                format!("the port of {} is {port}, not 1 to 65535", shown(uri))
            }
            error => format!("{error}: {}", shown(uri)),
        }))
    })
}

/// The same URI with `/` where its path is empty and a query follows (RFC 9112 3.2.1).
fn with_path(uri: Uri) -> Uri {
    let Some(query) = uri.path_and_query().map(|all| all.as_str()).filter(|q| q.starts_with('?'))
    else {
        return uri;
    };
    let with_path = format!("/{query}").parse().ok();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = with_path;
    Uri::from_parts(parts).unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(uri: &str) -> Result<String, String> {
        let uri = uri.parse::<Uri>().map_err(|error| error.to_string())?;
        origin_of(&uri).map(|origin| origin.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn origins_of_uris() {
        let all = [
            ("http://A.Test", "http://a.test:80"),
            ("https://a.test:/x", "https://a.test:443"),
            ("http://user:pass@a.test:8080/", "http://a.test:8080"),
            ("http://user:1@[2001:db8::1]", "http://[2001:db8::1]:80"),
            ("http://[2001:DB8::1]:81?q", "http://[2001:db8::1]:81"),
            ("http://a.test.:82/", "http://a.test.:82"),
        ];
        for (uri, expected) in all {
            assert_eq!(origin(uri).as_deref(), Ok(expected), "{uri}");
        }
    }

    #[test]
    fn uris_that_have_no_origin() {
        let all = [
            ("/only/a/path", "the URI /only/a/path is not absolute"),
            ("ftp://a.test/", "the scheme of ftp://a.test/ is ftp, not http or https"),
            ("http://a.test:70000/", "the port of http://a.test:70000/ is 70000, not 1 to 65535"),
            ("http://user:secret@a.test:0/", "the port of http://a.test:0/ is 0, not 1 to 65535"),
        ];
        for (uri, expected) in all {
            let expected = format!("the request cannot be sent: {expected}");
            assert_eq!(origin(uri).unwrap_err(), expected, "{uri}");
        }
    }

    #[test]
    fn a_query_without_a_path_gets_one() {
        let all = [
            ("http://a.test?q=1", "http://a.test/?q=1"),
            ("http://a.test", "http://a.test/"),
            ("http://a.test/p?q", "http://a.test/p?q"),
        ];
        for (uri, expected) in all {
            let uri = with_path(uri.parse().unwrap());
            let path = uri.path_and_query().unwrap().as_str();
            assert_eq!(format!("http://a.test{path}"), expected);
        }
    }
}
