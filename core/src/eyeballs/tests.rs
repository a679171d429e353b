//! Tables: at this time this event, then these actions and this deadline. A module per section
//! of RFC 8305, and one for what other rules add.

use core::net::{IpAddr, SocketAddr};

use super::{Action, Config, Event, Eyeballs, Failed, Failure, Family, Success};
use crate::machine::{Machine, Outbox};
use crate::record::Rule;
use crate::time::{Duration, Instant};
use crate::types::Cause;

mod broken;

const PORT: u16 = 443;

/// `6a` is an IPv6 address, `4b` an IPv4 one; anything longer is the address itself.
fn ip(name: &str) -> IpAddr {
    match name.as_bytes() {
        [b'6', letter] => format!("2001:db8::{}", char::from(*letter)).parse().unwrap(),
        [b'4', letter] => format!("192.0.2.{}", u32::from(*letter - b'a') + 1).parse().unwrap(),
        _ => name.parse().unwrap(),
    }
}

fn ips(names: &str) -> Vec<IpAddr> {
    names.split_whitespace().map(ip).collect()
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// What is put into the race.
#[derive(Clone, Debug)]
enum In {
    Answer(&'static str),
    /// What had come before, the first of it then.
    Known(&'static str, u64),
    AnswersEnd,
    LookupFails(Cause),
    Progress(u32),
    Connected(u32),
    Fails(u32),
    Cancelled,
    Timeout,
}

/// What comes out, in the same words.
#[derive(Debug, PartialEq)]
enum Out {
    Start(u32, IpAddr, Rule),
    Abort(u32),
    Dropped(u32),
    Won(u32),
    Lost(Failure),
}

fn start(number: u32, name: &str, rule: Rule) -> Out {
    Out::Start(number, ip(name), rule)
}

fn lost(attempts: &[(&str, u64, u64, Cause)], resolution: Option<Cause>) -> Out {
    let attempts = attempts.iter().map(|&(name, started, ended, cause)| Failed {
        address: SocketAddr::new(ip(name), PORT),
        started: at(started),
        ended: at(ended),
        cause,
    });
    Out::Lost(Failure { attempts: attempts.collect(), resolution })
}

fn step(race: &mut Eyeballs, now: u64, input: &In) -> Vec<Out> {
    let mut out = Outbox::new();
    let failed = |attempt| Event::Failed { attempt, cause: Cause::Refused };
    let event = match input.clone() {
        In::Answer(names) => Some(Event::Resolved(ips(names))),
        In::Known(names, since) => Some(Event::Known { addresses: ips(names), since: at(since) }),
        In::AnswersEnd => Some(Event::ResolveFinished { failed: None }),
        In::LookupFails(cause) => Some(Event::ResolveFinished { failed: Some(cause) }),
        In::Progress(number) => Some(Event::Progress(number)),
        In::Connected(number) => Some(Event::Connected(number)),
        In::Fails(number) => Some(failed(number)),
        In::Cancelled => Some(Event::Cancelled),
        In::Timeout => None,
    };
    match event {
        Some(event) => race.handle_event(at(now), event, &mut out),
        None => race.handle_timeout(at(now), &mut out),
    }
    race.check();
    let mut told = Vec::new();
    while let Some(action) = out.pop() {
        told.push(match action {
            Action::Connect { attempt, address, rule } => {
                assert_eq!(address.port(), PORT);
                Out::Start(attempt, address.ip(), rule)
            }
            Action::Abort(number) => Out::Abort(number),
            Action::AddressesDropped(count) => Out::Dropped(count),
            Action::Finish(Ok(number)) => Out::Won(number),
            Action::Finish(Err(failure)) => Out::Lost(failure),
        });
    }
    told
}

/// A row: when, what happens, what follows, and when the race wants to be called next.
type Row = (u64, In, Vec<Out>, Option<u64>);

fn run(config: &Config, rows: Vec<Row>) {
    let mut race = Eyeballs::new(config, PORT);
    for (number, (now, input, expected, timeout)) in rows.into_iter().enumerate() {
        let told = step(&mut race, now, &input);
        assert_eq!(told, expected, "row {number}: {input:?} at {now} ms");
        assert_eq!(race.poll_timeout(), timeout.map(at), "row {number}: deadline after {input:?}");
    }
}

mod section_3_hostname_resolution {
    use super::*;

    #[test]
    fn the_first_family_starts_at_once() {
        run(
            &Config::default(),
            vec![
                (5, In::Answer("6a"), vec![start(0, "6a", Rule::He2Sort)], None),
                (7, In::Answer("4a"), vec![], Some(305)),
            ],
        );
    }

    #[test]
    fn the_other_family_waits_for_the_resolution_delay() {
        run(
            &Config::default(),
            vec![
                (5, In::Answer("4a"), vec![], Some(55)),
                (54, In::Timeout, vec![], Some(55)),
                (55, In::Timeout, vec![start(0, "4a", Rule::He2ResolutionDelay)], None),
            ],
        );
    }

    /// Somebody else has waited already, for part of the time or for all of it.
    #[test]
    fn the_resolution_delay_passes_once() {
        let late = || start(0, "4a", Rule::He2ResolutionDelay);
        run(
            &Config::default(),
            vec![
                (30, In::Known("4a", 5), vec![], Some(55)),
                (40, In::Known("4b", 0), vec![], Some(55)),
                (55, In::Timeout, vec![late()], Some(355)),
            ],
        );
        run(&Config::default(), vec![(60, In::Known("4a", 5), vec![late()], None)]);
        // Nobody has known it before it came.
        run(&Config::default(), vec![(60, In::Known("4a", 90), vec![], Some(110))]);
        let first = start(0, "6a", Rule::He2Sort);
        run(&Config::default(), vec![(60, In::Known("6a", 50), vec![first], None)]);
    }

    #[test]
    fn the_first_family_within_the_delay_goes_first() {
        run(
            &Config::default(),
            vec![
                (5, In::Answer("4a"), vec![], Some(55)),
                (20, In::Answer("4b"), vec![], Some(55)),
                (30, In::Answer("6a"), vec![start(0, "6a", Rule::He2Sort)], Some(330)),
            ],
        );
    }

    #[test]
    fn the_end_of_the_answers_ends_the_wait() {
        run(
            &Config::default(),
            vec![
                (5, In::Answer("4a"), vec![], Some(55)),
                (9, In::AnswersEnd, vec![start(0, "4a", Rule::He2Sort)], None),
            ],
        );
    }

    #[test]
    fn a_literal_is_an_answer_of_one() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("127.0.0.1"), vec![], Some(50)),
                (0, In::AnswersEnd, vec![start(0, "127.0.0.1", Rule::He2Sort)], None),
            ],
        );
    }

    #[test]
    fn an_empty_answer_starts_nothing_and_no_clock() {
        run(
            &Config::default(),
            vec![
                (5, In::Answer(""), vec![], None),
                (6, In::AnswersEnd, vec![lost(&[], None)], None),
            ],
        );
    }

    #[test]
    fn a_failed_lookup_is_the_error() {
        let cause = Cause::NameNotFound;
        run(
            &Config::default(),
            vec![
                (5, In::LookupFails(cause), vec![lost(&[], Some(cause))], None),
                (6, In::Answer("6a"), vec![], None),
            ],
        );
    }

    #[test]
    fn a_late_answer_joins_and_cancels_nothing() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("4a 4b"), vec![], Some(50)),
                (50, In::Timeout, vec![start(0, "4a", Rule::He2ResolutionDelay)], Some(350)),
                (60, In::Answer("6a 4a"), vec![], Some(350)),
                (350, In::Timeout, vec![start(1, "6a", Rule::He3LateAnswers)], Some(650)),
                (650, In::Timeout, vec![start(2, "4b", Rule::He2AttemptDelay)], None),
            ],
        );
    }

    #[test]
    fn a_late_answer_starts_at_once_when_nothing_is_under_way() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a"), vec![start(0, "6a", Rule::He2Sort)], None),
                (3, In::Fails(0), vec![], None),
                (9, In::Answer("4a"), vec![start(1, "4a", Rule::He3LateAnswers)], None),
            ],
        );
    }
}

mod section_4_sorting {
    use super::*;
    use crate::eyeballs::order::order;

    fn sorted(names: &str, first_family: Family, first_family_count: u32) -> Vec<IpAddr> {
        let config = Config { first_family, first_family_count, ..Config::default() };
        order(&ips(names), &config).into()
    }

    #[test]
    fn families_take_turns() {
        for (given, first, count, expected) in [
            ("6a 6b 4a 4b", Family::V6, 1, "6a 4a 6b 4b"),
            ("4a 4b 6a 6b", Family::V6, 1, "6a 4a 6b 4b"),
            ("4a 4b 6a 6b", Family::V4, 1, "4a 6a 4b 6b"),
            ("6a 6b 6c 4a", Family::V6, 1, "6a 4a 6b 6c"),
            ("6a 6b 6c 4a 4b 4c 4d 6d", Family::V4, 2, "4a 4b 6a 4c 4d 6b 6c 6d"),
            ("6a 4a 6b 4b", Family::V4, 2, "4a 4b 6a 6b"),
            ("6a 6b 4a 4b", Family::V6, 2, "6a 6b 4a 4b"),
            ("6a 6b 4a", Family::V6, 0, "6a 4a 6b"),
            ("4a 4b", Family::V6, 1, "4a 4b"),
            ("", Family::V6, 1, ""),
        ] {
            assert_eq!(sorted(given, first, count), ips(expected), "{given} {first:?} {count}");
        }
    }

    #[test]
    fn rfc_6724_ranks_by_precedence_then_scope_then_leaves_alone() {
        for (given, expected) in [
            // Rule 6: global, 6to4, Teredo, unique local, site local, 6bone.
            (
                "3ffe::1 fec0::1 fd00::1 2001::1 2002::1 6a",
                "6a 2002::1 2001::1 fd00::1 fec0::1 3ffe::1",
            ),
            ("6a ::1", "::1 6a"),
            // Rule 8: the smaller scope of equal precedence.
            ("6a fe80::1", "fe80::1 6a"),
            ("192.0.2.1 169.254.0.1 127.0.0.1", "169.254.0.1 127.0.0.1 192.0.2.1"),
            // RFC 6724 3.2: private addresses are of global scope.
            ("192.0.2.1 10.0.0.1", "192.0.2.1 10.0.0.1"),
            // Rule 10: as they came.
            ("6b 6c 6a", "6b 6c 6a"),
        ] {
            assert_eq!(sorted(given, Family::V6, 1), ips(expected), "{given}");
        }
    }

    #[test]
    fn the_same_address_counts_once() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a 6a"), vec![start(0, "6a", Rule::He2Sort)], None),
                (1, In::Answer("6a ::ffff:192.0.2.1 4a"), vec![], Some(300)),
                (2, In::Fails(0), vec![start(1, "4a", Rule::He2NextOnFailure)], None),
            ],
        );
    }
}

mod section_5_connection_attempts {
    use super::*;

    #[test]
    fn the_next_starts_after_the_delay_beside_the_first() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a 6b 4a"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (299, In::Timeout, vec![], Some(300)),
                (300, In::Timeout, vec![start(1, "4a", Rule::He2AttemptDelay)], Some(600)),
                (300, In::Timeout, vec![], Some(600)),
                (900, In::Timeout, vec![start(2, "6b", Rule::He2AttemptDelay)], None),
            ],
        );
    }

    #[test]
    fn the_next_starts_at_once_on_failure() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a 6b 4a"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (10, In::Fails(0), vec![start(1, "4a", Rule::He2NextOnFailure)], Some(310)),
                (11, In::Fails(0), vec![], Some(310)),
                (20, In::Fails(1), vec![start(2, "6b", Rule::He2NextOnFailure)], None),
            ],
        );
    }

    #[test]
    fn the_first_success_wins_and_the_others_are_aborted() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a 4a 6b"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (300, In::Timeout, vec![start(1, "4a", Rule::He2AttemptDelay)], Some(600)),
                (600, In::Timeout, vec![start(2, "6b", Rule::He2AttemptDelay)], None),
                (610, In::Connected(1), vec![Out::Abort(0), Out::Abort(2), Out::Won(1)], None),
                (611, In::Connected(0), vec![], None),
                (612, In::Fails(1), vec![], None),
                (613, In::Cancelled, vec![], None),
            ],
        );
    }

    #[test]
    fn all_failed_is_one_error_with_every_attempt_in_order_of_start() {
        let all = [("6a", 0, 320, Cause::Refused), ("4a", 300, 310, Cause::Refused)];
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a 4a"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (300, In::Timeout, vec![start(1, "4a", Rule::He2AttemptDelay)], None),
                (305, In::LookupFails(Cause::ResolveFailed), vec![], None),
                (310, In::Fails(1), vec![], None),
                (320, In::Fails(0), vec![lost(&all, Some(Cause::ResolveFailed))], None),
            ],
        );
    }

    #[test]
    fn all_failed_waits_for_the_end_of_the_answers() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a"), vec![start(0, "6a", Rule::He2Sort)], None),
                (5, In::Fails(0), vec![], None),
                (9, In::AnswersEnd, vec![lost(&[("6a", 0, 5, Cause::Refused)], None)], None),
            ],
        );
    }

    #[test]
    fn the_delay_is_never_below_ten_milliseconds() {
        let config = Config { attempt_delay: Duration::from_millis(1), ..Config::default() };
        run(
            &config,
            vec![
                (0, In::Answer("6a 4a"), vec![start(0, "6a", Rule::He2Sort)], Some(10)),
                (9, In::Timeout, vec![], Some(10)),
            ],
        );
    }

    #[test]
    fn a_late_call_starts_one_and_no_burst() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a 4a 6b"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (5_000, In::Timeout, vec![start(1, "4a", Rule::He2AttemptDelay)], Some(5_300)),
            ],
        );
    }

    #[test]
    fn cancel_aborts_everything_and_says_no_more() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a 4a"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (300, In::Timeout, vec![start(1, "4a", Rule::He2AttemptDelay)], None),
                (301, In::Cancelled, vec![Out::Abort(0), Out::Abort(1)], None),
                (302, In::AnswersEnd, vec![], None),
            ],
        );
    }

    #[test]
    fn unknown_attempts_do_nothing() {
        run(
            &Config::default(),
            vec![
                (0, In::Connected(0), vec![], None),
                (0, In::Answer("6a 4a"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (1, In::Fails(1), vec![], Some(300)),
                (2, In::Progress(u32::MAX), vec![], Some(300)),
            ],
        );
    }
}

/// What success is: TLS done (HEv3) or TCP connected (RFC 8305, Envoy).
mod success {
    use super::*;

    #[test]
    fn progress_of_tls_puts_the_next_off_by_a_delay() {
        run(
            &Config::default(),
            vec![
                (0, In::Answer("6a 4a"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (200, In::Progress(0), vec![], Some(500)),
                (300, In::Timeout, vec![], Some(500)),
                (500, In::Timeout, vec![start(1, "4a", Rule::He2AttemptDelay)], None),
                (510, In::Connected(0), vec![Out::Abort(1), Out::Won(0)], None),
            ],
        );
    }

    #[test]
    fn tcp_alone_decides_where_that_is_configured() {
        let config = Config { success: Success::Transport, ..Config::default() };
        let all = [("6a", 0, 310, Cause::Cancelled), ("4a", 300, 400, Cause::Refused)];
        let begin = || {
            vec![
                (0, In::Answer("6a 4a 6b"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (300, In::Timeout, vec![start(1, "4a", Rule::He2AttemptDelay)], Some(600)),
                (310, In::Progress(1), vec![Out::Abort(0)], None),
                (320, In::Progress(1), vec![], None),
            ]
        };
        let mut won = begin();
        won.push((400, In::Connected(1), vec![Out::Won(1)], None));
        run(&config, won);
        let mut failed = begin();
        failed.push((400, In::Fails(1), vec![lost(&all, None)], None));
        run(&config, failed);
    }
}

mod limits {
    use super::*;

    #[test]
    fn at_most_max_parallel_run_and_the_next_starts_on_failure() {
        let config = Config { max_parallel: 2, ..Config::default() };
        run(
            &config,
            vec![
                (0, In::Answer("6a 4a 6b"), vec![start(0, "6a", Rule::He2Sort)], Some(300)),
                (300, In::Timeout, vec![start(1, "4a", Rule::He2AttemptDelay)], None),
                (900, In::Timeout, vec![], None),
                (901, In::Fails(0), vec![start(2, "6b", Rule::He2NextOnFailure)], None),
            ],
        );
    }

    #[test]
    fn after_max_attempts_the_race_is_lost() {
        let config = Config { max_attempts: 1, ..Config::default() };
        run(
            &config,
            vec![
                (0, In::Answer("6a 4a"), vec![start(0, "6a", Rule::He2Sort)], None),
                (5, In::Fails(0), vec![lost(&[("6a", 0, 5, Cause::Refused)], None)], None),
            ],
        );
    }

    #[test]
    fn each_family_keeps_max_addresses() {
        let config = Config { max_addresses: 2, ..Config::default() };
        run(
            &config,
            vec![
                (0, In::Answer("4a 4b 4c 4d"), vec![Out::Dropped(2)], Some(50)),
                (1, In::Answer("6a"), vec![start(0, "6a", Rule::He2Sort)], Some(301)),
            ],
        );
    }

    #[test]
    fn none_counts_as_one() {
        let config =
            Config { max_addresses: 0, max_parallel: 0, max_attempts: 0, ..Config::default() };
        run(&config, vec![(0, In::Answer("6a"), vec![start(0, "6a", Rule::He2Sort)], None)]);
    }
}
