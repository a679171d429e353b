//! A loop of one's own under the simulator: `Upstream` and `Carrier` driven by hand over simulated
//! sockets, in one future that is polled whenever any of them has something. What it measures is
//! what the driver measures, and its journal replays.

use core::future::{Future, poll_fn};
use core::num::NonZeroU32;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use regatta_core::Instant;
use regatta_core::carrier::{self, Carrier};
use regatta_core::engine::tls::{ClientConfig, ClientOptions, Clock, Tls};
use regatta_core::engine::{Config as EngineConfig, Output, Stack};
use regatta_core::id::{AttemptId, ConnectionId, HostId, RequestId};
use regatta_core::journal::{End, Writer, replay};
use regatta_core::types::{Key, MethodClass, Origin, Protocol};
use regatta_core::upstream::{Action, Config, Event, Upstream};
use regatta_runtime::{Address, Resolution as _, Runtime, Server, Stream as _, Timer as _};
use regatta_sim::choice::Choices;
use regatta_sim::net::fault::{Fault, Peers};
use regatta_sim::net::rule::{self, Family, Rule};
use regatta_sim::{Host, Link, Net, tls};

const CHUNK: usize = 16 << 10;

/// What each request may take in all.
const DEADLINE: Duration = Duration::from_secs(30);

type Connecting = Pin<Box<dyn Future<Output = io::Result<<Host as Runtime>::Stream>> + Send>>;

enum Socket {
    Connecting(Connecting),
    Open(<Host as Runtime>::Stream),
}

struct Peer {
    socket: Socket,
    carrier: Carrier,
    out: Output,
}

impl Peer {
    /// Connects, reads once, writes once. Whether anything moved.
    fn move_bytes(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let socket = match &mut self.socket {
            Socket::Open(socket) => socket,
            Socket::Connecting(connecting) => {
                let Poll::Ready(done) = connecting.as_mut().poll(cx) else { return false };
                match done {
                    Ok(socket) => {
                        self.carrier.connected();
                        self.socket = Socket::Open(socket);
                    }
                    Err(error) => self.carrier.receive_end(now, Some(&error)),
                }
                return true;
            }
        };
        let mut moved = false;
        let mut buffer = [0; CHUNK];
        if self.carrier.wants_input()
            && let Poll::Ready(read) = socket.poll_read(cx, &mut buffer)
        {
            moved = true;
            match read {
                Ok(0) => self.carrier.receive_end(now, None),
                Ok(count) => self.carrier.receive(now, &buffer[..count]),
                Err(error) => self.carrier.receive_end(now, Some(&error)),
            }
        }
        self.carrier.transmit(now, &mut self.out, CHUNK);
        if !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = self.out.slices(&mut slices);
            if let Poll::Ready(written) = socket.poll_write(cx, &slices[..filled]) {
                moved = true;
                match written {
                    Ok(count) => self.out.advance(count),
                    Err(_) => self.out.clear(),
                }
            }
        }
        moved
    }
}

/// The whole driver.
struct ByHand {
    host: Host,
    upstream: Upstream,
    journal: Writer,
    tls: ClientConfig,
    timer: <Host as Runtime>::Timer,
    lookups: Vec<(HostId, <Host as Runtime>::Resolution)>,
    peers: BTreeMap<AttemptId, Peer>,
    connections: BTreeMap<ConnectionId, AttemptId>,
    heads: BTreeMap<RequestId, Request<()>>,
    /// How each request ended.
    ends: Vec<String>,
}

impl ByHand {
    fn new(host: &Host) -> Self {
        let config = Config::default();
        let mut options = ClientOptions::default();
        options.roots = vec![tls::ROOT.to_vec()];
        options.alpn = vec![Protocol::Http2, Protocol::Http1];
        options.provider = Some(host.tls_provider());
        Self {
            host: host.clone(),
            journal: Writer::new(&config),
            upstream: Upstream::new(config),
            tls: ClientConfig::new(&Clock::new(host.unix_at_epoch()), options).unwrap(),
            timer: host.timer(Instant::MAX),
            lookups: Vec::new(),
            peers: BTreeMap::new(),
            connections: BTreeMap::new(),
            heads: BTreeMap::new(),
            ends: Vec::new(),
        }
    }

    fn get(&mut self, url: &str) {
        let now = self.host.now();
        let head = Request::get(url).body(()).unwrap();
        let key = Key::from(Origin::of(head.uri()).unwrap());
        let deadline = Some(now + DEADLINE);
        let request = self.upstream.request(now, &key, MethodClass::Safe, deadline);
        self.journal.request(now, &key, MethodClass::Safe, deadline, request);
        self.heads.insert(request, head);
        self.carry_out_all();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = self.host.now();
            if self.upstream.poll_timeout().is_some_and(|at| at <= now) {
                self.journal.timeout(now);
                self.upstream.handle_timeout(now);
                self.carry_out_all();
            }
            let mut moved = self.look_up(cx);
            for attempt in self.peers.keys().copied().collect::<Vec<_>>() {
                moved |= self.serve(cx, now, attempt);
            }
            if self.heads.is_empty() {
                self.feed(Event::Drain);
                if self.peers.is_empty() {
                    return Poll::Ready(());
                }
            }
            if moved {
                continue;
            }
            let carriers = self.peers.values().filter_map(|peer| peer.carrier.poll_timeout());
            if let Some(at) = carriers.chain(self.upstream.poll_timeout()).min() {
                self.timer.reset(at);
                if self.timer.poll_expired(cx).is_ready() {
                    continue;
                }
            }
            return Poll::Pending;
        }
    }

    fn look_up(&mut self, cx: &mut Context<'_>) -> bool {
        let mut told = Vec::new();
        self.lookups.retain_mut(|(host, lookup)| {
            while let Poll::Ready(answer) = lookup.poll_answer(cx) {
                let (host, failed) = (*host, None);
                match answer {
                    Some(Ok(answer)) => {
                        told.push(Event::Resolved { host, addresses: answer.addresses });
                    }
                    Some(Err(cause)) => {
                        told.push(Event::ResolveFinished { host, failed: Some(cause) });
                    }
                    None => {
                        told.push(Event::ResolveFinished { host, failed });
                        return false;
                    }
                }
            }
            true
        });
        let moved = !told.is_empty();
        told.into_iter().for_each(|event| self.feed(event));
        moved
    }

    fn serve(&mut self, cx: &mut Context<'_>, now: Instant, attempt: AttemptId) -> bool {
        let Some(peer) = self.peers.get_mut(&attempt) else { return false };
        peer.carrier.handle_timeout(now);
        let moved = peer.move_bytes(cx, now);
        while let Some(peer) = self.peers.get_mut(&attempt)
            && let Some(said) = peer.carrier.poll_event(now)
        {
            match said {
                carrier::Event::Upstream(event) => {
                    if let Event::Connected { .. } = event {
                        self.connections.insert(peer.carrier.connection(), attempt);
                    } else if let Event::Closed { connection, .. } = event {
                        self.connections.remove(&connection);
                    }
                    if peer.carrier.is_over() {
                        while peer.move_bytes(cx, now) {}
                        self.peers.remove(&attempt);
                    }
                    self.feed(event);
                }
                carrier::Event::Data { request, bytes, .. } => {
                    peer.carrier.allow(now, request, bytes.len());
                }
                _ => {}
            }
        }
        moved
    }

    fn feed(&mut self, event: Event) {
        let now = self.host.now();
        self.journal.event(now, &event);
        self.upstream.handle_event(now, event);
        self.upstream.check();
        self.carry_out_all();
    }

    fn carry_out_all(&mut self) {
        let mut answers = Vec::new();
        while let Some(action) = self.upstream.poll_action() {
            self.journal.action(&action);
            answers.extend(self.carry_out(action));
        }
        answers.into_iter().for_each(|event| self.feed(event));
    }

    /// Does it; what is known of it at once is told when all actions are taken.
    fn carry_out(&mut self, action: Action) -> Option<Event> {
        let now = self.host.now();
        match action {
            Action::Resolve { host, name } => self.lookups.push((host, self.host.resolve(&name))),
            Action::Connect { attempt, connection, address, origin, .. } => {
                let mut config = EngineConfig::default();
                let assumed = self.upstream.assumed_streams(connection).and_then(NonZeroU32::new);
                config.initial_streams = assumed.unwrap_or(config.initial_streams);
                let tls = Tls::client(&self.tls, &origin.host, now).unwrap();
                let host = self.host.clone();
                let connecting = Box::pin(async move { host.connect(Address::Ip(address)).await });
                let carrier = Carrier::new(attempt, connection, Stack::tls(tls, config));
                let socket = Socket::Connecting(connecting);
                self.peers.insert(attempt, Peer { socket, carrier, out: Output::new() });
            }
            Action::AbortAttempt(attempt) => drop(self.peers.remove(&attempt)),
            Action::Assign { request, connection } => {
                let head = self.heads.get(&request).cloned();
                match self.peer(connection).zip(head) {
                    Some((peer, head)) => peer.carrier.assign(now, request, &head, true),
                    None => return Some(Carrier::unsent(now, connection, request)),
                }
            }
            // Over TCP nobody falls mute, and no HTTPS records are asked for.
            Action::Resend(_) | Action::Recall { .. } | Action::ResolveServices { .. } => {}
            Action::Refuse { request, reason, .. } => {
                self.heads.remove(&request).expect("a request ends once");
                self.ends.push(reason.to_string());
            }
            Action::Finished { request, outcome } => {
                self.heads.remove(&request).expect("a request ends once");
                self.ends.push(format!("{outcome:?}"));
            }
            Action::Reset { connection, .. }
            | Action::Probe(connection)
            | Action::Shutdown(connection)
            | Action::Abort(connection) => {
                if let Some(peer) = self.peer(connection) {
                    peer.carrier.carry_out(now, &action);
                }
            }
        }
        None
    }

    fn peer(&mut self, connection: ConnectionId) -> Option<&mut Peer> {
        self.peers.get_mut(self.connections.get(&connection)?)
    }

    /// Runs until all is done; the journal must replay.
    async fn run(mut self) -> Vec<String> {
        poll_fn(|cx| self.poll(cx)).await;
        let mut text = self.journal.text().to_owned();
        Writer::end(End::Complete, self.journal.steps(), &mut text);
        let replayed = replay(text.as_bytes());
        assert!(replayed.is_ok_and(|summary| summary.end == End::Complete));
        self.ends
    }
}

/// A server with both families that drains a connection where it is asked to, 20 ms away.
fn two_hosts(net: &Net) -> (Host, Host) {
    let server = net.host("server", ["192.0.2.1", "2001:db8::1"].map(|at| at.parse().unwrap()));
    let client = net.host("client", ["192.0.2.9", "2001:db8::9"].map(|at| at.parse().unwrap()));
    net.name("www.test", ["2001:db8::1", "192.0.2.1"].map(|at| at.parse().unwrap()));
    (server, client)
}

async fn serve(server: &Host) {
    for at in ["192.0.2.1:443", "[2001:db8::1]:443"] {
        let at: std::net::SocketAddr = at.parse().unwrap();
        let listening = Server::builder(server.clone()).tls(tls::good()).bind(at).await.unwrap();
        server.spawn(listening.serve(|request: Request<regatta_runtime::Body>| async move {
            if request.uri().path() == "/drain" {
                request.body().connection().unwrap().drain();
            }
            Response::new(Full::new(Bytes::from("hello".repeat(1_000))))
        }));
    }
}

/// The driver's own test of this world, in `library.rs`, measures the same.
#[test]
fn it_falls_back_to_ipv4_in_300_ms() {
    let net = Net::seeded(1);
    let (server, client) = two_hosts(&net);
    net.link(&client, &server, Link::delay(Duration::from_millis(20)));
    net.rule(Rule::new(rule::Action::Drop).family(Family::V6));
    let ended = net.run(async {
        serve(&server).await;
        let mut by_hand = ByHand::new(&client);
        by_hand.get("https://www.test/");
        let begun = client.now();
        let ends = by_hand.run().await;
        (ends, client.now().saturating_since(begun))
    });
    let (ends, took) = ended.unwrap();
    assert_eq!(ends, ["Complete"]);
    // The attempt delay, then one round trip each for TCP, TLS 1.3 and the request.
    assert_eq!(took, Duration::from_millis(300 + 3 * 40));
}

/// Loss, connections that are drained, and legal but rare answers of the sockets: every request
/// ends once and well, and the same seed is the same run.
#[test]
fn it_loses_nothing_in_bad_weather() {
    for seed in 0..24 {
        let run = || {
            let tape = regatta_models::tape::Tape::seeded(seed);
            let net = Net::new(Choices::new(tape), seed);
            let (server, client) = two_hosts(&net);
            net.link(&client, &server, Link::delay(Duration::from_millis(20)).loss_ppm(20_000));
            let ends = net.run(async {
                serve(&server).await;
                let mut by_hand = ByHand::new(&client);
                for path in ["", "a", "drain", "b", "c", "drain", "d"] {
                    by_hand.get(&format!("https://www.test/{path}"));
                }
                by_hand.run().await
            });
            (ends.unwrap_or_else(|stuck| panic!("seed {seed}: {stuck}")), net.now())
        };
        let (ends, took) = run();
        assert_eq!(ends, ["Complete"; 7], "seed {seed}");
        assert_eq!(run().1, took, "seed {seed}");
    }
}

/// The server dies at some moment of the handshakes or the answers: every request ends once, by
/// its deadline at the latest, and says why.
#[test]
fn every_request_ends_when_the_server_dies() {
    let mut said = BTreeSet::new();
    for ms in (0..400).step_by(10) {
        for peers in [Peers::Silence, Peers::Reset] {
            let net = Net::seeded(ms);
            let (server, client) = two_hosts(&net);
            net.link(&client, &server, Link::delay(Duration::from_millis(20)));
            net.at(Instant::from_millis(ms), Fault::Crash { host: server.id(), peers });
            let ends = net.run(async {
                serve(&server).await;
                let mut by_hand = ByHand::new(&client);
                for path in ["", "a", "drain", "b"] {
                    by_hand.get(&format!("https://www.test/{path}"));
                }
                by_hand.run().await
            });
            let ends = ends.unwrap_or_else(|stuck| panic!("at {ms} ms, {peers:?}: {stuck}"));
            assert_eq!(ends.len(), 4, "at {ms} ms, {peers:?}");
            let latest = Instant::EPOCH + DEADLINE + Duration::from_secs(1);
            assert!(net.now() <= latest, "at {ms} ms, {peers:?}: it took until {}", net.now());
            said.extend(ends);
        }
    }
    let all: Vec<&str> = said.iter().map(String::as_str).collect();
    let expected = [
        "Complete",
        "cannot connect: no connection within the connect timeout",
        "the peer reset the connection",
        "the request's time limit passed while waiting for the complete response",
    ];
    assert_eq!(all, expected);
}
