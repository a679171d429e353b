//! Network address translation in front of a host.

use core::net::IpAddr;
use core::time::Duration;

/// A NAT that a host sits behind.
///
/// Everything that the host sends to other hosts comes from `public`, at a port of the NAT's own,
/// which is the same for all destinations; only who was sent something at that port may answer
/// (RFC 4787: endpoint-independent mapping, address and port-dependent filtering). Nobody else
/// reaches the host. What of the host's addresses is not of `public`'s family is not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nat {
    /// The address that others see.
    pub public: IpAddr,
    /// A flow of datagrams is forgotten when nothing was sent for so long. Default 30 s, Linux's
    /// `nf_conntrack_udp_timeout`.
    pub udp_idle: Duration,
    /// A TCP connection is forgotten when nothing was sent for so long. Default 5 days, Linux's
    /// `nf_conntrack_tcp_timeout_established`; many home routers say minutes.
    pub tcp_idle: Duration,
}

impl Nat {
    /// A NAT that others see as this address.
    pub const fn new(public: IpAddr) -> Self {
        Self {
            public,
            udp_idle: Duration::from_secs(30),
            tcp_idle: Duration::from_secs(5 * 24 * 3_600),
        }
    }

    /// Datagrams' flows are forgotten after this.
    #[must_use]
    pub const fn udp_idle(mut self, time: Duration) -> Self {
        self.udp_idle = time;
        self
    }

    /// Connections are forgotten after this.
    #[must_use]
    pub const fn tcp_idle(mut self, time: Duration) -> Self {
        self.tcp_idle = time;
        self
    }
}
