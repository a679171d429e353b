//! What the machine did, entered into the books: each panics where it was not allowed.

use std::collections::BTreeSet;

use regatta_core::Instant;
use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::types::{BodyState, Cause, Outcome, Phase, Protocol, Refusal, RetrySafe};

use super::invariants as law;
use super::{Books, Connection, Doom, End, Forecast, Place};

impl Books {
    pub(super) fn may_be_made(&self, id: ConnectionId, pool: usize) {
        let mine = self.connections.values().filter(|c| c.pool == pool && !c.gone);
        let is_first = mine.count() == 0;
        let all = self.connections.values().filter(|c| !c.gone && self.shares(pool, c.pool));
        let all = all.count();
        let most = self.limits(pool).max_connections.unwrap_or(u32::MAX) as usize;
        assert!(is_first || all < most, "{id} is made beside {all}, {most} are allowed");
        self.tally.held(law::CONNECTION_LIMIT);
        let judged = self.rules[pool].ahead || self.arriving(pool) > 0;
        let wanted = self.is_uncertain(pool) || self.wish(pool, judged);
        assert!(wanted, "{id} is made and nobody needs it");
        self.tally.held(law::NEEDED);
    }

    pub(crate) fn made(&mut self, id: ConnectionId, pool: usize) {
        if !self.out_of_sight {
            self.may_be_made(id, pool);
        }
        let connection = Connection {
            pool,
            up: None,
            early: None,
            stopped: None,
            stopped_at: Instant::MAX,
            probing: false,
            closing: false,
            aborted: false,
            gone: false,
            mute: false,
            streams: BTreeSet::new(),
            carried: 0,
            since: self.now,
            alive: self.now,
            used: self.now,
            rests: None,
        };
        let fresh = self.connections.insert(id, connection).is_none();
        assert!(fresh && !self.past_connections.contains(&id), "{id} was given out before");
        self.tally.held(law::IDS);
    }

    /// Close when the last stream has ended: it must have been the last, and there is a reason.
    pub(crate) fn shutdown(&mut self, id: ConnectionId) {
        let connection = self.connection(id);
        assert!(connection.up.is_some() && !connection.gone, "{id} is shut down and is not up");
        assert!(!connection.closing, "{id} is shut down twice");
        assert!(connection.streams.is_empty(), "{id} is shut down under its streams");
        let idle = self.rules[connection.pool].pool.idle_timeout;
        let idle = idle.is_some_and(|idle| connection.used + idle <= self.now);
        let why = connection.stopped.is_some() || self.is_aged(id) || self.draining || idle;
        if !why {
            let since = connection.rests.unwrap_or(self.now);
            let room = self.out_of_sight && self.is_usable(id);
            assert!(room, "{id} is shut down for no reason");
            self.gave_way.push((id, since));
        }
        self.tally.held(law::SHUTDOWN);
        self.connection_mut(id).closing = true;
        self.stop(id, "it was shut down");
    }

    pub(crate) fn abort(&mut self, id: ConnectionId) {
        let connection = self.connection(id);
        let early = connection.takes_early_data();
        let up = connection.up.is_some() || early;
        assert!(up && !connection.gone, "{id} is aborted and is not up");
        assert!(!connection.aborted, "{id} is aborted twice");
        let late = self.rules[connection.pool].pool.connect_timeout;
        let late = connection.since + late <= self.now;
        let mut others = self.connections.values().filter(|c| c.pool == connection.pool);
        let beaten = others.any(|c| matches!(c.up, Some((Protocol::Http3, _))));
        let given_up = early && (late || beaten);
        let stopped = connection.stopped.is_some() || self.is_aged(id) || given_up;
        assert!(stopped || connection.probing || self.draining, "{id} is aborted for no reason");
        self.tally.held(law::ABORT);
        let connection = self.connection_mut(id);
        connection.closing = true;
        connection.aborted = true;
        connection.probing = false;
        self.stop(id, "it was aborted");
    }

    pub(crate) fn probe(&mut self, id: ConnectionId) {
        let usable = self.is_usable(id) && self.needs_probe(id);
        assert!(usable, "{id} is probed and need not be");
        let pool = self.connection(id).pool;
        let probing = self.connections.values().any(|c| c.pool == pool && c.probing && !c.gone);
        assert!(!probing, "{id} is probed beside another");
        self.tally.held(law::PROBE);
        self.connection_mut(id).probing = true;
    }

    pub(crate) fn assign(&mut self, id: RequestId, connection: ConnectionId) {
        let request = self.request(id).clone();
        let fits = !matches!(request.forecast, Forecast::Refused | Forecast::PendingOverflow);
        assert!(fits, "{id} is assigned, expected was {:?}", request.forecast);
        let pool = request.pool;
        assert!(
            matches!(request.place, Place::Arriving | Place::Waiting),
            "{id} does not wait and is assigned: {:?}",
            request.place
        );
        assert!(
            request.doomed != Doom::Yes,
            "{id} was assigned, but its pool's last connection failed"
        );
        for other in self.waiting(|other| other == pool).filter(|other| *other != id) {
            let before = self.request(other);
            let overtaken = match (before.resent, request.resent) {
                (true, false) => true,
                (false, false) => before.line < request.line,
                (_, true) => false,
            };
            let excused = before.doomed != Doom::No || before.avoid == Some(connection);
            let goes_early = self.connection(connection).takes_early_data();
            let excused = excused || goes_early && !self.may_go_early(other);
            assert!(!overtaken || excused, "{id} overtakes {other}");
            self.tally.held(law::FAIR);
        }
        let to = self.connection(connection);
        assert_eq!(to.pool, pool, "{id} is assigned to a connection of another pool");
        let early = to.takes_early_data();
        let up = to.up.is_some() || early;
        assert!(up && !to.gone, "{id} is assigned to {connection}, which is not up");
        assert_eq!(to.stopped, None, "{id} is assigned to {connection}, which takes nothing");
        assert!(!to.probing, "{id} is assigned to {connection}, which is being probed");
        assert!(!self.needs_probe(connection), "{id} is assigned to {connection}, idle for long");
        self.tally.held(law::PROBED_FIRST);
        self.tally.held(law::DRAINING);
        assert!(self.room(connection) > 0, "{id} is one stream too many on {connection}");
        self.tally.held(law::CAPACITY);
        let active = self.active(|other| self.shares(pool, other));
        let most = self.limits(pool).max_requests.unwrap_or(u32::MAX) as usize;
        assert!(active < most, "{active} requests are active, {most} are allowed");
        self.tally.held(law::ACTIVE_LIMIT);
        if early {
            self.assign_early(id, connection);
        } else {
            self.best_is_taken(connection, request.avoid);
        }
        self.request_mut(id).place = Place::On(connection);
        self.moves(pool);
        let to = self.connection_mut(connection);
        to.streams.insert(id);
        to.carried += 1;
        let carried = to.carried;
        let most = self.rules[pool].pool.max_requests_per_connection;
        if !early && most.is_some_and(|most| carried >= most.get().into()) {
            self.stop(connection, "it has carried all it may");
        }
    }

    /// A request goes again on the connection that failed it only where nothing else is left.
    pub(crate) fn avoided_is_last_hope(
        &self,
        id: RequestId,
        taken: ConnectionId,
        sockets_left: bool,
    ) {
        let request = self.request(id);
        let pool = request.pool;
        if request.avoid != Some(taken) || self.is_uncertain(pool) {
            return;
        }
        let mine = || self.connections.values().filter(|c| c.pool == pool && !c.gone);
        assert!(
            !mine().any(Connection::is_connecting),
            "{id} goes on {taken} again, not on a new one"
        );
        let probing = mine().any(|c| c.probing);
        let could = sockets_left && self.has_room_for_one_more(pool);
        let backs_off = self.rules[pool].backs_off;
        assert!(backs_off || !probing && !could, "{id} goes again on {taken}, which failed it");
        self.tally.held(law::AVOIDS);
    }

    /// No other connection of the pool would have been the better choice.
    pub(super) fn best_is_taken(&self, taken: ConnectionId, avoid: Option<ConnectionId>) {
        let chosen = self.connection(taken);
        let protocol = chosen.up.map(|up| up.0);
        for other in self.usable(chosen.pool).filter(|id| *id != taken && Some(*id) != avoid) {
            if self.is_aged(other) || self.needs_probe(other) {
                continue;
            }
            let candidate = self.connection(other);
            let rank = candidate.up.map(|up| up.0);
            assert!(rank <= protocol, "{taken} was taken, {other} speaks a higher protocol");
            let later = rank == Some(Protocol::Http1) && candidate.used > chosen.used;
            assert!(rank < protocol || !later, "{taken} was taken, {other} was used later");
            let in_use = chosen.streams.is_empty() && !candidate.streams.is_empty();
            assert!(rank < protocol || !in_use, "{taken} was taken, {other} is in use");
            self.tally.held(law::BEST);
        }
    }

    pub(crate) fn reset(&mut self, id: RequestId, connection: ConnectionId) {
        let now = self.now;
        let request = self.request_mut(id);
        assert!(
            matches!(request.place, Place::On(there) if there == connection),
            "{id} is reset on {connection}, where it is not"
        );
        let late = request.deadline.is_some_and(|at| at <= now);
        assert!(!request.was_reset, "{id} is reset twice");
        request.was_reset = true;
        let dropped = self.connection(connection).closing;
        let recalled = self.may_be_recalled(id, connection);
        let request = self.request_mut(id);
        request.recalled = recalled && !request.cancelled && !late;
        assert!(
            recalled || request.cancelled || late || dropped,
            "{id} is reset and nobody gave it up"
        );
        self.tally.held(law::RESET);
    }

    pub(crate) fn resend(&mut self, id: RequestId) {
        let request = self.request(id);
        let Place::Judged(end) = request.place else { panic!("{id} is resent out of the blue") };
        if self.is_early_again(id, end) {
            return self.resend_early(id, end);
        }
        if self.is_called_back(id, end) {
            return self.resend_called(id, end);
        }
        assert!(self.may_resend(id, end), "{id} must not go again: {end:?}, {:?}", request.method);
        self.tally.held(law::RESEND);
        let request = self.request_mut(id);
        match end.retry {
            RetrySafe::Unsent => request.unsent += u32::from(!request.stale),
            RetrySafe::Unprocessed => request.unprocessed += 1,
            _ => request.guessed += 1,
        }
        request.place = Place::Waiting;
        request.resent = true;
        request.doomed = Doom::No;
        request.avoid = Some(end.connection);
        let pool = request.pool;
        let most = self.limits(pool).max_retries.unwrap_or(u32::MAX) as usize;
        assert!(self.guessed(pool) <= most, "{id} is one retry too many");
        self.tally.held(law::RETRY_LIMIT);
    }

    /// The rules of a resend, circuit breakers aside.
    pub(crate) fn may_resend(&self, id: RequestId, end: End) -> bool {
        let request = self.request(id);
        let config = &self.rules[request.pool].pool;
        let most = config.max_resends;
        let fits = match end.retry {
            RetrySafe::Unsent => request.stale || request.unsure || request.unsent < most,
            RetrySafe::Unprocessed => request.unprocessed < config.max_unprocessed_resends,
            RetrySafe::Unknown => request.guessed < most && request.method.is_idempotent(),
            RetrySafe::Answered => false,
        };
        let wanted = !request.cancelled && !request.was_reset;
        let failed = matches!(end.outcome, Outcome::Failed(_));
        fits && wanted && failed && end.body != BodyState::Spent
    }

    /// Whether nothing stands against sending it again.
    pub(super) fn must_resend(&self, id: RequestId, end: End) -> bool {
        let request = self.request(id);
        let guess = end.retry == RetrySafe::Unknown;
        let most = self.limits(request.pool).max_retries.unwrap_or(u32::MAX) as usize;
        let open = request.guessed > 0 || self.guessed(request.pool) < most;
        if self.is_early_again(id, end) || self.is_called_back(id, end) {
            return true;
        }
        !request.unsure && self.may_resend(id, end) && (!guess || (open && !self.draining))
    }

    /// How many requests under way were sent again although their fate was unknown.
    pub(crate) fn guessed(&self, pool: usize) -> usize {
        let all = self.requests.values();
        all.filter(|r| {
            !matches!(r.place, Place::Over) && r.guessed > 0 && self.shares(pool, r.pool)
        })
        .count()
    }

    pub(crate) fn finish(&mut self, id: RequestId, outcome: Outcome) {
        let called = match self.request(id).place {
            Place::Judged(end) => self.is_called_back(id, end),
            _ => false,
        };
        let request = self.request_mut(id);
        match request.place {
            Place::Judged(end) => {
                let again = request.recalled && !request.cancelled && !end.is_answered();
                let again = again || called;
                assert!(!again, "{id} was called back and does not go again: {end:?}");
                let expected = match end.outcome {
                    Outcome::Failed(_) if request.cancelled => Outcome::Reset,
                    told => told,
                };
                assert_eq!(outcome, expected, "{id} ended otherwise");
            }
            Place::Waiting => {
                assert!(request.cancelled, "{id} waits, nobody gave it up, and it is finished");
                assert_eq!(outcome, Outcome::Reset, "{id} was cancelled while it waited");
            }
            place => panic!("{id} is finished while {place:?}"),
        }
        request.place = Place::Over;
        self.tally.held(law::FINISH);
    }

    pub(crate) fn refuse(&mut self, id: RequestId, reason: Refusal) {
        let now = self.now;
        let request = self.request(id).clone();
        let fits = match request.forecast {
            Forecast::Refused => reason == Refusal::Draining,
            Forecast::Assigned => reason == Refusal::ActiveOverflow,
            Forecast::PendingOverflow => reason == Refusal::PendingOverflow,
            Forecast::Waits => matches!(
                reason,
                Refusal::PoolOverflow | Refusal::SocketOverflow | Refusal::ActiveOverflow
            ),
            Forecast::Unknown => true,
        };
        assert!(fits, "{id} is refused by {reason:?}, expected was {:?}", request.forecast);
        let pool = request.pool;
        let late = request.deadline.is_some_and(|at| at <= now);
        let limits = self.limits(pool);
        let over = |most: Option<u32>, used: usize| used >= most.unwrap_or(u32::MAX) as usize;
        match (request.place, reason) {
            (Place::Arriving, Refusal::PendingOverflow) => {
                let waiting = self.waiting(|other| self.shares(pool, other)).count();
                assert!(over(limits.max_pending_requests, waiting), "{id}: {waiting} wait");
            }
            (Place::Arriving | Place::Waiting, Refusal::ActiveOverflow) => {
                let active = self.active(|other| self.shares(pool, other));
                assert!(over(limits.max_requests, active), "{id}: {active} are active");
                // It waited first, which lets the pool think ahead; if the budget ended then, it
                // does so in a later call.
                self.rules[pool].ahead |= matches!(request.place, Place::Arriving);
            }
            (Place::Arriving, Refusal::PoolOverflow) => {
                let busy = self.busy_pools(pool);
                let full = !self.is_occupied(pool) && over(limits.max_connection_pools, busy);
                let unseen = self.out_of_sight && limits.max_connection_pools.is_some();
                assert!(full || unseen || self.no_pool_left, "{id}: {busy} pools");
            }
            (Place::Arriving, Refusal::Draining) => assert!(self.draining, "nothing drains"),
            (Place::Arriving | Place::Waiting, Refusal::Deadline(phase)) => {
                assert!(late && phase != Phase::Answering, "{id} had time left in {phase:?}");
            }
            (Place::Arriving | Place::Waiting, Refusal::SocketOverflow) => {
                assert!(self.no_sockets, "{id} could have waited for a socket");
                // Those who came later than the overflow are not told.
                self.doom(pool, Doom::Perhaps);
            }
            (Place::Waiting, Refusal::ConnectFailed(_)) => {
                assert!(request.doomed != Doom::No, "{id} had a connection to wait for");
                if request.doomed == Doom::Undecided {
                    self.decide(pool, Doom::Yes);
                }
            }
            (Place::Judged(end), Refusal::StreamFailed(cause)) => {
                // It was called back when its answer had begun.
                let too_late = request.recalled
                    && (end.is_answered(), end.outcome, cause)
                        == (true, Outcome::Reset, Cause::Cancelled);
                let same = end.outcome == Outcome::Failed(cause);
                assert!(same || too_late, "{id} failed otherwise: {cause:?}, {end:?}");
                assert!(!self.must_resend(id, end), "{id} should have gone again: {end:?}");
                self.tally.held(law::MUST_RESEND);
            }
            (Place::Judged(_), Refusal::Deadline(Phase::Answering)) => {
                assert!(late, "{id} had time left");
            }
            (place, reason) => panic!("{id} is refused with {reason:?} while {place:?}"),
        }
        self.request_mut(id).place = Place::Over;
        self.tally.held(law::REFUSAL);
    }
}
