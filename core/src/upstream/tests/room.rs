//! Where every socket is taken, what has been idle for the longest makes room.

use super::*;

/// A rig with so many sockets.
fn rig(sockets: u32) -> Rig {
    Rig::new(|config| config.max_sockets = sockets)
}

fn named(name: u32) -> Key {
    key(Scheme::Http, &format!("{name}.test"))
}

/// Whether a connection is begun: where to.
fn begun(rig: &Rig, actions: &[Action]) -> Vec<String> {
    let name = |host: HostId| rig.up.host_name(host).unwrap().to_string();
    hosts(actions).into_iter().map(name).collect()
}

fn closed(rig: &mut Rig, connection: ConnectionId) -> Vec<Action> {
    rig.event(Event::Closed { connection, cause: Cause::ShutDown })
}

/// One connection for each name, idle in the order of `ended`, a millisecond apart.
fn idle(rig: &mut Rig, names: u32, ended: &[u32]) -> Vec<ConnectionId> {
    let up: Vec<_> = (0..names).map(|name| rig.up(&named(name), Protocol::Http1, 1)).collect();
    for name in ended {
        rig.now += 1;
        rig.complete(up[*name as usize].1);
    }
    up.into_iter().map(|(connection, _)| connection).collect()
}

#[test]
fn the_longest_idle_of_all_pools_makes_room_and_counts_until_it_is_closed() {
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]] {
        let mut rig = rig(3);
        let connections = idle(&mut rig, 3, &order);
        for (nth, name) in (3..6).enumerate() {
            let (_, actions) = rig.request(&named(name));
            let longest = connections[order[nth] as usize];
            assert_eq!(actions, [Action::Shutdown(longest)], "{order:?}, {name}");
            assert_eq!((rig.up.sockets(), rig.up.waiting_for_turn()), (3, 1), "{order:?}");
            let actions = closed(&mut rig, longest);
            assert_eq!(begun(&rig, &actions), [format!("{name}.test")], "{order:?}");
            assert_eq!(rig.up.sockets(), 3, "{order:?}");
        }
        assert_eq!(rig.up.count(Kind::MadeRoom), 3);
    }
}

#[test]
fn one_that_is_used_again_is_idle_since_then() {
    let mut rig = rig(2);
    let connections = idle(&mut rig, 2, &[0, 1]);
    rig.now += 1;
    let (request, actions) = rig.request(&named(0));
    assert_eq!(assigns(&actions), [(request, connections[0])]);
    rig.now += 1;
    rig.complete(request);
    let (_, actions) = rig.request(&named(2));
    assert_eq!(actions, [Action::Shutdown(connections[1])]);
}

/// What a connection does that has not to give way.
#[test]
fn what_is_not_idle_does_not_give_way_and_who_needs_it_waits() {
    type Use = fn(&mut Rig);
    let uses: [(&str, Use); 6] = [
        ("being established", |rig| {
            rig.request(&named(0));
        }),
        ("carries a request", |rig| {
            rig.up(&named(0), Protocol::Http1, 1);
        }),
        ("carries one of many", |rig| {
            rig.up(&https(), Protocol::Http2, 100);
        }),
        ("grants no stream, and is waited for", |rig| {
            let (_, actions) = rig.request(&https());
            let actions = rig.resolve(&actions);
            rig.connected(attempts(&actions)[0].0, Protocol::Http2, 0);
        }),
        ("is asked for a sign of life", |rig| {
            let (connection, request) = rig.up(&https(), Protocol::Http2, 100);
            rig.complete(request);
            rig.now += 20_000;
            assert_eq!(rig.request(&https()).1, [Action::Probe(connection)]);
        }),
        ("is closing", |rig| {
            let (connection, request) = rig.up(&named(0), Protocol::Http1, 1);
            rig.complete(request);
            assert_eq!(rig.event(Event::Refusing(connection)), [Action::Shutdown(connection)]);
        }),
    ];
    for (what, usage) in uses {
        let mut rig = rig(1);
        usage(&mut rig);
        let (request, actions) = rig.request(&named(1));
        assert_eq!(actions, [], "{what}");
        assert_eq!(rig.up.sockets(), 1, "{what}");
        assert_eq!(rig.event(Event::Cancelled(request)).len(), 1, "{what}: it waited");
    }
}

#[test]
fn who_becomes_idle_gives_way_to_who_waits_and_not_while_its_own_wait() {
    let mut rig = rig(1);
    let (connection, first) = rig.up(&named(0), Protocol::Http1, 1);
    let (second, _) = rig.request(&named(0));
    let (third, _) = rig.request(&named(1));
    assert_eq!(rig.up.waiting_for_turn(), 2, "both would make a connection");
    let actions = rig.complete(first);
    assert_eq!(assigns(&actions), [(second, connection)], "its own goes on without another one");
    assert_eq!(rig.up.waiting_for_turn(), 1);
    let actions = rig.complete(second);
    let done = Action::Finished { request: second, outcome: Outcome::Complete };
    assert_eq!(actions, [done, Action::Shutdown(connection)]);
    let actions = closed(&mut rig, connection);
    let actions = rig.resolve(&actions);
    let (attempt, connection) = attempts(&actions)[0];
    let actions = rig.connected(attempt, Protocol::Http1, 1);
    assert_eq!(assigns(&actions), [(third, connection)]);
}

#[test]
fn no_more_give_way_than_are_waited_for_or_may_begin() {
    let mut rig = Rig::new(|config| {
        config.max_sockets = 4;
        config.max_handshakes = NonZeroU32::new(2);
    });
    let connections = idle(&mut rig, 4, &[0, 1, 2, 3]);
    // Four requests to one origin: its pool stands in line once, whatever it needs.
    let first = rig.request(&named(4)).1;
    assert_eq!(first, [Action::Shutdown(connections[0])]);
    for _ in 0..3 {
        assert_eq!(rig.request(&named(4)).1, []);
    }
    assert_eq!(rig.request(&named(5)).1, [Action::Shutdown(connections[1])]);
    assert_eq!(rig.request(&named(6)).1, [], "two may be established at once");
    let actions = closed(&mut rig, connections[1]);
    assert_eq!(begun(&rig, &actions), ["4.test"], "it asked first, whichever closes");
    let actions = closed(&mut rig, connections[0]);
    assert_eq!(begun(&rig, &actions), ["5.test"], "the other stands behind");
    let lines = (rig.up.handshakes(), rig.up.waiting_for_turn(), rig.up.sockets());
    assert_eq!(lines, (2, 2, 4));
    assert_eq!(rig.up.count(Kind::MadeRoom), 2);
}

#[test]
fn nothing_gives_way_for_who_is_gone_or_ahead_of_need() {
    let mut rig = Rig::new(|config| {
        config.max_sockets = 2;
        config.clusters[0].pool.preconnect_permille = 3_000;
    });
    let (connection, request) = rig.up(&named(0), Protocol::Http1, 1);
    assert_eq!(rig.up.sockets(), 2, "one more was begun ahead of need");
    assert_eq!(rig.up.waiting_for_turn(), 0, "and a third does not wait for a socket");
    let (other, _) = rig.request(&named(1));
    assert_eq!(rig.up.waiting_for_turn(), 1);
    rig.event(Event::Cancelled(other));
    assert_eq!(rig.up.waiting_for_turn(), 0);
    let actions = rig.complete(request);
    assert!(!actions.contains(&Action::Shutdown(connection)), "{actions:?}");
}

#[test]
fn a_pool_that_nobody_waits_for_leaves_the_line_beside_its_own_connection() {
    let mut rig = rig(1);
    rig.up(&named(0), Protocol::Http1, 1);
    let (request, _) = rig.request(&named(0));
    assert_eq!(rig.up.waiting_for_turn(), 1);
    rig.event(Event::Cancelled(request));
    assert_eq!(rig.up.waiting_for_turn(), 0);
}

#[test]
fn an_attempt_that_waits_for_a_socket_is_given_one() {
    let mut rig = rig(2);
    let (connection, request) = rig.up(&named(0), Protocol::Http1, 1);
    rig.complete(request);
    let (_, actions) = rig.request(&named(1));
    let (host, second) = (hosts(&actions)[0], IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));
    rig.event(Event::Resolved { host, addresses: vec![ADDRESS, second] });
    let actions = rig.event(Event::ResolveFinished { host, failed: None });
    assert_eq!(attempts(&actions).len(), 1);
    assert_eq!(rig.up.waiting_attempts(), 0);
    assert_eq!(rig.pass(1_000), [Action::Shutdown(connection)], "the first address is silent");
    assert_eq!(rig.up.waiting_attempts(), 1);
    assert_eq!(attempts(&closed(&mut rig, connection)).len(), 1);
    assert_eq!(rig.up.waiting_attempts(), 0);
    assert_eq!(rig.up.sockets(), 2);
}

#[test]
fn time_and_room_in_the_queue_run_out_while_every_socket_is_in_use() {
    let mut rig = Rig::new(|config| {
        config.max_sockets = 1;
        config.clusters[0].limits.max_pending_requests = Some(1);
    });
    rig.up(&named(0), Protocol::Http1, 1);
    let deadline = Some(Instant::from_millis(100));
    let late = rig.up.request(rig.at(), &named(1), MethodClass::Safe, deadline);
    assert_eq!(rig.take(), []);
    let (request, actions) = rig.request(&named(2));
    assert_eq!(refusals(&actions), [(request, Refusal::PendingOverflow)]);
    assert_eq!(refusals(&rig.pass(100)), [(late, Refusal::Deadline(Phase::Queued))]);
    assert_eq!(rig.up.waiting_for_turn(), 0);
}

#[test]
fn where_there_is_no_socket_at_all_everyone_is_refused_at_once() {
    let mut rig = rig(0);
    let (request, actions) = rig.request(&named(0));
    assert_eq!(refusals(&actions), [(request, Refusal::SocketOverflow)]);
    assert_eq!(rig.up.waiting_for_turn(), 0);
    assert!(rig.up.poll_timeout().is_none_or(|at| at > rig.at()), "there is no hurry");
}

/// Connections that are in use again stand where they were idle: looking past them is work too.
#[test]
fn a_call_looks_past_no_more_than_its_burst() {
    let mut rig = Rig::new(|config| {
        config.max_sockets = 6;
        config.burst = NonZeroU32::new(2).unwrap();
    });
    let order = [0, 1, 2, 3, 4, 5];
    let connections = idle(&mut rig, 6, &order);
    for name in 0..5 {
        assert_eq!(assigns(&rig.request(&named(name)).1).len(), 1);
    }
    assert_eq!(rig.request(&named(6)).1, [], "the first two were in its way");
    for behind in 0..2 {
        assert_eq!(rig.up.poll_timeout(), Some(rig.at()), "{behind}");
        rig.up.handle_timeout(rig.at());
        let expected = [Action::Shutdown(connections[5])];
        assert_eq!(rig.take(), expected[..behind], "{behind}");
    }
    assert!(rig.up.poll_timeout().is_none_or(|at| at > rig.at()));
}
