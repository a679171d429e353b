//! What must hold after every step, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use regatta_core::Instant;
use regatta_core::id::{ClusterId, ConnectionId};
use regatta_core::limits::Resource;
use regatta_core::pool::State;
use regatta_core::record::{Kind, Record, Rule, pack};
use regatta_core::time::Duration;
use regatta_core::types::{Key, Limit, Priority, Protocol, RetrySafe, Transport};
use regatta_core::upstream::{PoolView, Protocols, Upstream};
use regatta_models::seen::Seen;
use regatta_runtime::Client;

use super::case::Case;
use super::held::{Course, Held, Told};
use super::marks::Marks;
use crate::host::Host;

macro_rules! invariants {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The names of all invariants; a sweep in which one was never evaluated fails.
        pub const INVARIANTS: &[&str] = &[$($text,)*];

        /// What must always hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Law { $($(#[$doc])* $name,)* }

        impl Law {
            /// Its stable name.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

invariants! {
    /// The machines and the hub recount right.
    Check = "check",
    /// A new connection's attempts are as many and as early as the policy allows.
    Attempts = "attempts-by-policy",
    /// A draining connection gets no new stream.
    Draining = "draining-gets-nothing",
    /// No connection carries more streams than it is granted.
    Capacity = "capacity",
    /// No connection carries more requests in its life than configured.
    Lifetime = "requests-per-connection",
    /// Connections beyond the breaker are the first ones of their pools.
    Connections = "breaker-connections",
    /// Waiting requests beyond the breaker are those that go again.
    Pending = "breaker-pending",
    /// Requests on connections.
    Requests = "breaker-requests",
    /// Resends under way.
    Retries = "breaker-retries",
    /// Sockets in all.
    Sockets = "max-sockets",
    /// Connections that are being established, in all.
    Handshakes = "max-handshakes",
    /// Pools in all.
    Pools = "max-pools",
    /// Pipes and mailboxes hold a bounded number of bytes and letters.
    Memory = "memory",
    /// Every caller hears exactly one end.
    Once = "one-end",
    /// What is not idempotent is acted on at most once.
    SentOnce = "not-repeated",
    /// Nothing is sent more often than was said.
    Said = "resends-are-said",
    /// A time limit that has passed is told at once.
    Deadline = "deadline",
    /// Bytes, status and answer belong to their request.
    Right = "right-answer",
    /// In the quiet phase everything comes to its end.
    Liveness = "liveness",
    /// Nothing is left: streams, tickets, breakers, timers.
    Idle = "idle-at-end",
    /// No task outlives the run.
    Tasks = "tasks-end",
    /// In a stable world the first byte comes as early as the policy allows.
    Earliest = "optimum-first-byte",
    /// In a stable world no connection is made that nobody needs.
    Needed = "optimum-connections",
    /// A fixed workload makes a known number of connections and handshakes.
    Golden = "golden-counts",
    /// Who is held back for HTTPS records is so no longer than the policy allows.
    HeldBack = "held-back-in-time",
    /// QUIC is tried only where a record, a server or whoever made the client has told of it.
    Told = "http3-only-where-told",
    /// HTTP/3 is marked broken, suspect and confirmed by its rules alone.
    Marked = "http3-marked-by-rule",
    /// Who shows a certificate that is not the origin's, or not valid, never gets a request.
    Certificate = "bad-certificate-unused",
    /// Requests to an alternative say so in Alt-Used, and no others do.
    AltUsed = "alt-used",
}

/// Ends the run: `law` does not hold.
#[track_caller]
pub(crate) fn violated(law: Law, text: &str) -> ! {
    panic!("[{}] {text}", law.name())
}

/// Most bytes that one direction of a request may hold: its pipe, one frame more, and what is
/// kept for a replay.
const HELD_BYTES_MAX: usize = 3 * (64 << 10) + (300 << 10);
/// Most polls of tasks at one instant in which nobody gets anything: more than a record of TLS
/// takes that comes byte by byte.
const POLLS_MAX: u32 = 100_000;
/// The same whatever time passes.
const POLLS_IN_VAIN_MAX: u32 = 400_000;
/// Most letters that may wait for one connection: each stream may ring once each way.
const LETTERS_MAX: usize = 4_096;

/// Watches one client.
pub(crate) struct Monitor {
    case: Rc<Case>,
    client: Option<Client<Host>>,
    connections: BTreeMap<u64, Connection>,
    /// Requests that went again, and how often.
    pub(crate) resent: BTreeMap<u64, u32>,
    counts: [u64; INVARIANTS.len()],
    pub(crate) seen: Seen,
    /// Records, when they are to be shown, each with the number of steps before it.
    pub(crate) trace: Option<Vec<(u64, Record)>>,
    /// Connections whose limit changed in this step.
    changed: BTreeSet<u64>,
    pub(crate) made: u64,
    pub(crate) attempts: u64,
    now: Instant,
    /// Polls at this instant since anybody got anything.
    polls: u32,
    /// The same, whatever time passed.
    in_vain: u32,
    /// How much callers and servers had got.
    moved: u64,
    marks: Marks,
    holding: Held,
    told: Told,
}

#[derive(Debug)]
struct Connection {
    state: State,
    rule: Rule,
    running: u32,
    started: u32,
    last: Instant,
    /// An attempt failed since the last one started.
    failed: bool,
    streams: u32,
    http3: bool,
    /// It was there when the client's NAT began to use other ports.
    rebound: bool,
}

impl Monitor {
    pub(crate) fn new(case: Rc<Case>, client: Client<Host>, seen: Seen) -> Self {
        Self {
            case,
            client: Some(client),
            connections: BTreeMap::new(),
            resent: BTreeMap::new(),
            counts: [0; INVARIANTS.len()],
            seen,
            trace: None,
            changed: BTreeSet::new(),
            made: 0,
            attempts: 0,
            now: Instant::EPOCH,
            polls: 0,
            in_vain: 0,
            moved: 0,
            marks: Marks::default(),
            holding: Held::default(),
            told: Told::default(),
        }
    }

    /// Lets the client go.
    pub(crate) fn release(&mut self) -> Option<Client<Host>> {
        self.client.take()
    }

    pub(crate) fn client(&self) -> Option<&Client<Host>> {
        self.client.as_ref()
    }

    /// Counts an invariant that was evaluated elsewhere and held.
    pub(crate) fn held(&mut self, law: Law) {
        self.counts[law as usize] += 1;
    }

    /// Asserts an invariant.
    #[track_caller]
    pub(crate) fn expect(&mut self, law: Law, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            violated(law, &text());
        }
        self.held(law);
    }

    /// What was seen and evaluated.
    pub(crate) fn finish(&mut self) -> Seen {
        for (name, count) in INVARIANTS.iter().zip(self.counts) {
            if count > 0 {
                self.seen.always(name, count);
            }
        }
        core::mem::take(&mut self.seen)
    }

    /// Before every step's laws: tasks that wake each other while time stands still are found
    /// long before the executor would say so. `moved` grows with what callers and servers get.
    pub(crate) fn time(&mut self, now: Instant, moved: u64) {
        if self.moved != moved {
            (self.moved, self.polls, self.in_vain) = (moved, 0, 0);
        }
        if self.now != now {
            (self.now, self.polls) = (now, 0);
        }
        self.polls += 1;
        self.in_vain += 1;
        if self.polls > POLLS_MAX {
            violated(
                Law::Liveness,
                &format!("at {now} tasks wake each other and time stands still"),
            );
        }
        if self.in_vain > POLLS_IN_VAIN_MAX {
            let text = format!("until {now} tasks ran {POLLS_IN_VAIN_MAX} times for nobody");
            violated(Law::Liveness, &text);
        }
    }

    /// After every step.
    pub(crate) fn step(&mut self, steps: u64) {
        let Some(client) = self.client.clone() else { return };
        client.check();
        self.held(Law::Check);
        self.changed.clear();
        for record in client.records() {
            self.seen.record(&record);
            self.record(&record);
            self.mark(&client, &record);
            self.hold(&client, &record);
            self.tell(&client, &record);
            if let Some(trace) = &mut self.trace {
                trace.push((steps, record));
            }
        }
        let (bytes, letters) = client.held();
        self.expect(Law::Memory, bytes <= HELD_BYTES_MAX && letters <= LETTERS_MAX, || {
            format!("{bytes} bytes in one pipe, {letters} letters in one mailbox")
        });
        // Reading the clock under the upstream's lock would be a lock inside of a lock.
        let views = client.inspect(|upstream| {
            self.breakers(upstream);
            upstream.snapshot(Instant::EPOCH)
        });
        self.pools(&views);
        for item in self.marks.met(&views) {
            self.seen.sometimes("race", item);
        }
    }

    /// What the race has to do with a record.
    fn mark(&mut self, client: &Client<Host>, record: &Record) {
        let course = |connection: u64| {
            let id = ConnectionId::new((connection >> 32) as u32, connection as u32);
            client.inspect(|upstream| {
                let timeline = upstream.connection_timeline(id)?;
                Some((pack(timeline.pool), timeline.transport))
            })
        };
        match self.marks.record(record, course) {
            Ok(true) => self.held(Law::Marked),
            Ok(false) => {}
            Err(text) => violated(Law::Marked, &format!("at {} {text}", record.at)),
        }
    }

    /// What HTTPS records have to do with a record.
    fn hold(&mut self, client: &Client<Host>, record: &Record) {
        let course = |connection: u64| {
            let id = ConnectionId::new((connection >> 32) as u32, connection as u32);
            client.inspect(|upstream| {
                let timeline = upstream.connection_timeline(id)?;
                let (pool, transport) = (pack(timeline.pool), timeline.transport);
                Some(Course { pool, transport, resolved: timeline.resolved })
            })
        };
        let delay = self.case.client.eyeballs.resolution_delay;
        match self.holding.record(record, delay, course) {
            Ok(None) => {}
            Ok(Some(met)) => {
                self.seen.sometimes("https records", met);
                self.held(Law::HeldBack);
            }
            Err(text) => violated(Law::HeldBack, &text),
        }
        if matches!(record.kind, Kind::ServicesOffered | Kind::ServicesAbsent) {
            let views = client.inspect(|upstream| upstream.snapshot(Instant::EPOCH));
            let view = views.iter().find(|view| pack(view.id) == record.a);
            let case = Rc::clone(&self.case);
            let plan = view.and_then(|view| {
                case.records.iter().find(|(name, _)| *name == &*view.key.origin.host)
            });
            if let Some((_, plan)) = plan {
                self.seen.sometimes("https records", plan.name());
            }
        }
    }

    /// Who has told of QUIC before it is tried.
    fn tell(&mut self, client: &Client<Host>, record: &Record) {
        if !self.case.http3 {
            return;
        }
        let connection = match record.kind {
            Kind::ConnectionMade => record.a,
            Kind::AttemptWon => record.b,
            Kind::ServicesOffered => {
                let key = client.inspect(|upstream| key_of(upstream, record.a));
                return key.into_iter().for_each(|key| self.told.hear(key.origin));
            }
            _ => return,
        };
        let id = ConnectionId::new((connection >> 32) as u32, connection as u32);
        let known = client.inspect(|upstream| {
            let timeline = upstream.connection_timeline(id)?;
            Some((timeline.transport, key_of(upstream, pack(timeline.pool))?))
        });
        let Some((transport, Key { origin, profile, .. })) = known else { return };
        if record.kind == Kind::AttemptWon {
            return self.told.hear(origin);
        }
        // Who speaks nothing else need not be told.
        let races = self.case.client.protocols[usize::from(profile.0)] == Protocols::AutoHttp3;
        if transport == Transport::Quic && races {
            let mut known = self.case.client.known.iter();
            let beforehand = known.any(|(at, _)| self.case.origins[*at].name == &*origin.host);
            if !beforehand && !self.told.is(&origin) {
                violated(Law::Told, &format!("nobody told of QUIC for {origin}"));
            }
            self.held(Law::Told);
        }
    }

    /// The client was told that its network changed.
    pub(crate) fn on_network_changed(&mut self) {
        self.marks.on_network_changed();
    }

    /// Datagrams get through no more.
    pub(crate) fn on_blocked(&mut self) {
        if self.connections.values().any(|known| known.http3) {
            self.seen.sometimes("race", "blocked after the handshake");
        }
    }

    fn record(&mut self, record: &Record) {
        let Record { at, kind, rule, a, b, to, .. } = *record;
        match kind {
            Kind::ConnectionMade => {
                self.made += 1;
                let connection = Connection {
                    state: State::Connecting,
                    rule,
                    running: 0,
                    started: 0,
                    last: Instant::EPOCH,
                    failed: false,
                    streams: 0,
                    http3: false,
                    rebound: false,
                };
                self.connections.insert(a, connection);
            }
            Kind::ConnectionState => {
                if let Some(connection) = self.connections.get_mut(&a) {
                    connection.state = state(to);
                }
            }
            Kind::DestroyedLocal => self.ended(a, "ended by this side"),
            Kind::DestroyedRemote => self.ended(a, "ended by the peer"),
            Kind::LimitChanged => {
                self.changed.insert(a);
            }
            Kind::AttemptStarted => self.attempt(at, rule, b),
            Kind::AttemptFailed => {
                if let Some(connection) = self.connections.get_mut(&b) {
                    connection.running = connection.running.saturating_sub(1);
                    connection.failed = true;
                }
            }
            Kind::Assigned => {
                let known = self.connections.get(&b).map(|connection| connection.state);
                let takes = !matches!(known, None | Some(State::Draining | State::Closed));
                self.expect(Law::Draining, takes, || {
                    format!("at {at} a request was assigned to a connection that is {known:?}")
                });
                let known = self.connections.get(&b).filter(|known| known.http3);
                if known.is_some() && self.resent.contains_key(&a) {
                    self.seen.sometimes("http3", "went again");
                }
                if known.is_some_and(|known| known.rebound) {
                    self.seen.sometimes("http3", "used behind another port");
                }
            }
            Kind::Resent => {
                *self.resent.entry(a).or_insert(0) += 1;
                match rule {
                    Rule::ResendUnsent => self.seen.resend(RetrySafe::Unsent),
                    Rule::ResendUnprocessed => self.seen.resend(RetrySafe::Unprocessed),
                    _ => self.seen.resend(RetrySafe::Unknown),
                }
            }
            _ => {}
        }
    }

    /// An established connection is over.
    fn ended(&mut self, connection: u64, how: &'static str) {
        if self.connections.get(&connection).is_some_and(|known| known.http3) {
            self.seen.sometimes("http3", how);
        }
    }

    /// The client's NAT has begun to use other ports.
    pub(crate) fn on_rebind(&mut self) {
        self.connections.values_mut().for_each(|known| known.rebound = known.http3);
    }

    fn attempt(&mut self, at: Instant, rule: Rule, connection: u64) {
        self.attempts += 1;
        let plan = &self.case.client.eyeballs;
        let delay = plan.attempt_delay.max(Duration::from_millis(10));
        let (parallel, most) = (plan.max_parallel.max(1), plan.max_attempts.max(1));
        let Some(known) = self.connections.get_mut(&connection) else {
            violated(Law::Attempts, "an attempt was begun for a connection that is not there");
        };
        let early = known.started > 0 && !known.failed && at.saturating_since(known.last) < delay;
        let (running, started) = (known.running + 1, known.started + 1);
        (known.running, known.started) = (running, started);
        (known.last, known.failed) = (at, false);
        self.expect(Law::Attempts, !early && running <= parallel && started <= most, || {
            format!("at {at} attempt {started} of a race began by {}, {running} run", rule.name())
        });
    }

    fn breakers(&mut self, upstream: &Upstream) {
        let case = Rc::clone(&self.case);
        let limits = &case.client.limits;
        let used = |what| upstream.in_use(ClusterId::new(0, 0), Priority::Default, what);
        let over = |what, most: Option<u32>| most.map_or(0, |most| used(what).saturating_sub(most));
        let requests = over(Resource::Requests, limits.max_requests);
        self.expect(Law::Requests, requests == 0, || format!("{requests} over max_requests"));
        let retries = over(Resource::Retries, limits.max_retries);
        self.expect(Law::Retries, retries == 0, || format!("{retries} over max_retries"));
        let pending = over(Resource::Pending, limits.max_pending_requests);
        let again = if pending == 0 { 0 } else { self.resent.len() as u32 };
        self.expect(Law::Pending, pending <= again, || {
            format!("{pending} over max_pending_requests, and {again} ever went again")
        });
        let sockets = upstream.sockets();
        self.expect(Law::Sockets, sockets <= case.client.whole.max_sockets, || {
            format!("{sockets} sockets")
        });
        let handshakes = upstream.handshakes();
        let most = case.client.whole.max_handshakes.map_or(u32::MAX, u32::from);
        self.expect(Law::Handshakes, handshakes <= most, || {
            format!("{handshakes} connections are being established, {most} may be")
        });
        let connections = over(Resource::Connections, limits.max_connections);
        let firsts = || self.connections.values().filter(|c| c.rule == Rule::FirstConnection);
        let first =
            if connections == 0 { 0 } else { firsts().count() as u32 + self.marks.firsts() };
        self.expect(Law::Connections, connections <= first, || {
            format!("{connections} over max_connections, {first} first ones")
        });
    }

    fn pools(&mut self, views: &[PoolView]) {
        let case = Rc::clone(&self.case);
        let config = &case.client.pool;
        self.expect(Law::Pools, views.len() <= case.client.whole.max_pools as usize, || {
            format!("{} pools", views.len())
        });
        let mut alive = BTreeSet::new();
        for view in views.iter().flat_map(|pool| &pool.connections) {
            let id = pack(view.id);
            alive.insert(id);
            let Some(known) = self.connections.get_mut(&id) else { continue };
            known.http3 = view.protocol == Some(Protocol::Http3);
            let before = core::mem::replace(&mut known.streams, view.streams);
            let granted = match view.limit {
                Some(Limit::Concurrent(limit)) => limit.min(config.max_concurrent_streams.get()),
                _ => u32::MAX,
            };
            if let Some(Limit::Total(most)) = view.limit {
                self.expect(Law::Capacity, view.total <= most, || {
                    format!("{} carried {} requests of {most}", view.id, view.total)
                });
            }
            let grown = view.streams > before && !self.changed.contains(&id);
            self.expect(Law::Capacity, !grown || view.streams <= granted, || {
                format!("{} carries {} streams of {granted}", view.id, view.streams)
            });
            let most = config.max_requests_per_connection.map_or(u64::MAX, |n| n.get().into());
            self.expect(Law::Lifetime, view.total <= most, || {
                format!("{} carried {} requests of {most}", view.id, view.total)
            });
        }
        self.connections.retain(|id, _| alive.contains(id));
    }
}

fn state(number: u8) -> State {
    State::ALL.into_iter().find(|state| *state as u8 == number).unwrap_or(State::Closed)
}

/// Who a pool is for, if it is still there.
fn key_of(upstream: &Upstream, pool: u64) -> Option<Key> {
    let views = upstream.snapshot(Instant::EPOCH);
    views.into_iter().find(|view| pack(view.id) == pool).map(|view| view.key)
}
