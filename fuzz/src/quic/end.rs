//! One end of a connection: its endpoint, HTTP/3 on it or nobody, and what it has sent.

use core::net::SocketAddr;

use bytes::Bytes;
use quinn_proto::StreamEvent;
use regatta_core::engine::h3::{Close, H3};
use regatta_core::engine::quic::{
    ClientConfig, Endpoint, Event, Options, QuicError, Received, ServerConfig, ServerOptions,
};
use regatta_core::engine::tls::{self, Clock};
use regatta_core::engine::{Config, Event as Told};
use regatta_core::id::QuicId;
use regatta_core::types::Cause;
use regatta_core::{Duration, Instant};
use regatta_sim::tls::{ROOT, good, provider, reseed};

/// 2026-01-01, when the simulator's certificates are valid.
const TODAY: Duration = Duration::from_secs(1_767_225_600);
/// Bytes of the longest datagram.
pub(crate) const DATAGRAM_MAX: usize = 1_452;
/// The server's name, which its certificate has.
pub(crate) const NAME: &str = "www.test";

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) endpoint: Endpoint,
    pub(crate) id: Option<QuicId>,
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// Where the other end is.
    pub(crate) other: SocketAddr,
    /// What speaks HTTP/3 here from the handshake's end on; `None` is a test's own voice.
    pub(crate) config: Option<Config>,
    pub(crate) engine: Option<H3>,
    pub(crate) is_connected: bool,
    /// What the engine told and nobody took.
    pub(crate) told: Vec<Told>,
    /// What was told of streams where no engine is.
    pub(crate) streams: Vec<StreamEvent>,
    /// How the engine ended the connection.
    pub(crate) close: Option<Close>,
    pub(crate) lost: Option<QuicError>,
    is_server: bool,
}

/// One datagram, and where it goes.
pub(crate) type Datagram = (SocketAddr, Vec<u8>);

/// Both configurations; ids and tokens are the same in every run.
pub(crate) fn configs(client: &Options, server: &ServerOptions) -> (ClientConfig, ServerConfig) {
    reseed(0);
    let clock = Clock::new(TODAY);
    let mut options = tls::ClientOptions::default();
    options.roots = vec![ROOT.to_vec()];
    options.provider = Some(provider());
    let mut theirs = good();
    theirs.provider = Some(provider());
    let of_client =
        tls::ClientConfig::new(&clock, options).and_then(|tls| ClientConfig::new(&tls, client));
    let of_server =
        tls::ServerConfig::new(&clock, theirs).and_then(|tls| ServerConfig::new(&tls, server));
    let (Ok(client), Ok(server)) = (of_client, of_server) else { panic!("the settings are good") };
    (client, server)
}

/// A client and a server whose handshake is complete, and when it was. An end without settings of
/// HTTP/3 is the test's own voice.
pub(crate) fn ends(
    now: &mut Instant,
    options: &Options,
    client: Option<&Config>,
    server: Option<&Config>,
) -> (End, End) {
    let mut theirs = ServerOptions::default();
    theirs.connection = options.clone();
    let (of_client, of_server) = configs(options, &theirs);
    let endpoints = (Endpoint::client(&of_client, true), Endpoint::server(&of_server, true));
    let (Ok(one), Ok(other)) = endpoints else { panic!("the settings are good") };
    let mut client = End::new(one, client.cloned(), false);
    let mut server = End::new(other, server.cloned(), true);
    client.connect(*now);
    for _ in 0..20 {
        *now = *now + Duration::from_millis(1);
        exchange(&mut client, &mut server, *now);
    }
    assert!(client.is_connected && server.is_connected, "a handshake on a perfect wire");
    (client, server)
}

/// Carries everything both ways, once.
pub(crate) fn exchange(client: &mut End, server: &mut End, now: Instant) {
    for (_, datagram) in client.work(now) {
        server.hear(now, client.address, &datagram);
    }
    for (_, datagram) in server.work(now) {
        client.hear(now, server.address, &datagram);
    }
}

impl End {
    pub(crate) fn new(endpoint: Endpoint, config: Option<Config>, is_server: bool) -> Self {
        let (client, server) = (([192, 0, 2, 9], 443).into(), ([192, 0, 2, 1], 443).into());
        let (address, other) = if is_server { (server, client) } else { (client, server) };
        Self {
            endpoint,
            id: None,
            address,
            other,
            config,
            engine: None,
            is_connected: false,
            told: Vec::new(),
            streams: Vec::new(),
            close: None,
            lost: None,
            is_server,
        }
    }

    /// A client begins.
    pub(crate) fn connect(&mut self, now: Instant) {
        match self.endpoint.connect(now, self.other, NAME) {
            Ok(id) => self.id = Some(id),
            Err(error) => panic!("a client can begin: {error:?}"),
        }
    }

    /// A datagram comes.
    pub(crate) fn hear(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let from = Received { source: from, destination: None, ecn: None };
        self.endpoint.receive(now, &from, datagram);
    }

    /// Does all there is to do; what it sends.
    pub(crate) fn work(&mut self, now: Instant) -> Vec<Datagram> {
        /// So many turns at one instant are a livelock.
        const TURNS_MAX: usize = 10_000;
        let mut sent = Vec::new();
        let mut buffer = Vec::new();
        for _ in 0..TURNS_MAX {
            let mut moved = self.turn(now);
            while let Some(transmit) = self.endpoint.poll_transmit(now, 4, &mut buffer) {
                let size = transmit.segment_size.unwrap_or(buffer.len()).max(1);
                let pieces =
                    buffer.chunks(size).map(|piece| (transmit.destination, piece.to_vec()));
                sent.extend(pieces);
                moved = true;
            }
            if !moved {
                return sent;
            }
        }
        panic!("{TURNS_MAX} turns at {now:?} came to no end");
    }

    /// Timers, events and the engine; whether anything moved.
    fn turn(&mut self, now: Instant) -> bool {
        let mut moved = false;
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
            moved = true;
        }
        while let Some((id, event)) = self.endpoint.poll_event() {
            moved = true;
            self.on_event(now, id, event);
        }
        let Some(engine) = &mut self.engine else { return moved };
        if engine.poll_timeout().is_some_and(|at| at <= now) {
            engine.handle_timeout(now);
            if let Some(connection) = self.id.and_then(|id| self.endpoint.connection(id)) {
                engine.pump(now, connection);
            }
            moved = true;
        }
        let before = self.told.len();
        self.told.extend(core::iter::from_fn(|| engine.poll_event()));
        moved |= self.told.len() > before;
        if let (Some(close), Some(id)) = (engine.poll_close(), self.id) {
            self.close = Some(close);
            let code = u32::try_from(close.code).unwrap_or(u32::MAX);
            self.endpoint.close(now, id, code, Bytes::new());
            moved = true;
        }
        moved
    }

    fn on_event(&mut self, now: Instant, id: QuicId, event: Event) {
        if let Event::Accepted { .. } = event {
            self.id.get_or_insert(id);
        }
        if self.id != Some(id) {
            return;
        }
        match event {
            Event::Connected => {
                self.is_connected = true;
                let config = self.config.as_ref();
                self.engine = config.map(|config| match self.is_server {
                    true => H3::server(config, now),
                    false => H3::client(config, now),
                });
            }
            Event::Stream(event) => match &mut self.engine {
                Some(engine) => engine.handle(now, &event),
                None => self.streams.push(event),
            },
            Event::Lost(error) => {
                if let Some(engine) = &mut self.engine {
                    engine.receive_end(now, error.cause);
                }
                self.lost = Some(error);
            }
            _ => {}
        }
    }

    /// It is over, whatever the other end thinks.
    pub(crate) fn lose(&mut self, now: Instant) {
        if let Some(engine) = &mut self.engine {
            engine.receive_end(now, Cause::ConnectionReset);
        }
        if let Some(id) = self.id {
            self.endpoint.close(now, id, 0x100, Bytes::new());
        }
    }

    /// Takes what the engine has told.
    pub(crate) fn gather(&mut self) {
        if let Some(engine) = &mut self.engine {
            self.told.extend(core::iter::from_fn(|| engine.poll_event()));
        }
    }

    /// When it wants to work by itself.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let engine = self.engine.as_ref().and_then(H3::poll_timeout);
        self.endpoint.poll_timeout().into_iter().chain(engine).min()
    }
}
