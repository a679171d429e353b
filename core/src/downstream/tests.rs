//! The rules of the listening side, as rows of (event, actions).

use super::*;
use crate::machine::must_see;
use crate::types::Protocol;

fn id(slot: u32, generation: u32) -> ConnectionId {
    ConnectionId::new(slot, generation)
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

const ACCEPTED: Event = Event::Accepted { peer: None };
const DRAIN: Event = Event::Drain { limit: None };

struct Rig {
    machine: Downstream,
    out: Outbox<Action>,
}

impl Rig {
    fn new(max_connections: u32) -> Self {
        Self::with(|config| config.max_connections = max_connections)
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let drain_timeout = Some(Duration::from_millis(100));
        let mut config = Config { drain_timeout, ..Config::default() };
        change(&mut config);
        Self { machine: Downstream::new(config), out: Outbox::new() }
    }

    fn gives(&mut self, ms: u64, event: Event, expected: &[Action]) {
        self.machine.handle_event(at(ms), event, &mut self.out);
        self.drained(expected);
    }

    fn times_out(&mut self, ms: u64, expected: &[Action]) {
        self.machine.handle_timeout(at(ms), &mut self.out);
        self.drained(expected);
    }

    fn count(&self, cut: Cut) -> u64 {
        self.machine.counts().count(cut)
    }

    fn drained(&mut self, expected: &[Action]) {
        self.machine.check();
        let actions: Vec<_> = core::iter::from_fn(|| self.out.pop()).collect();
        assert_eq!(actions, expected);
    }
}

// rule: L-11
#[test]
fn the_limit_is_exact_and_given_back() {
    let mut rig = Rig::new(1);
    rig.gives(0, ACCEPTED, &[Action::Serve(id(0, 0))]);
    rig.gives(1, ACCEPTED, &[Action::TurnAway]);
    rig.gives(2, Event::Closed(id(0, 0)), &[]);
    rig.gives(3, Event::Closed(id(0, 0)), &[]);
    rig.gives(4, ACCEPTED, &[Action::Serve(id(0, 1))]);
    assert_eq!((rig.machine.accepted(), rig.count(Cut::ConnectionLimit)), (2, 1));
}

#[test]
fn who_is_served_and_who_was_turned_away_is_counted() {
    let mut rig = Rig::new(2);
    let counted = |rig: &Rig| (rig.machine.active(), rig.count(Cut::ConnectionLimit));
    assert_eq!(counted(&rig), (0, 0));
    rig.gives(0, ACCEPTED, &[Action::Serve(id(0, 0))]);
    assert_eq!(counted(&rig), (1, 0));
    rig.gives(1, ACCEPTED, &[Action::Serve(id(1, 0))]);
    rig.gives(2, ACCEPTED, &[Action::TurnAway]);
    rig.gives(3, ACCEPTED, &[Action::TurnAway]);
    assert_eq!(counted(&rig), (2, 2));
    rig.gives(4, Event::Closed(id(0, 0)), &[]);
    assert_eq!(counted(&rig), (1, 2));
}

#[test]
fn a_drain_waits_for_the_last_stream() {
    let mut rig = Rig::new(4);
    rig.gives(0, ACCEPTED, &[Action::Serve(id(0, 0))]);
    rig.gives(1, DRAIN, &[Action::StopAccepting, Action::Shutdown(id(0, 0))]);
    rig.gives(1, DRAIN, &[]);
    rig.gives(3, ACCEPTED, &[Action::TurnAway]);
    rig.gives(4, Event::Closed(id(0, 0)), &[Action::Drained]);
    assert_eq!(rig.machine.poll_timeout(), None);
}

#[test]
fn a_drain_without_connections_is_over_at_once() {
    let mut rig = Rig::new(4);
    rig.gives(0, DRAIN, &[Action::StopAccepting, Action::Drained]);
}

#[test]
fn what_outlives_the_drain_timeout_is_cut() {
    let mut rig = Rig::new(4);
    rig.gives(0, ACCEPTED, &[Action::Serve(id(0, 0))]);
    rig.gives(1, DRAIN, &[Action::StopAccepting, Action::Shutdown(id(0, 0))]);
    assert_eq!(rig.machine.poll_timeout(), Some(at(101)));
    rig.times_out(100, &[]);
    rig.times_out(101, &[Action::Abort(id(0, 0))]);
    rig.times_out(102, &[]);
    rig.gives(103, Event::Closed(id(0, 0)), &[Action::Drained]);
}

#[test]
fn what_contradicts_itself_is_seen() {
    let mut rig = Rig::with(|config| {
        config.max_handshakes = 1;
        config.max_connections_per_address = Some(2);
    });
    let peer = Some("192.0.2.1".parse().unwrap());
    for slot in 0..2 {
        rig.gives(0, Event::Accepted { peer }, &[Action::Serve(id(slot, 0))]);
    }
    rig.gives(0, Event::Handshaking(id(0, 0)), &[Action::Handshake(id(0, 0))]);
    rig.gives(0, Event::Handshaking(id(1, 0)), &[]);
    must_see(
        &rig.machine,
        &[
            ("max_connections holds", |machine| machine.config.max_connections = 0),
            ("drained with connections left", |machine| machine.stage = Stage::Drained),
            ("handshakes are counted right", |machine| machine.shaking = 0),
            ("max_handshakes holds", |machine| machine.config.max_handshakes = 0),
            ("though its turn is free", |machine| machine.config.max_handshakes = 2),
            ("is in the queue", |machine| machine.queue.clear()),
            ("has a deadline", |machine| machine.deadlines.clear()),
            ("addresses are counted right", |machine| machine.addresses.clear()),
            ("max_connections_per_address holds", |machine| {
                machine.config.max_connections_per_address = Some(1);
            }),
        ],
    );
}

/// A limit that makes clients wait pauses accepting, and goes on when a place is free.
#[test]
fn full_may_mean_to_wait() {
    let mut rig = Rig::with(|config| {
        config.max_connections = 1;
        config.when_full = WhenFull::Wait;
    });
    rig.gives(0, ACCEPTED, &[Action::Serve(id(0, 0)), Action::PauseAccepting]);
    // One that the driver had accepted before it heard of the pause.
    rig.gives(0, ACCEPTED, &[Action::TurnAway]);
    rig.gives(1, Event::Closed(id(0, 0)), &[Action::ResumeAccepting]);
    rig.gives(2, ACCEPTED, &[Action::Serve(id(0, 1)), Action::PauseAccepting]);
    rig.gives(3, DRAIN, &[Action::StopAccepting, Action::Shutdown(id(0, 1))]);
    rig.gives(4, Event::Closed(id(0, 1)), &[Action::Drained]);
    assert_eq!((rig.count(Cut::AcceptPaused), rig.count(Cut::ConnectionLimit)), (2, 1));
}

/// Each client address has its own share; a /64 of IPv6 is one address, and so is IPv4 in IPv6.
#[test]
fn one_address_has_one_share() {
    let from = |text: &str| Event::Accepted { peer: Some(text.parse().unwrap()) };
    let mut rig = Rig::with(|config| config.max_connections_per_address = Some(1));
    rig.gives(0, from("192.0.2.1"), &[Action::Serve(id(0, 0))]);
    rig.gives(0, from("192.0.2.1"), &[Action::TurnAway]);
    rig.gives(0, from("::ffff:192.0.2.1"), &[Action::TurnAway]);
    rig.gives(0, from("192.0.2.2"), &[Action::Serve(id(1, 0))]);
    rig.gives(0, from("2001:db8:0:1::1"), &[Action::Serve(id(2, 0))]);
    rig.gives(0, from("2001:db8:0:1:ffff::1"), &[Action::TurnAway]);
    rig.gives(0, from("2001:db8:0:2::1"), &[Action::Serve(id(3, 0))]);
    // Who has no address is not held to anyone's share.
    rig.gives(0, ACCEPTED, &[Action::Serve(id(4, 0))]);
    rig.gives(0, ACCEPTED, &[Action::Serve(id(5, 0))]);
    assert_eq!(rig.count(Cut::AddressLimit), 3);
    rig.gives(1, Event::Closed(id(0, 0)), &[]);
    rig.gives(2, from("192.0.2.1"), &[Action::Serve(id(0, 1))]);
}

/// Handshakes wait their turn in order; who has ended or was given up makes room.
#[test]
fn handshakes_take_turns() {
    let mut rig = Rig::with(|config| {
        config.max_handshakes = 1;
        config.handshake_timeout = Duration::from_millis(10);
    });
    for slot in 0..4 {
        rig.gives(0, ACCEPTED, &[Action::Serve(id(slot, 0))]);
    }
    rig.gives(1, Event::Handshaking(id(0, 0)), &[Action::Handshake(id(0, 0))]);
    rig.gives(2, Event::Handshaking(id(1, 0)), &[]);
    rig.gives(3, Event::Handshaking(id(2, 0)), &[]);
    rig.gives(3, Event::Handshaking(id(2, 0)), &[]);
    rig.gives(4, Event::Handshaking(id(3, 0)), &[]);
    rig.gives(5, Event::Closed(id(1, 0)), &[]);
    rig.gives(6, Event::Greeted(id(0, 0)), &[Action::Handshake(id(2, 0))]);
    rig.gives(6, Event::Greeted(id(0, 0)), &[]);
    assert_eq!(rig.machine.poll_timeout(), Some(at(13)));
    rig.times_out(13, &[Action::Abort(id(2, 0))]);
    rig.times_out(14, &[Action::Abort(id(3, 0))]);
    rig.gives(15, Event::Closed(id(2, 0)), &[Action::Handshake(id(3, 0))]);
    rig.gives(16, Event::Closed(id(3, 0)), &[]);
    assert_eq!(rig.machine.handshakes(), 0);
    assert_eq!((rig.count(Cut::HandshakeWaited), rig.count(Cut::HandshakeTimeout)), (3, 2));
}

/// Who says nothing at all is given up; who has greeted is not.
#[test]
fn silence_ends() {
    let mut rig = Rig::with(|config| config.silence_timeout = Duration::from_millis(5));
    rig.gives(0, ACCEPTED, &[Action::Serve(id(0, 0))]);
    rig.gives(1, ACCEPTED, &[Action::Serve(id(1, 0))]);
    rig.gives(2, Event::Greeted(id(1, 0)), &[]);
    rig.times_out(4, &[]);
    rig.times_out(5, &[Action::Abort(id(0, 0))]);
    rig.times_out(100, &[]);
    // A handshake that begins behind its back gets no more time.
    rig.gives(100, Event::Handshaking(id(0, 0)), &[Action::Handshake(id(0, 0))]);
    assert_eq!(rig.machine.poll_timeout(), None);
    rig.gives(101, Event::Closed(id(0, 0)), &[]);
    assert_eq!(rig.count(Cut::SilenceTimeout), 1);
}

/// A drain has its own limit where one is given, and a second call may only shorten it.
#[test]
fn a_drain_may_be_hurried() {
    let within = |ms| Event::Drain { limit: Some(Duration::from_millis(ms)) };
    let mut rig = Rig::new(4);
    rig.gives(0, ACCEPTED, &[Action::Serve(id(0, 0))]);
    rig.gives(0, Event::Greeted(id(0, 0)), &[]);
    rig.gives(0, within(50), &[Action::StopAccepting, Action::Shutdown(id(0, 0))]);
    assert_eq!(rig.machine.poll_timeout(), Some(at(50)));
    rig.gives(1, within(90), &[]);
    assert_eq!(rig.machine.poll_timeout(), Some(at(50)));
    rig.gives(2, within(8), &[]);
    assert_eq!(rig.machine.poll_timeout(), Some(at(10)));
    rig.times_out(10, &[Action::Abort(id(0, 0))]);
    rig.gives(11, within(0), &[]);
    rig.gives(12, Event::Closed(id(0, 0)), &[Action::Drained]);
    assert_eq!(rig.count(Cut::DrainConnection), 1);
}

/// What holds nothing may always take something in.
#[test]
fn memory_is_shared() {
    let config = Config { max_buffered: 10, ..Config::default() };
    for (own, all, may) in [(0, 0, true), (9, 9, true), (9, 10, false), (0, 10, true)] {
        assert_eq!(config.may_hold_more(own, all), may, "{own} of {all}");
    }
}

/// Names are what dashboards are built on: each is there once.
#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = Cut::ALL.iter().map(|cut| cut.name()).collect();
    assert_eq!(names.len(), Cut::ALL.len());
    let mut counts = Counts::new();
    counts.add(Cut::FloodOther);
    counts.add(Cut::ConnectionLimit);
    counts.add(Cut::ConnectionLimit);
    assert_eq!(counts.to_string(), "connection_limit: 2\nflood_other: 1\n");
}

#[test]
fn answers_say_where_http3_is() {
    let day = r#"h3=":8443"; ma=86400"#;
    let clear = Advertise::Said(crate::altsvc::Said::Clear);
    let minute = Advertise::Http3 { max_age: Duration::from_secs(60) };
    let all = [
        (Advertise::default(), Some(8443), Some(day)),
        (Advertise::default(), Some(0), None),
        (Advertise::default(), None, None),
        (Advertise::Off, Some(8443), None),
        (minute, Some(443), Some(r#"h3=":443"; ma=60"#)),
        (clear, None, Some("clear")),
    ];
    for (advertise, port, field) in all {
        for advertise_on_http3 in [false, true] {
            let advertise = advertise.clone();
            let config = Config { advertise, advertise_on_http3, ..Config::default() };
            let advertised = Advertised::new(&config, port);
            let on = |protocol, is_secure| {
                advertised.on(protocol, is_secure).map(|value| value.to_str().unwrap())
            };
            for protocol in [Protocol::Http1, Protocol::Http2] {
                assert_eq!((on(protocol, true), on(protocol, false)), (field, None), "{config:?}");
            }
            assert_eq!(on(Protocol::Http3, true), field.filter(|_| advertise_on_http3));
        }
    }
}
