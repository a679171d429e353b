//! Settings of the whole upstream.

use core::fmt;
use core::num::NonZeroU32;

use crate::time::Duration;
use crate::types::{Origin, Scheme};
use crate::{altsvc, eyeballs, limits, pool, race};

/// Settings of an [`Upstream`](super::Upstream).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Seeds every jitter and the origin table's hash.
    pub seed: u64,
    /// Clusters in the order of their ids (`k0.0`, `k1.0`, ..). Default one.
    pub clusters: Vec<Cluster>,
    /// Profiles in the order of their ids (0, 1, ..). Default one.
    pub profiles: Vec<Profile>,
    /// Most sockets (attempts and connections) at once, without exception. Where all are taken and
    /// a pool needs one, the connection that has been idle for the longest, of all pools, is
    /// closed; where none is idle, pools wait in line. Default 16,384.
    pub max_sockets: u32,
    /// Most connections that are established at once, in all pools together; the race between a
    /// host's addresses counts once. Pools take turns, one connection each, in the order in which
    /// they asked. Default 1,024: as many as requests may wait by default; `None` is no limit.
    pub max_handshakes: Option<NonZeroU32>,
    /// Most pools that are kept; the least recently used empty one goes first. Default 65,536.
    pub max_pools: u32,
    /// How long a pool without connections and requests is kept. Default 60 s.
    pub pool_idle_timeout: Duration,
    /// How long a host's addresses are used before it is resolved again; they are also dropped
    /// when all of them failed. Default 60 s.
    pub address_lifetime: Duration,
    /// Most requests that one call assigns, ends or fails; the rest follow at once in the next.
    /// Default 64.
    pub burst: NonZeroU32,
    /// The ledger of what else serves each origin; its seed is the upstream's.
    pub alternatives: altsvc::Config,
    /// How many records the ring keeps; older ones are lost and counted. Default 4,096.
    pub records: u32,
}

/// Settings of one cluster.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Cluster {
    /// Its name, for people. Default empty.
    pub name: String,
    /// Circuit breakers of [`Priority::Default`](crate::types::Priority).
    pub limits: limits::Config,
    /// Circuit breakers of [`Priority::High`](crate::types::Priority).
    pub limits_high: limits::Config,
    /// Pools.
    pub pool: pool::Config,
    /// The race between a host's addresses.
    pub eyeballs: eyeballs::Config,
    /// The race between QUIC and TCP, where a profile has both.
    pub race: race::Config,
}

/// What core must know of a profile; TLS, ALPN and CONNECT themselves are the driver's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Which protocols may come out of a connection.
    pub protocols: Protocols,
    /// The proxy that opens tunnels to the origins: connections go there, and the one whose TCP
    /// is up first asks for the tunnel ([`Success::Transport`](crate::eyeballs::Success)), so
    /// that a slow origin is not asked for twice. Default none.
    pub via: Option<Origin>,
    /// Whether requests of [`MethodClass::Early`](crate::types::MethodClass) may go with the first
    /// flight of a handshake over QUIC. Default no: whoever records that flight can send it again,
    /// and the server acts on it again (RFC 8470 2). Envoy's routes allow safe methods by default.
    pub early_data: bool,
    /// Whether the HTTPS records (RFC 9460) of origins are asked for where QUIC and TCP race and
    /// nothing over QUIC is known. The first connection waits for the answer, no longer than
    /// [`resolution_delay`](crate::eyeballs::Config::resolution_delay) from the first address on
    /// (Happy Eyeballs 3). Default no: the driver must have a resolver that knows them.
    pub https_records: bool,
}

impl Profile {
    /// Whether QUIC and TCP race for connections to an origin of this scheme, where it offers
    /// HTTP/3: neither in plain text nor through a proxy.
    pub fn races(&self, scheme: Scheme) -> bool {
        let both = self.protocols == Protocols::AutoHttp3 && self.via.is_none();
        both && scheme == Scheme::Https
    }
}

/// Which protocols may come out of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocols {
    /// Over TLS whatever ALPN picks of HTTP/2 and HTTP/1.1; in plain text HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 over TLS; HTTP/1.1 in plain text.
    Http2,
    /// HTTP/2 also in plain text, without asking (RFC 9113 3.3).
    Http2PriorKnowledge,
    /// HTTP/3 alone, without asking: every attempt is one over QUIC. Not in plain text.
    Http3,
    /// HTTP/3 where the origin is known to offer it, in a race with TCP, and as `Auto` where it is
    /// not (Envoy's `auto_config` with HTTP/3). In plain text and through a proxy as `Auto`.
    AutoHttp3,
}

impl Protocols {
    /// Whether an origin of this scheme can be reached so, through a proxy's tunnel or directly.
    pub const fn may(self, scheme: Scheme, tunnel: bool) -> Result<(), NoWay> {
        match (self, scheme, tunnel) {
            (Self::Http3, Scheme::Http, _) => Err(NoWay::PlainText),
            (Self::Http3, Scheme::Https, true) => Err(NoWay::Tunnel),
            _ => Ok(()),
        }
    }
}

/// Why an origin cannot be reached with the protocols that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoWay {
    /// HTTP/3 has no plain text (RFC 9114 3.1).
    PlainText,
    /// HTTP/3 alone, where a proxy tunnels a byte stream: that carries no datagrams.
    Tunnel,
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlainText => "HTTP/3 is for https alone",
            Self::Tunnel => "HTTP/3 does not go through a proxy's tunnel",
        })
    }
}

impl core::error::Error for NoWay {}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            clusters: vec![Cluster::default()],
            profiles: vec![Profile::default()],
            max_sockets: 16_384,
            max_handshakes: NonZeroU32::new(1_024),
            max_pools: 65_536,
            pool_idle_timeout: Duration::from_secs(60),
            address_lifetime: Duration::from_secs(60),
            burst: NonZeroU32::MIN.saturating_add(63),
            alternatives: altsvc::Config::default(),
            records: 4_096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http3_alone_has_no_way_but_https_without_a_tunnel() {
        let all = [
            Protocols::Auto,
            Protocols::Http1,
            Protocols::Http2,
            Protocols::Http2PriorKnowledge,
            Protocols::AutoHttp3,
        ];
        for scheme in [Scheme::Http, Scheme::Https] {
            for tunnel in [false, true] {
                let others = all.map(|protocols| protocols.may(scheme, tunnel));
                assert_eq!(others, [Ok(()); 5], "{scheme:?} {tunnel}");
            }
        }
        let rows = [
            (Scheme::Http, false, Err(NoWay::PlainText)),
            (Scheme::Http, true, Err(NoWay::PlainText)),
            (Scheme::Https, false, Ok(())),
            (Scheme::Https, true, Err(NoWay::Tunnel)),
        ];
        for (scheme, tunnel, expected) in rows {
            assert_eq!(Protocols::Http3.may(scheme, tunnel), expected, "{scheme:?} {tunnel}");
        }
    }
}
