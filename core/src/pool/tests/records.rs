//! What the records tell: of whom, by which rule, how much.

use super::*;
use crate::record::{Record, pack};

fn records(rig: &mut Rig) -> Vec<Record> {
    core::iter::from_fn(|| rig.solo.poll_record()).collect()
}

fn of(rig: &mut Rig, kind: Kind) -> Vec<Record> {
    records(rig).into_iter().filter(|record| record.kind == kind).collect()
}

#[test]
fn what_happens_to_a_stream_names_the_request_and_its_connection() {
    let mut rig = Rig::new(|config| config.pool.assumed_streams = NonZeroU32::MIN);
    rig.queue(3);
    rig.now = 5;
    rig.up(1, Protocol::Http2, 10);
    rig.done(1, 1);
    rig.event(Event::Cancelled(r(0)));
    rig.end(2, 1, Outcome::Failed(Cause::StreamReset(7)), RetrySafe::Answered);
    let kinds = [Kind::Assigned, Kind::Completed, Kind::ResetByUs, Kind::ResetByPeer];
    let told = records(&mut rig).into_iter().filter(|record| kinds.contains(&record.kind));
    let told: Vec<_> = told.map(|record| (record.kind, record.a, record.b, record.at)).collect();
    let row = |kind, request| (kind, pack(r(request)), pack(c(1)), rig.at());
    let rows = [
        row(Kind::Assigned, 0),
        row(Kind::Assigned, 1),
        row(Kind::Assigned, 2),
        row(Kind::Completed, 1),
        row(Kind::ResetByUs, 0),
        row(Kind::ResetByPeer, 2),
    ];
    assert_eq!(told, rows);
}

#[test]
fn a_new_limit_is_told_with_its_number() {
    let mut rig = Rig::new(|_| ());
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    rig.limit(0, 7);
    let connection = c(0);
    rig.event(Event::Limit { connection, limit: Limit::Total(9) });
    let told = of(&mut rig, Kind::LimitChanged).into_iter();
    let told: Vec<_> = told.map(|record| (record.a, record.value)).collect();
    assert_eq!(told, [(pack(c(0)), 7), (pack(c(0)), 9)]);
}

#[test]
fn who_fails_with_the_last_connection_fails_by_that_rule_and_nobody_else() {
    let mut rig = Rig::new(|_| ());
    rig.queue(2);
    rig.connect_failed(0);
    let told = of(&mut rig, Kind::PendingFailed).into_iter();
    let told: Vec<_> = told.map(|record| (record.a, record.rule)).collect();
    let rule = Rule::LastConnectFailed;
    assert_eq!(told, [(pack(r(0)), rule), (pack(r(1)), rule)]);
    let mut rig = Rig::new(|config| config.max_sockets = 0);
    rig.ask();
    let told = of(&mut rig, Kind::PendingFailed);
    assert_eq!(told.first().map(|record| record.rule), Some(Rule::None), "sockets have no rule");
}

#[test]
fn who_is_served_at_once_was_never_queued() {
    let mut rig = Rig::new(|config| config.limits.max_pending_requests = Some(1));
    rig.ask();
    rig.up(0, Protocol::Http2, 10);
    assert_eq!(rig.solo.count(Kind::Queued), 1);
    assert_eq!(rig.ask(), [assign(1, 0)]);
    assert_eq!(rig.solo.count(Kind::Queued), 1);
    // Nor does it count against those who may wait: here one waits for another connection.
    let told = rig.end(0, 0, Outcome::Failed(Cause::StreamReset(7)), RetrySafe::Unprocessed);
    assert_eq!(told, [Action::Resend(r(0)), Action::Connect(c(1))]);
    assert_eq!(rig.solo.used(Resource::Pending), 1);
    assert_eq!(rig.ask(), [assign(2, 0)]);
}
