use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU32;
use std::sync::Arc;

use super::*;
use crate::id::{ClusterId, HostId, ProfileId};
use crate::types::{
    AllFailed, BodyState, Origin, Outcome, Phase, Priority, RetrySafe, Scheme, Timing,
};

mod broken;
mod close;
mod early;
mod grid;
mod mute;
mod rest;
mod room;
mod services;
mod table;
mod turns;
mod via;
mod view;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// An upstream, a clock in milliseconds, and everything checked after each step.
struct Rig {
    up: Upstream,
    now: u64,
}

impl Rig {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        Self { up: Upstream::new(config), now: 0 }
    }

    fn at(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    fn take(&mut self) -> Vec<Action> {
        self.up.check();
        core::iter::from_fn(|| self.up.poll_action()).collect()
    }

    fn request(&mut self, key: &Key) -> (RequestId, Vec<Action>) {
        let request = self.up.request(self.at(), key, MethodClass::Safe, None);
        (request, self.take())
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.up.handle_event(self.at(), event);
        self.take()
    }

    /// Lets time pass, doing what is due when it is due.
    fn pass(&mut self, millis: u64) -> Vec<Action> {
        let end = self.now + millis;
        let mut actions = Vec::new();
        for _ in 0..10_000 {
            match self.up.poll_timeout() {
                Some(at) if at <= Instant::from_millis(end) => {
                    self.now = self.now.max(at.as_nanos().div_ceil(1_000_000));
                    self.up.handle_timeout(self.at());
                    actions.extend(self.take());
                }
                _ => {
                    self.now = end;
                    return actions;
                }
            }
        }
        panic!("timeouts make no progress: {:?}", self.up.poll_timeout());
    }

    /// Answers a `Resolve` with one address.
    fn resolve(&mut self, actions: &[Action]) -> Vec<Action> {
        let host = hosts(actions)[0];
        let mut all = self.event(Event::Resolved { host, addresses: vec![ADDRESS] });
        all.extend(self.event(Event::ResolveFinished { host, failed: None }));
        all
    }

    fn connected(&mut self, attempt: AttemptId, protocol: Protocol, limit: u32) -> Vec<Action> {
        self.event(Event::Connected { attempt, protocol, limit: Limit::Concurrent(limit) })
    }

    fn ended(&mut self, request: RequestId, outcome: Outcome, retry: RetrySafe) -> Vec<Action> {
        let connection = self.up.connection_of(request).expect("assigned");
        let (body, timing) = (BodyState::Untouched, Timing::default());
        self.event(Event::StreamEnded { connection, request, outcome, retry, body, timing })
    }

    fn complete(&mut self, request: RequestId) -> Vec<Action> {
        self.ended(request, Outcome::Complete, RetrySafe::Answered)
    }

    /// A key with one established connection that carries one request.
    fn up(&mut self, key: &Key, protocol: Protocol, limit: u32) -> (ConnectionId, RequestId) {
        let (request, actions) = self.request(key);
        let actions = if hosts(&actions).is_empty() { actions } else { self.resolve(&actions) };
        let (attempt, connection) = attempts(&actions)[0];
        let actions = self.connected(attempt, protocol, limit);
        assert_eq!(actions, [Action::Assign { request, connection }]);
        (connection, request)
    }
}

fn key(scheme: Scheme, host: &str) -> Key {
    Key {
        cluster: ClusterId::new(0, 0),
        origin: Origin { scheme, host: host.into(), port: scheme.default_port() },
        profile: ProfileId(0),
        priority: Priority::Default,
    }
}

fn http() -> Key {
    key(Scheme::Http, "example.test")
}

fn https() -> Key {
    key(Scheme::Https, "example.test")
}

fn hosts(actions: &[Action]) -> Vec<HostId> {
    let host = |action: &Action| match action {
        Action::Resolve { host, .. } => Some(*host),
        _ => None,
    };
    actions.iter().filter_map(host).collect()
}

fn attempts(actions: &[Action]) -> Vec<(AttemptId, ConnectionId)> {
    let attempt = |action: &Action| match action {
        Action::Connect { attempt, connection, .. } => Some((*attempt, *connection)),
        _ => None,
    };
    actions.iter().filter_map(attempt).collect()
}

fn assigns(actions: &[Action]) -> Vec<(RequestId, ConnectionId)> {
    let assign = |action: &Action| match action {
        Action::Assign { request, connection } => Some((*request, *connection)),
        _ => None,
    };
    actions.iter().filter_map(assign).collect()
}

fn refusals(actions: &[Action]) -> Vec<(RequestId, Refusal)> {
    let refusal = |action: &Action| match action {
        Action::Refuse { request, reason, .. } => Some((*request, *reason)),
        _ => None,
    };
    actions.iter().filter_map(refusal).collect()
}

#[test]
fn a_request_is_resolved_connected_assigned_and_ended() {
    let mut rig = Rig::new(|_| ());
    let (request, actions) = rig.request(&http());
    let host = hosts(&actions)[0];
    assert_eq!(actions, [Action::Resolve { host, name: "example.test".into() }]);
    rig.now = 5;
    let actions = rig.event(Event::Resolved { host, addresses: vec![ADDRESS] });
    assert_eq!(actions, []);
    let actions = rig.event(Event::ResolveFinished { host, failed: None });
    let (attempt, connection) = attempts(&actions)[0];
    let address = core::net::SocketAddr::new(ADDRESS, 80);
    let (transport, origin) = (crate::types::Transport::Tcp, http().origin);
    let profile = ProfileId(0);
    let connect = Action::Connect { attempt, connection, transport, address, origin, profile };
    assert_eq!(actions, [connect]);
    rig.now = 9;
    let actions = rig.connected(attempt, Protocol::Http1, 1);
    assert_eq!(actions, [Action::Assign { request, connection }]);
    let timeline = rig.up.request_timeline(request).unwrap();
    assert_eq!(timeline.assigned, Some(Instant::from_millis(9)));
    let path = timeline.connection.unwrap();
    assert_eq!(path.resolved, Some(Instant::from_millis(5)));
    assert_eq!(path.attempts.len(), 1);
    assert_eq!(path.attempts[0].ended, Some(Instant::from_millis(9)));
    let finished = Action::Finished { request, outcome: Outcome::Complete };
    assert_eq!(rig.complete(request), [finished]);
    let (next, actions) = rig.request(&http());
    assert_eq!(actions, [Action::Assign { request: next, connection }], "the connection is reused");
}

#[test]
fn a_connection_that_cannot_be_made_fails_all_who_wait_with_every_attempt() {
    let mut rig = Rig::new(|_| ());
    let (first, actions) = rig.request(&https());
    let (second, none) = rig.request(&https());
    assert_eq!(none, [], "100 streams are assumed: one connection will do");
    let actions = rig.resolve(&actions);
    let (attempt, _) = attempts(&actions)[0];
    let actions = rig.event(Event::AttemptFailed { attempt, cause: Cause::Refused });
    let reason = Refusal::ConnectFailed(Cause::Refused);
    assert_eq!(refusals(&actions), [(first, reason), (second, reason)]);
    let Action::Refuse { failed: Some(failed), .. } = &actions[0] else { panic!("no list") };
    let failed: &Arc<AllFailed> = failed;
    assert_eq!(failed.attempts.len(), 1);
    assert_eq!(failed.attempts[0].attempt, attempt);
    let (_, actions) = rig.request(&https());
    assert_eq!(hosts(&actions).len(), 1, "addresses that all failed are asked for again");
}

#[test]
fn an_unknown_name_fails_its_requests() {
    let mut rig = Rig::new(|_| ());
    let (request, actions) = rig.request(&http());
    let host = hosts(&actions)[0];
    let failed = Some(Cause::NameNotFound);
    let actions = rig.event(Event::ResolveFinished { host, failed });
    assert_eq!(refusals(&actions), [(request, Refusal::ConnectFailed(Cause::NameNotFound))]);
}

#[test]
fn the_connect_timeout_aborts_every_attempt_and_names_it() {
    let mut rig = Rig::new(|config| {
        config.clusters[0].pool.connect_timeout = Duration::from_millis(1_000);
    });
    let (request, actions) = rig.request(&https());
    let host = hosts(&actions)[0];
    let second = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    rig.event(Event::Resolved { host, addresses: vec![ADDRESS, second] });
    rig.event(Event::ResolveFinished { host, failed: None });
    let actions = rig.pass(999);
    assert_eq!(attempts(&actions).len(), 1, "the second address starts beside the first");
    assert_eq!(rig.up.sockets(), 2);
    let actions = rig.pass(1);
    let aborted = actions.iter().filter(|a| matches!(a, Action::AbortAttempt(_))).count();
    assert_eq!(aborted, 2);
    assert_eq!(refusals(&actions), [(request, Refusal::ConnectFailed(Cause::ConnectTimeout))]);
    assert_eq!(rig.up.sockets(), 0);
}

#[test]
fn an_idle_connection_is_shut_down_and_its_empty_pool_forgotten() {
    let mut rig = Rig::new(|_| ());
    let (connection, request) = rig.up(&http(), Protocol::Http1, 1);
    rig.complete(request);
    assert_eq!(rig.pass(59_999), []);
    assert_eq!(rig.pass(1), [Action::Shutdown(connection)]);
    rig.event(Event::Closed { connection, cause: Cause::ShutDown });
    assert_eq!(rig.up.snapshot(rig.at()).len(), 1);
    rig.pass(60_000);
    assert_eq!(rig.up.snapshot(rig.at()), []);
    assert_eq!(rig.up.poll_timeout(), None);
}

#[test]
fn an_exchange_without_a_deadline_wakes_nobody() {
    let mut rig = Rig::new(|_| ());
    rig.up(&http(), Protocol::Http1, 1);
    assert_eq!(rig.pass(10_000), [], "the clock of its connection was stopped, found out late");
    assert_eq!(rig.up.poll_timeout(), None);
}

#[test]
fn cancel_is_silent_for_who_waits_and_a_reset_for_who_is_assigned() {
    let mut rig = Rig::new(|_| ());
    let (connection, first) = rig.up(&http(), Protocol::Http1, 1);
    let (second, _) = rig.request(&http());
    let ended = |request| Action::Finished { request, outcome: Outcome::Reset };
    assert_eq!(rig.event(Event::Cancelled(second)), [ended(second)]);
    assert_eq!(rig.event(Event::Cancelled(second)), [], "stale");
    let actions = rig.event(Event::Cancelled(first));
    assert_eq!(actions, [Action::Reset { connection, request: first }]);
    assert_eq!(rig.event(Event::Cancelled(first)), [], "once");
    assert_eq!(rig.ended(first, Outcome::Reset, RetrySafe::Unknown), [ended(first)]);
}

#[test]
fn a_stale_connection_at_reuse_costs_a_request_nothing() {
    let mut rig = Rig::new(|config| config.clusters[0].pool.max_resends = 0);
    let (stale, first) = rig.up(&http(), Protocol::Http1, 1);
    rig.complete(first);
    let (request, _) = rig.request(&http());
    let failed = Outcome::Failed(Cause::Closed);
    let actions = rig.ended(request, failed, RetrySafe::Unsent);
    assert_eq!(actions[..2], [Action::Shutdown(stale), Action::Resend(request)]);
    let (attempt, connection) = attempts(&actions)[0];
    assert_ne!(connection, stale);
    rig.event(Event::Closed { connection: stale, cause: Cause::Closed });
    let actions = rig.connected(attempt, Protocol::Http1, 1);
    assert_eq!(assigns(&actions), [(request, connection)]);
    let actions = rig.ended(request, failed, RetrySafe::Unsent);
    let reason = Refusal::StreamFailed(Cause::Closed);
    assert_eq!(refusals(&actions), [(request, reason)], "a fresh connection that drops it is not");
}

#[test]
fn a_burst_is_finished_in_later_calls() {
    let mut rig = Rig::new(|config| config.burst = NonZeroU32::new(2).unwrap());
    let (_, actions) = rig.request(&https());
    for _ in 0..6 {
        rig.request(&https());
    }
    let actions = rig.resolve(&actions);
    let (attempt, _) = attempts(&actions)[0];
    let actions = rig.event(Event::AttemptFailed { attempt, cause: Cause::Refused });
    assert_eq!(refusals(&actions).len(), 2);
    let (late, mut told) = rig.request(&https());
    assert_eq!(rig.up.poll_timeout(), Some(rig.at()), "the rest is due at once");
    told.extend(rig.pass(0));
    assert_eq!(refusals(&told).len(), 5);
    assert_eq!(hosts(&told).len(), 1, "who comes later is not failed with them");
    assert!(rig.up.pool_of(late).is_some());
}

#[test]
fn a_deadline_names_its_phase() {
    let mut rig = Rig::new(|_| ());
    let ask = |rig: &mut Rig, at: u64| {
        let deadline = Some(Instant::from_millis(at));
        let request = rig.up.request(rig.at(), &http(), MethodClass::Safe, deadline);
        (request, rig.take())
    };
    let (request, resolve) = ask(&mut rig, 10);
    let told = rig.pass(10);
    assert_eq!(refusals(&told), [(request, Refusal::Deadline(Phase::Resolving))]);
    let (request, _) = ask(&mut rig, 20);
    let actions = rig.resolve(&resolve);
    let told = rig.pass(10);
    assert_eq!(refusals(&told), [(request, Refusal::Deadline(Phase::Connecting))]);
    let (attempt, connection) = attempts(&actions)[0];
    rig.connected(attempt, Protocol::Http1, 1);
    let (assigned, _) = ask(&mut rig, 100);
    let told = rig.pass(100);
    assert_eq!(told, [Action::Reset { connection, request: assigned }]);
    let told = rig.ended(assigned, Outcome::Reset, RetrySafe::Unknown);
    assert_eq!(refusals(&told), [(assigned, Refusal::Deadline(Phase::Answering))]);
}

#[test]
fn a_host_is_resolved_once_for_all_its_pools_and_again_after_its_lifetime() {
    let mut rig = Rig::new(|config| config.address_lifetime = Duration::from_millis(100));
    let (_, first) = rig.request(&http());
    let (_, second) = rig.request(&https());
    assert_eq!((hosts(&first).len(), hosts(&second).len()), (1, 0));
    let actions = rig.resolve(&first);
    assert_eq!(attempts(&actions).len(), 2, "the answer goes to both races");
    rig.now = 99;
    let (_, third) = rig.request(&http());
    assert_eq!((hosts(&third).len(), attempts(&third).len()), (0, 1));
    rig.now = 100;
    let (_, fourth) = rig.request(&http());
    assert_eq!((hosts(&fourth).len(), attempts(&fourth).len()), (1, 0));
}

#[test]
fn a_changed_network_forgets_addresses_and_drains() {
    let mut rig = Rig::new(|_| ());
    let (connection, request) = rig.up(&http(), Protocol::Http1, 1);
    rig.complete(request);
    assert_eq!(rig.event(Event::NetworkChanged), [Action::Shutdown(connection)]);
    let (_, actions) = rig.request(&http());
    assert_eq!(hosts(&actions).len(), 1);
}

#[test]
fn an_attempt_waits_for_a_socket_and_starts_when_one_is_free() {
    let mut rig = Rig::new(|config| config.max_sockets = 1);
    let (_, actions) = rig.request(&http());
    let host = hosts(&actions)[0];
    let second = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    rig.event(Event::Resolved { host, addresses: vec![ADDRESS, second] });
    let actions = rig.event(Event::ResolveFinished { host, failed: None });
    let (first, _) = attempts(&actions)[0];
    assert_eq!(rig.pass(1_000), [], "its time has come, but there is no socket");
    assert_eq!(rig.up.sockets(), 1);
    let (_, actions) = rig.request(&key(Scheme::Http, "other.test"));
    assert_eq!(actions, [], "it waits as well, for the same socket");
    let actions = rig.event(Event::AttemptFailed { attempt: first, cause: Cause::Refused });
    assert_eq!(attempts(&actions).len(), 1);
    assert_eq!(rig.up.sockets(), 1);
}

#[test]
fn at_max_pools_the_longest_empty_goes_and_none_is_made_where_none_is_empty() {
    let mut rig = Rig::new(|config| config.max_pools = 2);
    for name in ["first.test", "second.test"] {
        let key = key(Scheme::Http, name);
        let (request, _) = rig.request(&key);
        rig.event(Event::Cancelled(request));
    }
    let third = key(Scheme::Http, "third.test");
    let (request, actions) = rig.request(&third);
    assert_eq!(refusals(&actions), [(request, Refusal::PoolOverflow)], "both are connecting");
    rig.pass(5_000);
    let (_, actions) = rig.request(&third);
    assert_eq!(hosts(&actions).len(), 1);
    let names: Vec<_> = rig.up.snapshot(rig.at()).into_iter().map(|p| p.key.origin.host).collect();
    assert!(names.iter().all(|name| **name != *"first.test"), "{names:?}");
}

#[test]
fn an_unknown_cluster_or_profile_is_refused_and_so_is_everything_while_draining() {
    let mut rig = Rig::new(|_| ());
    let mut unknown = http();
    unknown.cluster = ClusterId::new(1, 0);
    let (request, actions) = rig.request(&unknown);
    assert_eq!(refusals(&actions), [(request, Refusal::UnknownKey)]);
    unknown = http();
    unknown.profile = ProfileId(1);
    let (request, actions) = rig.request(&unknown);
    assert_eq!(refusals(&actions), [(request, Refusal::UnknownKey)]);
    assert_eq!(rig.event(Event::Drain), []);
    let (request, actions) = rig.request(&http());
    assert_eq!(refusals(&actions), [(request, Refusal::Draining)]);
}

#[test]
fn one_call_ends_a_burst_of_those_whose_time_is_up() {
    let mut rig = Rig::new(|config| config.burst = NonZeroU32::new(2).unwrap());
    for _ in 0..5 {
        let deadline = Some(Instant::from_millis(10));
        rig.up.request(rig.at(), &http(), MethodClass::Safe, deadline);
    }
    rig.take();
    rig.now = 10;
    rig.up.handle_timeout(rig.at());
    assert_eq!(refusals(&rig.take()).len(), 2);
    assert!(rig.up.poll_timeout() <= Some(rig.at()), "the rest is due at once");
    assert_eq!(refusals(&rig.pass(0)).len(), 3);
}

#[test]
fn a_host_keeps_each_address_once_and_not_more_than_twice_the_limit() {
    let mut rig = Rig::new(|config| {
        config.clusters.iter_mut().for_each(|cluster| cluster.eyeballs.max_addresses = 2);
    });
    let host = hosts(&rig.request(&http()).1)[0];
    let address = |last| IpAddr::from([192, 0, 2, last]);
    rig.event(Event::Resolved { host, addresses: vec![address(1), address(1), address(2)] });
    let kept = |rig: &mut Rig| rig.up.hosts.get_mut(host).unwrap().addresses.clone();
    assert_eq!(kept(&mut rig), [address(1), address(2)]);
    rig.event(Event::Resolved { host, addresses: (1..9).map(address).collect() });
    assert_eq!(kept(&mut rig), [1, 2, 3, 4].map(address));
}

#[test]
fn a_connect_timeout_says_whether_it_was_the_name_that_took_so_long() {
    let said = |actions: &[Action]| {
        let failed = actions.iter().find_map(|action| match action {
            Action::Refuse { failed, .. } => failed.clone(),
            _ => None,
        });
        let failed = failed.expect("the connect timeout is told");
        (failed.attempts.len(), failed.resolution)
    };
    let mut rig = Rig::new(|_| ());
    rig.request(&http());
    assert_eq!(said(&rig.pass(10_000)), (0, Some(Cause::ResolveTimeout)));
    let mut rig = Rig::new(|_| ());
    let (_, actions) = rig.request(&http());
    rig.resolve(&actions);
    assert_eq!(said(&rig.pass(10_000)), (1, None));
    let (_, actions) = rig.request(&http());
    assert_eq!(hosts(&actions).len(), 1, "addresses that did not answer are looked up again");
}

#[test]
fn what_a_resolver_says_after_its_end_is_stale() {
    let mut rig = Rig::new(|_| ());
    let (_, actions) = rig.request(&http());
    let host = hosts(&actions)[0];
    rig.resolve(&actions);
    assert_eq!(rig.up.count(Kind::Stale), 0);
    let lifetime = Config::default().address_lifetime;
    rig.now += lifetime.as_millis() as u64 - 1;
    let late = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    assert_eq!(rig.event(Event::Resolved { host, addresses: vec![late] }), []);
    assert_eq!(rig.event(Event::ResolveFinished { host, failed: None }), []);
    assert_eq!(rig.up.count(Kind::Stale), 2);
    assert_eq!(rig.up.hosts.get_mut(host).unwrap().addresses, [ADDRESS]);
}

#[test]
fn a_pool_too_many_is_counted_and_a_drain_is_not() {
    let mut rig = Rig::new(|config| config.max_pools = 1);
    rig.request(&http());
    let (request, told) = rig.request(&https());
    assert_eq!(refusals(&told), [(request, Refusal::PoolOverflow)]);
    assert_eq!(rig.up.count(Kind::PoolOverflow), 1);
    rig.event(Event::Drain);
    let (request, told) = rig.request(&http());
    assert_eq!(refusals(&told), [(request, Refusal::Draining)]);
    assert_eq!(rig.up.count(Kind::PoolOverflow), 1);
}

#[test]
fn an_attempt_that_gets_on_delays_the_next() {
    let mut rig = Rig::new(|_| ());
    let (_, actions) = rig.request(&https());
    let host = hosts(&actions)[0];
    let second = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    rig.event(Event::Resolved { host, addresses: vec![ADDRESS, second] });
    let actions = rig.event(Event::ResolveFinished { host, failed: None });
    let (attempt, _) = attempts(&actions)[0];
    rig.pass(200);
    rig.event(Event::AttemptProgress(attempt));
    assert_eq!(attempts(&rig.pass(299)), []);
    assert_eq!(attempts(&rig.pass(1)).len(), 1);
}
