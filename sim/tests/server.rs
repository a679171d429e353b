//! A server and clients that misbehave, byte by byte, on virtual time: what is slow ends exactly
//! when its time is over, what is under way beside it goes on, and a drain ends when it said.

use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::time::Duration;
use std::io::IoSlice;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use regatta_core::downstream::Cut;
use regatta_runtime::{
    Address, Body, Drained, Runtime as _, Server, ServerBuilder, ServerHandle, Stream as _,
};
use regatta_sim::{Host, Link, Net, Socket, tls};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// A server, and the host of its clients, 20 ms away.
struct Scene {
    net: Net,
    server: Host,
    client: Host,
}

impl Scene {
    fn new() -> Self {
        let net = Net::seeded(1);
        let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
        let client = net.host("client", ["192.0.2.9".parse().unwrap()]);
        net.link(&client, &server, Link::delay(Duration::from_millis(20)));
        Self { net, server, client }
    }

    fn builder(&self) -> ServerBuilder<Host> {
        Server::builder(self.server.clone())
    }

    /// Serves; `/never` is never answered, `/much` by a megabyte, all else when its body is read.
    async fn serve(&self, builder: ServerBuilder<Host>) -> ServerHandle<Host> {
        let at: SocketAddr = "192.0.2.1:80".parse().unwrap();
        let server = builder.bind(at).await.unwrap();
        let handle = server.handle();
        self.server.spawn(server.serve(answer));
        handle
    }

    async fn line(&self) -> Line {
        let at: SocketAddr = "192.0.2.1:80".parse().unwrap();
        let socket = self.client.connect(Address::Ip(at)).await.unwrap();
        Line { host: self.client.clone(), socket, heard: Vec::new() }
    }

    /// Seconds and milliseconds since the beginning.
    fn millis(&self) -> u64 {
        self.net.now().as_nanos() / 1_000_000
    }
}

async fn answer(request: Request<Body>) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/never" => core::future::pending().await,
        "/much" => Response::new(Full::new(Bytes::from(vec![b'x'; 1 << 20]))),
        _ => {
            let read = request.into_body().collect().await.map_or(0, |all| all.to_bytes().len());
            Response::new(Full::new(Bytes::from(format!("read {read}"))))
        }
    }
}

/// A client's end of a connection.
struct Line {
    host: Host,
    socket: Socket,
    heard: Vec<u8>,
}

impl Line {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let wrote = poll_fn(|cx| self.socket.poll_write(cx, &[IoSlice::new(rest)])).await;
            let Ok(count @ 1..) = wrote else { return };
            rest = &rest[count..];
        }
    }

    /// Reads once; false at the end.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4_096];
        match poll_fn(|cx| self.socket.poll_read(cx, &mut buffer)).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.heard.extend_from_slice(&buffer[..count]);
                true
            }
        }
    }

    async fn until(&mut self, end: &str) {
        while !self.text().contains(end) {
            assert!(self.read().await, "no {end:?} in {:?}", self.text());
        }
        self.heard.clear();
    }

    async fn rest(&mut self) -> String {
        while self.read().await {}
        self.text()
    }

    /// Reads to the end, saying `bytes` every `pause` meanwhile.
    async fn rest_while_saying(&mut self, bytes: &[u8], pause: Duration) -> String {
        loop {
            let host = self.host.clone();
            let read = {
                let (mut sleep, mut read) = (pin!(host.sleep(pause)), pin!(self.read()));
                poll_fn(|cx| match read.as_mut().poll(cx) {
                    Poll::Ready(more) => Poll::Ready(Some(more)),
                    Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
                })
                .await
            };
            match read {
                Some(true) => {}
                Some(false) => return self.text(),
                None => self.send(bytes).await,
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// Whether a frame of this type has come (RFC 9113 4.1), and its error code's last byte.
    fn frame(&self, kind: u8) -> Option<u8> {
        let mut rest = &self.heard[..];
        while let Some(head) = rest.first_chunk::<9>() {
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            let payload = rest.get(9..9 + length)?;
            if head[3] == kind {
                return payload.last().copied();
            }
            rest = &rest[9 + length..];
        }
        None
    }
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// HEADERS of `GET /` or, without `end`, `POST /`.
fn head(stream: u8, end: bool) -> Vec<u8> {
    let (method, flags) = if end { (0x82, 5) } else { (0x83, 4) };
    frame(1, flags, stream, &[method, 0x86, 0x84, 0x41, 1, b'a'])
}

/// A name, what is said first and then again and again, after how many seconds it ends, and why.
type Dribbler<'a> = (&'a str, &'a [u8], &'a [u8], u64, Cut);

/// What begins and then dribbles a byte every two seconds.
#[test]
fn what_is_slow_ends_when_its_time_is_over() {
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
    let data = frame(0, 0, 1, b"x");
    let h2 = [PREFACE, &frame(4, 0, 0, &[]), &head(1, false)].concat();
    let half = [PREFACE, &frame(4, 0, 0, &[]), &frame(1, 0, 1, &[0x82])].concat();
    let rows: [Dribbler<'_>; 6] = [
        ("nothing", b"", b"", 60, Cut::SilenceTimeout),
        ("half a head", b"GET /", b"x", 60, Cut::HeadTimeout),
        ("half a preface", &PREFACE[..9], b"", 60, Cut::SilenceTimeout),
        ("half a head of HTTP/2", &half, b"", 10, Cut::HeadTimeout),
        ("a slow body", post.as_bytes(), b"x", 60, Cut::BodyTooSlow),
        ("a slow body of HTTP/2", &h2, &data, 60, Cut::BodyTooSlow),
    ];
    for (name, begin, dribble, seconds, cut) in rows {
        let scene = Scene::new();
        let run = scene.net.run(async {
            let handle = scene.serve(scene.builder()).await;
            let mut line = scene.line().await;
            let begun = scene.millis();
            line.send(begin).await;
            let counted = async {
                while handle.counts().count(cut) == 0 {
                    scene.client.sleep(SECOND / 100).await;
                }
                scene.millis() - begun
            };
            let (mut counted, mut rest) =
                (pin!(counted), pin!(line.rest_while_saying(dribble, 2 * SECOND)));
            poll_fn(|cx| {
                let _ = rest.as_mut().poll(cx);
                counted.as_mut().poll(cx)
            })
            .await
        });
        let took = run.unwrap();
        let exact = seconds * 1_000..=seconds * 1_000 + 60;
        assert!(exact.contains(&took), "{name} took {took} ms of {seconds} s");
    }
}

/// A body with just enough progress is read to its end, however long that takes.
#[test]
fn what_is_not_too_slow_goes_on() {
    let scene = Scene::new();
    let run = scene.net.run(async {
        let handle = scene.serve(scene.builder()).await;
        let mut line = scene.line().await;
        line.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n").await;
        for _ in 0..400 {
            line.send([b'x'; 250]).await;
            scene.client.sleep(SECOND).await;
        }
        line.until("read 100000").await;
        handle.counts()
    });
    assert_eq!(run.unwrap().to_string(), "");
    assert!(scene.millis() > 400_000);
}

/// Who takes nothing of an answer is cut after its window, and who reads beside it is not held
/// up; the memory of the answer is given back.
#[test]
fn a_reader_that_stops() {
    let scene = Scene::new();
    let run = scene.net.run(async {
        let builder = scene.builder();
        let handle = scene.serve(builder).await;
        let mut line = scene.line().await;
        line.send("GET /much HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut other = scene.line().await;
        let mut most = 0;
        while handle.counts().count(Cut::ResponseTooSlow) == 0 {
            other.send(GET).await;
            other.until("read 0").await;
            most = most.max(handle.buffered());
            scene.client.sleep(SECOND / 2).await;
        }
        let cut = scene.millis();
        while handle.active_connections() > 1 {
            scene.client.sleep(SECOND / 10).await;
        }
        drop(line);
        (cut, most, handle.buffered())
    });
    let (cut, most, left) = run.unwrap();
    println!("a reader that stops: at most {most} bytes held, {left} in the end, cut at {cut} ms");
    assert!((60_000..62_000).contains(&cut), "cut at {cut} ms");
    assert!(most > 0 && left == 0);
}

/// Over HTTP/2 a window of zero does the same to its stream alone.
#[test]
fn a_window_of_zero() {
    let scene = Scene::new();
    let run = scene.net.run(async {
        let handle = scene.serve(scene.builder()).await;
        let mut line = scene.line().await;
        let zero = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
        line.send([PREFACE, &zero, &head(1, true)].concat()).await;
        while line.frame(3).is_none() {
            assert!(line.read().await);
        }
        (scene.millis(), line.frame(3), handle.counts().count(Cut::ResponseTooSlow))
    });
    let (at, code, counted) = run.unwrap();
    assert!((60_000..61_000).contains(&at), "cut at {at} ms");
    assert_eq!((code, counted), (Some(8), 1), "CANCEL");
}

/// TLS that stops half-way, and one that waits for its turn behind it.
#[test]
fn handshakes_take_turns() {
    let scene = Scene::new();
    let run = scene.net.run(async {
        let builder = scene.builder().tls(tls::good()).plain_too();
        let builder = builder.downstream(|downstream| downstream.max_handshakes = 1);
        let handle = scene.serve(builder).await;
        let mut stuck = scene.line().await;
        stuck.send([0x16, 3, 1]).await;
        scene.client.sleep(SECOND).await;
        let mut waits = scene.line().await;
        waits.send([0x16, 3, 1]).await;
        // Plain text needs no turn.
        let mut plain = scene.line().await;
        plain.send(GET).await;
        plain.until("read 0").await;
        assert_eq!(handle.handshakes(), 1);
        stuck.rest().await;
        let first = scene.millis();
        waits.rest().await;
        let counts = handle.counts();
        assert_eq!(counts.count(Cut::HandshakeWaited), 1);
        assert_eq!(counts.count(Cut::HandshakeTimeout), 2);
        (first, scene.millis())
    });
    let (first, second) = run.unwrap();
    assert!((10_000..10_200).contains(&first), "{first}");
    assert!((11_000..11_200).contains(&second), "{second}");
}

/// A drain closes who is idle at once, lets end who ends in time, and cuts the rest when it said.
#[test]
fn a_drain_has_an_end() {
    let scene = Scene::new();
    let run = scene.net.run(async {
        let handle = scene.serve(scene.builder()).await;
        let (mut silent, mut idle) = (scene.line().await, scene.line().await);
        idle.send(GET).await;
        idle.until("read 0").await;
        let mut stuck = scene.line().await;
        stuck.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut h2 = scene.line().await;
        h2.send([PREFACE, &frame(4, 0, 0, &[]), &head(1, false)].concat()).await;
        let mut ends = scene.line().await;
        ends.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n").await;
        scene.client.sleep(SECOND).await;
        let begun = scene.millis();
        let drained = handle.drain_within(5 * SECOND);
        assert_eq!((silent.rest().await, idle.rest().await), (String::new(), String::new()));
        assert!(scene.millis() - begun < 100, "who is idle goes at once");
        assert!(scene.client.connect(Address::Ip("192.0.2.1:80".parse().unwrap())).await.is_err());
        scene.client.sleep(SECOND).await;
        ends.send("four").await;
        let last = ends.rest().await.to_ascii_lowercase();
        assert!(last.contains("connection: close") && last.ends_with("read 4"), "{last}");
        let Drained { connections, requests, .. } = drained.await;
        assert_eq!((connections, requests), (2, 2));
        assert_eq!(stuck.rest().await, "");
        h2.rest().await;
        assert_eq!(h2.frame(7), Some(0), "GOAWAY with NO_ERROR");
        scene.millis() - begun
    });
    let took = run.unwrap();
    // Half a second more is the time in which a connection that closes still reads.
    assert!((5_000..5_600).contains(&took), "{took}");
}

/// The memory of all bodies has one limit: over it who holds some is not read, and who holds
/// none is.
#[test]
fn bodies_share_their_memory() {
    const MOST: u64 = 100_000;
    let scene = Scene::new();
    let run = scene.net.run(async {
        let builder = scene.builder().downstream(|downstream| downstream.max_buffered = MOST);
        let handle = scene.serve(builder).await;
        let mut lines = Vec::new();
        let mut most = 0;
        for _ in 0..20 {
            let mut line = scene.line().await;
            let post = "POST /never HTTP/1.1\r\nhost: a\r\ncontent-length: 60000\r\n\r\n";
            line.send(post).await;
            {
                let (mut send, mut sleep) =
                    (pin!(line.send([b'x'; 60_000])), pin!(scene.client.sleep(SECOND)));
                poll_fn(|cx| match send.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(()),
                    Poll::Pending => sleep.as_mut().poll(cx),
                })
                .await;
            }
            most = most.max(handle.buffered());
            lines.push(line);
        }
        let mut other = scene.line().await;
        other.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 60000\r\n\r\n").await;
        other.send([b'x'; 60_000]).await;
        other.until("read 60000").await;
        assert!(handle.counts().count(Cut::MemoryPaused) > 0);
        let drained = handle.drain_within(SECOND).await;
        assert_eq!(drained.connections, 20);
        drop(lines);
        (most, handle.buffered())
    });
    let (most, left) = run.unwrap();
    println!("twenty bodies of 60,000 bytes that nobody reads: {most} bytes held");
    // One read of 16 KiB each comes on top.
    assert!(most <= MOST + 20 * (16 << 10), "{most}");
    assert_eq!(left, 0);
}
