//! A client's stack against a server's TLS and engine, in memory.

use std::io;

use bytes::Bytes;
use http::{Request, Response};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};

use super::{Stack, StackEvent};
use crate::engine::tls::{ClientConfig, ClientOptions, Clock, ServerConfig, ServerOptions, Tls};
use crate::engine::{Config, Engine, Event, Head, Output, Shutdown, h1::H1, h2::H2};
use crate::time::{Duration, Instant};
use crate::types::{Cause, Limit, Protocol, TlsFault};

const T0: Instant = Instant::EPOCH;
const BOTH: [Protocol; 2] = [Protocol::Http2, Protocol::Http1];

/// Both ends; the client trusts the server if it is told to.
struct Pair {
    client: Stack,
    tls: Tls,
    server: Option<Engine>,
    plain: Output,
    /// What the client said, as words.
    said: Vec<String>,
}

impl Pair {
    fn new(trusting: bool, server_alpn: &[Protocol]) -> Self {
        let clock = Clock::new(Duration::from_secs(1_780_272_000));
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        let roots = if trusting { vec![certificate.clone()] } else { Vec::new() };
        let options = ClientOptions { roots, alpn: BOTH.to_vec(), ..ClientOptions::default() };
        let config = ClientConfig::new(&clock, options).unwrap();
        let tls = Tls::client(&config, "a.test", T0).unwrap();
        let mut options = ServerOptions::new(vec![certificate], key.serialize_der());
        options.alpn = server_alpn.to_vec();
        let server = ServerConfig::new(&clock, options).unwrap();
        Self {
            client: Stack::tls(tls, Config::default()),
            tls: Tls::server(&server, T0).unwrap(),
            server: None,
            plain: Output::new(),
            said: Vec::new(),
        }
    }

    /// Carries bytes both ways until there are none, `chunk` at a time towards the client.
    fn run(&mut self, chunk: usize) {
        loop {
            let (mut up, mut down) = (Output::new(), Output::new());
            self.client.transmit(T0, &mut up, usize::MAX);
            if let Some(server) = &mut self.server {
                server.transmit(T0, &mut self.plain, usize::MAX);
            }
            self.tls.send(T0, &mut self.plain, &mut down);
            if up.is_empty() && down.is_empty() {
                return;
            }
            let mut opened = bytes::BytesMut::new();
            while let Some(bytes) = up.pop() {
                let _ = self.tls.receive(T0, &bytes, &mut opened);
            }
            if self.server.is_none() && !self.tls.is_handshaking() {
                let config = Config::default();
                self.server = Some(match self.tls.alpn() {
                    Some(Protocol::Http2) => Engine::H2(Box::new(H2::server(&config, T0))),
                    _ => Engine::H1(Box::new(H1::server(&config, T0))),
                });
            }
            if let Some(server) = &mut self.server {
                server.receive(T0, &opened);
            }
            while let Some(bytes) = down.pop() {
                for part in bytes.chunks(chunk) {
                    self.client.receive(T0, part);
                    self.listen();
                }
            }
        }
    }

    fn listen(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.said.push(match event {
                StackEvent::Progress => continue,
                StackEvent::Established { protocol, limit } => format!("{protocol} {limit:?}"),
                StackEvent::Failed { cause, error } => {
                    format!("failed: {cause}, said by TLS: {}", error.is_some())
                }
                StackEvent::Http(Event::Head { head: Head::Response(head), end, .. }) => {
                    format!("{} end: {end}", head.status().as_u16())
                }
                StackEvent::Http(Event::Data { bytes, end, .. }) => {
                    format!("{} bytes end: {end}", bytes.len())
                }
                StackEvent::Http(Event::Ended { .. }) => "ended".to_owned(),
                StackEvent::Http(Event::Limit(_)) => continue,
                StackEvent::Http(event) => format!("{event:?}"),
            });
        }
    }

    /// Asks for a path, and answers 200 with `length` and this body.
    fn exchange(&mut self, length: usize, body: &'static [u8]) {
        let head = Request::get("https://a.test/").body(()).unwrap();
        self.client.engine().unwrap().open(T0, &head, true).unwrap();
        self.run(usize::MAX);
        let server = self.server.as_mut().unwrap();
        let Some(Event::Head { stream, .. }) = server.poll_event() else { panic!("no request") };
        let head = Response::builder().header("content-length", length).body(()).unwrap();
        server.respond(T0, stream, &head, false);
        server.send(T0, stream, Bytes::from_static(body), length == body.len());
        self.run(usize::MAX);
    }
}

// rule: H2-8b
#[test]
fn alpn_chooses_the_engine() {
    let one = "HTTP/1.1 Concurrent(1)";
    let table = [(&BOTH[..], "HTTP/2 Concurrent(100)"), (&BOTH[1..], one), (&[], one)];
    for (alpn, expected) in table {
        // The flights come whole or byte by byte.
        for chunk in [usize::MAX, 1] {
            let mut pair = Pair::new(true, alpn);
            assert!(pair.client.engine().is_none() && pair.client.wants_input());
            pair.run(chunk);
            assert_eq!(pair.said, [expected], "{alpn:?}");
            pair.exchange(2, b"ok");
            assert_eq!(pair.said[1..], ["200 end: false", "2 bytes end: true", "ended"]);
            assert!(pair.client.security().is_some_and(|tls| !tls.is_handshaking()));
        }
    }
}

/// Progress is told until the handshake is done.
#[test]
fn the_handshake_tells_of_its_progress() {
    let mut pair = Pair::new(true, &BOTH);
    let (mut up, mut down) = (Output::new(), Output::new());
    pair.client.transmit(T0, &mut up, usize::MAX);
    let _ = pair.tls.receive(T0, &up.pop().unwrap(), &mut bytes::BytesMut::new());
    pair.tls.send(T0, &mut Output::new(), &mut down);
    pair.client.receive(T0, &down.pop().unwrap()[..10]);
    assert!(matches!(pair.client.poll_event(), Some(StackEvent::Progress)));
    assert!(pair.client.poll_event().is_none());
}

#[test]
fn a_certificate_that_is_not_trusted_fails_and_the_alert_goes_out() {
    let mut pair = Pair::new(false, &BOTH);
    pair.run(usize::MAX);
    let cause = Cause::Tls(TlsFault::UnknownIssuer);
    assert_eq!(pair.said, [format!("failed: {cause}, said by TLS: true")]);
    let mut opened = bytes::BytesMut::new();
    let heard = pair.tls.receive(T0, &[], &mut opened);
    assert!(heard.is_ok() && !pair.client.wants_input(), "the alert was heard before");
    // What comes later changes nothing.
    pair.client.receive(T0, b"more");
    pair.client.receive_end(T0, None);
    assert!(pair.client.poll_event().is_none());
}

#[test]
fn a_handshake_that_is_cut_off_fails() {
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    let silent = io::Error::from(io::ErrorKind::TimedOut);
    let table = [
        (None, Cause::Closed),
        (Some(&reset), Cause::ConnectionReset),
        (Some(&silent), Cause::ConnectTimeout),
    ];
    for (broken, cause) in table {
        let mut pair = Pair::new(true, &BOTH);
        pair.client.receive_end(T0, broken);
        pair.listen();
        assert_eq!(pair.said, [format!("failed: {cause}, said by TLS: false")]);
    }
}

/// The pool hears that the connection is over before it hears of the stream.
#[test]
fn half_an_answer_refuses_first() {
    for goodbye in [true, false] {
        let mut pair = Pair::new(true, &[]);
        pair.run(usize::MAX);
        pair.exchange(10, b"half");
        if goodbye {
            pair.tls.close();
            pair.run(usize::MAX);
        }
        pair.client.receive_end(T0, None);
        pair.listen();
        let [.., refusing, reset, closed] = &pair.said[..] else { panic!("{:?}", pair.said) };
        assert!(refusing.starts_with("GoAway") && closed.starts_with("Closed"));
        assert!(reset.contains("Incomplete"), "goodbye: {goodbye}, {reset}");
        assert!(pair.client.is_finished());
    }
}

/// `close_notify` goes out behind the engine's last bytes, and the stack is finished.
#[test]
fn a_shutdown_says_goodbye() {
    let mut pair = Pair::new(true, &BOTH);
    pair.run(usize::MAX);
    pair.exchange(2, b"ok");
    assert!(!pair.client.is_finished());
    pair.client.engine().unwrap().shutdown(T0, Shutdown::Graceful);
    pair.run(usize::MAX);
    pair.listen();
    assert!(pair.client.is_finished());
    assert!(pair.said.last().unwrap().contains("Closed"), "{:?}", pair.said);
    pair.run(usize::MAX);
    assert!(pair.tls.is_peer_closed());
}

#[test]
fn plain_text_is_established_at_once() {
    for protocol in BOTH {
        let engine = Engine::client(protocol, &Config::default(), T0).unwrap();
        let mut stack = Stack::plain(engine);
        let limit = match protocol {
            Protocol::Http2 => Limit::Concurrent(100),
            _ => Limit::Concurrent(1),
        };
        let Some(StackEvent::Established { protocol: chosen, limit: granted }) = stack.poll_event()
        else {
            panic!("it is established")
        };
        assert_eq!((chosen, granted), (protocol, limit));
        let head = Request::get("http://a.test/").body(()).unwrap();
        stack.engine().unwrap().open(T0, &head, true).unwrap();
        let mut out = Output::new();
        stack.transmit(T0, &mut out, usize::MAX);
        let begin: &[u8] = if protocol == Protocol::Http2 { b"PRI * " } else { b"GET / " };
        assert!(out.pop().unwrap().starts_with(begin));
        // The peer is silent for too long: that is no connect timeout any more.
        stack.receive_end(T0, Some(&io::Error::from_raw_os_error(110)));
        let mut all = core::iter::from_fn(|| stack.poll_event());
        assert!(all.any(|event| format!("{event:?}").contains("Os(110)")), "{protocol}");
    }
}

#[test]
fn http3_is_not_built_in() {
    assert!(Engine::client(Protocol::Http3, &Config::default(), T0).is_none());
}

/// A body without a length is whole at the peer's goodbye, and at no other end.
// rule: M-7b
#[test]
fn an_end_without_goodbye_is_a_truncation() {
    for goodbye in [true, false] {
        let mut pair = Pair::new(true, &[]);
        pair.run(usize::MAX);
        let head = Request::get("https://a.test/").body(()).unwrap();
        pair.client.engine().unwrap().open(T0, &head, true).unwrap();
        pair.run(usize::MAX);
        pair.plain.put(b"HTTP/1.1 200 OK\r\n\r\nhalf or whole");
        if goodbye {
            pair.tls.close();
        }
        pair.run(usize::MAX);
        pair.client.receive_end(T0, None);
        pair.listen();
        assert_eq!(pair.said.contains(&"ended".to_owned()), goodbye, "{:?}", pair.said);
    }
}
