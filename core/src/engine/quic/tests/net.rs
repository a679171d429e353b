//! Clients and a server on a network that loses, delays and doubles.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quinn_proto::{Dir, StreamId, TransportConfig};

use super::super::*;
use super::forge::{Forge, forging};
use crate::engine::tls::tests::{Authority, JUNE, Seeded};
use crate::engine::tls::{self, Clock};
use crate::rng::Rng;
use crate::time::Duration;

pub(super) const NAME: &str = "example.com";
pub(super) const SERVER: &str = "198.51.100.1:443";

/// Certificates, and the settings that tests change.
pub(super) struct World {
    pub(super) authority: Authority,
    pub(super) certificate: tls::ServerOptions,
    pub(super) seed: u64,
    pub(super) client: Options,
    pub(super) server: ServerOptions,
}

impl World {
    pub(super) fn new() -> Self {
        let authority = Authority::new();
        let certificate = authority.server(&[NAME, "198.51.100.1"]);
        let (client, server) = (Options::default(), ServerOptions::default());
        Self { authority, certificate, seed: 1, client, server }
    }

    pub(super) fn tls(&self) -> (tls::ClientConfig, tls::ServerConfig) {
        let clock = Clock::new(JUNE);
        let provider = Some(Seeded::provider(self.seed));
        let roots = vec![self.authority.root()];
        let client = tls::ClientOptions { roots, provider: provider.clone(), ..Default::default() };
        let server = tls::ServerOptions { provider, ..self.certificate.clone() };
        (
            tls::ClientConfig::new(&clock, client).unwrap(),
            tls::ServerConfig::new(&clock, server).unwrap(),
        )
    }

    pub(super) fn configs(&self) -> (ClientConfig, ServerConfig) {
        let (client, server) = self.tls();
        (
            ClientConfig::new(&client, &self.client).unwrap(),
            ServerConfig::new(&server, &self.server).unwrap(),
        )
    }

    /// A server and so many clients, none of which has begun.
    pub(super) fn net(&self, clients: usize) -> Net {
        let (client, server) = self.configs();
        self.net_of(&client, &server, clients)
    }

    /// The same with one client, and logs.
    pub(super) fn net_with_qlog(&self, sink: &Arc<dyn Sink>) -> Net {
        let (client, server) = self.configs();
        let sink = Some(Arc::clone(sink));
        self.net_of(&client.with_qlog(sink.clone()), &server.with_qlog(sink), 1)
    }

    /// The same with one client; both sides pad what they send.
    pub(super) fn net_with_padding(&self) -> Net {
        let (mut client, mut server) = self.configs();
        let mut transport = TransportConfig::default();
        transport.pad_to_mtu(true);
        let transport = Arc::new(transport);
        client.quinn.transport_config(Arc::clone(&transport));
        Arc::make_mut(&mut server.quinn).transport_config(transport);
        self.net_of(&client, &server, 1)
    }

    /// The same with one client; what the server's packets hold is changed.
    pub(super) fn net_with_forger(&self, forge: Forge) -> Net {
        let (client, mut server) = self.configs();
        let quinn = Arc::make_mut(&mut server.quinn);
        quinn.crypto = forging(Arc::clone(&quinn.crypto), forge);
        self.net_of(&client, &server, 1)
    }

    pub(super) fn net_of(
        &self,
        client: &ClientConfig,
        server: &ServerConfig,
        clients: usize,
    ) -> Net {
        let clients = (0..clients).map(|_| Endpoint::client(client, false).unwrap());
        Net {
            now: Instant::EPOCH,
            rng: Rng::new(self.seed),
            clients: clients.map(Side::new).collect(),
            server: Side::new(Endpoint::server(server, false).unwrap()),
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            lost: 0,
            doubled: 0,
            is_cut: false,
            port: 1_000,
            flying: BTreeMap::new(),
            sent: 0,
            log: Vec::new(),
        }
    }
}

/// An endpoint and an application that keeps what it reads. A server's sends it back.
pub(super) struct Side {
    pub(super) endpoint: Endpoint,
    /// Every event but streams', with its time.
    pub(super) heard: Vec<(Instant, QuicId, String)>,
    pub(super) lost: Vec<QuicError>,
    pub(super) read: BTreeMap<(QuicId, StreamId), Vec<u8>>,
    pub(super) ended: BTreeSet<(QuicId, StreamId)>,
    pub(super) datagrams: Vec<Bytes>,
    writing: BTreeMap<(QuicId, StreamId), Bytes>,
    echoes: bool,
}

impl Side {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let echoes = matches!(endpoint.role, Role::Server { .. });
        Self {
            endpoint,
            heard: Vec::new(),
            lost: Vec::new(),
            read: BTreeMap::new(),
            ended: BTreeSet::new(),
            datagrams: Vec::new(),
            writing: BTreeMap::new(),
            echoes,
        }
    }

    /// The events' words, without times.
    pub(super) fn words(&self) -> Vec<&str> {
        self.heard.iter().map(|(_, _, words)| words.as_str()).collect()
    }

    /// Opens a stream and sends `bytes` and its end on it.
    pub(super) fn send(&mut self, id: QuicId, bytes: Bytes) -> StreamId {
        let connection = self.endpoint.connection(id).unwrap();
        let stream = connection.streams().open(Dir::Bi).unwrap();
        self.writing.insert((id, stream), bytes);
        self.write(id, stream);
        stream
    }

    fn write(&mut self, id: QuicId, stream: StreamId) {
        let Some(rest) = self.writing.get_mut(&(id, stream)) else { return };
        let mut sender = self.endpoint.connection(id).unwrap().send_stream(stream);
        while !rest.is_empty() {
            match sender.write_chunks(std::slice::from_mut(rest)) {
                Ok(_) => {}
                Err(quinn_proto::WriteError::Blocked) => return,
                Err(error) => panic!("{error}"),
            }
        }
        sender.finish().unwrap();
        self.writing.remove(&(id, stream));
    }

    fn read(&mut self, id: QuicId, stream: StreamId) {
        let into = self.read.entry((id, stream)).or_default();
        let Some(connection) = self.endpoint.connection(id) else { return };
        let mut receiver = connection.recv_stream(stream);
        let Ok(mut chunks) = receiver.read(true) else { return };
        let ended = loop {
            match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => into.extend_from_slice(&chunk.bytes),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let _ = chunks.finalize();
        if ended && self.ended.insert((id, stream)) && self.echoes {
            let bytes = Bytes::from(into.clone());
            self.writing.insert((id, stream), bytes);
            self.write(id, stream);
        }
    }

    fn listen(&mut self, now: Instant) {
        while let Some((id, event)) = self.endpoint.poll_event() {
            let words = match event {
                Event::Stream(StreamEvent::Opened { dir }) => {
                    while let Some(stream) =
                        self.endpoint.connection(id).and_then(|one| one.streams().accept(dir))
                    {
                        self.read(id, stream);
                    }
                    continue;
                }
                Event::Stream(StreamEvent::Readable { id: stream }) => {
                    self.read(id, stream);
                    continue;
                }
                Event::Stream(StreamEvent::Writable { id: stream }) => {
                    self.write(id, stream);
                    continue;
                }
                Event::Stream(_) => continue,
                Event::Datagrams => {
                    let connection = self.endpoint.connection(id).unwrap();
                    let all = core::iter::from_fn(|| connection.datagrams().recv());
                    self.datagrams.extend(all);
                    "datagrams".to_owned()
                }
                Event::Accepted { remote } => format!("accepted {remote}"),
                Event::EarlyData => "early data".to_owned(),
                Event::Connected => "connected".to_owned(),
                Event::DatagramRoom => "room".to_owned(),
                Event::Lost(error) => {
                    let words = format!("lost {:?}", error.cause);
                    self.lost.push(error);
                    words
                }
                Event::Mute => "mute".to_owned(),
                Event::Drained => "drained".to_owned(),
            };
            self.heard.push((now, id, words));
        }
    }
}

/// One datagram on its way.
pub(super) struct Flying {
    /// The client that it goes to, or `None` to the server.
    pub(super) to: Option<usize>,
    pub(super) from: Received,
    pub(super) contents: Vec<u8>,
}

pub(super) struct Net {
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) clients: Vec<Side>,
    pub(super) server: Side,
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    /// Of a hundred datagrams so many are lost or doubled.
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) is_cut: bool,
    /// The clients' port.
    pub(super) port: u16,
    pub(super) flying: BTreeMap<(Instant, u64), Flying>,
    sent: u64,
    /// When, from which client or the server, and how long, of each datagram.
    pub(super) log: Vec<(Instant, Option<usize>, usize)>,
}

impl Net {
    pub(super) fn connect(&mut self, client: usize) -> QuicId {
        let server = SERVER.parse().unwrap();
        self.clients[client].endpoint.connect(self.now, server, NAME).unwrap()
    }

    pub(super) fn address(&self, client: usize) -> SocketAddr {
        let last = u8::try_from(client + 1).unwrap();
        SocketAddr::new([192, 0, 2, last].into(), self.port)
    }

    /// The only connection of a server.
    pub(super) fn accepted(&self) -> QuicId {
        self.server.endpoint.table.ids().next().unwrap()
    }

    /// Runs until nothing is due before `until`.
    pub(super) fn run(&mut self, until: Duration) {
        let until = Instant::EPOCH + until;
        loop {
            self.settle();
            let timers = self.sides().filter_map(|side| side.endpoint.poll_timeout()).min();
            let arrives = self.flying.keys().next().map(|(at, _)| *at);
            let Some(next) = [timers, arrives].into_iter().flatten().min() else { break };
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let Flying { to, from, contents } = entry.remove();
                let now = self.now;
                self.side(to).endpoint.receive(now, &from, &contents);
            }
            let now = self.now;
            self.sides_mut().for_each(|side| side.endpoint.handle_timeout(now));
        }
        self.now = self.now.max(until);
    }

    /// Runs so much longer.
    pub(super) fn run_for(&mut self, time: Duration) {
        self.run(self.now.saturating_since(Instant::EPOCH) + time);
    }

    pub(super) fn side(&mut self, which: Option<usize>) -> &mut Side {
        match which {
            Some(client) => &mut self.clients[client],
            None => &mut self.server,
        }
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        self.clients.iter().chain([&self.server])
    }

    fn sides_mut(&mut self) -> impl Iterator<Item = &mut Side> {
        self.clients.iter_mut().chain([&mut self.server])
    }

    fn settle(&mut self) {
        let all = (0..self.clients.len()).map(Some).chain([None]);
        for which in all.collect::<Vec<_>>() {
            let now = self.now;
            let mut buffer = Vec::new();
            loop {
                self.side(which).listen(now);
                let sent = self.side(which).endpoint.poll_transmit(now, 10, &mut buffer);
                let Some(transmit) = sent else { break };
                let size = transmit.segment_size.unwrap_or(buffer.len()).max(1);
                for contents in buffer.chunks(size) {
                    self.carry(which, &transmit, contents);
                }
            }
            self.side(which).listen(now);
        }
    }

    fn carry(&mut self, from: Option<usize>, transmit: &Transmit, contents: &[u8]) {
        self.log.push((self.now, from, contents.len()));
        let source = match from {
            Some(client) => self.address(client),
            None => SERVER.parse().unwrap(),
        };
        let to = match from {
            Some(_) => None,
            None => {
                let clients = 0..self.clients.len();
                let mut there = clients.filter(|one| self.address(*one) == transmit.destination);
                let Some(client) = there.next() else { return };
                Some(client)
            }
        };
        let copies = if self.rng.below(100) < self.doubled { 2 } else { 1 };
        for _ in 0..copies {
            if self.is_cut || self.rng.below(100) < self.lost {
                continue;
            }
            let late = self.rng.below(self.jitter.as_nanos() as u64 + 1);
            let at = self.now + self.delay + Duration::from_nanos(late);
            let from = Received { source, destination: None, ecn: transmit.ecn };
            self.sent += 1;
            let flying = Flying { to, from, contents: contents.to_vec() };
            self.flying.insert((at, self.sent), flying);
        }
    }
}

/// Bytes that tell their place.
pub(super) fn pattern(len: usize) -> Bytes {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}
