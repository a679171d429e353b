//! What a server of HTTP/3 lets clients take of its time, on virtual time.

mod raw3;
mod stage;

use core::num::NonZeroU32;
use core::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use quinn_proto::Dir;
use regatta_core::downstream::Cut;
use regatta_core::engine::quic::Options;
use regatta_core::engine::{Pace, h3::code};
use regatta_core::types::Cause;
use regatta_runtime::{Body, Runtime as _, ServerBuilder, ServerHandle};
use regatta_sim::net::fault::Fault;
use regatta_sim::{Host, Net};

use self::raw3::{GOAWAY, HEADERS, Peer, frame, request, settings};
use self::stage::{AT, MS, SECOND, hosts, server};

/// Waits a second for a head, ten for somebody who asks, and for 1,000 bytes in two seconds.
fn brisk(host: &Host) -> ServerBuilder<Host> {
    let builder = server(host);
    builder.engine(|engine| {
        engine.head_timeout = SECOND;
        engine.idle_timeout = Some(10 * SECOND);
        engine.pace = Some(Pace { bytes: 1_000, window: 2 * SECOND });
    })
}

/// Answers a whole request with a megabyte.
async fn serve(host: &Host, builder: ServerBuilder<Host>) -> ServerHandle<Host> {
    stage::serve(host, AT, builder, |request: Request<Body>| async {
        match request.into_body().collect().await {
            Ok(_) => Response::new(Full::new(Bytes::from(vec![7; 1 << 20]))),
            Err(_) => Response::new(Full::new(Bytes::new())),
        }
    })
    .await
}

/// A client that has said its settings.
async fn client(host: &Host, options: &Options) -> Peer {
    let mut peer = Peer::client(host, AT, options).await;
    peer.until("a handshake", |peer| peer.connected).await;
    peer.open(Dir::Uni, &settings(&[]));
    peer
}

/// 408 in the static table (RFC 9204 A has no such line: the name alone, and the digits).
fn is_408(frames: &[(u64, Vec<u8>)]) -> bool {
    let [(HEADERS, section)] = frames else { return false };
    section.ends_with(b"408")
}

#[test]
fn a_head_that_does_not_come_whole_is_answered_with_408() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, brisk(&server)).await;
        let mut peer = client(&host, &Options::default()).await;
        let begun = host.now();
        let stream = peer.open(Dir::Bi, &request(false)[..5]);
        peer.until("an answer", |peer| peer.came[&stream].end.is_some()).await;
        assert!(is_408(&peer.frames(stream)), "{:?}", peer.frames(stream));
        assert_eq!(host.now(), begun + SECOND + 40 * MS);
        assert_eq!(peer.stopped, [(stream, code::NO_ERROR)]);
        assert_eq!(handle.counts().count(Cut::HeadTimeout), 1);
        // The connection serves on.
        let next = peer.open(Dir::Bi, &request(false));
        peer.finish(next);
        peer.until("the whole answer", |peer| peer.came[&next].end.is_some()).await;
        assert_eq!(peer.came[&next].end, Some(Ok(())));
    })
    .unwrap();
}

#[test]
fn a_connection_on_which_nobody_asks_is_drained() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, brisk(&server)).await;
        let mut peer = client(&host, &Options::default()).await;
        let begun = host.now();
        let stream = peer.open(Dir::Bi, &request(false));
        peer.finish(stream);
        peer.run(9 * SECOND).await;
        assert_eq!(peer.came[&stream].end, Some(Ok(())));
        assert_eq!(peer.lost, None);
        peer.until("the end", |peer| peer.lost.is_some()).await;
        assert_eq!(peer.closed(), Some(code::NO_ERROR));
        assert!(host.now() < begun + 11 * SECOND, "the answer ended within a second");
        let mut go_aways = peer.control().into_iter().filter(|(kind, _)| *kind == GOAWAY);
        assert_eq!(go_aways.next_back(), Some((GOAWAY, vec![4])), "from the second request on");
        assert_eq!(handle.counts().count(Cut::IdleTimeout), 1);
        assert_eq!(handle.active_connections(), 0);
    })
    .unwrap();
}

#[test]
fn a_body_slower_than_the_pace_is_answered_with_408() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, brisk(&server)).await;
        let mut peer = client(&host, &Options::default()).await;
        let begun = host.now();
        let stream = peer.open(Dir::Bi, &request(true));
        for _ in 0..3 {
            peer.run(SECOND / 2).await;
            peer.say(stream, &frame(raw3::DATA, b"slow"));
        }
        peer.until("an answer", |peer| peer.came[&stream].end.is_some()).await;
        assert!(is_408(&peer.frames(stream)), "{:?}", peer.frames(stream));
        assert_eq!(host.now(), begun + 2 * SECOND + 40 * MS);
        assert_eq!(handle.counts().count(Cut::BodyTooSlow), 1);
    })
    .unwrap();
}

#[test]
fn a_body_that_keeps_the_pace_may_take_its_time() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, brisk(&server)).await;
        let mut peer = client(&host, &Options::default()).await;
        let stream = peer.open(Dir::Bi, &request(true));
        for _ in 0..20 {
            peer.run(SECOND / 2).await;
            peer.say(stream, &frame(raw3::DATA, &[7; 600]));
        }
        peer.finish(stream);
        peer.until("an answer", |peer| peer.came[&stream].end.is_some()).await;
        assert!(peer.came[&stream].bytes.len() > 1 << 20);
        assert_eq!(handle.counts().count(Cut::BodyTooSlow), 0);
    })
    .unwrap();
}

/// What is granted from the beginning stands in the transport's parameters.
#[test]
fn a_client_may_have_as_many_streams_as_the_engine_says() {
    for most in [1, 7, 150] {
        let net = Net::seeded(1);
        let (server, host) = hosts(&net);
        net.run(async {
            let builder = brisk(&server).engine(|engine| {
                engine.max_concurrent_streams = NonZeroU32::new(most).unwrap();
            });
            serve(&server, builder).await;
            let mut peer = Peer::client(&host, AT, &Options::default()).await;
            peer.until("a handshake", |peer| peer.connected).await;
            for _ in 0..most {
                let stream = peer.open(Dir::Bi, &request(false));
                peer.finish(stream);
            }
            assert_eq!(peer.connection().streams().open(Dir::Bi), None, "{most}");
        })
        .unwrap();
    }
}

#[test]
fn an_answer_that_nobody_reads_is_cut() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, brisk(&server)).await;
        let mut options = Options::default();
        options.stream_window = 10_000;
        let mut peer = client(&host, &options).await;
        peer.is_deaf = true;
        let begun = host.now();
        let stream = peer.open(Dir::Bi, &request(false));
        peer.finish(stream);
        peer.run(2 * SECOND + 40 * MS).await;
        assert_eq!(handle.counts().count(Cut::ResponseTooSlow), 1);
        peer.is_deaf = false;
        peer.until("a reset", |peer| peer.came[&stream].end.is_some()).await;
        assert_eq!(peer.came[&stream].end, Some(Err(code::REQUEST_CANCELLED)));
        assert!(host.now() < begun + 3 * SECOND);
    })
    .unwrap();
}

/// Who takes nothing at all of what waits for it, by credit or by acknowledgement, loses the
/// connection after `write_timeout`; who takes a little does not.
#[test]
fn a_connection_that_takes_nothing_is_closed_after_the_write_timeout() {
    /// What a client does once its answer has begun.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Then {
        ReadsNothing,
        ReadsABit,
        IsGone,
    }
    const LIMIT: Duration = Duration::from_secs(3);
    for then in [Then::ReadsNothing, Then::ReadsABit, Then::IsGone] {
        let net = Net::seeded(1);
        let (server, host) = hosts(&net);
        net.run(async {
            let builder = stage::server(&server).engine(|engine| {
                engine.pace = None;
                engine.write_timeout = LIMIT;
            });
            let handle = serve(&server, builder).await;
            let mut options = Options::default();
            options.stream_window = 100_000;
            let mut peer = client(&host, &options).await;
            peer.is_deaf = true;
            let stream = peer.open(Dir::Bi, &request(false));
            peer.finish(stream);
            peer.run(60 * MS).await;
            let stalled = host.now();
            match then {
                // Its transport acknowledges all that comes.
                Then::ReadsNothing => {
                    peer.until("a close", |peer| peer.lost.is_some()).await;
                    let lost = peer.lost.take().unwrap();
                    assert_eq!(lost.cause, Cause::GoAway(code::EXCESSIVE_LOAD as u32));
                    let took = host.now().saturating_since(stalled);
                    assert!((LIMIT - 60 * MS..LIMIT + 200 * MS).contains(&took), "{took:?}");
                }
                // Each time less than the window, before the time is over.
                Then::ReadsABit => {
                    for _ in 0..6 {
                        peer.run(2 * SECOND).await;
                        peer.is_deaf = false;
                        peer.run(MS).await;
                        peer.is_deaf = true;
                    }
                    assert!(peer.lost.is_none(), "{:?}", peer.lost);
                    assert_eq!(handle.active_connections(), 1);
                }
                Then::IsGone => {
                    net.apply(Fault::Stop(host.id()));
                    host.sleep(LIMIT + 200 * MS).await;
                }
            }
            let cut = u64::from(then != Then::ReadsABit);
            assert_eq!(handle.counts().count(Cut::ResponseTooSlow), cut, "{then:?}");
            assert_eq!(handle.active_connections() as u64, 1 - cut, "{then:?}");
        })
        .unwrap();
    }
}

/// What is under way at the end of a drain's time is cut, and said.
#[test]
fn a_drain_ends_at_its_limit() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server, brisk(&server).engine(|engine| engine.pace = None)).await;
        let mut peer = client(&host, &Options::default()).await;
        let stream = peer.open(Dir::Bi, &request(true));
        peer.run(100 * MS).await;
        let begun = host.now();
        let draining = handle.drain_within(5 * SECOND);
        peer.run(SECOND).await;
        let go_away: Vec<_> =
            peer.control().into_iter().filter(|(kind, _)| *kind == GOAWAY).collect();
        let first = integer_of_all_streams();
        assert_eq!(go_away, [(GOAWAY, first), (GOAWAY, vec![4])]);
        peer.until("the end", |peer| peer.lost.is_some()).await;
        assert_eq!(peer.closed(), Some(code::NO_ERROR));
        assert_eq!(host.now(), begun + 5 * SECOND + 20 * MS);
        let cut = draining.await;
        assert_eq!((cut.connections, cut.requests), (1, 1));
        assert_eq!(peer.came[&stream].bytes, b"");
    })
    .unwrap();
}

/// The highest number of a request's stream: a first GOAWAY refuses nothing.
fn integer_of_all_streams() -> Vec<u8> {
    raw3::integer((1 << 62) - 4)
}

#[test]
fn a_connection_over_the_limit_is_closed_with_a_reason() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let builder = brisk(&server).downstream(|port| port.max_connections = 1);
        let handle = serve(&server, builder).await;
        let mut first = client(&host, &Options::default()).await;
        let mut second = Peer::client(&host, AT, &Options::default()).await;
        second.until("the end", |peer| peer.lost.is_some()).await;
        assert_eq!(second.closed(), Some(code::EXCESSIVE_LOAD));
        assert_eq!(handle.counts().count(Cut::ConnectionLimit), 1);
        let stream = first.open(Dir::Bi, &request(false));
        first.finish(stream);
        first.until("an answer", |peer| peer.came[&stream].end == Some(Ok(()))).await;
        assert_eq!(handle.active_connections(), 1);
    })
    .unwrap();
}
