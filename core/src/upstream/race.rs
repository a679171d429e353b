//! A connection on its way: the race between its host's addresses, and the memory of it.

use core::net::SocketAddr;

use super::grid::Runner;
use crate::eyeballs::Eyeballs;
use crate::id::{AttemptId, ConnectionId, HostId, PoolId};
use crate::race::Leg;
use crate::time::Instant;
use crate::types::{AllFailed, Cause, FailedAttempt, Transport};

/// One attempt, as a timeline shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptLine {
    /// Its id.
    pub attempt: AttemptId,
    /// Where to.
    pub address: SocketAddr,
    /// When it began.
    pub started: Instant,
    /// When its transport was up, as far as that was told.
    pub progress: Option<Instant>,
    /// When it ended.
    pub ended: Option<Instant>,
    /// Why it failed; `None` for the winner and while it is under way.
    pub failed: Option<Cause>,
}

/// Which attempt of which race an id stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) connection: ConnectionId,
    /// As the race counts.
    pub(super) number: u32,
    /// Waits for a socket; the driver knows nothing of it yet.
    pub(super) parked: bool,
}

/// The race behind a connection; after its end, the memory of it.
#[derive(Clone, Debug)]
pub(super) struct Race {
    pub(super) connection: ConnectionId,
    pub(super) pool: PoolId,
    pub(super) host: HostId,
    /// That is not its pool's: as long as it lives it counts for one of the host's users.
    pub(super) own_host: bool,
    /// The leg that it is of the race between the transports, if those race.
    pub(super) runner: Option<Runner>,
    /// It waits for the origin's HTTPS records before it tries an address.
    pub(super) gated: bool,
    /// What its attempts go over.
    pub(super) transport: Transport,
    /// The number of the attempt that takes early data, until its handshake is complete.
    pub(super) early: Option<u32>,
    /// Gone once the race is decided.
    pub(super) eyeballs: Option<Eyeballs>,
    /// By number.
    pub(super) lines: Vec<AttemptLine>,
    /// How many attempts have a socket.
    pub(super) running: u32,
    /// When it began to wait for addresses.
    pub(super) resolving: Option<Instant>,
    /// When the first addresses were there.
    pub(super) resolved: Option<Instant>,
}

impl Race {
    /// Whether a leg over TCP goes to the same addresses.
    pub(super) fn shares_addresses(&self) -> bool {
        !self.own_host && self.runner.as_ref().is_some_and(|runner| runner.leg.is_quic())
    }

    /// Whether its addresses were given to it once and for all.
    pub(super) fn is_fixed(&self) -> bool {
        self.runner.as_ref().is_some_and(|runner| runner.leg == Leg::QuicFallback)
    }

    /// How many sockets it has beyond the one that every connection counts for.
    pub(super) const fn extra_sockets(&self) -> u32 {
        self.running.saturating_sub(1)
    }

    /// Notes that an attempt ended.
    pub(super) fn end(&mut self, number: u32, now: Instant, failed: Option<Cause>) {
        if let Some(line) = self.lines.get_mut(number as usize)
            && line.ended.is_none()
        {
            line.ended = Some(now);
            line.failed = failed;
        }
    }

    /// The error that lists every attempt.
    pub(super) fn failure(&self, now: Instant, resolution: Option<Cause>) -> AllFailed {
        let attempts = self.lines.iter().map(|line| FailedAttempt {
            attempt: line.attempt,
            address: line.address,
            started: line.started,
            ended: line.ended.unwrap_or(now),
            cause: line.failed.unwrap_or(Cause::Cancelled),
        });
        AllFailed { attempts: attempts.collect(), resolution }
    }
}
