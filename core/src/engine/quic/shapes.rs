//! Datagrams as they go and come.

use core::net::{IpAddr, SocketAddr};

use quinn_proto::EcnCodepoint;

/// What [`Endpoint::poll_transmit`](super::Endpoint::poll_transmit) wrote into its buffer: one
/// datagram, or several of one size that a socket can send in one call (UDP GSO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where it goes.
    pub destination: SocketAddr,
    /// The datagrams are so many bytes long; the last may be shorter. `None` is one datagram.
    pub segment_size: Option<usize>,
    /// The mark of its IP headers (RFC 3168 5); `None` is not ECN-capable.
    pub ecn: Option<Ecn>,
    /// The address that it comes from, where the socket is bound to all of a host's.
    pub source: Option<IpAddr>,
}

impl From<quinn_proto::Transmit> for Transmit {
    fn from(transmit: quinn_proto::Transmit) -> Self {
        Self {
            destination: transmit.destination,
            segment_size: transmit.segment_size,
            ecn: transmit.ecn.map(Ecn::from),
            source: transmit.src_ip,
        }
    }
}

/// Where one datagram came from and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub source: SocketAddr,
    /// The address that it was sent to, where the system says it.
    pub destination: Option<IpAddr>,
    /// The mark of its IP header; `None` is not ECN-capable, or not known.
    pub ecn: Option<Ecn>,
}

/// An ECN mark (RFC 3168 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecn {
    /// ECN-capable, codepoint 10.
    Ect0,
    /// ECN-capable, codepoint 01.
    Ect1,
    /// Congestion was experienced, codepoint 11.
    Ce,
}

impl From<EcnCodepoint> for Ecn {
    fn from(mark: EcnCodepoint) -> Self {
        match mark {
            EcnCodepoint::Ect0 => Self::Ect0,
            EcnCodepoint::Ect1 => Self::Ect1,
            EcnCodepoint::Ce => Self::Ce,
        }
    }
}

impl From<Ecn> for EcnCodepoint {
    fn from(mark: Ecn) -> Self {
        match mark {
            Ecn::Ect0 => Self::Ect0,
            Ecn::Ect1 => Self::Ect1,
            Ecn::Ce => Self::Ce,
        }
    }
}
