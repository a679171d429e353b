//! Spans and events of `tracing`: what a collector is told of clients and servers.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use regatta_tokio::{RequestOptions, RetryPolicy};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::ask::send;
use crate::dsl::{Peer, run};
use crate::serve::{Serving, text};

type Fields = BTreeMap<String, String>;

/// A span or an event.
#[derive(Clone, Debug)]
struct Told {
    target: String,
    name: String,
    /// Which span it is in: its place among all.
    parent: Option<usize>,
    fields: Fields,
    is_event: bool,
    open: bool,
}

/// Keeps everything.
#[derive(Clone, Debug, Default)]
struct Collector {
    all: Arc<Mutex<Vec<Told>>>,
    /// How often each span was cloned.
    held: Arc<Mutex<BTreeMap<u64, u64>>>,
    within: Arc<Mutex<Vec<u64>>>,
}

impl Collector {
    fn add(
        &self,
        target: &Metadata<'_>,
        parent: Option<u64>,
        fields: Fields,
        is_event: bool,
    ) -> u64 {
        let mut all = self.all.lock().unwrap();
        let parent = parent.map(|id| usize::try_from(id).unwrap() - 1);
        let (target, name) = (target.target().to_owned(), target.name().to_owned());
        all.push(Told { target, name, parent, fields, is_event, open: !is_event });
        all.len() as u64
    }

    fn current(&self) -> Option<u64> {
        self.within.lock().unwrap().last().copied()
    }

    fn told(&self) -> Vec<Told> {
        self.all.lock().unwrap().clone()
    }

    /// The spans of this target, each with the messages of its events.
    fn spans(&self, target: &str) -> Vec<(Told, Vec<String>)> {
        let all = self.told();
        let events = |at: usize| {
            let own = all.iter().filter(move |told| told.is_event && told.parent == Some(at));
            own.map(|told| told.fields["message"].clone()).collect()
        };
        let spans = all.iter().enumerate().filter(|(_, told)| !told.is_event);
        let spans = spans.filter(|(_, told)| told.target == target);
        spans.map(|(at, told)| (told.clone(), events(at))).collect()
    }

    /// The messages of all events of this target that are in no span.
    fn loose(&self, target: &str) -> Vec<String> {
        let all = self.told().into_iter();
        let own = all.filter(|told| told.is_event && told.parent.is_none());
        own.filter(|told| told.target == target)
            .map(|told| told.fields["message"].clone())
            .collect()
    }
}

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let known = self.0.insert(field.name().to_owned(), format!("{value:?}"));
        assert_eq!(known, None, "{} was told before", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("regatta")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Reader(&mut fields));
        let parent = if span.is_contextual() { self.current() } else { None };
        let parent = parent.or_else(|| span.parent().map(Id::into_u64));
        let id = self.add(span.metadata(), parent, fields, false);
        self.held.lock().unwrap().insert(id, 1);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let at = usize::try_from(span.into_u64()).unwrap() - 1;
        values.record(&mut Reader(&mut self.all.lock().unwrap()[at].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        let parent = if event.is_contextual() { self.current() } else { None };
        let parent = parent.or_else(|| event.parent().map(Id::into_u64));
        self.add(event.metadata(), parent, fields, true);
    }

    fn enter(&self, span: &Id) {
        self.within.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.within.lock().unwrap().pop(), Some(span.into_u64()));
    }

    fn clone_span(&self, id: &Id) -> Id {
        *self.held.lock().unwrap().get_mut(&id.into_u64()).unwrap() += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut held = self.held.lock().unwrap();
        let count = held.get_mut(&id.into_u64()).unwrap();
        *count -= 1;
        let is_over = *count == 0;
        if is_over {
            let at = usize::try_from(id.into_u64()).unwrap() - 1;
            self.all.lock().unwrap()[at].open = false;
        }
        is_over
    }
}

/// Runs the test while everything that it causes is collected.
fn collected(test: impl Future<Output = ()>) -> Collector {
    let collector = Collector::default();
    tracing::subscriber::with_default(collector.clone(), || run(test));
    collector
}

fn ask(url: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(url).header("authorization", "Bearer secret");
    request.body(Empty::new()).unwrap()
}

#[track_caller]
fn has(fields: &Fields, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(fields.get(*name).map(String::as_str), Some(*value), "{name} of {fields:?}");
    }
}

/// The server's side of it.
fn served(collector: &Collector) {
    let servers = collector.spans("regatta::server");
    let [(served, within), (other, _)] = &servers[..] else { panic!("{servers:?}") };
    has(
        &served.fields,
        &[
            ("otel.name", "GET"),
            ("otel.kind", "server"),
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("url.path", "/a/b"),
            ("url.scheme", "http"),
            ("network.protocol.version", "1.1"),
            ("network.peer.address", "127.0.0.1"),
        ],
    );
    assert_eq!(within[..], ["in the service"]);
    assert_eq!((served.parent, other.parent), (None, None));
}

#[test]
fn a_request_is_a_span_on_both_sides() {
    let mut address = None;
    let collector = collected(async {
        let client = regatta_tokio::client().build().unwrap();
        let server = Serving::plain(|_| async {
            tracing::info!(target: "regatta-test", "in the service");
            text("ok")
        })
        .await;
        address = Some(server.address);
        let caller = tracing::info_span!(target: "regatta-test", "caller");
        let asking = caller.in_scope(|| client.request(ask(&server.url("/a/b?key=secret"))));
        let response = asking.await.unwrap();
        http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
        send(&client, ask(&server.url("/"))).await.unwrap();
        client.close(core::time::Duration::from_secs(5)).await;
        server.handle.drain().await;
    });
    let address = address.unwrap();
    let port = address.port().to_string();
    let clients = collector.spans("regatta::client");
    let [(first, events), (_, later)] = &clients[..] else { panic!("{clients:?}") };
    assert_eq!(first.name, "request");
    assert_eq!(collector.told()[first.parent.unwrap()].name, "caller");
    let url = format!("http://{address}/a/b");
    has(
        &first.fields,
        &[
            ("otel.name", "GET"),
            ("otel.kind", "client"),
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("url.full", &url),
            ("server.address", "127.0.0.1"),
            ("server.port", &port),
            ("network.protocol.version", "1.1"),
            ("network.peer.address", "127.0.0.1"),
            ("network.peer.port", &port),
        ],
    );
    assert_eq!(first.fields.get("otel.status_code"), None);
    let all = ["attempt to connect", "given to a connection", "answered", "ended"];
    assert_eq!(events[..], all);
    assert_eq!(later[..], all[1..], "on the same connection");

    served(&collector);
    assert_eq!(
        collector.loose("regatta::connection"),
        ["connecting", "connected", "draining", "closed"]
    );
    assert_eq!(collector.loose("regatta::server"), ["connection begins", "connection ends"]);
    let told = collector.told();
    assert!(told.iter().all(|told| !told.open), "every span ends: {told:?}");
    assert!(!format!("{told:?}").contains("secret"), "{told:?}");
}

#[test]
fn a_query_is_told_only_where_that_was_asked_for() {
    let collector = collected(async {
        let client = regatta_tokio::client().trace_queries(true).build().unwrap();
        let server = Serving::plain(|_| async { text("ok") }).await;
        let url = server.url("/a?b=c").replace("//", "//user:secret@");
        send(&client, ask(&url)).await.unwrap();
    });
    let [(span, _)] = &collector.spans("regatta::client")[..] else { panic!("one request") };
    assert!(span.fields["url.full"].ends_with("/a?b=c"), "{span:?}");
    assert!(!span.fields["url.full"].contains("secret"), "{span:?}");
}

#[test]
fn what_fails_says_so() {
    let collector = collected(async {
        let client = regatta_tokio::client().build().unwrap();
        let peer = Peer::bind().await;
        let nobody = peer.url("/");
        drop(peer);
        send(&client, ask(&nobody)).await.unwrap_err();
    });
    let [(span, events)] = &collector.spans("regatta::client")[..] else { panic!("one request") };
    has(&span.fields, &[("otel.status_code", "ERROR"), ("error.type", "Refused")]);
    assert_eq!(events[..], ["attempt to connect", "ended"]);
    assert!(!span.open);
    assert_eq!(collector.loose("regatta::connection"), ["connecting", "cannot connect"]);
}

/// Whatever is done for it, a request is one span.
#[test]
fn what_is_tried_and_sent_again_stays_one_span() {
    let collector = collected(async {
        let client = regatta_tokio::client().build().unwrap();
        let peer = Peer::bind().await;
        let script = async {
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
            line.head().await;
            drop(line);
            let mut line = peer.line().await;
            line.head().await;
            line.send("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        };
        let mut request = ask(&peer.url("/"));
        let options = RequestOptions::default().with_retry(RetryPolicy::retries(1));
        request.extensions_mut().insert(options);
        let (said, ()) = tokio::join!(send(&client, request), script);
        assert_eq!(said.unwrap().status, 404);
    });
    let [(span, events)] = &collector.spans("regatta::client")[..] else { panic!("one request") };
    has(
        &span.fields,
        &[
            ("http.response.status_code", "404"),
            ("http.request.resend_count", "2"),
            ("otel.status_code", "ERROR"),
            ("error.type", "404"),
        ],
    );
    let first = ["attempt to connect", "given to a connection", "answered", "ended"];
    let second = ["tried again", "given to a connection", "sent again"];
    let third = ["attempt to connect", "given to a connection", "answered", "ended"];
    assert_eq!(events[..], [&first[..], &second[..], &third[..]].concat());
}

/// A collector that wants nothing.
struct Deaf;

impl Subscriber for Deaf {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        panic!("nobody wants {span:?}")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        panic!("nobody wants {event:?}")
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn nobody_is_told_what_nobody_wants() {
    tracing::subscriber::with_default(Deaf, || {
        run(async {
            let client = regatta_tokio::client().build().unwrap();
            let server = Serving::plain(|_| async { text("ok") }).await;
            send(&client, ask(&server.url("/"))).await.unwrap();
        });
    });
}
