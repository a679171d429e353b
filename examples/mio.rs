//! No async at all: an event loop over mio that drives regatta-core by hand.
//!
//! ```text
//! cargo run -p regatta-examples --example mio -- https://example.org/ https://example.org/a
//! cargo run -p regatta-examples --example mio -- --post FILE https://example.org/upload
//! ```
//!
//! All URLs are asked for at once, and `Upstream` decides on which connections they go. One
//! thread owns everything; others only look names up, because the system's resolver blocks.
//! `SSL_CERT_FILE` takes the place of the system's roots. docs/embedding.md explains each part.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant as Clock, SystemTime};

use bytes::Bytes;
use http::Request;
use mio::{Events, Interest, Poll, Token, Waker, net::TcpStream};
use regatta_core::Instant;
use regatta_core::carrier::{Carrier, Event as Said};
use regatta_core::engine::tls::{self, Tls};
use regatta_core::engine::{Config as EngineConfig, Engine, Output, Stack, h1::H1};
use regatta_core::id::{AttemptId, ConnectionId, HostId, RequestId};
use regatta_core::types::{BodyState, Cause, Key, MethodClass, Origin, Outcome, Protocol, Scheme};
use regatta_core::upstream::{Action, Config, Event, Upstream};

/// What one request may take in all, resends included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// One read, one frame of a request's body, and about as much as is made ready for one write.
const CHUNK: usize = 16 << 10;
/// Steps of one peer before the others have their turn.
const ROUNDS: usize = 16;
/// What the threads that look names up wake the loop with.
const RESOLVER: Token = Token(0);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = Client::new().map_err(|error| format!("cannot begin: {error}"));
    match done.and_then(|mut client| client.ask(&words).and_then(|()| client.run())) {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::FAILURE
}

/// One request, and what has come of it.
struct Exchange {
    url: String,
    head: Request<()>,
    /// All of its body: it can be sent a second time.
    body: Bytes,
    /// What of it was not sent yet.
    rest: Bytes,
    /// Protocol and status, as they are printed.
    answer: String,
    received: usize,
}

/// One socket, and what is above it.
struct Peer {
    socket: TcpStream,
    carrier: Carrier,
    /// What the socket did not take yet.
    out: Output,
}

impl Peer {
    /// One read and one write, as far as the socket goes along. Whether anything moved.
    fn move_bytes(&mut self, now: Instant) -> bool {
        if !self.carrier.is_connected() {
            // A socket that mio says is writable has connected, or has failed.
            match self.socket.take_error() {
                Ok(None) if self.socket.peer_addr().is_err() => return false,
                Ok(None) => self.carrier.connected(),
                Ok(Some(error)) | Err(error) => self.carrier.receive_end(now, Some(&error)),
            }
        }
        let read = self.carrier.wants_input() && self.read(now);
        self.write(now) || read
    }

    fn read(&mut self, now: Instant) -> bool {
        let mut buffer = [0; CHUNK];
        match self.socket.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) => self.carrier.receive_end(now, Some(&error)),
            Ok(0) => self.carrier.receive_end(now, None),
            Ok(count) => self.carrier.receive(now, &buffer[..count]),
        }
        true
    }

    fn write(&mut self, now: Instant) -> bool {
        self.carrier.transmit(now, &mut self.out, CHUNK);
        let written = self.out.write_to(&mut self.socket);
        if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            // The next read tells why nothing more is taken.
            self.out.clear();
        }
        written.is_ok_and(|count| count > 0)
    }
}

struct Client {
    upstream: Upstream,
    /// The epoch of core's time.
    began: Clock,
    poll: Poll,
    waker: Arc<Waker>,
    /// What the threads tell that look names up.
    told: mpsc::Receiver<Event>,
    tell: mpsc::Sender<Event>,
    tls: tls::ClientConfig,
    /// Sessions of TLS belong to one origin.
    sessions: BTreeMap<Origin, tls::ClientConfig>,
    exchanges: BTreeMap<RequestId, Exchange>,
    peers: BTreeMap<Token, Peer>,
    connections: BTreeMap<ConnectionId, Token>,
    /// Who has something to do at once.
    busy: BTreeSet<Token>,
    failed: bool,
}

impl Client {
    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let clock = tls::Clock::new(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default());
        let mut options = tls::ClientOptions::default();
        let roots = rustls_native_certs::load_native_certs().certs;
        options.roots = roots.iter().map(|root| root.to_vec()).collect();
        options.alpn = vec![Protocol::Http2, Protocol::Http1];
        let (tell, told) = mpsc::channel();
        Ok(Self {
            upstream: Upstream::new(Config::default()),
            began: Clock::now(),
            waker: Arc::new(Waker::new(poll.registry(), RESOLVER)?),
            poll,
            told,
            tell,
            tls: tls::ClientConfig::new(&clock, options).map_err(io::Error::other)?,
            sessions: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            peers: BTreeMap::new(),
            connections: BTreeMap::new(),
            busy: BTreeSet::new(),
            failed: false,
        })
    }

    fn now(&self) -> Instant {
        Instant::EPOCH + self.began.elapsed()
    }

    /// Takes the command line.
    fn ask(&mut self, words: &[String]) -> Result<(), String> {
        let (body, urls) = match words {
            [post, file, urls @ ..] if post == "--post" => {
                (std::fs::read(file).map_err(|error| format!("{file}: {error}"))?.into(), urls)
            }
            urls => (Bytes::new(), urls),
        };
        urls.iter().try_for_each(|url| self.request(url, body.clone()))
    }

    /// Asks the upstream; what it wants done is done by the loop.
    fn request(&mut self, url: &str, body: Bytes) -> Result<(), String> {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let head = Request::builder().method(method).uri(url).body(());
        let head = head.map_err(|error| format!("{url}: {error}"))?;
        let origin = Origin::of(head.uri()).map_err(|error| format!("{url}: {error}"))?;
        let (now, class) = (self.now(), MethodClass::of(head.method()));
        let deadline = Some(now + REQUEST_TIMEOUT);
        let request = self.upstream.request(now, &Key::from(origin), class, deadline);
        let (url, rest, answer) = (url.to_owned(), body.clone(), String::new());
        let exchange = Exchange { url, head, body, rest, answer, received: 0 };
        self.exchanges.insert(request, exchange);
        Ok(())
    }

    /// The loop: deadlines, sockets, names, sleep. Ends when all is done; whether it went well.
    fn run(&mut self) -> Result<bool, String> {
        let mut events = Events::with_capacity(256);
        loop {
            let now = self.now();
            self.upstream.handle_timeout(now);
            self.carry_out_all();
            let is_due = |peer: &Peer| peer.carrier.poll_timeout().is_some_and(|at| at <= now);
            let due = self.peers.iter().filter(|(_, peer)| is_due(peer));
            self.busy.extend(due.map(|(token, _)| *token));
            for token in std::mem::take(&mut self.busy) {
                self.serve(token);
            }
            while let Ok(event) = self.told.try_recv() {
                self.feed(event);
            }
            if self.exchanges.is_empty() {
                self.feed(Event::Drain);
                if self.peers.is_empty() {
                    return Ok(!self.failed);
                }
            }
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(format!("cannot wait for events: {error}"));
                }
                _ => self.busy.extend(events.iter().map(mio::event::Event::token)),
            }
        }
    }

    /// How long there is nothing to do. (With many connections: a heap instead of this walk.)
    fn patience(&self) -> Option<Duration> {
        if !self.busy.is_empty() {
            return Some(Duration::ZERO);
        }
        let carriers = self.peers.values().filter_map(|peer| peer.carrier.poll_timeout());
        let first = carriers.chain(self.upstream.poll_timeout()).min()?;
        Some(first.saturating_since(self.now()))
    }

    /// Moves bytes and hears what they mean, until the socket has nothing more or it is enough.
    fn serve(&mut self, token: Token) {
        for _ in 0..ROUNDS {
            let now = self.now();
            let Some(peer) = self.peers.get_mut(&token) else { return };
            // Early, late or twice is harmless, here as everywhere.
            peer.carrier.handle_timeout(now);
            let moved = peer.move_bytes(now);
            while self.hear(now, token) {}
            if !moved {
                return;
            }
        }
        self.busy.insert(token);
    }

    /// What came of the bytes: the upstream's own events, and the caller's. Whether there was any.
    fn hear(&mut self, now: Instant, token: Token) -> bool {
        let Some(peer) = self.peers.get_mut(&token) else { return false };
        let Some(said) = peer.carrier.poll_event(now) else { return false };
        let exchange = said.request().and_then(|request| self.exchanges.get_mut(&request));
        match (said, exchange) {
            (Said::Upstream(event), _) => {
                if let Event::Connected { .. } = event {
                    self.connections.insert(peer.carrier.connection(), token);
                } else if let Event::Closed { connection, .. } = event {
                    self.connections.remove(&connection);
                }
                if peer.carrier.is_over() {
                    // The goodbye, or an alert, goes as far as the socket takes it at once.
                    while peer.write(now) {}
                    self.peers.remove(&token);
                }
                self.feed(event);
            }
            (Said::Head { head, .. }, Some(exchange)) => {
                exchange.answer = format!("{:?} {}", head.version(), head.status().as_u16());
            }
            (Said::Data { request, bytes, .. }, Some(exchange)) => {
                // They are counted and dropped: the peer may send as many more.
                exchange.received += bytes.len();
                peer.carrier.allow(now, request, bytes.len());
            }
            (Said::Capacity { request }, Some(exchange)) => exchange.send(now, request, peer),
            _ => {}
        }
        true
    }

    /// Tells the upstream. What it wants is done before anything else is told.
    fn feed(&mut self, event: Event) {
        self.upstream.handle_event(self.now(), event);
        self.carry_out_all();
    }

    fn carry_out_all(&mut self) {
        while let Some(action) = self.upstream.poll_action() {
            self.carry_out(self.now(), action);
        }
    }

    fn carry_out(&mut self, now: Instant, action: Action) {
        match action {
            Action::Resolve { host, name } => {
                let (tell, waker) = (self.tell.clone(), Arc::clone(&self.waker));
                thread::spawn(move || {
                    look_up(host, &name).into_iter().for_each(|event| drop(tell.send(event)));
                    waker.wake()
                });
            }
            Action::Connect { attempt, connection, address, origin, .. } => {
                if let Err(cause) = self.connect(now, attempt, connection, address, &origin) {
                    self.upstream.handle_event(now, Event::AttemptFailed { attempt, cause });
                }
            }
            Action::AbortAttempt(attempt) => {
                self.peers.retain(|_, peer| peer.carrier.attempt() != attempt);
            }
            Action::Assign { request, connection } => {
                let token = self.connections.get(&connection);
                let peer = token.and_then(|token| self.peers.get_mut(token));
                let exchange = self.exchanges.get_mut(&request);
                if let (Some(token), Some(peer), Some(exchange)) = (token, peer, exchange) {
                    self.busy.insert(*token);
                    let end = exchange.body.is_empty();
                    peer.carrier.assign(now, request, &exchange.head, end);
                    exchange.send(now, request, peer);
                } else {
                    let unsent = Carrier::unsent(now, connection, request);
                    self.upstream.handle_event(now, unsent);
                }
            }
            Action::Recall { .. } | Action::ResolveServices { .. } => {} // Over QUIC alone.
            Action::Resend(request) => {
                if let Some(exchange) = self.exchanges.get_mut(&request) {
                    exchange.rest = exchange.body.clone();
                }
            }
            Action::Refuse { request, reason, .. } => {
                self.failed = true;
                let exchange = self.exchanges.remove(&request);
                eprintln!("{}: {reason}", exchange.map(|one| one.url).unwrap_or_default());
            }
            Action::Finished { request, outcome } => {
                self.failed |= outcome != Outcome::Complete;
                let Some(exchange) = self.exchanges.remove(&request) else { return };
                println!("{} {} bytes {}", exchange.answer, exchange.received, exchange.url);
            }
            Action::Reset { connection, .. }
            | Action::Probe(connection)
            | Action::Shutdown(connection)
            | Action::Abort(connection) => {
                let Some(token) = self.connections.get(&connection) else { return };
                let Some(peer) = self.peers.get_mut(token) else { return };
                peer.carrier.carry_out(now, &action);
                self.busy.insert(*token);
            }
        }
    }

    /// Begins one attempt; mio tells when its socket has connected.
    fn connect(
        &mut self,
        now: Instant,
        attempt: AttemptId,
        connection: ConnectionId,
        address: SocketAddr,
        origin: &Origin,
    ) -> Result<(), Cause> {
        let mut config = EngineConfig::default();
        // An origin that grants few streams is not sent a hundred before it can say so.
        let assumed = self.upstream.assumed_streams(connection).and_then(NonZeroU32::new);
        config.initial_streams = assumed.unwrap_or(config.initial_streams);
        let stack = if origin.scheme == Scheme::Https {
            let base = &self.tls;
            let own = self.sessions.entry(origin.clone()).or_insert_with(|| base.for_origin());
            Stack::tls(Tls::client(own, &origin.host, now)?, config)
        } else {
            Stack::plain(Engine::H1(Box::new(H1::client(&config, now))))
        };
        let newest = self.peers.last_key_value().map_or(RESOLVER, |(token, _)| *token);
        let token = Token(newest.0 + 1);
        let mut socket = TcpStream::connect(address)?;
        self.poll.registry().register(
            &mut socket,
            token,
            Interest::READABLE | Interest::WRITABLE,
        )?;
        let carrier = Carrier::new(attempt, connection, stack);
        self.peers.insert(token, Peer { socket, carrier, out: Output::new() });
        Ok(())
    }
}

impl Exchange {
    /// Gives the engine the body's next frame; the one after it waits for `Capacity`.
    fn send(&mut self, now: Instant, request: RequestId, peer: &mut Peer) {
        if !self.rest.is_empty() {
            let frame = self.rest.split_to(self.rest.len().min(CHUNK));
            let end = self.rest.is_empty();
            peer.carrier.send(now, request, frame, end, BodyState::Replayable);
        }
    }
}

fn look_up(host: HostId, name: &str) -> [Event; 2] {
    // The port is not looked up; any will do.
    let (addresses, failed) = match (name, 0).to_socket_addrs() {
        Ok(found) => (found.map(|address| address.ip()).collect(), None),
        Err(_) => (Vec::new(), Some(Cause::NameNotFound)),
    };
    [Event::Resolved { host, addresses }, Event::ResolveFinished { host, failed }]
}
