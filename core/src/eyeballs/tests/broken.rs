//! What `check` must see: a row breaks one thing in a race that is in order, and says what must be
//! said of it.

use super::super::Phase;
use super::*;
use crate::machine::must_see;

/// Three addresses, one of them tried.
fn race(success: Success) -> Eyeballs {
    let config = Config { max_addresses: 2, success, ..Config::default() };
    let mut race = Eyeballs::new(&config, PORT);
    step(&mut race, 0, &In::Answer("6a 6b 4a"));
    race
}

#[test]
fn an_address_that_is_lost_or_counted_twice_is_seen() {
    must_see(
        &race(Success::Handshake),
        &[
            ("3 addresses of V6 are over 2", |race| {
                race.answers.push(ip("6c"));
                race.waiting.push_back(ip("6c"));
            }),
            ("3 addresses of V4 are over 2", |race| {
                race.answers.extend([ip("4b"), ip("4c")]);
                race.waiting.extend([ip("4b"), ip("4c")]);
            }),
            ("2001:db8::b must wait or be tried, once", |race| {
                race.waiting.retain(|a| *a != ip("6b"))
            }),
            ("2001:db8::a must wait or be tried, once", |race| race.waiting.push_back(ip("6a"))),
            ("that nobody gave", |race| race.waiting.push_back(ip("4c"))),
        ],
    );
}

#[test]
fn attempts_too_many_or_out_of_count_are_seen() {
    must_see(
        &race(Success::Handshake),
        &[
            ("too many attempts", |race| race.config.max_attempts = 0),
            ("too many attempts at once", |race| race.config.max_parallel = 0),
            ("it has started", |race| race.phase = Phase::Gathering { until: None }),
            ("attempts under way", |race| race.running = 0),
            ("one is left", |race| race.phase = Phase::Chosen(1)),
            ("attempts outlive the race", |race| race.phase = Phase::Done),
        ],
    );
    let mut chosen = race(Success::Transport);
    step(&mut chosen, 1, &In::Progress(0));
    must_see(
        &chosen,
        &[
            ("one is left", |race| race.running = 2),
            ("one is left", |race| race.attempts[0].ended = Some((at(2), Cause::Refused))),
        ],
    );
}

#[test]
fn how_many_are_under_way_can_be_asked_and_whether_it_is_over() {
    let mut race = race(Success::Handshake);
    let asked = |race: &Eyeballs| (race.running(), race.is_done());
    assert_eq!(asked(&race), (1, false));
    step(&mut race, 1_000, &In::Timeout);
    assert_eq!(asked(&race), (2, false));
    step(&mut race, 1_001, &In::Connected(1));
    assert_eq!(asked(&race), (0, true));
}
