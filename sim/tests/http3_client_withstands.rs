//! What a server of HTTP/3, and what stands before it, may do to a client: the code on the wire,
//! and one sentence for the caller.

mod raw3;
mod stage;

use core::future::poll_fn;
use core::net::SocketAddr;
use std::io::IoSliceMut;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use quinn_proto::Dir;
use regatta_core::engine::quic::ServerOptions;
use regatta_runtime::{Body, Client, Datagrams as _, Error, Received, Runtime as _, Transmit};
use regatta_sim::net::rule::{Action, Rule, Transport};
use regatta_sim::{Host, Net, tls};

use self::raw3::{CONTROL, DATA, ENCODER, HEADERS, Peer, SETTINGS, frame, integer, ok, settings};
use self::stage::{AT, MS, SECOND, hosts, only_http3};

/// How a request has ended, once it has.
type Ended = Arc<Mutex<Option<Result<StatusCode, Error>>>>;

/// Asks in a task of its own.
fn ask(host: &Host, client: &Client<Host>) -> Ended {
    let (ended, client) = (Ended::default(), client.clone());
    let told = Arc::clone(&ended);
    host.spawn(async move {
        let request = Request::get("https://www.test/").body(Full::new(Bytes::new())).unwrap();
        let asked = async {
            let response = client.request(request).await?;
            let status = response.status();
            response.into_body().collect().await?;
            Ok(status)
        };
        let answer = asked.await;
        *told.lock().unwrap() = Some(answer);
    });
    ended
}

/// The sentence with which it has failed.
fn sentence(ended: &Ended) -> String {
    match &*ended.lock().unwrap() {
        Some(Err(error)) => error.to_string(),
        other => format!("no error: {other:?}"),
    }
}

/// A request at a server that is written by hand, once it has come.
async fn asked(net: &Net) -> (Peer, Ended, Client<Host>) {
    let (server, host) = hosts(net);
    let mut peer = Peer::server(&server, AT, &ServerOptions::default()).await;
    let client = only_http3(&host);
    let ended = ask(&host, &client);
    peer.until("a request", |peer| peer.streams(Dir::Bi).next().is_some()).await;
    (peer, ended, client)
}

const CLOSES: [(u64, &str); 21] = [
    (0x100, "the peer closed the connection before it answered"),
    (0x101, "the peer closed the connection with H3_GENERAL_PROTOCOL_ERROR"),
    (0x102, "the peer closed the connection with H3_INTERNAL_ERROR"),
    (0x103, "the peer closed the connection with H3_STREAM_CREATION_ERROR"),
    (0x104, "the peer closed the connection with H3_CLOSED_CRITICAL_STREAM"),
    (0x105, "the peer closed the connection with H3_FRAME_UNEXPECTED"),
    (0x106, "the peer closed the connection with H3_FRAME_ERROR"),
    (0x107, "the peer closed the connection with H3_EXCESSIVE_LOAD"),
    (0x108, "the peer closed the connection with H3_ID_ERROR"),
    (0x109, "the peer closed the connection with H3_SETTINGS_ERROR"),
    (0x10a, "the peer closed the connection with H3_MISSING_SETTINGS"),
    (0x10b, "the peer closed the connection with H3_REQUEST_REJECTED"),
    (0x10c, "the peer closed the connection with H3_REQUEST_CANCELLED"),
    (0x10d, "the peer closed the connection with H3_REQUEST_INCOMPLETE"),
    (0x10e, "the peer closed the connection with H3_MESSAGE_ERROR"),
    (0x10f, "the peer closed the connection with H3_CONNECT_ERROR"),
    (0x110, "the peer closed the connection with H3_VERSION_FALLBACK"),
    (0x200, "the peer closed the connection with QPACK_DECOMPRESSION_FAILED"),
    (0x201, "the peer closed the connection with QPACK_ENCODER_STREAM_ERROR"),
    (0x202, "the peer closed the connection with QPACK_DECODER_STREAM_ERROR"),
    (0x12345, "the peer closed the connection with error code 0x12345"),
];

#[test]
fn each_code_of_a_close_is_said_by_its_name() {
    for (code, words) in CLOSES {
        let net = Net::seeded(1);
        net.run(async {
            let (mut peer, ended, client) = asked(&net).await;
            peer.open(Dir::Uni, &settings(&[]));
            let mut said = String::new();
            // A request of GET may have been tried once more.
            for _ in 0..2 {
                peer.close(code as u32, "");
                peer.run(SECOND).await;
                said = sentence(&ended);
            }
            assert!(said.contains(words), "{code:#x}: {said}");
            client.check();
        })
        .unwrap();
    }
}

/// What a server says on a stream of its own, or, of the request's, as its answer.
type Said = (Option<Dir>, Vec<u8>);

fn rows() -> Vec<(&'static str, Vec<Said>, u64, &'static str)> {
    let uni = |kind: u8, rest: &[u8]| (Some(Dir::Uni), [&[kind], rest].concat());
    let control = |rest: Vec<u8>| (Some(Dir::Uni), [settings(&[]), rest].concat());
    let answer = |bytes: Vec<u8>| (None, bytes);
    let huge = [integer(SETTINGS), integer(1 << 20)].concat();
    vec![
        ("DATA as control", vec![control(frame(DATA, b"x"))], 0x105, "H3_FRAME_UNEXPECTED"),
        ("HEADERS as control", vec![control(ok())], 0x105, "H3_FRAME_UNEXPECTED"),
        ("a second SETTINGS", vec![control(frame(SETTINGS, &[]))], 0x105, "H3_FRAME_UNEXPECTED"),
        ("MAX_PUSH_ID", vec![control(frame(0xd, &[1]))], 0x105, "H3_FRAME_UNEXPECTED"),
        ("SETTINGS of a megabyte", vec![uni(CONTROL, &huge)], 0x107, "H3_EXCESSIVE_LOAD"),
        ("no SETTINGS", vec![uni(CONTROL, &frame(7, &[0]))], 0x10a, "H3_MISSING_SETTINGS"),
        ("a push", vec![uni(1, &[0])], 0x108, "H3_ID_ERROR"),
        ("SETTINGS as an answer", vec![answer(frame(4, &[]))], 0x105, "H3_FRAME_UNEXPECTED"),
        ("a promise of a push", vec![answer(frame(5, &[0]))], 0x108, "H3_ID_ERROR"),
        ("DATA before HEADERS", vec![answer(frame(DATA, b"x"))], 0x105, "H3_FRAME_UNEXPECTED"),
        ("an insert without a table", vec![uni(ENCODER, &[0x41, 1, 1, 1])], 0x201, "QPACK_ENCODER"),
        ("an unknown entry", vec![answer(frame(HEADERS, &[2, 0, 0x80]))], 0x200, "QPACK_DECOMPR"),
    ]
}

#[test]
fn each_fault_of_a_server_has_its_code_and_its_sentence() {
    for (what, said, code, name) in rows() {
        let net = Net::seeded(1);
        net.run(async {
            let (mut peer, ended, client) = asked(&net).await;
            // GET may be asked once more, over another connection.
            while ended.lock().unwrap().is_none() {
                let (request, _) = peer.streams(Dir::Bi).next().expect("a request");
                for (dir, bytes) in &said {
                    match dir {
                        Some(dir) => _ = peer.open(*dir, bytes),
                        None => peer.say(request, bytes),
                    }
                }
                peer.until(what, |peer| peer.lost.is_some()).await;
                assert_eq!(peer.closed(), Some(code), "{what}: {:?}", peer.lost);
                let has_gone_on =
                    |peer: &Peer| peer.streams(Dir::Bi).next().is_some() && peer.lost.is_none();
                let is_over = || ended.lock().unwrap().is_some();
                peer.until(what, |peer| is_over() || has_gone_on(peer)).await;
            }
            let words = format!("HTTP/3 failed on the connection with {name}");
            let said = sentence(&ended);
            assert!(said.contains(&words), "{what}: {said}");
            client.check();
        })
        .unwrap();
    }
}

/// Three datagrams pass, the rest is dropped. They hold all that a client needs of the handshake,
/// so that it takes the connection for made: silence ends it, and then the one over which GET is
/// asked again.
#[test]
fn a_firewall_that_drops_all_but_three_datagrams_ends_by_silence() {
    let net = Net::seeded(1);
    net.run(async {
        let (server, host) = hosts(&net);
        net.rule(Rule::new(Action::PassFirst(3)).transport(Transport::Udp));
        let mut peer = Peer::server(&server, AT, &ServerOptions::default()).await;
        let client = only_http3(&host);
        let ended = ask(&host, &client);
        peer.run(200 * SECOND).await;
        let said = sentence(&ended);
        assert!(said.contains("the peer stopped answering"), "{said}");
        client.check();
    })
    .unwrap();
}

/// After the handshake nothing passes: silence ends the connection, and then the handshake of the
/// one over which GET is asked again.
#[test]
fn a_black_hole_behind_the_handshake_ends_by_silence() {
    let net = Net::seeded(1);
    net.run(async {
        let (mut peer, ended, client) = asked(&net).await;
        net.rule(Rule::new(Action::Drop).transport(Transport::Udp));
        peer.run(60 * SECOND).await;
        let said = sentence(&ended);
        assert!(said.contains("no connection within the connect timeout"), "{said}");
        client.check();
    })
    .unwrap();
}

/// A server that names versions of which none is spoken here.
#[test]
fn no_version_in_common_is_said() {
    let net = Net::seeded(1);
    net.run(async {
        let (server, host) = hosts(&net);
        let at: SocketAddr = AT.parse().unwrap();
        let mut socket = server.bind(at, None).await.unwrap();
        server.spawn(async move {
            loop {
                let mut buffer = vec![0; 2_000];
                let mut received = [Received::default()];
                let read = poll_fn(|cx| {
                    let buffers = &mut [IoSliceMut::new(&mut buffer)];
                    socket.poll_receive(cx, buffers, &mut received)
                });
                read.await.unwrap();
                // RFC 9000 17.2.1: the ids of the client's packet the other way round.
                let (to, rest) = buffer[6..].split_at(buffer[5].into());
                let from = &rest[1..=usize::from(rest[0])];
                let ids = [&[from.len() as u8], from, &[to.len() as u8], to].concat();
                let answer = [&[0x80, 0, 0, 0, 0][..], &ids, &0x6b33_43cf_u32.to_be_bytes()];
                let answer = answer.concat();
                let _ = socket.try_send(&Transmit::new(received[0].source, &answer));
            }
        });
        let client = only_http3(&host);
        let ended = ask(&host, &client);
        host.sleep(5 * SECOND).await;
        let said = sentence(&ended);
        assert!(said.contains("speaks no version of QUIC that is spoken here"), "{said}");
        client.check();
    })
    .unwrap();
}

/// A server that makes everyone prove an address first, and one that has no room.
#[test]
fn a_retry_is_followed_and_a_refusal_is_told() {
    for (most, words) in [(10, None), (0, Some("connection refused"))] {
        let net = Net::seeded(1);
        net.run(async {
            let (server, host) = hosts(&net);
            let mut options = ServerOptions::default();
            options.retry = regatta_core::engine::quic::Retry::Always;
            options.max_connections = most;
            let mut peer = Peer::server(&server, AT, &options).await;
            let client = only_http3(&host);
            let ended = ask(&host, &client);
            peer.run(SECOND).await;
            match words {
                Some(words) => {
                    let said = sentence(&ended);
                    assert!(said.contains(words), "{said}");
                }
                None => {
                    assert_eq!(peer.endpoint.counts().retried, 1);
                    assert_eq!(peer.streams(Dir::Bi).count(), 1);
                }
            }
        })
        .unwrap();
    }
}

/// GOAWAY in the middle of a burst: what it leaves out goes over another connection.
#[test]
fn a_burst_survives_goaway() {
    use regatta_runtime::Server;
    let net = Net::seeded(1);
    net.run(async {
        let (server, host) = hosts(&net);
        let at: SocketAddr = AT.parse().unwrap();
        let builder = Server::builder(server.clone()).tls(tls::good());
        let listening = builder.http3(ServerOptions::default()).bind(at).await.unwrap();
        let handle = listening.handle();
        let seen = Arc::new(Mutex::new(0));
        server.spawn(listening.serve(move |request: Request<Body>| {
            let mut seen = seen.lock().unwrap();
            *seen += 1;
            if *seen == 20
                && let Some(connection) = request.body().connection()
            {
                connection.drain();
            }
            async { http::Response::new(Full::new(Bytes::from_static(b"well"))) }
        }));
        let client = only_http3(&host);
        let mut all = Vec::new();
        for _ in 0..10 {
            all.extend([(); 20].map(|()| ask(&host, &client)));
            host.sleep(7 * MS).await;
        }
        host.sleep(5 * SECOND).await;
        for ended in &all {
            assert!(matches!(*ended.lock().unwrap(), Some(Ok(_))), "{}", sentence(ended));
        }
        assert_eq!(handle.accepted_connections(), 2);
        client.check();
    })
    .unwrap();
}
