//! What can be seen from outside: pools, connections, and where a request's time went.

use std::sync::Arc;

use super::race::AttemptLine;
use super::{Place, Upstream};
use crate::id::{ClusterId, ConnectionId, HostId, PoolId, RequestId};
use crate::limits::Resource;
use crate::pool::State;
use crate::time::{Duration, Instant};
use crate::types::{Key, Limit, Origin, Priority, Protocol, Transport};

/// One pool at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Its id.
    pub id: PoolId,
    /// Whose it is.
    pub key: Key,
    /// How many requests wait, those whose refusal is under way included.
    pub waiting: u32,
    /// Whether it stands in line for its turn to begin a connection.
    pub awaits_turn: bool,
    /// Whether a connection of it over TCP waits for what HTTPS records say.
    pub is_held_back: bool,
    /// Its connections: connecting, ready by rank, then busy and draining.
    pub connections: Vec<ConnectionView>,
}

/// One connection at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionView {
    /// Its id.
    pub id: ConnectionId,
    /// What it is up to.
    pub state: State,
    /// What it speaks; `None` until it is established.
    pub protocol: Option<Protocol>,
    /// How many streams are under way.
    pub streams: u32,
    /// How many it has carried, those under way included.
    pub total: u64,
    /// What the peer grants; `None` until it is established.
    pub limit: Option<Limit>,
    /// How long ago it was begun.
    pub age: Duration,
}

/// Where a request's time went, as far as core knows. A stream's own times come with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTimeline<'a> {
    /// When it was made.
    pub requested: Instant,
    /// When it was given to its connection.
    pub assigned: Option<Instant>,
    /// How often it was sent again.
    pub resends: u32,
    /// The connection that carries it.
    pub connection: Option<ConnectionTimeline<'a>>,
}

/// How a connection came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionTimeline<'a> {
    /// Its id.
    pub id: ConnectionId,
    /// The pool that it belongs to.
    pub pool: PoolId,
    /// What it is made over.
    pub transport: Transport,
    /// When it was begun.
    pub made: Instant,
    /// When it began to wait for its host's addresses; `None` if they were known.
    pub resolving: Option<Instant>,
    /// When the first of those came.
    pub resolved: Option<Instant>,
    /// When it was established.
    pub connected: Option<Instant>,
    /// What it speaks; `None` until it is established.
    pub protocol: Option<Protocol>,
    /// Its attempts in order of start.
    pub attempts: &'a [AttemptLine],
}

impl Upstream {
    /// The pool of a living request.
    pub fn pool_of(&self, request: RequestId) -> Option<PoolId> {
        self.tables.requests.get(request).map(|slot| slot.pool)
    }

    /// The connection that a request is assigned to.
    pub fn connection_of(&self, request: RequestId) -> Option<ConnectionId> {
        match self.tables.requests.get(request)?.place {
            Place::Assigned(connection) => Some(connection),
            Place::Waiting { .. } => None,
        }
    }

    /// The key of a pool.
    pub fn key_of(&self, pool: PoolId) -> Option<&Key> {
        self.pools.get(pool).map(|member| &member.key)
    }

    /// The origin that a connection belongs to.
    pub fn origin_of(&self, connection: ConnectionId) -> Option<&Origin> {
        let slot = self.tables.connections.get(connection)?;
        self.key_of(slot.pool).map(|key| &key.origin)
    }

    /// How many streams may go on a connection that is just established, before its peer says
    /// how many it grants: what the last connection of its pool was granted, or what the
    /// configuration assumes.
    pub fn assumed_streams(&self, connection: ConnectionId) -> Option<u32> {
        let slot = self.tables.connections.get(connection)?;
        self.pools.get(slot.pool).map(|member| member.pool.assumed())
    }

    /// The name of a host.
    pub fn host_name(&self, host: HostId) -> Option<&Arc<str>> {
        self.hosts.get(host).map(|host| &host.name)
    }

    /// Attempts and connections at this moment, each connecting one counting for one at least.
    pub const fn sockets(&self) -> u32 {
        self.tables.sockets
    }

    /// Connections that are being established at this moment.
    pub const fn handshakes(&self) -> u32 {
        self.tables.handshakes.under_way
    }

    /// Pools that wait for their turn to begin a connection, because
    /// [`Config::max_handshakes`](super::Config::max_handshakes) are being established, or
    /// because [`Config::max_sockets`](super::Config::max_sockets) are taken.
    pub const fn waiting_for_turn(&self) -> u32 {
        self.tables.handshakes.in_line
    }

    /// Attempts beside the first of their connection that wait for a socket.
    pub fn waiting_attempts(&self) -> usize {
        self.parked.len()
    }

    /// How much of a circuit breaker is in use.
    pub fn in_use(&self, cluster: ClusterId, priority: Priority, what: Resource) -> u32 {
        let limits = self.tables.limits.get(super::cluster::breaker_of(cluster, priority));
        limits.map_or(0, |limits| limits.used(what))
    }

    /// How many requests wait or are on a connection.
    pub const fn requests(&self) -> usize {
        self.tables.requests.len()
    }

    /// How many connections there are, those that are being established or closed included.
    pub const fn connections(&self) -> usize {
        self.tables.connections.len()
    }

    /// How many requests were cut off by the deadline of [`Event::Close`](super::Event::Close).
    pub const fn cut(&self) -> u64 {
        self.tables.cut
    }

    /// Every pool with its connections, in the order of ids. Allocates; for people.
    pub fn snapshot(&self, now: Instant) -> Vec<PoolView> {
        let members = self.pools.iter().map(|(id, member)| PoolView {
            id,
            key: member.key.clone(),
            waiting: member.pool.queued(),
            awaits_turn: member.awaits_turn,
            is_held_back: member.grid.as_deref().is_some_and(|grid| self.is_held_back(grid)),
            connections: member
                .pool
                .members(&self.tables)
                .map(|(id, slot)| ConnectionView {
                    id,
                    state: slot.state,
                    protocol: slot.connected.map(|_| slot.protocol),
                    streams: slot.streams.len(),
                    total: slot.total,
                    limit: slot.connected.map(|_| slot.limit),
                    age: now.saturating_since(slot.made),
                })
                .collect(),
        });
        members.collect()
    }

    /// Where a living request's time went. Does not allocate.
    pub fn request_timeline(&self, request: RequestId) -> Option<RequestTimeline<'_>> {
        let slot = self.tables.requests.get(request)?;
        let connection = match slot.place {
            Place::Assigned(connection) => self.connection_timeline(connection),
            Place::Waiting { .. } => None,
        };
        Some(RequestTimeline {
            requested: slot.requested,
            assigned: slot.assigned,
            resends: slot.resends(),
            connection,
        })
    }

    /// How a living connection came to be.
    pub fn connection_timeline(&self, id: ConnectionId) -> Option<ConnectionTimeline<'_>> {
        let slot = self.tables.connections.get(id)?;
        let race = self.races.get(id.slot())?.as_deref().filter(|race| race.connection == id)?;
        Some(ConnectionTimeline {
            id,
            pool: race.pool,
            transport: race.transport,
            made: slot.made,
            resolving: race.resolving,
            resolved: race.resolved,
            connected: slot.connected,
            protocol: slot.connected.map(|_| slot.protocol),
            attempts: &race.lines,
        })
    }
}
