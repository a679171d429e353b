//! Ids: a slot in an arena and the generation of what lives there.
//!
//! Machines mint them, drivers keep side tables indexed by [`slot`](RequestId::slot), and a stale
//! one (same slot, older generation) is recognised and ignored.

use core::fmt;

/// What every id can do; arenas are generic over it.
pub trait Id: Copy + Eq {
    /// Builds the id of `slot` in its `generation`.
    fn new(slot: u32, generation: u32) -> Self;
    /// The index of its slot: dense, reused.
    fn slot(self) -> usize;
    /// How many times the slot has been given out before.
    fn generation(self) -> u32;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $letter:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            slot: u32,
            generation: u32,
        }

        impl $name {
            /// Builds an id; for drivers that keep them packed, and tests that forge stale ones.
            pub const fn new(slot: u32, generation: u32) -> Self {
                Self { slot, generation }
            }

            /// The index of its slot: dense, reused, fit for a side table.
            pub const fn slot(self) -> usize {
                self.slot as usize
            }

            /// How many times the slot has been given out before.
            pub const fn generation(self) -> u32 {
                self.generation
            }
        }

        impl Id for $name {
            fn new(slot: u32, generation: u32) -> Self {
                Self::new(slot, generation)
            }
            fn slot(self) -> usize {
                self.slot()
            }
            fn generation(self) -> u32 {
                self.generation()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}.{}"), self.slot, self.generation)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}

ids! {
    /// A request: what a caller asked for; it may use several streams in turn. Prints as `r3.1`.
    RequestId "r"
    /// A connection to a host, established or establishing. Prints as `c7.2`.
    ConnectionId "c"
    /// One handshake on one transport to one address. Prints as `a7.2`.
    AttemptId "a"
    /// One upstream endpoint with its addresses. Prints as `h0.0`.
    HostId "h"
    /// A named group of hosts with one configuration. Prints as `k0.0`.
    ClusterId "k"
    /// A pool: the connections and waiting requests of one key. Prints as `p0.0`.
    PoolId "p"
    /// One exchange on one connection; ours, not the protocol's own number. Prints as `s0.0`.
    StreamId "s"
    /// A connection of a QUIC endpoint; several share one socket on servers. Prints as `q0.0`.
    QuicId "q"
}

/// A registered bundle of TLS, ALPN and protocol settings, compared by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileId(pub u16);
