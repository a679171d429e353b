//! Pools take turns where too many connections would be established at once.

use super::*;

/// A rig in which so many connections may be established at once, all names known.
fn rig(most: u32) -> Rig {
    Rig::new(|config| config.max_handshakes = NonZeroU32::new(most))
}

fn named(name: u32) -> Key {
    key(Scheme::Http, &format!("{name}.test"))
}

/// The hosts that are looked up, by the number in their names: of which pools a connection is
/// begun.
fn begun(rig: &Rig, actions: &[Action]) -> Vec<u32> {
    let name = |host: HostId| rig.up.host_name(host).unwrap().split('.').next().unwrap().parse();
    hosts(actions).into_iter().map(|host| name(host).unwrap()).collect()
}

/// The origins that attempts are for, likewise.
fn tried(actions: &[Action]) -> Vec<String> {
    let origin = |action: &Action| match action {
        Action::Connect { origin, .. } => Some(origin.host.to_string()),
        _ => None,
    };
    actions.iter().filter_map(origin).collect()
}

/// How a connection's establishment ends, and whether the next in line begins then.
#[test]
fn a_turn_comes_whatever_became_of_the_one_before() {
    type End = fn(&mut Rig, RequestId, &[Action]) -> Vec<Action>;
    let ends: [(&str, End); 6] = [
        ("established", |rig, _, actions| {
            let actions = rig.resolve(actions);
            rig.connected(attempts(&actions)[0].0, Protocol::Http1, 1)
        }),
        ("its attempt failed", |rig, _, actions| {
            let actions = rig.resolve(actions);
            let (attempt, cause) = (attempts(&actions)[0].0, Cause::Refused);
            rig.event(Event::AttemptFailed { attempt, cause })
        }),
        ("its name is unknown", |rig, _, actions| {
            let (host, failed) = (hosts(actions)[0], Some(Cause::NameNotFound));
            rig.event(Event::ResolveFinished { host, failed })
        }),
        ("it took too long", |rig, _, _| rig.pass(5_000)),
        ("nobody waits for it any more", |rig, request, _| {
            rig.event(Event::Cancelled(request));
            rig.pass(5_000)
        }),
        ("its pool drains and nobody waits", |rig, request, _| {
            rig.event(Event::Cancelled(request));
            rig.event(Event::Drain)
        }),
    ];
    for (what, end) in ends {
        let mut rig = rig(1);
        let (request, first) = rig.request(&named(1));
        assert_eq!(begun(&rig, &first), [1], "{what}");
        for name in [2, 3] {
            let (_, actions) = rig.request(&named(name));
            assert_eq!(actions, [], "{what}: {name} waits for its turn");
        }
        assert_eq!((rig.up.handshakes(), rig.up.waiting_for_turn()), (1, 2), "{what}");
        let actions = end(&mut rig, request, &first);
        assert_eq!(begun(&rig, &actions), [2], "{what}");
        assert_eq!((rig.up.handshakes(), rig.up.waiting_for_turn()), (1, 1), "{what}");
        assert_eq!(rig.up.sockets() - rig.up.handshakes(), u32::from(what == "established"));
    }
}

#[test]
fn pools_take_turns_and_one_that_needs_many_holds_up_nobody() {
    let mut rig = rig(2);
    // Four connections of HTTP/1 are needed here, and two may be begun at once.
    let (_, mut actions) = rig.request(&named(1));
    for _ in 0..3 {
        rig.request(&named(1));
    }
    actions = rig.resolve(&actions);
    assert_eq!(attempts(&actions).len(), 2, "nobody waits: it may have all");
    let busy = attempts(&actions);
    for name in [2, 3] {
        assert_eq!(rig.request(&named(name)).1, []);
    }
    assert_eq!(rig.up.waiting_for_turn(), 3, "the first, which needs two more, and two others");
    let actions = rig.connected(busy[0].0, Protocol::Http1, 1);
    assert_eq!(tried(&actions), ["1.test"], "it asked before they did");
    let third = attempts(&actions)[0].0;
    let actions = rig.connected(busy[1].0, Protocol::Http1, 1);
    assert_eq!(begun(&rig, &actions), [2], "it has had its turn");
    let actions = rig.connected(third, Protocol::Http1, 1);
    assert_eq!(begun(&rig, &actions), [3]);
    assert_eq!(rig.up.waiting_for_turn(), 1, "the fourth connection of the first");
}

#[test]
fn who_needs_none_any_more_leaves_the_line() {
    let mut rig = rig(1);
    let (_, first) = rig.request(&named(1));
    let (second, _) = rig.request(&named(2));
    rig.request(&named(3));
    rig.event(Event::Cancelled(second));
    assert_eq!(rig.up.waiting_for_turn(), 1);
    let first = rig.resolve(&first);
    let actions = rig.connected(attempts(&first)[0].0, Protocol::Http1, 1);
    assert_eq!(begun(&rig, &actions), [3]);
}

#[test]
fn a_deadline_passes_in_line_as_well_and_connecting_is_not_timed_there() {
    let mut rig = rig(1);
    rig.request(&named(1));
    let deadline = Some(Instant::from_millis(100));
    let request = rig.up.request(rig.at(), &named(2), MethodClass::Safe, deadline);
    assert_eq!(rig.take(), []);
    let late = Refusal::Deadline(Phase::Queued);
    assert_eq!(refusals(&rig.pass(100)), [(request, late)]);
    // Time in line is none of the connection's 5 s.
    let (request, _) = rig.request(&named(3));
    let actions = rig.pass(4_900);
    assert_eq!(begun(&rig, &actions), [3], "the first one's time is up");
    assert_eq!(rig.pass(4_999), []);
    let timeout = Refusal::ConnectFailed(Cause::ResolveTimeout);
    assert_eq!(refusals(&rig.pass(1)), [(request, timeout)]);
}

#[test]
fn no_connection_is_made_ahead_of_need_while_others_wait() {
    let mut rig = Rig::new(|config| {
        config.max_handshakes = NonZeroU32::new(1);
        config.clusters[0].pool.preconnect_permille = 3_000;
    });
    let (_, actions) = rig.request(&named(1));
    assert_eq!(begun(&rig, &actions), [1]);
    assert_eq!(rig.up.waiting_for_turn(), 0, "what is ahead of need does not wait");
    assert_eq!(rig.request(&named(2)).1, []);
    let actions = rig.resolve(&actions);
    let actions = rig.connected(attempts(&actions)[0].0, Protocol::Http1, 1);
    assert_eq!(begun(&rig, &actions), [2]);
}

/// Eight whom nobody waits for any more time out in one call, which may begin four connections.
#[test]
fn what_a_burst_leaves_of_the_turns_stays_in_line_and_nobody_overtakes() {
    let mut rig = Rig::new(|config| {
        config.max_handshakes = NonZeroU32::new(8);
        config.burst = NonZeroU32::new(4).unwrap();
    });
    for name in 0..8 {
        let (request, actions) = rig.request(&named(name));
        assert_eq!(begun(&rig, &actions), [name]);
        rig.event(Event::Cancelled(request));
    }
    for name in 8..16 {
        assert_eq!(rig.request(&named(name)).1, [], "{name} waits for its turn");
    }
    rig.now = 5_000;
    rig.up.handle_timeout(rig.at());
    let actions = rig.take();
    assert_eq!(begun(&rig, &actions), [8, 9, 10, 11]);
    assert_eq!((rig.up.handshakes(), rig.up.waiting_for_turn()), (4, 4));
    assert_eq!(rig.up.poll_timeout(), Some(rig.at()), "the rest is due at once");
    let (_, actions) = rig.request(&named(16));
    assert_eq!(actions, [], "it stands behind the others");
    let actions = rig.pass(0);
    assert_eq!(begun(&rig, &actions), [12, 13, 14, 15]);
    assert_eq!((rig.up.handshakes(), rig.up.waiting_for_turn()), (8, 1));
}

#[test]
fn without_a_limit_nobody_waits() {
    let mut rig = Rig::new(|config| config.max_handshakes = None);
    for name in 0..40 {
        let (_, actions) = rig.request(&named(name));
        assert_eq!(begun(&rig, &actions), [name]);
    }
    assert_eq!((rig.up.handshakes(), rig.up.waiting_for_turn()), (40, 0));
}
