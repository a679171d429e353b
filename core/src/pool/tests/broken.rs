//! What `check` must see: a row breaks one thing in a pool that is in order, and says what must be
//! said of it.

use super::super::tables::{Clock, Connection, Request};
use super::*;
use crate::limits::Resource;
use crate::machine::must_see;

fn slot(solo: &mut Solo, connection: u32) -> &mut Connection {
    solo.tables.connections.get_mut(c(connection)).expect("lives")
}

/// Connection 0 is in use, 1 and 2 are idle HTTP/2 (2 was used last), 3 is busy HTTP/1, 4 drains
/// with a stream, 5 without; nobody waits.
fn with_room() -> Rig {
    let mut rig = Rig::new(|config| {
        config.pool.assumed_streams = NonZeroU32::MIN;
        config.pool.max_connection_duration = Some(Duration::from_secs(100));
        config.pool.max_requests_per_connection = some(50);
        config.pool.drain_timeout = Some(Duration::from_secs(10));
    });
    rig.queue(6);
    for connection in [0, 1, 2, 4, 5] {
        rig.up(connection, Protocol::Http2, 1);
    }
    rig.up(3, Protocol::Http1, 1);
    for connection in [1, 2, 5] {
        rig.now += 1;
        let request = rig.solo.tables.connections.get(c(connection)).map(|slot| slot.streams);
        let request = request.and_then(|list| list.first_id(&rig.solo.tables.requests));
        rig.done(request.expect("one each").slot() as u32, connection);
    }
    rig.limit(0, 10);
    rig.event(Event::Refusing(c(4)));
    rig.event(Event::Refusing(c(5)));
    rig
}

/// HTTP/1: connection 0 is busy, 1 is being established, and one request waits until its deadline.
fn without_room() -> Rig {
    let mut rig = Rig::new(|config| config.http1_alone = true);
    rig.ask();
    rig.up(0, Protocol::Http1, 1);
    let deadline = Some(Instant::from_millis(100));
    rig.event(Event::Requested { method: MethodClass::Safe, deadline });
    rig
}

/// One more request in the queue, which nobody counted.
fn wait(solo: &mut Solo, avoid: Option<ConnectionId>) {
    let mut request = Request::new(solo.pool.id, MethodClass::Safe, Instant::EPOCH);
    (request.avoid, request.place) = (avoid, Place::Waiting { batch: solo.pool.batch });
    let request = solo.tables.requests.insert(request);
    solo.pool.waiting.push_back(&mut solo.tables.requests, request.slot());
}

/// One more connection that is being established.
fn connecting(solo: &mut Solo) {
    let connection = Connection::new(solo.pool.id, Instant::EPOCH);
    let connection = solo.tables.connections.insert(connection);
    solo.pool.connecting.push_front(&mut solo.tables.connections, connection.slot());
    solo.pool.members += 1;
}

/// From one list of the ready to another.
fn reshelve(solo: &mut Solo, connection: u32, from: usize, to: usize) {
    solo.pool.ready[from].remove(&mut solo.tables.connections, connection as usize);
    solo.pool.ready[to].push_front(&mut solo.tables.connections, connection as usize);
}

#[test]
fn a_connection_in_the_wrong_list_is_seen() {
    must_see(
        &with_room().solo,
        &[
            ("is in a list of another pool", |solo| slot(solo, 0).pool = PoolId::new(7, 0)),
            ("is on another shelf", |solo| slot(solo, 0).shelf = 0),
            ("is on another shelf", |solo| reshelve(solo, 0, 3, 2)),
            ("is on the wrong shelf", |solo| {
                reshelve(solo, 0, 3, 2);
                slot(solo, 0).shelf = 2;
            }),
            ("left: Busy", |solo| slot(solo, 0).state = State::Busy),
            ("Ready among the connecting", |solo| {
                solo.pool.ready[3].remove(&mut solo.tables.connections, 0);
                solo.pool.connecting.push_front(&mut solo.tables.connections, 0);
            }),
            ("is ready without room", |solo| slot(solo, 0).limit = Limit::Concurrent(1)),
            ("among the busy and draining", |solo| slot(solo, 3).state = State::Ready),
            ("is not the first to be taken", |solo| slot(solo, 1).alive = Instant::MAX),
        ],
    );
}

#[test]
fn a_connection_that_contradicts_itself_is_seen() {
    must_see(
        &with_room().solo,
        &[
            ("c0.0: whether it is probed", |solo| slot(solo, 0).probing = true),
            ("c1.0: whether it is probed", |solo| solo.pool.probing = Some(c(1))),
            ("c4.0 drains for ever", |solo| {
                let streams = &mut solo.tables.connections.get_mut(c(4)).expect("lives").streams;
                *streams = List::default();
            }),
            ("c5.0 drains for ever", |solo| slot(solo, 5).closing = false),
            ("carried more than 50", |solo| slot(solo, 4).total = 51),
            ("c0.0: which clock runs", |solo| slot(solo, 0).clock = Some(Clock::Idle)),
            ("c1.0: which clock runs", |solo| slot(solo, 1).clock = None),
            ("c1.0: which clock runs", |solo| slot(solo, 1).clock = Some(Clock::Drain)),
            ("c0.0: whether its age is watched", |solo| slot(solo, 0).aging = false),
            ("c4.0: whether its age is watched", |solo| slot(solo, 4).aging = true),
        ],
    );
    must_see(
        &without_room().solo,
        &[
            ("c0.0 is busy and has room", |solo| {
                slot(solo, 0).protocol = Protocol::Http2;
                slot(solo, 0).limit = Limit::Concurrent(10);
            }),
            ("c1.0 has streams and is not established", |solo| {
                slot(solo, 1).streams = slot(solo, 0).streams;
            }),
        ],
    );
}

#[test]
fn a_sum_that_is_off_by_one_is_seen() {
    must_see(
        &with_room().solo,
        &[
            ("p0.0: connections", |solo| solo.pool.members += 1),
            ("p0.0: open and shut connections", |solo| solo.pool.open -= 1),
            ("p0.0: open and shut connections", |solo| solo.pool.shut += 1),
            ("p0.0: room of open connections", |solo| solo.pool.room -= 1),
            ("p0.0: requests on connections", |solo| solo.pool.active += 1),
            ("p0.0: whether it is occupied", |solo| solo.pool.occupied = false),
            ("circuit breaker of Connections", |solo| {
                solo.tables.limits[0].take(Resource::Connections);
            }),
            ("circuit breaker of Pending", |solo| solo.tables.limits[0].take(Resource::Pending)),
            ("circuit breaker of Requests", |solo| solo.tables.limits[0].give(Resource::Requests)),
            ("circuit breaker of Retries", |solo| solo.tables.limits[0].take(Resource::Retries)),
            ("circuit breaker of Retries", |solo| {
                let request = solo.tables.requests.iter().next().expect("one").0;
                solo.tables.requests.get_mut(request).expect("lives").holds_retry = true;
            }),
            ("circuit breaker of Pools", |solo| solo.tables.limits[0].give(Resource::Pools)),
            ("connections outside pools", |solo| {
                let connection = Connection::new(solo.pool.id, Instant::EPOCH);
                solo.tables.connections.insert(connection);
            }),
            ("requests outside pools", |solo| {
                solo.tables.requests.insert(Request::BLANK);
            }),
            ("deadlines", |solo| solo.tables.deadlines.set(0, Some(Instant::MAX))),
            ("sockets", |solo| solo.tables.sockets += 1),
        ],
    );
}

#[test]
fn a_request_that_is_not_where_it_says_is_seen() {
    fn request(solo: &mut Solo, request: u32) -> &mut Request {
        solo.tables.requests.get_mut(r(request)).expect("lives")
    }
    must_see(
        &without_room().solo,
        &[
            ("r0.0 is not where it is listed", |solo| {
                request(solo, 0).place = Place::Assigned(c(1));
            }),
            ("r1.0 is in the wrong queue", |solo| request(solo, 1).place = Place::Assigned(c(0))),
            ("r1.0 is in the wrong queue", |solo| solo.pool.batch += 1),
            ("a request is in a list of another pool", |solo| {
                request(solo, 0).pool = PoolId::new(7, 0);
            }),
            ("a request is in a list of another pool", |solo| {
                request(solo, 1).pool = PoolId::new(7, 0);
            }),
            ("failed and never told", |solo| {
                solo.pool.failing.append(&mut solo.tables.requests, &mut solo.pool.waiting);
                solo.pool.batch += 1;
            }),
            ("deadlines", |solo| request(solo, 1).has_deadline = false),
        ],
    );
}

#[test]
fn a_clock_that_would_not_fire_in_time_is_seen() {
    must_see(
        &with_room().solo,
        &[
            ("Idle would fire late", |solo| solo.pool.wake = Instant::MAX),
            ("clock: the earliest is not first", |solo| slot(solo, 1).since = Instant::MAX),
            ("age: the earliest is not first", |solo| slot(solo, 0).connected = Some(Instant::MAX)),
            ("listed under another clock", |solo| {
                *solo.pool.clocks.of_mut(Clock::Drain) = *solo.pool.clocks.of(Clock::Idle);
            }),
            ("how many connections stand under Idle", |solo| {
                solo.pool.clocks.of_mut(Clock::Idle).remove(&mut solo.tables.connections, 1);
            }),
            ("how many ages are watched", |solo| {
                solo.pool.ages.remove(&mut solo.tables.connections, 0);
            }),
        ],
    );
}

#[test]
fn a_request_that_waits_beside_room_is_seen() {
    must_see(
        &with_room().solo,
        &[
            ("waits beside c2.0, which has room", |solo| wait(solo, None)),
            // Whom it avoids it must take where there is no other hope.
            ("waits beside c2.0, which has room", |solo| wait(solo, Some(c(2)))),
            // What is under way is no reason not to take what is there.
            ("waits beside c2.0, which has room", |solo| {
                connecting(solo);
                wait(solo, None);
            }),
        ],
    );
    let mut idle = Rig::new(|_| ());
    idle.ask();
    idle.up(0, Protocol::Http2, 10);
    idle.done(0, 0);
    must_see(
        &idle.solo,
        &[
            ("waits beside c0.0, which has room", |solo| wait(solo, None)),
            ("waits beside c0.0, which has room", |solo| wait(solo, Some(c(0)))),
        ],
    );
    must_see(
        &Rig::new(|_| ()).solo,
        &[("waits and nothing will wake it", |solo| {
            wait(solo, None);
            solo.pool.occupied = true;
        })],
    );
}
