use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, Weak};

use regatta_core::Instant;
use regatta_core::types::{Protocol, Scheme};

use super::teller::{Story, Teller};
use super::*;
use crate::exchange::{Exchange, Message, Parcel};
use crate::spans::RequestSpan;

fn origin() -> Origin {
    Origin { scheme: Scheme::Http, host: "a.test".into(), port: 80 }
}

fn connection(slot: u32) -> ConnectionFacts {
    ConnectionFacts { id: ConnectionId::new(slot, 0), origin: origin() }
}

fn request() -> Arc<Story> {
    let (id, method, path) = (RequestId::new(0, 0), Method::GET, "/".into());
    let facts = RequestFacts { id, after: None, tries: 0, method, origin: origin(), path };
    Arc::new(Story { facts, span: RequestSpan::default() })
}

fn teller(hooks: Hooks) -> Arc<Teller> {
    Tell::to(hooks).0.unwrap()
}

fn answered(status: u16) -> RequestEvent {
    RequestEvent::Answered { status: StatusCode::from_u16(status).unwrap() }
}

fn on_request(told: impl Fn(&RequestEvent) + Send + Sync + 'static) -> Hooks {
    let on_request = move |_: &RequestFacts, event: &RequestEvent| told(event);
    Hooks { on_connection: None, on_request: Some(Arc::new(on_request)) }
}

fn on_connection(told: impl Fn() + Send + Sync + 'static) -> Hooks {
    let on_connection = move |_: &ConnectionFacts, _: &ConnectionEvent| told();
    Hooks { on_connection: Some(Arc::new(on_connection)), on_request: None }
}

#[test]
fn nobody_listens_and_nothing_is_kept() {
    assert_eq!(Tell::to(Hooks::default()).0.is_some(), cfg!(feature = "tracing"));
    let tell = Tell::to(on_connection(|| {}));
    let exchange = Arc::new(Exchange::new(Instant::EPOCH, 0));
    let message = Message { head: http::Request::new(()), end: true };
    let parcel = Parcel::new(Box::new(message), &exchange, Told::default());
    assert!(tell.begun(&parcel, &origin()).is_none());
    tell.assigned(&parcel, ConnectionId::new(0, 0), false);
    assert_eq!(tell.0.unwrap().line.state(), (0, false));
}

#[test]
fn it_is_told_once_that_a_connection_drains() {
    let told = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&told);
    let teller = teller(on_connection(move || {
        counts.fetch_add(1, Ordering::Relaxed);
    }));
    for reason in [DrainReason::Peer, DrainReason::Pool, DrainReason::Peer] {
        teller.connection(connection(1), ConnectionEvent::Draining { reason });
    }
    let closed = ConnectionEvent::Closed {
        cause: Cause::Closed,
        address: SocketAddr::from(([192, 0, 2, 1], 80)),
        requests: 1,
        lived: Duration::ZERO,
    };
    teller.connection(connection(1), closed);
    teller.tell();
    assert_eq!(told.load(Ordering::Relaxed), 2);
    assert!(teller.draining.lock().unwrap().is_empty());
}

/// What a function causes is told when it has returned, in order, and without a lock held.
#[test]
fn a_function_that_causes_events_hears_of_them_later() {
    let own: Arc<OnceLock<Weak<Teller>>> = Arc::default();
    let heard: Arc<Mutex<Vec<RequestEvent>>> = Arc::default();
    let (again_by, hears) = (Arc::clone(&own), Arc::clone(&heard));
    let teller = teller(on_request(move |event| {
        if *event == answered(200) {
            let teller = again_by.get().unwrap().upgrade().unwrap();
            teller.request(request(), answered(202), None);
            teller.tell();
            assert!(hears.lock().unwrap().is_empty(), "told while a function runs");
        }
        hears.lock().unwrap().push(event.clone());
    }));
    own.set(Arc::downgrade(&teller)).unwrap();
    teller.request(request(), answered(200), None);
    teller.request(request(), answered(201), None);
    teller.tell();
    assert_eq!(*heard.lock().unwrap(), [answered(200), answered(201), answered(202)]);
    assert_eq!(teller.line.state(), (0, false));
}

#[test]
fn a_function_that_panics_does_not_silence_what_follows() {
    let told = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&told);
    let teller = teller(on_request(move |_| {
        assert!(counts.fetch_add(1, Ordering::Relaxed) > 0, "the first is too much");
    }));
    teller.request(request(), answered(200), None);
    teller.request(request(), answered(201), None);
    let thrown = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| teller.tell()));
    assert!(thrown.is_err());
    teller.tell();
    assert_eq!(told.load(Ordering::Relaxed), 2);
}

/// A service may answer what its peer has given up already.
#[test]
fn nothing_is_told_of_a_servers_request_behind_its_end() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let on_request = move |facts: &ServerRequestFacts, event: &ServerRequestEvent| {
        hears.lock().unwrap().push((facts.number, event.clone()));
    };
    let hooks = ServerHooks { on_connection: None, on_request: Some(Arc::new(on_request)) };
    let tell = TellServer::to(hooks);
    let facts = |number| ServerRequestFacts {
        connection: ConnectionId::new(0, 0),
        number,
        peer: None,
        protocol: Protocol::Http2,
        method: Method::GET,
        path: "/".into(),
    };
    let (given_up, answered) = (tell.begun(Instant::EPOCH, || facts(1)), StatusCode::OK);
    let end = Instant::EPOCH + Duration::from_secs(2);
    given_up.ended(end, Outcome::Failed(Cause::StreamReset(8)), 0, 0);
    given_up.answered(answered);
    let whole = tell.begun(Instant::EPOCH, || facts(2));
    whole.answered(answered);
    whole.ended(end, Outcome::Complete, 0, 0);
    let ended = |ending, status| {
        let took = Duration::from_secs(2);
        ServerRequestEvent::Ended(ServerEnded { ending, status, received: 0, sent: 0, took })
    };
    let expected = [
        (1, ServerRequestEvent::Begun),
        (1, ended(Ending::Failed(Cause::StreamReset(8)), None)),
        (2, ServerRequestEvent::Begun),
        (2, ServerRequestEvent::Answered { status: answered }),
        (2, ended(Ending::Complete, Some(answered))),
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
    assert!(!TellServer::to(ServerHooks::default()).begun(end, || facts(3)).is_heard());
}
