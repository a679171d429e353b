//! Admission: whether a connection is made, and why not.

use super::{Out, Pool, Tables, Turn};
use crate::limits::Resource;
use crate::record::{Kind, Rule};
use crate::types::Refusal;

/// The answer to "shall this pool make a connection now?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Admission {
    /// Yes, by this rule: [`Rule::FirstConnection`], [`Rule::Demand`] or [`Rule::Preconnect`].
    Connect(Rule),
    /// No: nobody waits, and the preconnect ratio asks for none.
    NoDemand,
    /// No: those that are being established will do for all who wait.
    EnoughConnecting,
    /// No: two open connections grant no stream at all; a third would hardly be better treated.
    NothingGranted,
    /// No: the `max_connections` circuit breaker is open and the pool has a connection.
    ConnectionLimit,
    /// Not yet: `max_sockets` is reached, or those in line will take what is left; the pool stands
    /// in line.
    SocketLimit,
    /// Not yet: `max_handshakes` are under way, or others wait longer; the pool stands in line.
    HandshakeLimit,
    /// No: the pool drains and nobody waits.
    Draining,
}

/// How many open connections may grant nothing before no more are made.
const SHUT_MAX: u32 = 2;

impl Pool {
    /// Decides and explains; changes nothing.
    pub(super) fn admission(&self, tables: &Tables) -> Admission {
        let Some(rule) = self.wish_now(tables) else {
            return match self.waiting.is_empty() {
                true if self.draining => Admission::Draining,
                true => Admission::NoDemand,
                false => Admission::EnoughConnecting,
            };
        };
        // A leg that is owed was judged when the race started it.
        let owed = self.owed > 0;
        if self.holds && !owed {
            return Admission::EnoughConnecting;
        }
        if self.shut >= SHUT_MAX && !owed {
            return Admission::NothingGranted;
        }
        // POOL-FIRST-CONNECTION, also where the breaker is open.
        let is_first = self.connections() == 0 || owed;
        if !is_first && !self.may(tables, Resource::Connections) {
            Admission::ConnectionLimit
        } else if tables.sockets_left() == 0 {
            Admission::SocketLimit
        } else if !tables.handshakes.may() {
            Admission::HandshakeLimit
        } else if is_first {
            Admission::Connect(Rule::FirstConnection)
        } else {
            Admission::Connect(rule)
        }
    }

    /// Whether one more is wanted now, and why.
    fn wish_now(&self, tables: &Tables) -> Option<Rule> {
        let wish = self.wish(tables, self.connecting.len());
        // POOL-PRECONNECT is judged only when a request moves. Were a connection's end enough, a
        // peer that closes whatever carries nothing would be called in a loop.
        wish.filter(|rule| self.ahead || *rule != Rule::Preconnect)
    }

    /// Whether one more connection is wanted, be it allowed or not.
    pub(super) fn wishes(&self, tables: &Tables) -> bool {
        self.wish_now(tables).is_some()
    }

    /// Whether nothing stands against making a connection for a waiting request.
    pub(super) fn may_connect(&self, tables: &Tables) -> bool {
        !self.holds
            && self.shut < SHUT_MAX
            && tables.has_socket()
            && self.may(tables, Resource::Connections)
    }

    /// Whether one more would be wanted if `connecting` were being established.
    fn wish(&self, tables: &Tables, connecting: u32) -> Option<Rule> {
        if self.owed > 0 {
            return Some(Rule::Demand);
        }
        let waiting = i64::from(self.waiting.len());
        let connecting = i64::from(connecting) * i64::from(self.assumed());
        // A connection that is asked for a sign of life will serve as well as a new one.
        let probed = self.probing.and_then(|probed| tables.connections.get(probed));
        let probed = probed.map_or(0, |probed| probed.room(&self.config));
        if waiting > connecting + probed {
            return Some(Rule::Demand);
        }
        if !self.is_eager() {
            return None;
        }
        let permille = i64::from(self.config.preconnect_permille.min(3_000));
        // Envoy: (pending + active) * ratio > capacity + active.
        let active = i64::from(self.active);
        let wanted = (waiting + active).saturating_mul(permille);
        let there = (connecting + self.room + active).saturating_mul(1_000);
        (wanted > there).then_some(Rule::Preconnect)
    }

    /// Whether connections may be made ahead of need.
    pub(crate) fn is_eager(&self) -> bool {
        self.config.preconnect_permille > 1_000 && !self.draining
    }

    pub(super) fn may(&self, tables: &Tables, what: Resource) -> bool {
        tables.limits.get(self.breaker as usize).is_some_and(|limits| limits.may(what))
    }
}

impl<O: Out> Turn<'_, O> {
    /// Makes as many connections as admission allows and the budget lets.
    pub(super) fn grow(&mut self) {
        self.pool.wants_turn = false;
        loop {
            match self.pool.admission(self.tables) {
                Admission::Connect(rule) => {
                    if self.tables.budget == 0 {
                        return self.run_out();
                    }
                    self.tables.budget -= 1;
                    if !self.may(Resource::Connections) {
                        self.tables.note(Kind::ConnectionOverflow, rule, self.pool.id);
                    }
                    if self.pool.races {
                        self.pool.wished = true;
                        return self.out.want();
                    }
                    self.connect(rule);
                }
                Admission::ConnectionLimit => {
                    let (kind, pool) = (Kind::ConnectionOverflow, self.pool.id);
                    return self.tables.note(kind, Rule::None, pool);
                }
                Admission::SocketLimit => {
                    self.stand_in_line(Kind::SocketOverflow);
                    if self.tables.max_sockets == 0 {
                        self.pool.wants_turn = false;
                        self.fail_all(Refusal::SocketOverflow, None);
                    }
                    return;
                }
                Admission::HandshakeLimit => {
                    return self.stand_in_line(Kind::HandshakeOverflow);
                }
                Admission::NoDemand
                | Admission::EnoughConnecting
                | Admission::NothingGranted
                | Admission::Draining => return,
            }
        }
    }

    /// Waits for its turn, unless what it wants is ahead of need: that is not worth waiting for.
    fn stand_in_line(&mut self, why: Kind) {
        let wish = self.pool.wish(self.tables, self.pool.connecting.len());
        self.pool.wants_turn = wish == Some(Rule::Demand);
        self.tables.note(why, Rule::None, self.pool.id);
    }

    /// Gives up what is being established and nobody needs, the newest first. A connection that
    /// carries many streams has just come up.
    pub(super) fn trim(&mut self) {
        while let Some(newest) = self.pool.newest_spare(self.tables)
            && self.pool.wish(self.tables, self.pool.connecting.len() - 1).is_none()
        {
            self.abort_connect(newest);
        }
    }
}
