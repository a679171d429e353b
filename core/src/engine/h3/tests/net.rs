//! Two connections of quinn-proto in memory, a millisecond apart, and an engine on one or both.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    ClientConfig, Connection, ConnectionError, ConnectionHandle, DatagramEvent, Dir, Endpoint,
    EndpointConfig, ServerConfig, Side, StreamEvent, TransportConfig, VarInt,
};
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::super::frame::put_front;
use super::super::{Close, H3};
use super::told;
use crate::engine::integer;
use crate::engine::quic::Listening;
use crate::engine::tls::std_time;
use crate::engine::{Config, Event};
use crate::time::{Duration, Instant};
use crate::types::Cause;

type StdInstant = std::time::Instant;

/// What the transport grants, as a test wants it.
#[derive(Clone, Copy)]
pub(super) struct Grants {
    pub(super) bidirectional: u32,
    pub(super) unidirectional: u32,
    /// What a stream may send before it is read.
    pub(super) window: u32,
    /// After so many milliseconds of silence the connection ends.
    pub(super) idle: u32,
}

impl Default for Grants {
    fn default() -> Self {
        Self { bidirectional: 100, unidirectional: 8, window: 1 << 20, idle: 30_000 }
    }
}

/// One end.
pub(super) struct End {
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    inbox: VecDeque<(Instant, BytesMut)>,
    /// The engine, unless the test itself speaks.
    pub(super) engine: Option<H3>,
    pub(super) lost: Option<ConnectionError>,
    /// What the engine has told.
    pub(super) events: Vec<Event>,
    /// How the engine closed.
    pub(super) closed: Option<Close>,
    /// For a test that speaks itself.
    pub(super) stream_events: Vec<StreamEvent>,
}

/// Both, the client first.
pub(super) struct Net {
    pub(super) client: End,
    pub(super) server: End,
    pub(super) now: Instant,
    /// How long each datagram to the client takes on its link, in milliseconds.
    pub(super) pace: u64,
    /// Whether the next client may send early data.
    resumable: ClientConfig,
}

fn transport(grants: Grants) -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(grants.bidirectional.into())
        .max_concurrent_uni_streams(grants.unidirectional.into())
        .stream_receive_window(grants.window.into())
        .max_idle_timeout(Some(VarInt::from_u32(grants.idle).into()))
        .mtu_discovery_config(None);
    Arc::new(transport)
}

impl Net {
    /// A handshake away from each other. A side without an engine is the test's own.
    pub(super) fn new(client: Option<&Config>, server: Option<&Config>) -> Self {
        Self::with(client, server, Grants::default(), Grants::default())
    }

    /// The same, with what the client's and the server's transport grant.
    pub(super) fn with(
        client: Option<&Config>,
        server: Option<&Config>,
        client_grants: Grants,
        server_grants: Grants,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let made = rcgen::generate_simple_self_signed(["example.com".into()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let chain = vec![made.cert.der().clone()];
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let mut tls = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .unwrap();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        tls.max_early_data_size = u32::MAX;
        let crypto = Arc::new(QuicServerConfig::try_from(tls).unwrap());
        let mut server_config = ServerConfig::with_crypto(crypto);
        server_config.transport_config(transport(server_grants));
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        tls.enable_early_data = true;
        let crypto = QuicClientConfig::try_from(tls).unwrap();
        let mut client_config = ClientConfig::new(Arc::new(Listening(Arc::new(crypto))));
        client_config.transport_config(transport(client_grants));
        let now = Instant::from_millis(1);
        let engine = client.map(|config| H3::client(config, now));
        let mut net = Self {
            pace: 0,
            client: End::new(None, engine),
            server: End::new(Some(server_config), server.map(|config| H3::server(config, now))),
            now,
            resumable: client_config,
        };
        net.connect();
        net
    }

    /// The client begins a connection.
    fn connect(&mut self) {
        let address = "192.0.2.1:443".parse().unwrap();
        let now = self.std_now();
        let config = self.resumable.clone();
        let made = self.client.endpoint.connect(now, config, address, "example.com").unwrap();
        self.client.connection = Some(made);
    }

    /// A new connection between the same two; the server may have forgotten what it was.
    pub(super) fn again(&mut self, client: H3, server: Option<H3>) {
        let old = core::mem::replace(&mut self.client, End::new(None, Some(client)));
        drop(old);
        self.server.engine = server;
        self.server.connection = None;
        self.server.inbox.clear();
        self.server.events.clear();
        self.server.lost = None;
        self.connect();
    }

    fn std_now(&self) -> StdInstant {
        std_time::std(self.now)
    }

    /// A millisecond.
    pub(super) fn tick(&mut self) {
        let now = self.std_now();
        for datagram in self.client.step(self.now, now) {
            self.server.inbox.push_back((self.now + Duration::from_millis(1), datagram));
        }
        for datagram in self.server.step(self.now, now) {
            let last = self.client.inbox.back().map_or(self.now, |(at, _)| *at);
            let free = last + Duration::from_millis(self.pace);
            let at = free.max(self.now + Duration::from_millis(1));
            self.client.inbox.push_back((at, datagram));
        }
        self.now = self.now + Duration::from_millis(1);
    }

    pub(super) fn run(&mut self, millis: u64) {
        (0..millis).for_each(|_| self.tick());
    }

    /// What the client has told since it was asked last.
    pub(super) fn client_told(&mut self) -> Vec<String> {
        self.run(12);
        told(core::mem::take(&mut self.client.events))
    }

    /// What the server has told since it was asked last.
    pub(super) fn server_told(&mut self) -> Vec<String> {
        self.run(12);
        told(core::mem::take(&mut self.server.events))
    }
}

impl End {
    fn new(server: Option<ServerConfig>, engine: Option<H3>) -> Self {
        let mut config = EndpointConfig::default();
        config.rng_seed(Some([7; 32]));
        Self {
            endpoint: Endpoint::new(Arc::new(config), server.map(Arc::new), false, None),
            connection: None,
            inbox: VecDeque::new(),
            engine,
            lost: None,
            events: Vec::new(),
            closed: None,
            stream_events: Vec::new(),
        }
    }

    pub(super) fn engine(&mut self) -> &mut H3 {
        self.engine.as_mut().unwrap()
    }

    /// The first request that was told.
    pub(super) fn asked(&self) -> crate::id::StreamId {
        let told = self.events.iter().find_map(|event| match event {
            Event::Head { stream, .. } => Some(*stream),
            _ => None,
        });
        told.unwrap()
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection.as_mut().unwrap().1
    }

    /// With what code the other side closed.
    pub(super) fn code(&self) -> Option<u64> {
        match self.lost.as_ref()? {
            ConnectionError::ApplicationClosed(close) => Some(close.error_code.into_inner()),
            _ => None,
        }
    }

    fn step(&mut self, now: Instant, std_now: StdInstant) -> Vec<BytesMut> {
        let mut sent = Vec::new();
        while let Some((_, datagram)) = self.inbox.pop_front_if(|(at, _)| *at <= now) {
            self.receive(std_now, datagram, &mut sent);
        }
        let Some((handle, connection)) = &mut self.connection else { return sent };
        if connection.poll_timeout().is_some_and(|at| at <= std_now) {
            connection.handle_timeout(std_now);
        }
        while let Some(event) = connection.poll() {
            match event {
                quinn_proto::Event::Stream(event) => match &mut self.engine {
                    Some(engine) => engine.handle(now, &event),
                    None => self.stream_events.push(event),
                },
                quinn_proto::Event::ConnectionLost { reason } => {
                    if let Some(engine) = &mut self.engine {
                        engine.take_rest(now, connection);
                        engine.receive_end(now, Cause::Closed);
                    }
                    self.lost = Some(reason);
                }
                quinn_proto::Event::Connected
                    if connection.side() == Side::Client && connection.has_0rtt() =>
                {
                    if let Some(engine) =
                        self.engine.as_mut().filter(|_| !connection.accepted_0rtt())
                    {
                        engine.early_data_rejected(now);
                    }
                }
                _ => {}
            }
        }
        if let Some(engine) = &mut self.engine {
            if engine.poll_timeout().is_some_and(|at| at <= now) {
                engine.handle_timeout(now);
            }
            engine.pump(now, connection);
            self.events.extend(core::iter::from_fn(|| engine.poll_event()));
            if let Some(close) = engine.poll_close() {
                self.closed = Some(close);
                connection.close(std_now, VarInt::from_u64(close.code).unwrap(), Bytes::new());
            }
        }
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        let mut buffer = Vec::new();
        while let Some(transmit) = connection.poll_transmit(std_now, 1, &mut buffer) {
            sent.push(BytesMut::from(&buffer[..transmit.size]));
            buffer.clear();
        }
        sent
    }

    fn receive(&mut self, now: StdInstant, datagram: BytesMut, sent: &mut Vec<BytesMut>) {
        let mut answer = Vec::new();
        let remote = "192.0.2.1:443".parse().unwrap();
        match self.endpoint.handle(now, remote, None, None, datagram, &mut answer) {
            Some(DatagramEvent::NewConnection(incoming)) => {
                let made = self.endpoint.accept(incoming, now, &mut answer, None);
                self.connection = Some(made.ok().unwrap());
            }
            Some(DatagramEvent::ConnectionEvent(to, event)) => {
                if let Some((handle, connection)) = &mut self.connection
                    && *handle == to
                {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::Response(transmit)) => {
                sent.push(BytesMut::from(&answer[..transmit.size]));
            }
            None => {}
        }
    }

    /// For a test that speaks itself: opens a stream of `kind` and writes on it.
    pub(super) fn begin(&mut self, kind: u64, bytes: &[u8]) -> quinn_proto::StreamId {
        let stream = self.connection().streams().open(Dir::Uni).unwrap();
        let mut front = Vec::new();
        integer::put(&mut front, kind);
        self.write(stream, &front);
        self.write(stream, bytes);
        stream
    }

    /// Opens a stream of both directions and writes on it.
    pub(super) fn ask(&mut self, bytes: &[u8], end: bool) -> quinn_proto::StreamId {
        let stream = self.connection().streams().open(Dir::Bi).unwrap();
        self.write(stream, bytes);
        if end {
            self.finish(stream);
        }
        stream
    }

    pub(super) fn write(&mut self, stream: quinn_proto::StreamId, bytes: &[u8]) {
        if !bytes.is_empty() {
            let written = self.connection().send_stream(stream).write(bytes).unwrap();
            assert_eq!(written, bytes.len());
        }
    }

    pub(super) fn finish(&mut self, stream: quinn_proto::StreamId) {
        self.connection().send_stream(stream).finish().unwrap();
    }

    /// What came on a stream, and how it ended.
    pub(super) fn read(&mut self, stream: quinn_proto::StreamId) -> (Vec<u8>, String) {
        let mut all = Vec::new();
        let mut recv = self.connection().recv_stream(stream);
        let Ok(mut chunks) = recv.read(true) else { return (all, "closed".into()) };
        loop {
            match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => all.extend_from_slice(&chunk.bytes),
                Ok(None) => return (all, "end".into()),
                Err(quinn_proto::ReadError::Blocked) => return (all, "open".into()),
                Err(quinn_proto::ReadError::Reset(code)) => {
                    return (all, format!("reset {:#x}", code.into_inner()));
                }
            }
        }
    }

    /// The code with which the other side does not want the rest of a stream.
    pub(super) fn stopped(&self, stream: quinn_proto::StreamId) -> Option<u64> {
        self.stream_events.iter().find_map(|event| match event {
            StreamEvent::Stopped { id, error_code } if *id == stream => {
                Some(error_code.into_inner())
            }
            _ => None,
        })
    }
}

/// A frame.
pub(super) fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_front(&mut out, kind, payload.len());
    out.extend_from_slice(payload);
    out
}
