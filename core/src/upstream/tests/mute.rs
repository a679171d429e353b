//! QUIC whose peer has stopped answering: who goes where, and what is learnt.

use super::grid::{Race, V4};
use super::*;
use crate::altsvc::State as Known;
use crate::record::Kind;

/// QUIC serves, and has answered before; then `methods` go on it, and its peer falls mute.
fn muted(methods: &[MethodClass]) -> (Race, Vec<String>) {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.connected(0);
    let first = race.requests[0];
    race.rig.ended(first, Outcome::Complete, RetrySafe::Answered);
    for method in methods {
        race.ask(*method);
    }
    let told = mute(&mut race, 0);
    (race, told)
}

fn mute(race: &mut Race, attempt: usize) -> Vec<String> {
    let actions = race.rig.event(Event::Mute(race.attempts[attempt].1));
    race.tell(&actions)
}

fn end(race: &mut Race, request: usize, outcome: Outcome, retry: RetrySafe) -> Vec<String> {
    let request = race.requests[request];
    let actions = race.rig.ended(request, outcome, retry);
    let mut told = race.tell(&actions);
    // The mute connection is empty.
    told.retain(|line| !line.starts_with("Shutdown"));
    told
}

fn recalled(race: &Race, attempt: usize, request: usize) -> String {
    let (connection, request) = (race.attempts[attempt].1, race.requests[request]);
    format!("{:?}", Action::Recall { connection, request })
}

#[test]
fn who_may_go_twice_goes_over_whatever_is_ready_first() {
    let (mut race, told) = muted(&[MethodClass::Safe, MethodClass::Other]);
    assert_eq!(told, ["1: quic 192.0.2.1:443", "2: tcp 192.0.2.1:443"]);
    assert_eq!(race.known(), Some(Known::Suspect));
    assert_eq!(race.rig.up.count(Kind::Mute), 1);
    // Nothing new goes there, and what is under way stays until there is something else.
    assert_eq!(race.request(), [""; 0]);
    let told = race.connected(2);
    assert_eq!(told, ["r3 on 2".to_owned(), recalled(&race, 0, 1)]);
    let told = end(&mut race, 1, Outcome::Reset, RetrySafe::Unknown);
    assert_eq!(told, ["r1 again", "r1 on 2"]);
    // What may not go twice is left to its fate.
    let told = end(&mut race, 2, Outcome::Failed(Cause::KeepAliveTimeout), RetrySafe::Unknown);
    assert!(told[0].starts_with("r2 refused"), "{told:?}");
}

#[test]
fn an_answer_that_comes_after_all_is_taken() {
    let (mut race, _) = muted(&[MethodClass::Safe]);
    // It is heard again before anything else is ready: nobody waits for TCP any more.
    let told = end(&mut race, 1, Outcome::Complete, RetrySafe::Answered);
    assert!(told.contains(&"r1 over".to_owned()) && told.contains(&"abort 2".to_owned()));

    let (mut race, _) = muted(&[MethodClass::Safe]);
    assert_eq!(race.connected(2), [recalled(&race, 0, 1)]);
    // Its answer had begun when it was called back.
    assert_eq!(end(&mut race, 1, Outcome::Complete, RetrySafe::Answered), ["r1 over"]);
}

#[test]
fn nobody_else_is_reached_and_what_is_under_way_goes_on() {
    let (mut race, _) = muted(&[MethodClass::Safe]);
    assert_eq!(race.failed(1), [""; 0]);
    assert_eq!(race.failed(2), [""; 0], "nobody is told, and nothing is called in a loop");
    assert_eq!(race.pass(20_000), [""; 0]);
    assert_eq!(end(&mut race, 1, Outcome::Complete, RetrySafe::Answered), ["r1 over"]);
}

#[test]
fn it_is_called_back_once_and_counts_for_no_resend() {
    let (mut race, _) = muted(&[MethodClass::Safe]);
    assert_eq!(race.connected(1), [recalled(&race, 0, 1), "abort 2".to_owned()]);
    assert_eq!(race.known(), Some(Known::Confirmed));
    assert_eq!(end(&mut race, 1, Outcome::Reset, RetrySafe::Unknown), ["r1 again", "r1 on 1"]);
    // Another one falls mute: it waits there for what comes.
    assert_eq!(mute(&mut race, 1), [""; 0]);
    // What failed may go again as ever.
    let told = end(&mut race, 1, Outcome::Failed(Cause::KeepAliveTimeout), RetrySafe::Unknown);
    assert_eq!(told[0], "r1 again");
}

#[test]
fn where_nothing_was_ever_answered_tcp_alone_is_tried() {
    let mut race = Race::offered(|_| (), V4);
    race.request();
    race.connected(0);
    assert_eq!(mute(&mut race, 0), ["1: tcp 192.0.2.1:443"]);
    assert_eq!(race.connected(1), [recalled(&race, 0, 0)]);
    assert!(matches!(race.known(), Some(Known::Broken(_))));
}

#[test]
fn who_carries_nothing_is_closed_and_nothing_is_made_for_nobody() {
    let (race, told) = muted(&[]);
    let connection = race.attempts[0].1;
    assert_eq!(told, [format!("{:?}", Action::Shutdown(connection))]);
}

#[test]
fn it_is_news_once() {
    let (mut race, _) = muted(&[MethodClass::Safe]);
    let stale = race.rig.up.count(Kind::Stale);
    assert_eq!(mute(&mut race, 0), [""; 0]);
    assert_eq!(race.rig.up.count(Kind::Stale), stale + 1);
}
