//! What a client of HTTP/3 may do wrong, and how the server ends it: the code on the wire, a count,
//! and the next client is served.

mod raw3;
mod stage;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use quinn_proto::Dir;
use regatta_core::downstream::Cut;
use regatta_core::engine::h3::code;
use regatta_core::engine::quic::Options;
use regatta_runtime::{Body, ServerHandle};
use regatta_sim::{Host, Net};

use self::raw3::{
    CONTROL, DATA, DECODER, ENCODER, GOAWAY, HEADERS, Peer, SETTINGS, frame, integer, request,
    settings,
};
use self::stage::{AT, MS, SECOND, hosts, server};

/// Sends bodies back. Its table of fields holds 4,096 bytes, and two streams may wait for it.
async fn serve(host: &Host) -> ServerHandle<Host> {
    let builder = server(host);
    let builder = builder.engine(|engine| {
        (engine.qpack_table, engine.qpack_blocked) = (4_096, 2);
        engine.head_timeout = SECOND;
    });
    stage::serve(host, AT, builder, |request: Request<Body>| async {
        let body = request.into_body().collect().await.map(|all| all.to_bytes());
        Response::new(Full::new(body.unwrap_or_default()))
    })
    .await
}

async fn client(host: &Host) -> Peer {
    let mut peer = Peer::client(host, AT, &Options::default()).await;
    peer.until("a handshake", |peer| peer.connected).await;
    peer
}

/// The next one is served.
async fn is_well(host: &Host) {
    let mut peer = client(host).await;
    peer.open(Dir::Uni, &settings(&[]));
    let stream = peer.open(Dir::Bi, &request(false));
    peer.finish(stream);
    peer.until("an answer", |peer| peer.came[&stream].end == Some(Ok(()))).await;
    peer.close(code::NO_ERROR as u32, "");
    peer.run(100 * MS).await;
}

/// What a client says on a stream of its own.
type Said = (Dir, Vec<u8>);

/// Sections that refer to an entry which was never inserted (RFC 9204 4.5.1).
fn blocked() -> Vec<u8> {
    frame(HEADERS, &[2, 0, 0x80])
}

fn rows() -> Vec<(&'static str, Vec<Said>, u64)> {
    let uni = |kind: u8, rest: &[u8]| (Dir::Uni, [&[kind], rest].concat());
    let control = |rest: Vec<u8>| (Dir::Uni, [settings(&[]), rest].concat());
    let on_request = |bytes: Vec<u8>| (Dir::Bi, bytes);
    let long = [frame(SETTINGS, &[]), integer(SETTINGS), integer(1 << 20)].concat();
    let huge = [integer(SETTINGS), integer(1 << 20)].concat();
    vec![
        ("DATA as control", vec![control(frame(DATA, b"x"))], code::FRAME_UNEXPECTED),
        ("HEADERS as control", vec![control(request(false))], code::FRAME_UNEXPECTED),
        ("a second SETTINGS", vec![control(frame(SETTINGS, &[]))], code::FRAME_UNEXPECTED),
        ("SETTINGS of a megabyte", vec![uni(CONTROL, &huge)], code::EXCESSIVE_LOAD),
        ("a long second SETTINGS", vec![uni(CONTROL, &long)], code::FRAME_UNEXPECTED),
        ("no SETTINGS", vec![uni(CONTROL, &frame(GOAWAY, &[0]))], code::MISSING_SETTINGS),
        ("a setting of HTTP/2", vec![(Dir::Uni, settings(&[(2, 1)]))], code::SETTINGS_ERROR),
        (
            "two control streams",
            vec![control(vec![]), control(vec![])],
            code::STREAM_CREATION_ERROR,
        ),
        ("a client that pushes", vec![uni(1, &[0])], code::STREAM_CREATION_ERROR),
        ("SETTINGS as a request", vec![on_request(frame(SETTINGS, &[]))], code::FRAME_UNEXPECTED),
        ("DATA before HEADERS", vec![on_request(frame(DATA, b"x"))], code::FRAME_UNEXPECTED),
        ("GOAWAY as a request", vec![on_request(frame(GOAWAY, &[0]))], code::FRAME_UNEXPECTED),
        ("an entry larger than the table", vec![uni(ENCODER, &[0x3f, 0xe1, 0x3f])], 0x201),
        ("an acknowledgement of nothing", vec![uni(DECODER, &[0x80])], 0x202),
        ("a third stream that waits", vec![(Dir::Bi, blocked()); 3], 0x200),
    ]
}

#[test]
fn each_fault_has_its_code_and_the_next_client_is_served() {
    for (what, said, code) in rows() {
        let net = Net::seeded(1);
        let (server, host) = hosts(&net);
        net.run(async {
            let handle = serve(&server).await;
            let mut peer = client(&host).await;
            for (dir, bytes) in &said {
                peer.open(*dir, bytes);
            }
            peer.until(what, |peer| peer.lost.is_some()).await;
            assert_eq!(peer.closed(), Some(code), "{what}: {:?}", peer.lost);
            assert_eq!(handle.counts().count(Cut::Malformed), 1, "{what}");
            is_well(&host).await;
            assert_eq!(handle.active_connections(), 0, "{what}");
        })
        .unwrap();
    }
}

/// One entry of 4,000 bytes, referred to a thousand times: four megabytes in a kilobyte.
#[test]
fn a_bomb_of_fields_is_answered_with_431() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server).await;
        let mut peer = client(&host).await;
        peer.open(Dir::Uni, &settings(&[]));
        // Capacity 4,096; then `b` with 4,000 bytes (RFC 9204 4.3.1, 4.3.3).
        let value = [&[0x41, b'b', 0x7f, 0xa1, 0x1e][..], &[b'x'; 4_000]].concat();
        peer.open(Dir::Uni, &[&[ENCODER, 0x3f, 0xe1, 0x1f][..], &value].concat());
        peer.run(100 * MS).await;
        let section = [&[2, 0][..], &[0x80; 1_000]].concat();
        let stream = peer.open(Dir::Bi, &frame(HEADERS, &section));
        peer.until("an answer", |peer| peer.came[&stream].end.is_some()).await;
        let frames = peer.frames(stream);
        assert!(matches!(&frames[..], [(HEADERS, section)] if section.ends_with(b"431")));
        assert_eq!(handle.counts().count(Cut::HeadTooLarge), 1);
        assert_eq!((peer.lost.is_none(), handle.buffered()), (true, 0));
    })
    .unwrap();
}

/// Who makes the server wait for a table that never comes has as long as any head.
#[test]
fn streams_that_wait_for_the_table_end_by_408() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server).await;
        let mut peer = client(&host).await;
        peer.open(Dir::Uni, &settings(&[]));
        let streams = [(); 2].map(|()| peer.open(Dir::Bi, &blocked()));
        for stream in streams {
            peer.until("an answer", |peer| peer.came[&stream].end.is_some()).await;
            let frames = peer.frames(stream);
            assert!(matches!(&frames[..], [(HEADERS, section)] if section.ends_with(b"408")));
        }
        assert_eq!(handle.counts().count(Cut::HeadTimeout), 2);
        // Two more may wait now.
        let _more = [(); 2].map(|()| peer.open(Dir::Bi, &blocked()));
        peer.run(500 * MS).await;
        assert_eq!(peer.lost, None);
    })
    .unwrap();
}

/// Requests that are taken back at once: HTTP/2's rapid reset.
#[test]
fn requests_without_end_that_are_taken_back_end_the_connection() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let handle = serve(&server).await;
        let mut peer = client(&host).await;
        peer.open(Dir::Uni, &settings(&[]));
        for _ in 0..400 {
            if peer.lost.is_some() {
                break;
            }
            let stream = peer.open(Dir::Bi, &request(true));
            peer.run(MS).await;
            peer.reset(stream, code::REQUEST_CANCELLED);
            peer.connection().recv_stream(stream).stop(0u32.into()).unwrap();
            peer.run(50 * MS).await;
        }
        assert_eq!(peer.closed(), Some(code::EXCESSIVE_LOAD));
        assert_eq!(handle.counts().count(Cut::FloodReset), 1);
        is_well(&host).await;
    })
    .unwrap();
}
