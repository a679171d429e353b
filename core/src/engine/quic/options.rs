//! What can be chosen of QUIC.

use core::num::NonZeroU32;
use std::sync::Arc;

use quinn_proto::congestion::{BbrConfig, ControllerFactory, CubicConfig, NewRenoConfig};
use quinn_proto::{IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

use crate::engine::Config;
use crate::time::Duration;

/// Settings of a connection, for both sides. Limits are on what the peer controls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How much may be under way. Default Cubic (RFC 9438).
    pub congestion: Congestion,
    /// A connection of which nothing was heard for so long is dead; the peer's own wish counts
    /// where it is shorter. Default 30 s (RFC 9308 3.2); `None` waits for ever.
    pub idle_timeout: Option<Duration>,
    /// Send a PING when nothing was heard or said for so long. Default `None`, never; over HTTP/3 a
    /// client asks by itself while answers are outstanding (RFC 9114 5.1).
    pub keep_alive: Option<Duration>,
    /// Receive window of each stream, in bytes. Default 1,250,000: 100 Mbit/s at 100 ms.
    pub stream_window: u32,
    /// Receive window of the connection, in bytes: what the peer can make this side hold.
    /// Default 16 MiB, as for HTTP/2.
    pub connection_window: u32,
    /// Most bytes that wait to be sent or acknowledged. Default 10,000,000: eight streams'
    /// windows, quinn's default.
    pub send_window: u32,
    /// Most streams in both directions that the peer may have open. Default 100 (RFC 9114 6.1
    /// recommends no less). A server of HTTP/3 has
    /// [`max_concurrent_streams`](crate::engine::Config::max_concurrent_streams) instead
    /// ([`ServerOptions::grant`]).
    pub bidirectional_streams: u32,
    /// Most streams in one direction that the peer may have open. Default 16: HTTP/3 needs three,
    /// and extensions and reserved types must find room (RFC 9114 6.2).
    pub unidirectional_streams: u32,
    /// Whether datagrams longer than 1,200 bytes are tried (RFC 8899). Default true. It is only
    /// done on sockets that send no fragments.
    pub mtu_discovery: bool,
    /// The longest datagram that is tried, in bytes. Default 1,452: what fits Ethernet and IPv6.
    /// What the peer sends may be longer.
    pub mtu_max: u16,
    /// Most bytes of application datagrams (RFC 9221) that wait in each direction, to be taken or
    /// to be sent; the oldest are lost first. Default `None`: the peer is told to send none.
    pub datagrams: Option<NonZeroU32>,
}

impl Options {
    /// Carries datagrams where the engine takes some, and nothing else was said of them.
    pub fn carry_datagrams(&mut self, engine: &Config) {
        self.datagrams = self.datagrams.or(engine.h3_datagrams);
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            congestion: Congestion::default(),
            idle_timeout: Some(Duration::from_secs(30)),
            keep_alive: None,
            stream_window: 1_250_000,
            connection_window: 16 << 20,
            send_window: 10_000_000,
            bidirectional_streams: 100,
            unidirectional_streams: 16,
            mtu_discovery: true,
            mtu_max: 1_452,
            datagrams: None,
        }
    }
}

/// Which congestion controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Congestion {
    /// RFC 9438.
    #[default]
    Cubic,
    /// RFC 9002 7.
    NewReno,
    /// Its first version, which draws from the process's own randomness: it cannot be had twice.
    Bbr,
}

impl Congestion {
    fn factory(self) -> Arc<dyn ControllerFactory + Send + Sync> {
        match self {
            Self::Cubic => Arc::new(CubicConfig::default()),
            Self::NewReno => Arc::new(NewRenoConfig::default()),
            Self::Bbr => Arc::new(BbrConfig::default()),
        }
    }
}

/// When a server makes a client prove its address before it keeps anything of it (RFC 9000 8.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never.
    Never,
    /// Always, which costs every connection one round trip.
    Always,
    /// While more handshakes than so many are under way.
    Above(u32),
}

/// Settings of a server, beside those of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Those of each connection.
    pub connection: Options,
    /// Most connections, those that are closing too. Default 10,000.
    pub max_connections: u32,
    /// Most handshakes under way. Default 1,024.
    pub max_handshakes: u32,
    /// Default above 256 handshakes, a quarter of what there may be.
    pub retry: Retry,
    /// How long a handshake may take. Default 20 s (Envoy's `crypto_handshake_timeout`).
    pub handshake_timeout: Duration,
    /// Whether a client may go on from another address (RFC 9000 9). Default true.
    pub migration: bool,
    /// Whether requests are taken with the first flight of a handshake that resumes a session
    /// (0-RTT). Default false: whoever records such a flight can send it again, and only the
    /// application knows what may happen twice (RFC 8470 3). Each ticket is taken once and
    /// sessions are kept in this process, so that another one, or the next, refuses what it has
    /// not given out.
    pub early_data: bool,
    /// What the tokens of stateless resets and Retry are derived from, so that another process
    /// with the same, the next one too, knows them. Default `None`: drawn at random.
    pub secret: Option<[u8; 32]>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            connection: Options::default(),
            max_connections: 10_000,
            max_handshakes: 1_024,
            retry: Retry::Above(256),
            handshake_timeout: Duration::from_secs(20),
            migration: true,
            early_data: false,
            secret: None,
        }
    }
}

impl ServerOptions {
    /// Grants a client of HTTP/3 from the beginning as many streams as the engine does later: in
    /// the transport's parameters stands what a server has to say of its requests. So it is with
    /// datagrams ([`Options::carry_datagrams`]).
    pub fn grant(&mut self, engine: &Config) {
        self.connection.carry_datagrams(engine);
        self.connection.bidirectional_streams = engine.max_concurrent_streams.get();
    }
}

/// As quinn-proto wants them.
pub(super) fn transport(options: &Options) -> Arc<TransportConfig> {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(options.mtu_max);
    let mut transport = TransportConfig::default();
    let datagrams = options.datagrams.map(|bytes| bytes.get() as usize);
    transport
        .congestion_controller_factory(options.congestion.factory())
        .max_idle_timeout(options.idle_timeout.and_then(|time| IdleTimeout::try_from(time).ok()))
        .keep_alive_interval(options.keep_alive)
        .stream_receive_window(VarInt::from_u32(options.stream_window))
        .receive_window(VarInt::from_u32(options.connection_window))
        .send_window(u64::from(options.send_window))
        .max_concurrent_bidi_streams(VarInt::from_u32(options.bidirectional_streams))
        .max_concurrent_uni_streams(VarInt::from_u32(options.unidirectional_streams))
        .mtu_discovery_config(options.mtu_discovery.then_some(mtu))
        .datagram_receive_buffer_size(datagrams)
        .datagram_send_buffer_size(datagrams.unwrap_or_default());
    Arc::new(transport)
}
