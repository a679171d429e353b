//! HTTPS records (RFC 9460) of the origin behind a pool that races: when they are asked for, how
//! long a connection waits for what they say, and what becomes of it.
//!
//! They are asked for where a connection is wanted and nothing over QUIC is known, beside the
//! addresses. Where the pool has no connection yet its first attempts over TCP stand behind a
//! *gate* meanwhile: what the records offer would be learnt too late for the first request.
//!
//! ```text
//!                a connection is wanted            no record offers QUIC: the gate opens
//!   Unknown ------------------------------> Asked --------------------------------------> Known
//!      ^                                      | a record offers QUIC: the race begins anew  |
//!      `--------- its time is up -------------+---------------------------------------------'
//! ```
//!
//! - HE3-3: the gate opens `resolution_delay` after the first address at the latest, and at once
//!   where the name has none. No failure of this question fails a request.
//! - SV-2: aliases are followed, at most [`ALIASES_MAX`]; behind more nothing is offered.
//! - What came on another network is not learnt (SV-13).

use std::sync::Arc;

use super::Upstream;
use super::event::Action;
use super::grid::Grid;
use super::host::Found;
use crate::altsvc::{Heard, HttpsRecords, Said, Source};
use crate::eyeballs;
use crate::id::{ConnectionId, PoolId};
use crate::race::{self, Leg};
use crate::record::{Kind, Rule};
use crate::time::{Duration, Instant};
use crate::types::{Origin, Scheme};

/// Most aliases that lead from one name to the next (SV-2: more than none).
const ALIASES_MAX: u32 = 8;

/// For how long an answer holds at least, and at most: one that holds for no time serves those who
/// asked together.
const LIFETIME: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));

/// The longest name of the domain name system, as text.
const NAME_MAX: usize = 253;

/// What is known of an origin's HTTPS records. What they offer is in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Services {
    /// They are never asked for.
    Off,
    /// Nothing.
    Unknown,
    /// The resolver is at work.
    Asked {
        gate: Gate,
        /// How many aliases it has told.
        aliases: u32,
        /// The network changed meanwhile.
        outdated: bool,
    },
    /// All that there is to know, until then.
    Known { until: Instant },
}

/// Whether attempts over TCP wait for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Until then at the latest, once there are addresses.
    Shut {
        until: Option<Instant>,
    },
}

impl Services {
    pub(super) const fn is_shut(&self) -> bool {
        matches!(self, Self::Asked { gate: Gate::Shut { .. }, .. })
    }

    /// When the gate opens by itself.
    pub(super) const fn opens(&self) -> Option<Instant> {
        match self {
            Self::Asked { gate: Gate::Shut { until }, .. } => *until,
            _ => None,
        }
    }

    fn open(&mut self) {
        if let Self::Asked { gate, .. } = self {
            *gate = Gate::Open;
        }
    }

    /// Another network: its resolver may answer otherwise.
    pub(super) const fn outdate(&mut self) {
        match self {
            Self::Asked { outdated, .. } => *outdated = true,
            Self::Known { .. } => *self = Self::Unknown,
            Self::Off | Self::Unknown => {}
        }
    }

    fn wants_asking(&self, now: Instant) -> bool {
        match self {
            Self::Unknown => true,
            Self::Known { until } => *until <= now,
            Self::Off | Self::Asked { .. } => false,
        }
    }
}

/// The name whose records are an origin's (RFC 9460 9.1); `None` where there is none.
fn question(origin: &Origin) -> Option<Arc<str>> {
    let host = &origin.host;
    if host.parse::<core::net::IpAddr>().is_ok() {
        return None;
    }
    let name = match origin.port == Scheme::Https.default_port() {
        true => Arc::clone(host),
        false => format!("_{}._https.{host}", origin.port).into(),
    };
    (name.len() <= NAME_MAX).then_some(name)
}

impl Upstream {
    /// A connection is wanted and nothing over QUIC is known: perhaps DNS knows something.
    pub(super) fn ask_for_services(&mut self, pool: PoolId) {
        let now = self.tables.now;
        let Some(member) = self.pools.get_mut(pool) else { return };
        let first = member.pool.connections() == 0;
        let Some(grid) = member.grid.as_deref_mut() else { return };
        if !grid.services.wants_asking(now) {
            return;
        }
        let origin = member.key.origin.clone();
        let Some(name) = question(&origin) else { return grid.services = Services::Off };
        let gate = if first { Gate::Shut { until: None } } else { Gate::Open };
        grid.services = Services::Asked { gate, aliases: 0, outdated: false };
        self.resolve_services(pool, origin, name);
    }

    fn resolve_services(&mut self, pool: PoolId, origin: Origin, name: Arc<str>) {
        self.out.push(Action::ResolveServices { pool, origin, name });
        self.tables.note(Kind::ServicesAsked, Rule::None, pool);
    }

    /// Whether a connection of the pool stands behind the gate.
    pub(super) fn is_held_back(&self, grid: &Grid) -> bool {
        grid.services.is_shut()
            && grid.connections().any(|(_, connection)| {
                let race = self.races.get(connection.slot()).and_then(Option::as_deref);
                race.is_some_and(|race| race.connection == connection && race.gated)
            })
    }

    /// Whether a leg over this stands behind the gate.
    pub(super) fn is_behind_gate(&self, pool: PoolId, leg: Option<Leg>) -> bool {
        let grid = self.pools.get(pool).and_then(|member| member.grid.as_deref());
        leg == Some(Leg::Tcp) && grid.is_some_and(|grid| grid.services.is_shut())
    }

    /// There are addresses that somebody behind the gate could use.
    pub(super) fn note_addresses(&mut self, connection: ConnectionId) {
        let now = self.tables.now;
        let Some(pool) = self.race(connection).map(|race| race.pool) else { return };
        let Some(member) = self.pools.get_mut(pool) else { return };
        let cluster = self.settings.get(member.key.cluster.slot());
        let delay = cluster.map_or(Duration::ZERO, |cluster| cluster.eyeballs.resolution_delay);
        if let Some(grid) = member.grid.as_deref_mut()
            && let Services::Asked { gate: Gate::Shut { until }, .. } = &mut grid.services
        {
            until.get_or_insert(now + delay);
        }
        self.arm_grid(pool);
    }

    /// The deadline of a pool's race, or of its gate.
    pub(super) fn arm_grid(&mut self, pool: PoolId) {
        let at = self.grid(pool).and_then(|grid| Grid::poll_timeout(grid));
        self.grid_timers.set(pool.slot(), at);
    }

    /// The gate's time is up, if it is.
    pub(super) fn open_gate_when_due(&mut self, pool: PoolId) {
        let now = self.tables.now;
        let Some(grid) = self.grid(pool) else { return };
        if grid.services.opens().is_some_and(|at| at <= now) {
            self.open_gate(pool);
        }
    }

    /// Whoever stood behind the gate goes on with the addresses that there are. The pool is not
    /// settled yet.
    pub(super) fn open_gate(&mut self, pool: PoolId) {
        let now = self.tables.now;
        let Some(grid) = self.grid(pool) else { return };
        grid.services.open();
        let all: Vec<_> = grid.connections().map(|(_, connection)| connection).collect();
        self.arm_grid(pool);
        for connection in all {
            let Some(race) = self.race(connection) else { continue };
            let host = race.host;
            if !core::mem::take(&mut race.gated) {
                continue;
            }
            // They may have grown too old meanwhile, or turned out to be bad.
            let found = self.find_addresses(host);
            let is_bare = self.hosts.get(host).is_none_or(|host| host.addresses.is_empty());
            if is_bare && let Some(race) = self.race(connection) {
                // It waits for others now.
                (race.resolving, race.resolved) = (Some(now), None);
            }
            match found {
                Found::Nothing => {}
                // Who waited here has waited for the other family too.
                Found::SoFar(addresses, since) => {
                    let known = eyeballs::Event::Known { addresses, since };
                    self.tell_race(connection, known, None);
                }
                Found::All(addresses) => {
                    self.tell_race(connection, eyeballs::Event::Resolved(addresses), None);
                    let ended = eyeballs::Event::ResolveFinished { failed: None };
                    self.tell_race(connection, ended, None);
                }
            }
        }
    }

    /// A host's look-up ended without an address: nobody waits for anything else. Whether this
    /// connection may be told.
    pub(super) fn is_told_of_the_end(&mut self, connection: ConnectionId) -> bool {
        let Some((pool, host)) = self.race(connection).map(|race| (race.pool, race.host)) else {
            return true;
        };
        let has_some = self.hosts.get(host).is_some_and(|host| !host.addresses.is_empty());
        let Some(race) = self.race(connection).filter(|race| race.gated) else { return true };
        if has_some {
            return false;
        }
        race.gated = false;
        if let Some(grid) = self.grid(pool) {
            grid.services.open();
            // Those that began while others were told of this end wait for addresses alone.
            let all: Vec<_> = grid.connections().map(|(_, connection)| connection).collect();
            for connection in all {
                if let Some(race) = self.race(connection) {
                    race.gated = false;
                }
            }
        }
        self.arm_grid(pool);
        true
    }

    /// What the HTTPS records of a pool's origin say.
    pub(super) fn on_services(
        &mut self,
        pool: PoolId,
        records: HttpsRecords,
        ttl: Option<Duration>,
    ) {
        let now = self.tables.now;
        let lifetime = ttl.unwrap_or(self.address_lifetime).max(LIFETIME.0).min(LIFETIME.1);
        let Some(member) = self.pools.get_mut(pool) else { return self.stale(pool) };
        let origin = member.key.origin.clone();
        let services = member.grid.as_deref_mut().map(|grid| &mut grid.services);
        let Some(Services::Asked { aliases, outdated, .. }) = services else {
            return self.stale(pool);
        };
        let outdated = *outdated;
        let mut offers = match records {
            HttpsRecords::Alias(name) if *aliases < ALIASES_MAX && !outdated => {
                *aliases += 1;
                let name = Arc::from(name);
                return self.resolve_services(pool, origin, name);
            }
            HttpsRecords::Offers(offers) if !outdated => offers,
            // An alias to nowhere is advice, which may be passed over (RFC 9460 2.5.1).
            HttpsRecords::Offers(_) | HttpsRecords::Alias(_) | HttpsRecords::Unavailable => {
                Vec::new()
            }
        };
        match offers.len() {
            0 => self.tables.note(Kind::ServicesAbsent, Rule::None, pool),
            many => self.tables.note_value(Kind::ServicesOffered, pool, many as u64),
        }
        offers.iter_mut().for_each(|offer| offer.max_age = lifetime);
        if !outdated {
            let (said, heard) = (Said::Offers(offers), Heard::from(Source::Dns));
            let _ = self.ledger.learn(now, &origin, &said, heard);
        }
        self.end_asking(pool, if outdated { None } else { Some(now + lifetime) });
    }

    /// The answer is there: whoever stood behind the gate makes way for QUIC, or goes on.
    fn end_asking(&mut self, pool: PoolId, until: Option<Instant>) {
        let offered = self.offer(pool).0.is_some();
        let Some(grid) = self.grid(pool) else { return };
        let shut = grid.services.is_shut();
        if shut && offered && !grid.race.is_about_quic() {
            // Nothing has been tried: who waits asks the race again.
            grid.services.open();
            self.tell_grid(pool, race::Event::Unwanted, false);
        } else if shut {
            self.open_gate(pool);
        }
        if let Some(grid) = self.grid(pool) {
            grid.services = until.map_or(Services::Unknown, |until| Services::Known { until });
        }
        self.arm_grid(pool);
        self.turn(pool, |turn| turn.on_more());
        self.settle(pool);
    }
}
