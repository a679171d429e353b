//! The one timer of an end: which of its reasons comes first.

use regatta_core::Instant;
use regatta_core::time::Duration;

use super::handshake::{patience, unanswered};
use super::send::{ask_window, probe, pump, timed_out};
use super::side::{Phase, Rtt, Sender, Side, Why};
use super::slots::End;
use super::{Happening, What};
use crate::net;
use crate::world::{self, World};

/// The least retransmission timeout beyond the round trip (Linux's `TCP_RTO_MIN`).
const LEAST: Duration = Duration::from_millis(200);
/// The longest retransmission timeout (Linux's `TCP_RTO_MAX`).
const MOST: Duration = Duration::from_secs(120);
/// Before any round trip was measured (RFC 6298 2.1).
const FIRST: Duration = Duration::from_secs(1);
/// How long after the first retransmission timeout a connection is given up: 15 timeouts that
/// begin at 200 ms (Linux's `tcp_retries2`).
pub(super) const GIVES_UP: Duration = Duration::from_millis(924_600);
/// A flat way on which the answer to a SYN certainly comes before this needs no timer.
const SURELY: Duration = Duration::from_secs(1);

impl Rtt {
    pub(super) fn first(sample: Duration) -> Self {
        Self { smooth: sample, variation: sample / 2 }
    }

    /// RFC 6298 2.3.
    pub(super) fn update(&mut self, sample: Duration) {
        let off = self.smooth.abs_diff(sample);
        self.variation = (self.variation * 3 + off) / 4;
        self.smooth = (self.smooth * 7 + sample) / 8;
    }
}

impl Sender {
    /// The retransmission timeout without backing off, as Linux reckons it.
    pub(super) fn timeout(&self) -> Duration {
        self.rtt.map_or(FIRST, |rtt| (rtt.smooth + (rtt.variation * 4).max(LEAST)).min(MOST))
    }

    fn backed_off(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.backoff).unwrap_or(u32::MAX);
        self.timeout().saturating_mul(factor).min(MOST)
    }

    /// When the tail of the flight is sent again: after two round trips, and for a single
    /// segment as long as its acknowledgement may be delayed (RFC 8985 7.2).
    fn probe(&self) -> Option<Instant> {
        let smooth = self.rtt?.smooth;
        if self.probed || self.recovery.is_some() || self.backoff > 0 {
            return None;
        }
        let slack = if self.flight.len() == 1 { LEAST } else { Duration::from_millis(2) };
        Some(self.last_sent + smooth * 2 + slack)
    }
}

impl Side {
    /// What its timer is for next.
    fn next_due(&self) -> Option<(Instant, Why)> {
        let sender = &self.sender;
        match (self.phase, self.flat) {
            (Phase::SynSent | Phase::SynReceived, Some(flat))
                if flat.there + flat.back < SURELY =>
            {
                None
            }
            (Phase::SynSent | Phase::SynReceived, _) => {
                let patience = patience(self, self.timer.tries)?;
                Some((self.timer.start + patience, Why::Handshake))
            }
            (Phase::Established, Some(_)) => {
                if sender.unsent_len == 0 && self.writer.is_none() {
                    return None;
                }
                let acked = sender.flight.front().map(|one| one.acked);
                let edge = sender.edges.front().map(|(at, _)| *at);
                acked.into_iter().chain(edge).min().map(|at| (at, Why::Known))
            }
            (Phase::Established, None) => self.next_due_of_segments(),
            _ => None,
        }
    }

    fn next_due_of_segments(&self) -> Option<(Instant, Why)> {
        let sender = &self.sender;
        if sender.flight.is_empty() {
            return (sender.unsent_len > 0)
                .then(|| (self.timer.start + sender.backed_off(), Why::Window));
        }
        let all = [
            self.timer.overtaken.map(|at| (at, Why::Overtaken)),
            sender.probe().map(|at| (at, Why::Probe)),
            Some((self.timer.start + sender.backed_off(), Why::Retransmit)),
        ];
        all.into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

/// Sets an end's timer to what comes first, or takes it back.
pub(super) fn arm(world: &mut World, end: End) {
    let World { now, agenda, network, .. } = world;
    let Some(side) = network.side(end) else { return };
    side.timer.due = side.next_due();
    let at = side.timer.due.map(|(at, _)| at.max(*now));
    agenda.set(&mut side.timer.armed, at, || happening(end));
}

/// Takes an end's timer back: the connection is forgotten.
pub(super) fn disarm(world: &mut World, end: End) {
    let World { agenda, network, .. } = world;
    let Some(side) = network.side(end) else { return };
    side.timer.due = None;
    agenda.set(&mut side.timer.armed, None, || happening(end));
}

const fn happening(end: End) -> world::Happening {
    world::Happening::Net(net::Happening::Tcp(Happening { to: end, what: What::Timer }))
}

/// The time has come that an end's timer was armed for.
pub(super) fn due(world: &mut World, end: End) {
    let now = world.now;
    let Some(side) = world.network.side(end) else { return };
    side.timer.armed = None;
    let Some((_, why)) = side.timer.due else { return };
    side.timer.due = None;
    match why {
        Why::Handshake => unanswered(world, end),
        Why::Known => {
            side.settle(now);
            pump(world, end);
        }
        Why::Overtaken => {
            side.find_lost(now);
            pump(world, end);
        }
        Why::Probe => probe(world, end),
        Why::Retransmit => timed_out(world, end),
        Why::Window => ask_window(world, end),
    }
}
