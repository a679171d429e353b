//! Early data over HTTP/3 (0-RTT): who goes with the first flight, what that spares, and what
//! becomes of it where it comes to nothing. The production driver of both sides, on virtual time.

mod stage;

use core::future::Future as _;
use core::net::IpAddr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use regatta_core::engine::quic;
use regatta_core::race::Delay;
use regatta_core::record::Kind;
use regatta_core::types::Transport;
use regatta_models::tape::Tape;
use regatta_runtime::{
    Body, Builder, Client, EarlyData, EarlyOutcome, Error, Roots, Server, ServerHandle, Timeline,
};
use regatta_sim::choice::Choices;
use regatta_sim::net::rule::{self, Action, Rule};
use regatta_sim::{Host, Net, tls};

use self::stage::{AT, MS, NEAR, SECOND, offer, origin};

const RTT: Duration = Duration::from_millis(40);
const V4: &str = "192.0.2.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What a server has answered: method, path, and whether it came early.
type Seen = Arc<Mutex<Vec<(Method, String, bool)>>>;

/// A server and a client, 20 ms apart.
struct Scene {
    net: Net,
    server: Host,
    host: Host,
    seen: Seen,
}

impl Scene {
    fn new() -> Self {
        Self::on(Net::seeded(1))
    }

    fn on(net: Net) -> Self {
        let server = net.host("server", [ip(V4)]);
        let host = net.host("client", [ip("192.0.2.9")]);
        net.link(&host, &server, NEAR);
        net.name("www.test", [ip(V4)]);
        Self { net, server, host, seen: Seen::default() }
    }

    /// Plays to the end.
    fn play(self, body: impl AsyncFnOnce(&Self)) {
        self.net.run(body(&self)).unwrap();
    }

    /// Serves everything; `/picky` only when the client is known to be there.
    async fn serve(&self, early_data: bool) -> ServerHandle<Host> {
        let mut options = quic::ServerOptions::default();
        options.early_data = early_data;
        let builder = Server::builder(self.server.clone()).tls(tls::good()).http3(options);
        let seen = Arc::clone(&self.seen);
        stage::serve(&self.server, AT, builder, move |request: Request<Body>| {
            let is_early = request.extensions().get::<EarlyData>().is_some();
            let path = request.uri().path().to_owned();
            let is_picky = path == "/picky";
            seen.lock().unwrap().push((request.method().clone(), path, is_early));
            async move {
                let mut response = Response::new(Full::new(Bytes::from_static(b"hello")));
                if is_early && is_picky {
                    *response.status_mut() = StatusCode::TOO_EARLY;
                }
                response
            }
        })
        .await
    }

    fn client(&self, change: impl FnOnce(Builder<Host>) -> Builder<Host>) -> Client<Host> {
        let builder = Client::builder(self.host.clone()).http3().early_data(true);
        let builder = builder.roots(Roots::Der(vec![tls::ROOT.to_vec()]));
        let builder = builder.alternative(origin(), offer());
        change(builder.idle_timeout(Some(SECOND))).build().unwrap()
    }

    /// A client whose first connection is over.
    async fn resuming(&self) -> Client<Host> {
        let client = self.client(|builder| builder);
        let (first, _) = self.ask(&client, Method::GET, "/first").await.unwrap();
        assert_eq!(first.early, None, "there is no ticket yet");
        self.host.sleep(3 * SECOND).await;
        assert_eq!(client.inspect(|upstream| upstream.connections()), 0);
        client
    }

    async fn ask(
        &self,
        client: &Client<Host>,
        method: Method,
        path: &str,
    ) -> Result<(Timeline, StatusCode), Error> {
        let uri = format!("https://www.test{path}");
        let request = Request::builder().method(method).uri(uri);
        let response = client.request(request.body(Full::new(Bytes::new())).unwrap()).await?;
        let (parts, body) = response.into_parts();
        let timeline = body.timeline().unwrap();
        assert_eq!(body.collect().await?.to_bytes(), "hello");
        let timeline = timeline.snapshot();
        client.check();
        let protocol = timeline.connection.as_ref().map(|made| made.protocol.to_string());
        let version = if parts.version == Version::HTTP_3 { "HTTP/3" } else { "HTTP/2" };
        assert_eq!(protocol.as_deref(), Some(version));
        Ok((timeline, parts.status))
    }

    /// Those that the server has answered since the last call.
    fn seen(&self) -> Vec<String> {
        let mut seen = self.seen.lock().unwrap();
        let told = |(method, path, early): (Method, String, bool)| {
            format!("{method} {path}{}", if early { " early" } else { "" })
        };
        seen.drain(..).map(told).collect()
    }
}

/// How long a request waited for the first byte of its answer.
fn waited(timeline: &Timeline) -> Duration {
    timeline.first_byte.unwrap().saturating_since(timeline.requested)
}

fn outcome(timeline: &Timeline) -> Option<EarlyOutcome> {
    timeline.early.map(|early| early.outcome)
}

fn counts(client: &Client<Host>) -> [u64; 3] {
    let kinds = [Kind::EarlyData, Kind::EarlyDataSent, Kind::EarlyDataRefused];
    client.inspect(|upstream| kinds.map(|kind| upstream.count(kind)))
}

#[test]
fn the_second_connection_spares_a_round_trip() {
    Scene::new().play(async |scene| {
        scene.serve(true).await;
        let client = scene.client(|builder| builder);
        let (first, _) = scene.ask(&client, Method::GET, "/first").await.unwrap();
        assert_eq!((waited(&first), outcome(&first)), (2 * RTT, None));
        scene.host.sleep(3 * SECOND).await;
        let (second, _) = scene.ask(&client, Method::GET, "/second").await.unwrap();
        assert_eq!((waited(&second), outcome(&second)), (RTT, Some(EarlyOutcome::Accepted)));
        assert_eq!(second.early.unwrap().sent, second.requested);
        let made = second.connection.unwrap();
        assert!(made.tls.unwrap().resumed);
        assert_eq!(made.established, second.requested + RTT);
        assert_eq!(second.resends, 0);
        // Over the same connection nothing is early any more.
        let (third, _) = scene.ask(&client, Method::GET, "/third").await.unwrap();
        assert_eq!((waited(&third), outcome(&third)), (RTT, None));
        assert_eq!(scene.seen(), ["GET /first", "GET /second early", "GET /third"]);
        assert_eq!(counts(&client), [1, 1, 0]);
    });
}

/// A server that was started anew knows no ticket: what came early it has not seen.
#[test]
fn what_the_handshake_refuses_goes_again_and_is_answered_once() {
    Scene::new().play(async |scene| {
        let handle = scene.serve(true).await;
        let client = scene.resuming().await;
        handle.drain().await;
        scene.host.sleep(SECOND).await;
        scene.serve(true).await;
        scene.seen();
        let (second, status) = scene.ask(&client, Method::GET, "/second").await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!((waited(&second), second.resends), (2 * RTT, 1), "as without early data");
        assert_eq!(outcome(&second), Some(EarlyOutcome::SentAgain));
        assert!(!second.connection.unwrap().tls.unwrap().resumed);
        assert_eq!(scene.seen(), ["GET /second"]);
        assert_eq!(counts(&client), [1, 1, 1]);
        assert_eq!(client.inspect(|upstream| upstream.connections()), 1, "the same one");
        // Its tickets are good for the next.
        scene.host.sleep(3 * SECOND).await;
        let (third, _) = scene.ask(&client, Method::GET, "/third").await.unwrap();
        assert_eq!((waited(&third), outcome(&third)), (RTT, Some(EarlyOutcome::Accepted)));
    });
}

// rule: ED-1b A82
#[test]
fn what_is_too_early_goes_again_over_the_full_handshake() {
    Scene::new().play(async |scene| {
        scene.serve(true).await;
        let client = scene.resuming().await;
        scene.seen();
        let (second, status) = scene.ask(&client, Method::GET, "/picky").await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert_eq!((waited(&second), second.resends), (2 * RTT, 1));
        assert_eq!(outcome(&second), Some(EarlyOutcome::SentAgain));
        assert_eq!(scene.seen(), ["GET /picky early", "GET /picky"]);
        assert_eq!(counts(&client), [1, 1, 1]);
    });
}

/// Who forwards what came to it early answers for it itself (RFC 8470 5.2).
// rule: ED-1c
#[test]
fn who_marks_a_request_as_early_gets_the_425() {
    Scene::new().play(async |scene| {
        scene.serve(true).await;
        let client = scene.resuming().await;
        let request = Request::get("https://www.test/picky").header("early-data", "1");
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let answer = client.request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_EARLY);
        assert_eq!(counts(&client), [1, 1, 0]);
    });
}

// rule: ED-1a A82
#[test]
fn who_is_not_safe_or_has_a_body_waits_for_the_handshake() {
    Scene::new().play(async |scene| {
        scene.serve(true).await;
        let client = scene.resuming().await;
        for (n, method) in [Method::POST, Method::PUT, Method::DELETE].into_iter().enumerate() {
            scene.seen();
            let (second, _) = scene.ask(&client, method.clone(), "/second").await.unwrap();
            assert_eq!((waited(&second), outcome(&second)), (2 * RTT, None), "{method}");
            assert_eq!(scene.seen(), [format!("{method} /second")]);
            assert_eq!(counts(&client), [0, 0, 0], "{n}");
            scene.host.sleep(3 * SECOND).await;
        }
        let body = Full::new(Bytes::from_static(b"more"));
        let request = Request::get("https://www.test/body").body(body).unwrap();
        client.request(request).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(scene.seen().last().unwrap(), "GET /body");
        assert_eq!(counts(&client), [0, 0, 0]);
    });
}

/// A request that may not go early waits beside one that may, and goes on the same connection.
#[test]
fn the_handshake_is_awaited_by_those_who_must_and_by_nobody_else() {
    Scene::new().play(async |scene| {
        scene.serve(true).await;
        let client = scene.resuming().await;
        scene.seen();
        let get = scene.ask(&client, Method::GET, "/get");
        let post = scene.ask(&client, Method::POST, "/post");
        let (mut get, mut post) = (pin!(get), pin!(post));
        // Both are asked at once.
        let first = core::future::poll_fn(|cx| match get.as_mut().poll(cx) {
            Poll::Ready(told) => Poll::Ready(told),
            Poll::Pending => {
                assert!(post.as_mut().poll(cx).is_pending());
                Poll::Pending
            }
        });
        assert_eq!(waited(&first.await.unwrap().0), RTT);
        assert_eq!(waited(&post.await.unwrap().0), 2 * RTT);
        assert_eq!(scene.seen(), ["GET /get early", "POST /post"]);
        assert_eq!(client.inspect(|upstream| upstream.connections()), 1);
    });
}

#[test]
fn without_both_sides_nothing_goes_early() {
    for (client_may, server_may) in [(false, true), (true, false)] {
        Scene::new().play(async |scene| {
            scene.serve(server_may).await;
            let client = scene.client(|builder| builder.early_data(client_may));
            scene.ask(&client, Method::GET, "/first").await.unwrap();
            scene.host.sleep(3 * SECOND).await;
            let (second, _) = scene.ask(&client, Method::GET, "/second").await.unwrap();
            assert_eq!((waited(&second), outcome(&second)), (2 * RTT, None));
            assert!(second.connection.unwrap().tls.unwrap().resumed, "its session goes on");
            assert_eq!(scene.seen(), ["GET /first", "GET /second"]);
            assert_eq!(counts(&client), [0, 0, 0]);
        });
    }
}

/// EARLY-OVERTAKEN: datagrams are swallowed, with a ticket at hand.
#[test]
fn where_udp_is_swallowed_nothing_is_lost_and_tcp_serves_as_soon_as_without_a_ticket() {
    Scene::new().play(async |scene| {
        scene.serve(true).await;
        let client = scene.resuming().await;
        let mut rule = Rule::new(Action::Drop);
        rule.transport = Some(rule::Transport::Udp);
        scene.net.rule(rule);
        scene.seen();
        let (second, _) = scene.ask(&client, Method::GET, "/second").await.unwrap();
        // TCP begins 300 ms later and needs three round trips.
        assert_eq!((waited(&second), second.resends), (300 * MS + 3 * RTT, 1));
        assert_eq!(outcome(&second), Some(EarlyOutcome::SentAgain));
        assert_eq!(second.attempts[0].transport, Transport::Quic);
        assert_eq!(scene.seen(), ["GET /second"]);
        assert_eq!(counts(&client), [1, 1, 1]);
        // The handshake is given up later, and the next request knows.
        scene.host.sleep(10 * SECOND).await;
        assert_eq!(client.inspect(|upstream| upstream.connections()), 0);
        let (third, _) = scene.ask(&client, Method::GET, "/third").await.unwrap();
        assert_eq!((third.early, third.resends), (None, 0));
        assert_eq!(scene.seen(), ["GET /third"]);
    });
}

/// TCP is established while what went early waits: it is called back and goes there, and what the
/// server says over QUIC later is not heard twice.
#[test]
fn tcp_that_is_established_first_takes_what_went_early() {
    Scene::new().play(async |scene| {
        scene.serve(true).await;
        let client =
            scene.client(|builder| builder.race(|race| race.delay = Delay::Fixed(50 * MS)));
        scene.ask(&client, Method::GET, "/first").await.unwrap();
        scene.host.sleep(3 * SECOND).await;
        scene.seen();
        // What the server says over UDP is lost.
        let mut rule = Rule::new(Action::Drop);
        (rule.transport, rule.one_way) = (Some(rule::Transport::Udp), true);
        rule.to = Some(ip("192.0.2.9"));
        scene.net.rule(rule);
        let (second, _) = scene.ask(&client, Method::GET, "/second").await.unwrap();
        assert_eq!(outcome(&second), Some(EarlyOutcome::SentAgain));
        assert_eq!(second.resends, 1);
        // It is safe to be seen twice; the caller has one answer.
        assert_eq!(scene.seen(), ["GET /second early", "GET /second"]);
        scene.host.sleep(10 * SECOND).await;
        client.check();
    });
}

/// Whatever is lost on the way, each request is answered, and the same tape gives the same steps.
#[test]
fn what_the_network_loses_is_not_lost() {
    let mut accepted = 0;
    for seed in 0..8 {
        let run = || {
            let scene = Scene::on(Net::new(Choices::new(Tape::seeded(seed)), seed));
            let lossy = NEAR.loss_ppm(100_000);
            scene.net.link(&scene.host, &scene.server, lossy);
            let accepted = scene.net.run(async {
                let mut handle = scene.serve(true).await;
                let client = scene.client(|builder| builder);
                let mut accepted = 0;
                for n in 0..6 {
                    let path = if n % 3 == 1 { "/picky" } else { "/plain" };
                    let (told, status) = scene.ask(&client, Method::GET, path).await.unwrap();
                    assert_eq!(status, StatusCode::OK, "seed {seed}");
                    accepted += u32::from(outcome(&told) == Some(EarlyOutcome::Accepted));
                    scene.host.sleep(20 * SECOND).await;
                    if n == 3 {
                        handle.drain().await;
                        scene.host.sleep(SECOND).await;
                        handle = scene.serve(true).await;
                    }
                }
                accepted
            });
            (accepted.unwrap(), scene.net.steps(|steps| steps.digest()))
        };
        let first = run();
        assert_eq!(first, run(), "seed {seed}");
        accepted += first.0;
    }
    assert!(accepted >= 4, "{accepted} were accepted");
}
