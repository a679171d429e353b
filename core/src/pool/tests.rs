//! Each table is one rule: rows of what happens and the actions that follow.

use core::num::NonZeroU32;
use std::sync::Arc;

use super::*;
use crate::id::RequestId;
use crate::limits::Resource;
use crate::machine::Machine;
use crate::time::Duration;
use crate::types::{
    AllFailed, BodyState, Cause, Limit, MethodClass, Outcome, Phase, Protocol, RetrySafe,
};

mod broken;
mod clocks;
mod drain;
mod limits;
mod making;
mod records;
mod resend;

/// A pool, a clock in milliseconds, and everything checked after each step.
struct Rig {
    solo: Solo,
    out: Outbox<Action>,
    now: u64,
}

/// A connection by the order in which it was made, a request likewise.
fn c(slot: u32) -> ConnectionId {
    ConnectionId::new(slot, 0)
}

fn r(slot: u32) -> RequestId {
    RequestId::new(slot, 0)
}

fn assign(request: u32, connection: u32) -> Action {
    Action::Assign { request: r(request), connection: c(connection) }
}

fn refuse(request: u32, reason: Refusal) -> Action {
    Action::Refuse { request: r(request), reason, failed: None }
}

fn finished(request: u32, outcome: Outcome) -> Action {
    Action::Finished { request: r(request), outcome }
}

fn complete(request: u32) -> Action {
    finished(request, Outcome::Complete)
}

fn config(change: impl FnOnce(&mut SoloConfig)) -> SoloConfig {
    let mut config = SoloConfig::default();
    change(&mut config);
    config
}

fn some(number: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(number)
}

impl Rig {
    fn new(change: impl FnOnce(&mut SoloConfig)) -> Self {
        Self { solo: Solo::new(&config(change)), out: Outbox::new(), now: 0 }
    }

    fn at(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    fn take(&mut self) -> Vec<Action> {
        self.solo.check();
        core::iter::from_fn(|| self.out.pop()).collect()
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.solo.handle_event(self.at(), event, &mut self.out);
        self.take()
    }

    fn ask(&mut self) -> Vec<Action> {
        self.event(Event::Requested { method: MethodClass::Safe, deadline: None })
    }

    /// So many requests that have to wait, whatever else they cause.
    fn queue(&mut self, many: u32) -> Vec<Action> {
        (0..many).flat_map(|_| self.ask()).collect()
    }

    /// The connection that is being established.
    fn next_connection(&self) -> ConnectionId {
        let all = self.solo.tables.connections.iter();
        let mut connecting = all.filter(|(_, slot)| slot.state == State::Connecting);
        connecting.next().expect("one is being established").0
    }

    fn up(&mut self, connection: u32, protocol: Protocol, limit: u32) -> Vec<Action> {
        let limit = Limit::Concurrent(limit);
        self.event(Event::Connected { connection: c(connection), protocol, limit })
    }

    fn down(&mut self, connection: u32) -> Vec<Action> {
        self.event(Event::Closed { connection: c(connection), cause: Cause::Closed })
    }

    fn connect_failed(&mut self, connection: u32) -> Vec<Action> {
        let failed = Arc::new(all_failed());
        self.event(Event::ConnectFailed { connection: c(connection), failed })
    }

    fn limit(&mut self, connection: u32, limit: u32) -> Vec<Action> {
        let limit = Limit::Concurrent(limit);
        self.event(Event::Limit { connection: c(connection), limit })
    }

    fn done(&mut self, request: u32, connection: u32) -> Vec<Action> {
        self.end(request, connection, Outcome::Complete, RetrySafe::Answered)
    }

    fn end(
        &mut self,
        request: u32,
        connection: u32,
        outcome: Outcome,
        retry: RetrySafe,
    ) -> Vec<Action> {
        let (request, connection) = (r(request), c(connection));
        let body = BodyState::Untouched;
        self.event(Event::StreamEnded { connection, request, outcome, retry, body })
    }

    fn pass(&mut self, millis: u64) -> Vec<Action> {
        self.now += millis;
        for _ in 0..100 {
            if self.solo.poll_timeout().is_none_or(|at| at > self.at()) {
                return self.take();
            }
            self.solo.handle_timeout(self.at(), &mut self.out);
        }
        panic!("timeouts make no progress: {:?}", self.solo.poll_timeout());
    }

    fn states(&self, connections: core::ops::Range<u32>) -> Vec<State> {
        connections.map(|slot| self.solo.state(c(slot))).collect()
    }
}

fn all_failed() -> AllFailed {
    AllFailed { attempts: Vec::new(), resolution: Some(Cause::Refused) }
}

fn connect_refused(request: u32) -> Action {
    let reason = Refusal::ConnectFailed(Cause::Refused);
    Action::Refuse { request: r(request), reason, failed: Some(Arc::new(all_failed())) }
}

#[test]
fn an_empty_pool_wants_nothing() {
    let solo = Solo::new(&SoloConfig::default());
    solo.check();
    assert_eq!(solo.admission(), Admission::NoDemand);
    assert_eq!(solo.poll_timeout(), None);
}

#[test]
fn http1_carries_one_stream_at_a_time() {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    assert_eq!(rig.ask(), [Action::Connect(c(0))]);
    assert_eq!(rig.states(0..1), [State::Connecting]);
    // Whatever is said about its limit.
    assert_eq!(rig.up(0, Protocol::Http1, 100), [assign(0, 0)]);
    assert_eq!(rig.states(0..1), [State::Busy]);
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    assert_eq!(rig.done(0, 0), [complete(0), assign(1, 0)]);
    assert_eq!(rig.done(1, 0), [complete(1)]);
    assert_eq!(rig.states(0..1), [State::Ready]);
}

#[test]
fn those_who_wait_are_served_in_order_and_cancelled_in_silence() {
    let mut rig = Rig::new(|_| ());
    assert_eq!(rig.queue(4), [Action::Connect(c(0))]);
    let told = rig.event(Event::Cancelled(r(1)));
    assert_eq!(told, [finished(1, Outcome::Reset)]);
    assert_eq!(rig.solo.waiting(), 3);
    assert_eq!(rig.up(0, Protocol::Http2, 2), [assign(0, 0), assign(2, 0), Action::Connect(c(1))]);
    assert_eq!(rig.done(0, 0), [complete(0), assign(3, 0)]);
}

#[test]
fn http2_goes_before_http1_and_the_newest_first() {
    let mut rig = Rig::new(|config| config.pool.assumed_streams = NonZeroU32::MIN);
    rig.queue(4);
    rig.up(0, Protocol::Http1, 1);
    rig.up(1, Protocol::Http1, 1);
    rig.up(3, Protocol::Http1, 1);
    rig.up(2, Protocol::Http2, 1);
    for (request, connection) in [(0, 0), (1, 1), (2, 3), (3, 2)] {
        assert_eq!(rig.done(request, connection), [complete(request)]);
    }
    // HTTP/2 by rank, then HTTP/1 in the order of last use.
    for (request, connection) in [(3, 2), (2, 3), (1, 1), (0, 0)] {
        let request = RequestId::new(request, 1);
        let told = rig.ask();
        assert_eq!(told, [Action::Assign { request, connection: c(connection) }]);
    }
}

#[test]
fn http3_goes_before_http2_also_where_that_is_in_use() {
    let mut rig = Rig::new(|config| config.pool.assumed_streams = NonZeroU32::MIN);
    rig.queue(2);
    rig.up(0, Protocol::Http3, 1);
    rig.up(1, Protocol::Http2, 1);
    rig.done(0, 0);
    rig.limit(1, 10);
    assert_eq!(rig.states(0..2), [State::Ready, State::Ready]);
    let request = RequestId::new(0, 1);
    assert_eq!(rig.ask(), [Action::Assign { request, connection: c(0) }]);
}

#[test]
fn cancel_of_an_assigned_request_gives_capacity_back_at_its_end_only() {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    rig.ask();
    rig.up(0, Protocol::Http1, 1);
    let reset = Action::Reset { connection: c(0), request: r(0) };
    assert_eq!(rig.event(Event::Cancelled(r(0))), [reset]);
    assert_eq!(rig.states(0..1), [State::Busy]);
    assert_eq!(rig.event(Event::Cancelled(r(0))), [], "told once");
    assert_eq!(rig.ask(), [Action::Connect(c(1))]);
    let told = rig.end(0, 0, Outcome::Reset, RetrySafe::Unknown);
    assert_eq!(told, [finished(0, Outcome::Reset), assign(1, 0)]);
}

#[test]
fn a_deadline_names_the_phase_it_found() {
    let deadline = |at| Some(Instant::from_millis(at));
    let method = MethodClass::Safe;
    let mut rig = Rig::new(|config| {
        config.http1_alone = true;
        config.limits.max_connections = Some(1);
    });
    rig.event(Event::Requested { method, deadline: deadline(10) });
    assert_eq!(rig.pass(9), []);
    assert_eq!(rig.pass(1), [refuse(0, Refusal::Deadline(Phase::Resolving))]);
    rig.up(0, Protocol::Http1, 1);
    let asked = |slot, generation| RequestId::new(slot, generation);
    let told = rig.event(Event::Requested { method, deadline: deadline(20) });
    let (first, second) = (asked(0, 1), asked(1, 0));
    assert_eq!(told, [Action::Assign { request: first, connection: c(0) }]);
    rig.event(Event::Requested { method, deadline: deadline(20) });
    let reason = Refusal::Deadline(Phase::Queued);
    let told = rig.pass(10);
    let reset = Action::Reset { connection: c(0), request: first };
    assert_eq!(told, [reset, Action::Refuse { request: second, reason, failed: None }]);
    let (connection, body) = (c(0), BodyState::Untouched);
    let (outcome, retry) = (Outcome::Reset, RetrySafe::Unknown);
    let reason = Refusal::Deadline(Phase::Answering);
    let refused = Action::Refuse { request: first, reason, failed: None };
    let ended = Event::StreamEnded { connection, request: first, outcome, retry, body };
    assert_eq!(rig.event(ended), [refused]);
}

#[test]
fn nothing_is_sent_again_after_its_deadline() {
    let mut rig = Rig::new(|_| ());
    let deadline = Some(Instant::from_millis(10));
    rig.event(Event::Requested { method: MethodClass::Safe, deadline });
    rig.up(0, Protocol::Http2, 10);
    rig.now = 10;
    let told = rig.end(0, 0, Outcome::Failed(Cause::GoAway(0)), RetrySafe::Unprocessed);
    assert_eq!(told, [refuse(0, Refusal::Deadline(Phase::Answering))]);
}

#[test]
fn a_stream_that_was_complete_before_its_reset_is_complete() {
    let mut rig = Rig::new(|_| ());
    let deadline = Some(Instant::from_millis(10));
    rig.event(Event::Requested { method: MethodClass::Safe, deadline });
    rig.up(0, Protocol::Http2, 10);
    assert_eq!(rig.pass(10), [Action::Reset { connection: c(0), request: r(0) }]);
    assert_eq!(rig.done(0, 0), [complete(0)]);
}

#[test]
fn one_call_assigns_at_most_its_burst() {
    let mut rig = Rig::new(|config| config.burst = 2);
    rig.queue(5);
    assert_eq!(rig.up(0, Protocol::Http2, 100), [assign(0, 0), assign(1, 0)]);
    assert_eq!(rig.solo.poll_timeout(), Some(rig.at()), "due at once");
    rig.solo.handle_timeout(rig.at(), &mut rig.out);
    assert_eq!(rig.take(), [assign(2, 0), assign(3, 0)]);
    assert_eq!(rig.ask(), [assign(4, 0), assign(5, 0)], "nobody is overtaken");
}

#[test]
fn late_and_unknown_events_do_nothing() {
    let mut rig = Rig::new(|_| ());
    rig.queue(1);
    rig.up(0, Protocol::Http2, 10);
    rig.done(0, 0);
    rig.down(0);
    let failed = Arc::new(all_failed());
    let (protocol, limit) = (Protocol::Http2, Limit::Concurrent(1));
    let (outcome, retry, body) = (Outcome::Complete, RetrySafe::Answered, BodyState::Spent);
    let events = [
        Event::Cancelled(r(0)),
        Event::Connected { connection: c(0), protocol, limit },
        Event::ConnectFailed { connection: c(0), failed },
        Event::Limit { connection: c(0), limit },
        Event::Refusing(c(0)),
        Event::StreamEnded { connection: c(0), request: r(0), outcome, retry, body },
        Event::Probed(c(0)),
        Event::Closed { connection: c(0), cause: Cause::Closed },
    ];
    for (count, event) in (1..).zip(events) {
        assert_eq!(rig.event(event.clone()), [], "{event:?}");
        assert_eq!(rig.solo.count(Kind::Stale), count, "{event:?}");
    }
}
