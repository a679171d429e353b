//! Tables that read like the rules: at this time this happens, and these are the actions.

use super::{
    Action, Again, Config, Delay, Early, Event, Health, LegId, Mark, Next, NoEarlyData, Offer,
    Race, Refused, Target, after_refusal, early_data,
};
use crate::machine::{Machine, Outbox, must_see};
use crate::time::{Duration, Instant};
use crate::types::{MethodClass, Transport};

const fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

const fn offer(health: Health) -> Option<Offer> {
    Some(Offer { target: Target(7), health })
}

const fn wanted(quic: Option<Offer>) -> Event {
    Event::Wanted { quic, rtt: None }
}

const QUIC: Event = wanted(offer(Health::Unknown));
const SUSPECT: Event = wanted(offer(Health::Suspect));
const TCP: Event = wanted(None);
const SERVED: Event =
    Event::Served { quic: Offer { target: Target(7), health: Health::Unknown }, rtt: None };

const fn leg(slot: u32, generation: u32) -> LegId {
    LegId::new(slot, generation)
}

const fn connected(slot: u32, generation: u32) -> Option<Event> {
    Some(Event::Connected(leg(slot, generation)))
}

const fn failed(slot: u32, generation: u32) -> Option<Event> {
    Some(Event::Failed { leg: leg(slot, generation), early_data: false })
}

const fn silent(slot: u32, generation: u32) -> Option<Event> {
    Some(Event::Closed { leg: leg(slot, generation), silent: true })
}

fn told(action: &Action) -> String {
    match action {
        Action::Start { leg, runner, rule, target } => {
            assert_eq!(target.is_some(), runner.is_quic(), "{action:?}");
            format!("{leg:?} {} {}", runner.name(), rule.name().trim_start_matches("RACE-"))
        }
        Action::Abort(leg) => format!("abort {leg:?}"),
        Action::Mark { target: Target(7), mark } => format!("{mark:?}").to_lowercase(),
        Action::Mark { target, .. } => panic!("nobody has offered {target:?}"),
        Action::GiveUp => "give up".to_owned(),
    }
}

/// When, what happens (nothing is a timeout), and what is done about it.
type Row<'a> = (u64, Option<Event>, &'a str);

fn play(config: &Config, rows: &[Row<'_>]) -> Race {
    let (mut race, mut out) = (Race::new(config), Outbox::new());
    for (index, (ms, event, expected)) in rows.iter().enumerate() {
        match event {
            Some(event) => race.handle_event(at(*ms), *event, &mut out),
            None => race.handle_timeout(at(*ms), &mut out),
        }
        race.check();
        let actions: Vec<String> =
            core::iter::from_fn(|| out.pop()).map(|action| told(&action)).collect();
        assert_eq!(actions.join(", "), *expected, "row {index}: {event:?} at {ms}");
    }
    race
}

fn usual(rows: &[Row<'_>]) -> Race {
    play(&Config::default(), rows)
}

const BOTH_FAMILIES: Option<Event> = Some(Event::BothFamilies(true));
const BOTH: Row<'_> = (0, BOTH_FAMILIES, "");
const QUIC_FIRST: Row<'_> = (0, Some(QUIC), "l0.0 quic QUIC-FIRST");

// rule: H3-6
#[test]
fn quic_goes_first_and_tcp_follows_after_the_delay() {
    let race = usual(&[
        QUIC_FIRST,
        (299, None, ""),
        (300, None, "l1.0 tcp DELAY"),
        (300, None, ""),
        (310, connected(0, 0), "confirmed, abort l1.0"),
        (311, connected(1, 0), ""),
    ]);
    assert!(race.has_quic() && race.stale() == 1 && race.poll_timeout().is_none());
}

/// Or a busy origin would put TCP off for ever.
#[test]
fn who_wants_another_connection_does_not_put_tcp_off() {
    usual(&[
        QUIC_FIRST,
        (100, Some(QUIC), ""),
        (299, Some(QUIC), ""),
        (300, None, "l1.0 tcp DELAY"),
        (301, Some(QUIC), "l2.0 tcp BEHIND"),
    ]);
}

#[test]
fn without_an_alternative_there_is_tcp_alone() {
    let race = usual(&[
        (0, Some(TCP), "l0.0 tcp TCP-ONLY"),
        (0, Some(TCP), "l1.0 tcp TCP-ONLY"),
        (10, connected(0, 0), ""),
        (20, failed(1, 0), ""),
        (30, Some(TCP), "l1.1 tcp TCP-ONLY"),
        (40, failed(1, 1), "give up"),
    ]);
    assert_eq!(race.poll_timeout(), None);
}

// rule: H3-6
#[test]
fn tcp_starts_at_once_when_quic_fails_and_that_is_broken_once_it_connects() {
    usual(&[
        QUIC_FIRST,
        (50, failed(0, 0), "l0.1 tcp QUIC-FAILED"),
        (90, connected(0, 1), "broken"),
        (400, None, ""),
    ]);
}

#[test]
fn broken_only_where_tcp_works() {
    usual(&[QUIC_FIRST, (50, failed(0, 0), "l0.1 tcp QUIC-FAILED"), (90, failed(0, 1), "give up")]);
}

#[test]
fn a_quic_leg_that_lost_goes_on() {
    let won_later = [
        QUIC_FIRST,
        (300, None, "l1.0 tcp DELAY"),
        (350, connected(1, 0), ""),
        // Behind: more connections are made over TCP meanwhile.
        (360, Some(QUIC), "l2.0 tcp BEHIND"),
        (400, connected(0, 0), "confirmed, abort l2.0"),
    ];
    assert!(usual(&won_later).has_quic());
    let mut lost_later = won_later;
    lost_later[4] = (5_000, failed(0, 0), "broken");
    usual(&lost_later);
}

#[test]
fn the_second_family_starts_before_tcp() {
    usual(&[
        QUIC_FIRST,
        BOTH,
        (300, None, "l1.0 quic fallback DELAY, l2.0 tcp DELAY"),
        (350, connected(2, 0), ""),
        (400, failed(0, 0), ""),
        (500, failed(1, 0), "broken"),
    ]);
}

#[test]
fn the_second_family_starts_at_once_on_failure_and_tcp_keeps_its_delay() {
    usual(&[
        QUIC_FIRST,
        BOTH,
        (50, failed(0, 0), "l0.1 quic fallback QUIC-FAILED"),
        (299, None, ""),
        (300, None, "l1.0 tcp DELAY"),
        (340, connected(0, 1), "confirmed, abort l1.0"),
        // It has won: the next race begins with both.
        (900, Some(QUIC), "l1.1 quic QUIC-FIRST"),
        (900, BOTH_FAMILIES, "l2.0 quic fallback SECOND-KNOWN"),
        (910, connected(1, 1), "confirmed, abort l2.0"),
    ]);
    usual(&[
        QUIC_FIRST,
        BOTH,
        (50, failed(0, 0), "l0.1 quic fallback QUIC-FAILED"),
        (60, failed(0, 1), "l0.2 tcp QUIC-FAILED"),
    ]);
}

/// What one race heard of the families, another must not go by: its addresses may have to be looked
/// up again, and a leg to a family without an address fails and is not started again.
#[test]
fn which_families_there_are_is_heard_anew_in_each_race() {
    let first = [
        QUIC_FIRST,
        BOTH,
        (50, failed(0, 0), "l0.1 quic fallback QUIC-FAILED"),
        (90, connected(0, 1), "confirmed"),
        (900, silent(0, 1), "suspect"),
    ];
    let again = |rows: &[Row<'_>]| usual(&[&first, rows].concat());
    // The second family has won: it starts as soon as there are addresses.
    again(&[
        (1_000, Some(QUIC), "l0.2 quic QUIC-FIRST"),
        (1_000, Some(Event::BothFamilies(false)), ""),
        (1_040, BOTH_FAMILIES, "l1.0 quic fallback SECOND-KNOWN"),
        (1_040, BOTH_FAMILIES, ""),
        (1_080, connected(1, 0), "confirmed, abort l0.2"),
    ]);
    // Beside TCP in use as well.
    again(&[
        (1_000, Some(SERVED), "l0.2 quic LEARNT"),
        (1_000, BOTH_FAMILIES, "l1.0 quic fallback SECOND-KNOWN"),
    ]);
    // No address comes in time, or ever: TCP does not wait for a second family.
    again(&[
        (1_000, Some(QUIC), "l0.2 quic QUIC-FIRST"),
        (1_300, None, "l1.0 tcp DELAY"),
        (1_400, BOTH_FAMILIES, "l2.0 quic fallback SECOND-KNOWN"),
    ]);
    again(&[
        (1_000, Some(QUIC), "l0.2 quic QUIC-FIRST"),
        (1_010, failed(0, 2), "l0.3 tcp QUIC-FAILED"),
    ]);
    // Nobody waits any more, or nothing may start.
    again(&[
        (1_000, Some(QUIC), "l0.2 quic QUIC-FIRST"),
        (1_010, Some(Event::Unwanted), ""),
        (1_020, BOTH_FAMILIES, ""),
    ]);
    again(&[
        (1_000, Some(QUIC), "l0.2 quic QUIC-FIRST"),
        (1_010, Some(Event::Drain), ""),
        (1_020, BOTH_FAMILIES, ""),
    ]);
}

#[test]
fn suspect_starts_tcp_together_with_quic() {
    let suspect = (0, Some(SUSPECT), "l0.0 quic QUIC-FIRST, l1.0 tcp SUSPECT");
    usual(&[suspect, (40, connected(1, 0), ""), (90, failed(0, 0), "broken")]);
    usual(&[suspect, (40, connected(0, 0), "confirmed, abort l1.0")]);
    usual(&[suspect, BOTH, (300, None, "l2.0 quic fallback DELAY")]);
    let config = Config { tcp_at_once_when_unknown: true, ..Config::default() };
    play(&config, &[(0, Some(QUIC), "l0.0 quic QUIC-FIRST, l1.0 tcp SUSPECT")]);
}

#[test]
fn silence_of_an_established_connection_makes_it_suspect() {
    usual(&[
        QUIC_FIRST,
        (10, connected(0, 0), "confirmed"),
        (60_000, silent(0, 0), "suspect"),
        (60_001, silent(0, 0), ""),
    ]);
    let closed = Some(Event::Closed { leg: leg(0, 0), silent: false });
    usual(&[QUIC_FIRST, (10, connected(0, 0), "confirmed"), (60_000, closed, "")]);
}

#[test]
fn early_data_that_failed_makes_it_suspect_and_not_broken() {
    let early = Some(Event::Failed { leg: leg(0, 0), early_data: true });
    usual(&[
        QUIC_FIRST,
        (50, early, "suspect, l0.1 tcp QUIC-FAILED"),
        (90, connected(0, 1), ""),
        (90, Some(SUSPECT), "l1.0 quic QUIC-FIRST, l2.0 tcp SUSPECT"),
        (99, failed(1, 0), ""),
        (100, connected(2, 0), "broken"),
    ]);
}

/// What was not tried says nothing: neither where there was no room for QUIC, nor for the second
/// family behind the first.
#[test]
fn what_was_not_made_is_not_broken() {
    let withdrawn = |slot, generation| Some(Event::Withdrawn(leg(slot, generation)));
    usual(&[
        QUIC_FIRST,
        (0, withdrawn(0, 0), "l0.1 tcp QUIC-FAILED"),
        (90, connected(0, 1), ""),
        (90, Some(SUSPECT), "l1.0 quic QUIC-FIRST, l2.0 tcp SUSPECT"),
        (99, withdrawn(1, 0), ""),
        (100, connected(2, 0), ""),
    ]);
    usual(&[
        QUIC_FIRST,
        BOTH,
        (50, failed(0, 0), "l0.1 quic fallback QUIC-FAILED"),
        (50, withdrawn(0, 1), "l0.2 tcp QUIC-FAILED"),
        (90, connected(0, 2), ""),
    ]);
}

#[test]
fn what_failed_after_its_handshake_is_broken_once_tcp_connects() {
    let failed_request = Some(wanted(offer(Health::Failed)));
    usual(&[(0, failed_request, "l0.0 tcp QUIC-FAILED"), (40, connected(0, 0), "broken")]);
    // Where QUIC runs for others, TCP is started beside it.
    usual(&[QUIC_FIRST, (10, failed_request, "l1.0 tcp SUSPECT"), (40, connected(1, 0), "")]);
}

#[test]
fn quic_starts_beside_tcp_in_use() {
    usual(&[
        (0, Some(TCP), "l0.0 tcp TCP-ONLY"),
        (40, connected(0, 0), ""),
        (50, Some(SERVED), "l1.0 quic LEARNT"),
        (51, Some(SERVED), ""),
        (60, Some(QUIC), "l2.0 tcp BEHIND"),
        (90, connected(1, 0), "confirmed, abort l2.0"),
        (91, Some(SERVED), ""),
    ]);
    let learnt = (50, Some(SERVED), "l0.0 quic LEARNT");
    usual(&[learnt, (99, failed(0, 0), "broken")]);
    let both = (50, BOTH_FAMILIES, "");
    usual(&[learnt, both, (350, None, "l1.0 quic fallback DELAY"), (351, failed(0, 0), "")]);
}

/// What is said of a leg that is gone, or of one that is in another state, is counted and changes
/// nothing.
#[test]
fn late_words_are_counted() {
    let withdrawn = |slot, generation| Some(Event::Withdrawn(leg(slot, generation)));
    let late = [
        // Established: it neither connects again, nor fails in its handshake.
        connected(0, 0),
        failed(0, 0),
        withdrawn(0, 0),
        // Under way: there is no connection yet.
        silent(1, 0),
        // Gone, or never there.
        connected(2, 0),
        failed(2, 0),
        withdrawn(2, 0),
        silent(2, 0),
        connected(0, 1),
        failed(9, 0),
    ];
    let mut rows = vec![
        (0, Some(TCP), "l0.0 tcp TCP-ONLY"),
        (1, connected(0, 0), ""),
        (2, Some(SERVED), "l1.0 quic LEARNT"),
        (3, Some(TCP), "l2.0 tcp BEHIND"),
        (4, failed(2, 0), ""),
    ];
    assert_eq!(usual(&rows).stale(), 0);
    for (count, event) in (1..).zip(late) {
        rows.push((5, event, ""));
        assert_eq!(usual(&rows).stale(), count, "{event:?}");
    }
    rows.push((6, connected(1, 0), "confirmed"));
    usual(&rows);
}

/// Who drives a race asks it these.
#[test]
fn what_is_under_way_is_told() {
    let told = |rows: &[Row<'_>]| {
        let race = usual(rows);
        (race.running(), race.is_about_quic(), race.has_quic())
    };
    assert_eq!(told(&[]), (0, false, false));
    assert_eq!(told(&[(0, Some(TCP), "l0.0 tcp TCP-ONLY")]), (1, false, false));
    let mut rows = vec![QUIC_FIRST, (300, None, "l1.0 tcp DELAY")];
    assert_eq!(told(&rows), (2, true, false));
    rows.push((310, connected(1, 0), ""));
    assert_eq!(told(&rows), (1, true, false), "QUIC goes on");
    rows.push((320, connected(0, 0), "confirmed"));
    assert_eq!(told(&rows), (0, false, true));
}

#[test]
fn when_nobody_waits_any_more_tcp_ends_and_quic_goes_on() {
    let unwanted = Some(Event::Unwanted);
    usual(&[
        QUIC_FIRST,
        (10, unwanted, ""),
        (300, None, ""),
        (400, Some(QUIC), ""),
        (700, None, "l1.0 tcp DELAY"),
        (710, unwanted, "abort l1.0"),
        (720, failed(0, 0), ""),
    ]);
}

#[test]
fn another_network_proves_nothing() {
    let other = Some(Event::NetworkChanged);
    usual(&[
        QUIC_FIRST,
        (10, other, ""),
        (50, failed(0, 0), "l0.1 tcp QUIC-FAILED"),
        (90, connected(0, 1), ""),
    ]);
    usual(&[QUIC_FIRST, (10, other, ""), (20, connected(0, 0), ""), (30, silent(0, 0), "")]);
}

#[test]
fn nothing_starts_while_it_drains() {
    let drain = Some(Event::Drain);
    let race = usual(&[
        QUIC_FIRST,
        (10, drain, ""),
        (300, None, ""),
        (310, Some(TCP), ""),
        (320, failed(0, 0), "give up"),
        (330, Some(SERVED), ""),
    ]);
    assert_eq!(race.next(None), Next::Draining);
}

#[test]
fn there_are_at_most_max_legs() {
    let config = Config { max_legs: 1, ..Config::default() };
    let race = play(
        &config,
        &[QUIC_FIRST, (300, None, ""), (310, Some(TCP), ""), (320, connected(0, 0), "confirmed")],
    );
    assert_eq!(race.next(None), Next::Full);
}

#[test]
fn next_explains() {
    let mut race = Race::new(&Config::default());
    let mut out = Outbox::new();
    let known = offer(Health::Confirmed);
    assert_eq!((race.next(known), race.next(None)), (Next::Quic, Next::Tcp));
    assert_eq!(race.next(offer(Health::Failed)), Next::Tcp);
    race.handle_event(at(0), QUIC, &mut out);
    assert_eq!((race.next(known), race.next(None)), (Next::Wait, Next::Tcp));
    race.handle_timeout(at(300), &mut out);
    assert_eq!(race.next(known), Next::Tcp);
}

#[test]
fn the_delay_may_follow_the_round_trip() {
    let ms = Duration::from_millis;
    let scaled = Delay::RoundTrip { permille: 1_500, least: ms(10), most: ms(300) };
    let rows = [
        (Delay::Fixed(ms(300)), Some(ms(2)), 300),
        (scaled, None, 300),
        (scaled, Some(ms(100)), 150),
        (scaled, Some(ms(2)), 10),
        (scaled, Some(Duration::MAX), 300),
    ];
    for (delay, rtt, expected) in rows {
        assert_eq!(delay.after(rtt), ms(expected), "{delay:?} {rtt:?}");
        let config = Config { delay, ..Config::default() };
        let (mut race, mut out) = (Race::new(&config), Outbox::new());
        let quic = offer(Health::Unknown);
        race.handle_event(at(1_000), Event::Wanted { quic, rtt }, &mut out);
        assert_eq!(race.poll_timeout(), Some(at(1_000 + expected)));
    }
}

#[test]
fn early_data_is_for_safe_methods_over_quic_that_works() {
    let best = Early {
        allowed: true,
        transport: Transport::Quic,
        method: MethodClass::Early,
        health: Health::Confirmed,
        refused: false,
    };
    let rows = [
        (best, Ok(())),
        (Early { health: Health::Unknown, ..best }, Ok(())),
        (Early { allowed: false, ..best }, Err(NoEarlyData::NotAllowed)),
        (Early { transport: Transport::Tcp, ..best }, Err(NoEarlyData::NotQuic)),
        (Early { method: MethodClass::Idempotent, ..best }, Err(NoEarlyData::NotSafe)),
        (Early { method: MethodClass::Other, ..best }, Err(NoEarlyData::NotSafe)),
        (Early { method: MethodClass::Connect, ..best }, Err(NoEarlyData::NotSafe)),
        (Early { health: Health::Suspect, ..best }, Err(NoEarlyData::Suspect)),
        (Early { health: Health::Failed, ..best }, Err(NoEarlyData::Suspect)),
        (Early { refused: true, ..best }, Err(NoEarlyData::Refused)),
    ];
    for (early, expected) in rows {
        assert_eq!(early_data(&early), expected, "{early:?}");
    }
}

#[test]
fn refused_early_data_goes_again_once() {
    let rows = [
        (Refused::ByHandshake, true, false, false, Again::Resend),
        (Refused::ByHandshake, true, true, true, Again::Resend),
        (Refused::TooEarly, true, false, false, Again::Resend),
        (Refused::TooEarly, true, false, true, Again::PassOn),
        (Refused::TooEarly, true, true, false, Again::PassOn),
        (Refused::TooEarly, false, false, false, Again::PassOn),
    ];
    for (how, early, marked, before, expected) in rows {
        let told = after_refusal(how, early, marked, before);
        assert_eq!(told, expected, "{how:?} {early} {marked} {before}");
    }
}

#[test]
fn each_mark_has_its_rule() {
    let rules = [Mark::Broken, Mark::Suspect, Mark::Confirmed].map(|mark| mark.rule().name());
    assert_eq!(rules, ["RACE-BROKEN", "RACE-SUSPECT-DEAD", "RACE-CONFIRMED"]);
}

#[test]
fn check_sees_each_lie() {
    let race = usual(&[QUIC_FIRST, (300, None, "l1.0 tcp DELAY"), (310, connected(1, 0), "")]);
    must_see(
        &race,
        &[
            ("established legs over QUIC", |race| race.quic = 1),
            ("legs under way that no race knows", |race| race.round = None),
            ("is not under way", |race| race.round.as_mut().unwrap().legs[0] = leg(1, 0)),
            ("a delay that nobody waits for", |race| {
                race.round.as_mut().unwrap().until = Some(at(1));
            }),
            ("broken against its rule", |race| {
                let round = race.round.as_mut().unwrap();
                (round.broken, round.quic_ok) = (true, true);
            }),
            ("too many legs", |race| race.config.max_legs = 1),
        ],
    );
}
