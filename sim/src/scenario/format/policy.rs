//! The client's policy: every setting that its builder offers. What is not said keeps the
//! client's own default.

use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use regatta_core::{altsvc, engine, eyeballs, limits, pool, race, upstream};
use serde::Deserialize;

use crate::scenario::units::{Bytes, BytesOrNone, CountOrNone, NumberOrNone, Time, TimeOrNone};

/// A table of settings, each of which overwrites one field of a configuration.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident for $config:path {
        $($(#[$each:meta])* pub $field:ident: $kind:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$each])* pub $field: Option<$kind>,)* }

        impl $name {
            /// The fields' names.
            #[cfg(test)]
            const FIELDS: &'static [&'static str] = &[$(stringify!($field),)*];

            /// Overwrites what is said here.
            pub(crate) fn apply(&self, to: &mut $config) {
                $(if let Some(value) = self.$field { to.$field = value.into(); })*
            }
        }
    };
}

settings! {
    /// `[client.pool]`: connections and waiting requests of one origin.
    Pool for pool::Config {
        /// How long establishing one connection may take.
        pub connect_timeout: Time,
        /// How long a connection without streams is kept.
        pub idle_timeout: TimeOrNone,
        /// How long a connection may live before it is drained.
        pub max_connection_duration: TimeOrNone,
        /// How many streams a connection may carry in its life.
        pub max_requests_per_connection: CountOrNone,
        /// Ceiling on the concurrent streams of a connection.
        pub max_concurrent_streams: NonZeroU32,
        /// What a connecting connection counts for.
        pub assumed_streams: NonZeroU32,
        /// Connections per needed one, in thousandths.
        pub preconnect_permille: u32,
        /// How often a request may be sent again by itself: never sent, or of unknown fate.
        pub max_resends: u32,
        /// The same, proven unprocessed.
        pub max_unprocessed_resends: u32,
        /// Idle longer than this, a connection is probed before it is used again.
        pub probe_after_idle: TimeOrNone,
        /// How long a draining connection may still take.
        pub drain_timeout: TimeOrNone,
    }
}

settings! {
    /// `[client.limits]`: circuit breakers.
    Limits for limits::Config {
        /// Most connections.
        pub max_connections: NumberOrNone,
        /// Most waiting requests.
        pub max_pending_requests: NumberOrNone,
        /// Most requests on connections.
        pub max_requests: NumberOrNone,
        /// Most resends under way.
        pub max_retries: NumberOrNone,
        /// Most pools.
        pub max_connection_pools: NumberOrNone,
    }
}

settings! {
    /// `[client.eyeballs]`: the race between the addresses of one host.
    Eyeballs for eyeballs::Config {
        /// How long an attempt runs before the next starts beside it.
        pub attempt_delay: Time,
        /// How long AAAA is waited for when A came first.
        pub resolution_delay: Time,
        /// Which family goes first.
        pub first_family: Family,
        /// How many addresses of the first family go in each turn.
        pub first_family_count: u32,
        /// What makes an attempt the winner.
        pub success: Success,
        /// Most addresses of each family that are kept.
        pub max_addresses: u32,
        /// Most attempts at once.
        pub max_parallel: u32,
        /// Most attempts of one race.
        pub max_attempts: u32,
    }
}

settings! {
    /// `[client.race]`: the race between QUIC and TCP.
    Race for race::Config {
        /// How long QUIC runs before TCP starts beside it.
        pub delay: Delay,
        /// Starts TCP at once also where QUIC was never tried.
        pub tcp_at_once_when_unknown: bool,
        /// Starts a second QUIC leg to the other address family.
        pub second_family: bool,
        /// Most legs at once.
        pub max_legs: u32,
    }
}

settings! {
    /// `[client.alternatives]`: the ledger of what else serves an origin.
    Alternatives for altsvc::Config {
        /// Most origins that are remembered.
        pub max_origins: u32,
        /// Most alternatives that an origin may offer.
        pub max_alternatives: u32,
        /// Most hosts that it may send its clients to.
        pub max_hosts: u32,
        /// How long a broken alternative is left alone.
        pub back_off: BackOff,
        /// Refuses private addresses as alternatives of an origin that is public.
        pub refuse_private: bool,
        /// Refuses a port above 1023 as an alternative to one below 1024.
        pub refuse_user_ports: bool,
    }
}

settings! {
    /// `[client.upstream]`: limits of the whole client.
    Upstream for upstream::Config {
        /// Most sockets at once.
        pub max_sockets: u32,
        /// Most connections that are established at once.
        pub max_handshakes: CountOrNone,
        /// Most pools that are kept.
        pub max_pools: u32,
        /// How long an empty pool is kept.
        pub pool_idle_timeout: Time,
        /// How long a host's addresses are used.
        pub address_lifetime: Time,
        /// Most requests that one call assigns, ends or fails.
        pub burst: NonZeroU32,
        /// How many records are kept.
        pub records: u32,
    }
}

settings! {
    /// `[client.engine]` and `[server.NAME.engine]`: limits of one connection's protocol engine.
    Engine for engine::Config {
        /// Largest head.
        pub max_head_bytes: Bytes,
        /// Most fields of a head.
        pub max_head_fields: u32,
        /// Server: longest method and target of a request together.
        pub max_request_line: Bytes,
        /// Server: longest body of a request.
        pub max_body_bytes: BytesOrNone,
        /// Server: how many requests a connection carries in its life.
        pub max_requests: CountOrNone,
        /// Most interim responses of one exchange.
        pub max_informational: u32,
        /// How long `100 Continue` is waited for.
        pub expect_timeout: Time,
        /// HTTP/2 client: how long a server that has answered may take nothing of a body's rest.
        pub linger_timeout: Time,
        /// Bytes of one stream that were delivered and not read.
        pub stream_buffer: Bytes,
        /// HTTP/2: the stream's receive window.
        pub stream_window: Bytes,
        /// HTTP/2: how far it grows where the path holds more.
        pub stream_window_max: Bytes,
        /// HTTP/2: the connection's receive window.
        pub connection_window: Bytes,
        /// HTTP/2 server: most concurrent streams of the client.
        pub max_concurrent_streams: NonZeroU32,
        /// HTTP/2 client: streams that are opened before the server's SETTINGS came.
        pub initial_streams: NonZeroU32,
        /// HTTP/3: bytes of the table of fields that the peer fills.
        pub qpack_table: Bytes,
        /// HTTP/3: streams that may wait for that table.
        pub qpack_blocked: u16,
        /// HTTP/3: bytes of datagrams that wait in each direction.
        pub h3_datagrams: CountOrNone,
        /// HTTP/2: largest frame that the peer may send.
        pub max_frame_size: Bytes,
        /// HTTP/2: PING when nothing came for so long.
        pub keep_alive_interval: TimeOrNone,
        /// How long the answer to a PING may take.
        pub keep_alive_timeout: Time,
        /// Server: how long a whole request head may take.
        pub head_timeout: Time,
        /// Server: how long an idle connection is kept.
        pub idle_timeout: TimeOrNone,
        /// Server: how long a client may take none of what is written.
        pub write_timeout: Time,
        /// How long a peer may take none of what nobody misses any more.
        pub close_timeout: Time,
        /// Server: what a peer must move at least, and within what time; or `"none"`.
        pub pace: PaceOrNone,
    }
}

/// What a peer must move, as `{ bytes = "14400B", window = "60s" }`, or `"none"`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum PaceOrNone {
    /// So many bytes within this time.
    Pace {
        /// Bytes that must move.
        bytes: Bytes,
        /// Within this time.
        window: Time,
    },
    /// Nothing.
    None(Never),
}

/// The word `"none"`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Never {
    /// No limit.
    None,
}

/// `[client]`: who asks, and by which rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The host that it runs on.
    pub host: String,
    /// How long a request may take in all.
    pub request_timeout: Option<TimeOrNone>,
    /// Which protocols may come out of a connection.
    #[serde(default)]
    pub protocols: Protocols,
    /// Which versions of TLS.
    #[serde(default)]
    pub tls_versions: Versions,
    /// Whether requests may go in early data.
    #[serde(default)]
    pub early_data: bool,
    /// Asks for the HTTPS records of origins that are not known to offer HTTP/3.
    #[serde(default)]
    pub https_records: bool,
    /// Whether it trusts every certificate.
    #[serde(default)]
    pub accept_any_certificate: bool,
    /// Addresses of names that are not looked up.
    #[serde(default)]
    pub resolve: BTreeMap<String, Vec<IpAddr>>,
    /// What it knows beforehand of origins' alternatives, as they would say it in Alt-Svc.
    #[serde(default)]
    pub alt_svc: BTreeMap<String, String>,
    /// Connections and waiting requests.
    #[serde(default)]
    pub pool: Pool,
    /// Circuit breakers.
    #[serde(default)]
    pub limits: Limits,
    /// The race between addresses.
    #[serde(default)]
    pub eyeballs: Eyeballs,
    /// The race between QUIC and TCP.
    #[serde(default)]
    pub race: Race,
    /// What else serves an origin.
    #[serde(default)]
    pub alternatives: Alternatives,
    /// Limits of the whole client.
    #[serde(default)]
    pub upstream: Upstream,
    /// Limits of each connection's engine.
    #[serde(default)]
    pub engine: Engine,
}

/// How long QUIC runs alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Delay {
    /// Always so long.
    Fixed(Time),
    /// By the round trip that is remembered.
    RoundTrip {
        /// Thousandths of it.
        permille: u32,
        /// Never shorter.
        least: Time,
        /// Never longer.
        most: Time,
    },
}

/// How long a broken alternative is left alone: doubled each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackOff {
    /// The first time.
    pub first: Time,
    /// Never longer.
    pub longest: Time,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// What makes an attempt the winner.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Success {
    /// TCP is connected.
    Transport,
    /// TLS is done where there is TLS.
    Handshake,
}

/// Which protocols may come out of a connection.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocols {
    /// Over TLS what ALPN picks; in plain text HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 over TLS; HTTP/1.1 in plain text.
    Http2,
    /// HTTP/2 also in plain text, without asking.
    Http2PriorKnowledge,
    /// HTTP/3 alone, without asking.
    Http3,
    /// HTTP/3 where it is known to be offered, in a race with TCP; else as `auto`.
    AutoHttp3,
}

/// Which versions of TLS are spoken.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub enum Versions {
    /// 1.3, and 1.2 with peers that have no better.
    #[default]
    #[serde(rename = "both")]
    Both,
    /// 1.2 alone.
    #[serde(rename = "1.2")]
    Tls12,
    /// 1.3 alone.
    #[serde(rename = "1.3")]
    Tls13,
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl From<TimeOrNone> for Option<Duration> {
    fn from(time: TimeOrNone) -> Self {
        time.0
    }
}

impl From<BytesOrNone> for Option<u64> {
    fn from(bytes: BytesOrNone) -> Self {
        bytes.0
    }
}

impl From<PaceOrNone> for Option<engine::Pace> {
    fn from(pace: PaceOrNone) -> Self {
        match pace {
            PaceOrNone::Pace { bytes, window } => {
                Some(engine::Pace { bytes: bytes.into(), window: window.into() })
            }
            PaceOrNone::None(Never::None) => None,
        }
    }
}

impl From<NumberOrNone> for Option<u32> {
    fn from(number: NumberOrNone) -> Self {
        number.0
    }
}

impl From<CountOrNone> for Option<NonZeroU32> {
    fn from(count: CountOrNone) -> Self {
        count.0
    }
}

impl From<Bytes> for u32 {
    /// What is more than 4 GiB is that.
    fn from(bytes: Bytes) -> Self {
        Self::try_from(bytes.0).unwrap_or(Self::MAX)
    }
}

impl From<Delay> for race::Delay {
    fn from(delay: Delay) -> Self {
        match delay {
            Delay::Fixed(delay) => Self::Fixed(delay.0),
            Delay::RoundTrip { permille, least, most } => {
                Self::RoundTrip { permille, least: least.0, most: most.0 }
            }
        }
    }
}

impl From<BackOff> for altsvc::BackOff {
    fn from(BackOff { first, longest }: BackOff) -> Self {
        Self { first: first.0, longest: longest.0 }
    }
}

impl From<Family> for eyeballs::Family {
    fn from(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::V4,
            Family::Ipv6 => Self::V6,
        }
    }
}

impl From<Success> for eyeballs::Success {
    fn from(success: Success) -> Self {
        match success {
            Success::Transport => Self::Transport,
            Success::Handshake => Self::Handshake,
        }
    }
}

impl From<Protocols> for upstream::Protocols {
    fn from(protocols: Protocols) -> Self {
        match protocols {
            Protocols::Auto => Self::Auto,
            Protocols::Http1 => Self::Http1,
            Protocols::Http2 => Self::Http2,
            Protocols::Http2PriorKnowledge => Self::Http2PriorKnowledge,
            Protocols::Http3 => Self::Http3,
            Protocols::AutoHttp3 => Self::AutoHttp3,
        }
    }
}

impl From<Versions> for engine::tls::Versions {
    fn from(versions: Versions) -> Self {
        match versions {
            Versions::Both => Self::Both,
            Versions::Tls12 => Self::Tls12,
            Versions::Tls13 => Self::Tls13,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of a configuration's fields, as its `Debug` tells them.
    fn fields(shown: &str) -> Vec<&str> {
        let lines = shown.lines().filter_map(|line| line.strip_prefix("    "));
        let fields = lines.filter(|line| !line.starts_with([' ', '}', ')']));
        fields.filter_map(|line| Some(line.split_once(": ")?.0)).collect()
    }

    #[test]
    fn every_setting_of_the_client_can_be_written() {
        let settings = [
            (Pool::FIELDS, format!("{:#?}", pool::Config::default())),
            (Limits::FIELDS, format!("{:#?}", limits::Config::default())),
            (Eyeballs::FIELDS, format!("{:#?}", eyeballs::Config::default())),
            (Race::FIELDS, format!("{:#?}", race::Config::default())),
            (Engine::FIELDS, format!("{:#?}", engine::Config::default())),
        ];
        for (known, config) in settings {
            assert_eq!(known, fields(&config));
        }
        // The seed is the run's; clusters and profiles are the builder's.
        let mut config = format!("{:#?}", upstream::Config::default());
        config = config.replace("    seed: ", "").replace("    clusters: ", "");
        // The ledger has a table of its own.
        config = config.replace("    profiles: ", "").replace("    alternatives: ", "");
        assert_eq!(Upstream::FIELDS, fields(&config));
        let mut config = format!("{:#?}", altsvc::Config::default());
        // A scenario's names have no families.
        config = config.replace("    seed: ", "").replace("    canonical_suffixes: ", "");
        assert_eq!(Alternatives::FIELDS, fields(&config));
    }
}
