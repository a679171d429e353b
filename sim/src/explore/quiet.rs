//! The quiet phase: one usable path per origin heals, all else stays broken for good, and
//! everything must come to its end. Then nothing may be left.

use core::time::Duration;

use regatta_core::Instant;
use regatta_core::id::{ClusterId, RequestId};
use regatta_core::limits::Resource;
use regatta_core::types::{MethodClass, Priority};
use regatta_core::upstream::Upstream;

use super::book::{Entry, Result};
use super::monitor::{Law, violated};
use super::run::Stage;
use super::workload::Reading;
use crate::choice::Point;
use crate::executor::Stuck;
use crate::peer::Conduct;

/// Virtual time in which nobody gets anything: more than the 925 s after which Linux's TCP gives
/// a peer up that says nothing.
const PATIENCE: Duration = Duration::from_secs(1_000);
/// How long tasks may go on behind the last handle: a server's drain, and TCP's giving up.
const AFTERWARDS: Duration = Duration::from_secs(1_600);
/// How late a time limit may be told: timers may be 20 ms late, twice.
const LATE: Duration = Duration::from_millis(41);

/// What would break a healed path again; a swarm may lose nearly everything by them.
const LOSSES: [Point; 3] = [Point::SynLost, Point::SegmentLost, Point::DatagramLost];

/// Heals a core and waits until every request has ended.
pub(super) fn come_to_an_end(stage: &Stage<'_>) {
    let all = stage.case.requests.len();
    if stage.book.done() == all {
        stage.monitor.borrow_mut().held(Law::Liveness);
        return;
    }
    stage.net.choices(|choices| LOSSES.map(|point| choices.switch(point, false)));
    for (number, origin) in stage.case.origins.iter().enumerate() {
        let count = origin.addresses.len() as u32;
        let which = stage.net.choices(|choices| choices.draw("healed", count)) as usize;
        stage.weather().heal(number, origin.addresses[which]);
        stage.scene.heal(stage.case.address(origin.addresses[which]));
    }
    stage.monitor.borrow_mut().seen.sometimes("phase", "quiet");
    let healed = stage.net.now();
    // A request may go again where TCP gave its peer up, and be given up there as well.
    let patience = PATIENCE * (1 + stage.case.client.pool.max_resends);
    while stage.book.done() < all {
        let (done, moved) = (stage.book.done(), stage.moved());
        match stage.go(patience, stage.book.more_than(done)) {
            Ok(()) => {}
            Err(Stuck::TimeIsUp { .. }) if stage.moved() > moved => {}
            Err(stuck @ Stuck::Spinning { .. }) => violated(Law::Liveness, &stuck.to_string()),
            Err(stuck) => stalled(stage, healed, &stuck),
        }
    }
    stage.monitor.borrow_mut().held(Law::Liveness);
}

/// Nothing has ended for too long: whoever may legally wait for ever gives up; if nobody does,
/// that is a violation.
fn stalled(stage: &Stage<'_>, healed: Instant, stuck: &Stuck) {
    let mut reasons = Vec::new();
    let mut legal = 0;
    for (n, entry) in stage.book.entries().iter().enumerate() {
        if entry.result.is_some() || entry.give_up {
            continue;
        }
        let (words, is_legal) = pending(stage, healed, n, entry);
        reasons.push(format!("request {n} {words}"));
        if is_legal {
            legal += 1;
            stage.book.give_up(n);
        }
    }
    if legal == 0 {
        violated(Law::Liveness, &format!("{stuck}; {}", reasons.join("; ")));
    }
    stage.monitor.borrow_mut().seen.sometimes("phase", "legal stall");
}

/// Why a request waits, and whether it may do so for ever.
fn pending(stage: &Stage<'_>, healed: Instant, n: usize, entry: &Entry) -> (String, bool) {
    let Some(id) = entry.id else {
        return (format!("was never made ({:?})", stage.case.requests[n].at), false);
    };
    let monitor = stage.monitor.borrow();
    let Some(client) = monitor.client() else { return ("has no client".to_owned(), false) };
    client.inspect(|upstream| why(stage, healed, upstream, id, entry))
}

fn why(
    stage: &Stage<'_>,
    healed: Instant,
    upstream: &Upstream,
    id: RequestId,
    entry: &Entry,
) -> (String, bool) {
    let what = if entry.head.is_some() { "reads its answer" } else { "waits for its answer" };
    if let Some(connection) = upstream.connection_of(id) {
        let timeline = upstream.connection_timeline(connection);
        let line = timeline.and_then(|timeline| {
            timeline.attempts.iter().rfind(|line| line.failed.is_none()).copied()
        });
        let Some((line, timeline)) = line.zip(timeline) else {
            return (format!("{what} on {connection}"), false);
        };
        let usable = is_usable(stage, healed, line.address.ip(), timeline.made);
        let path = if usable { "usable" } else { "broken for good" };
        return (format!("{what} on {connection} to {}, which is {path}", line.address), !usable);
    }
    if upstream.pool_of(id).is_none() {
        return (format!("{what} though its stream has ended"), false);
    }
    let pools = upstream.snapshot(Instant::EPOCH);
    let pool = pools.iter().find(|pool| Some(pool.id) == upstream.pool_of(id));
    let states: Vec<_> = pool.iter().flat_map(|pool| &pool.connections).collect();
    (format!("waits for a connection beside {states:?}"), false)
}

/// Whether an honest server listens there, and nothing has gone wrong with a connection of that
/// age. Nobody tells a client that waits of a peer that has silently forgotten it.
fn is_usable(
    stage: &Stage<'_>,
    healed: Instant,
    address: core::net::IpAddr,
    made: Instant,
) -> bool {
    let conduct = stage.case.hosts.iter().flat_map(|host| &host.addresses);
    let mut conduct = conduct.filter(|(known, _)| *known == address);
    if stage.case.faults.is_empty() {
        stage.scene.is_healed(address)
            || conduct.next().is_some_and(|(_, conduct)| matches!(conduct, Conduct::Honest(_)))
    } else {
        let is_elsewhere = || stage.scene.elsewhere(address).is_some();
        (stage.scene.is_healed(address) || is_elsewhere()) && made >= healed
    }
}

/// What callers heard against what servers did.
pub(super) fn judge(stage: &Stage<'_>) {
    let entries = stage.book.entries();
    for (n, entry) in entries.iter().enumerate() {
        let fate = stage.scene.fate(n);
        let plan = &stage.case.requests[n];
        let mut monitor = stage.monitor.borrow_mut();
        monitor.expect(Law::Once, entry.closed == 1, || format!("request {n} {entry:?}"));
        let class = MethodClass::of(&plan.method);
        if !class.is_idempotent() {
            monitor.expect(Law::SentOnce, fate.processed <= 1, || {
                format!("request {n}, a {}, was acted on {} times", plan.method, fate.processed)
            });
        }
        let resent = entry.id.and_then(|id| monitor.resent.get(&regatta_core::record::pack(id)));
        let said = 1 + resent.copied().unwrap_or(0);
        monitor.expect(Law::Said, fate.processed <= said, || {
            format!("request {n} was acted on {} times and sent {said} times", fate.processed)
        });
        monitor.expect(Law::Certificate, fate.misled == 0, || {
            format!("request {n} went to a server with a bad certificate")
        });
        monitor.expect(Law::AltUsed, fate.alt_misused == 0, || {
            format!("request {n} said the wrong thing in Alt-Used")
        });
        if entry.result == Some(Result::Answered) {
            monitor.expect(Law::Right, fate.answered > 0, || {
                format!("request {n} was answered by nobody")
            });
        }
        let limit = plan.timeout.or(stage.case.client.timeout);
        if let (Some(limit), Some(begun), Some(ended)) = (limit, entry.begun, entry.ended)
            && !matches!(plan.reading, Reading::Slow(_))
        {
            let took = ended.saturating_since(begun);
            monitor.expect(Law::Deadline, took <= limit + LATE, || {
                format!("request {n} took {took:?}, its limit is {limit:?}")
            });
        }
    }
    expectation(stage, &entries);
}

/// A world in which nothing went wrong has the best outcome.
fn expectation(stage: &Stage<'_>, entries: &[Entry]) {
    let Some(expected) = &stage.case.expectation else { return };
    let mut monitor = stage.monitor.borrow_mut();
    for (n, (entry, first_byte)) in entries.iter().zip(&expected.first_byte).enumerate() {
        let right = entry.result == Some(Result::Answered);
        monitor.expect(Law::Right, right, || format!("request {n} failed: {entry:?}"));
        if let (Some(first_byte), Some(begun), Some(head)) = (first_byte, entry.begun, entry.head) {
            let took = head.saturating_since(begun);
            monitor.expect(Law::Earliest, took == *first_byte, || {
                format!("request {n}'s first byte came after {took:?}, not {first_byte:?}")
            });
        }
    }
    let law = match stage.case.mode {
        super::case::Mode::Golden => Law::Golden,
        _ => Law::Needed,
    };
    let (made, attempts) = (monitor.made, monitor.attempts);
    let right = (made, attempts) == (expected.connections, expected.attempts);
    monitor.expect(law, right, || {
        let (connections, attempts_) = (expected.connections, expected.attempts);
        format!("{made} connections, {attempts} attempts, not {connections} and {attempts_}")
    });
}

/// Drains the client and stops the servers: nothing may be left.
pub(super) fn go_idle(stage: &Stage<'_>) {
    let host = stage.client_host.clone();
    let look = |is: fn(&Upstream) -> bool| {
        let monitor = stage.monitor.borrow();
        monitor.client().is_none_or(|client| client.inspect(is))
    };
    let wait = |is: fn(&Upstream) -> bool| {
        let work = async {
            while !look(is) {
                host.sleep(Duration::from_millis(500)).await;
            }
        };
        stage.go(PATIENCE, work)
    };
    let until = |what: &'static str, is: fn(&Upstream) -> bool| {
        if let Err(stuck) = wait(is) {
            let text = format!("{what}: {stuck}; {:?}", look_all(stage));
            violated(Law::Idle, &text);
        }
    };
    until("requests are left", |upstream| upstream.requests() == 0);
    if let Some(client) = stage.monitor.borrow().client() {
        client.drain();
    }
    until("sockets are left", |upstream| upstream.sockets() == 0);
    until("breakers are taken", |upstream| {
        let priorities = [Priority::Default, Priority::High];
        priorities.into_iter().all(|priority| {
            let used = |what| upstream.in_use(ClusterId::new(0, 0), priority, what);
            Resource::ALL.into_iter().all(|what| used(what) == 0)
        })
    });
    until("pools are left", |upstream| upstream.snapshot(Instant::EPOCH).is_empty());
    until("a timer is left", |upstream| upstream.poll_timeout().is_none());
    stage.monitor.borrow_mut().held(Law::Idle);
    let client = stage.monitor.borrow_mut().release();
    drop(client);
    stage.scene.stop();
    let work = async {
        while stage.net.tasks_left() > 0 {
            host.sleep(Duration::from_secs(1)).await;
        }
    };
    if let Err(stuck) = stage.go(AFTERWARDS, work) {
        if serves_for_ever(stage) {
            return;
        }
        violated(Law::Tasks, &format!("{} tasks are left: {stuck}", stage.net.tasks_left()));
    }
    stage.monitor.borrow_mut().held(Law::Tasks);
}

/// Whether a server may wait for the rest of a request whose client is gone without a word: one
/// whose drain has no limit.
fn serves_for_ever(stage: &Stage<'_>) -> bool {
    let mut conducts = stage.case.hosts.iter().flat_map(|host| &host.addresses);
    let patient = conducts.any(|(_, conduct)| match conduct {
        Conduct::Honest(plan) => plan.downstream.drain_timeout.is_none(),
        Conduct::Raw(_) => false,
    });
    patient && !stage.case.faults.is_empty()
}

fn look_all(stage: &Stage<'_>) -> Vec<regatta_core::upstream::PoolView> {
    let monitor = stage.monitor.borrow();
    let all = monitor.client().map(|client| client.inspect(|u| u.snapshot(Instant::EPOCH)));
    all.unwrap_or_default()
}
