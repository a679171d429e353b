//! HTTP/3 where an origin offers it: how that is learnt, who wins the race, and what becomes of
//! requests where UDP does not get through. The production driver of both sides, on virtual time.

mod stage;

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use regatta_core::altsvc::{Alternative, Offer, Said, Source};
use regatta_core::engine::quic;
use regatta_core::engine::tls::ServerOptions;
use regatta_core::record::Kind;
use regatta_core::types::{Cause, Transport};
use regatta_models::tape::Tape;
use regatta_runtime::{
    AttemptOutcome, AttemptTrace, Body, Builder, Client, Error, Roots, Runtime as _, Server,
    ServerHandle,
};
use regatta_sim::choice::Choices;
use regatta_sim::net::names::{Record, Records, Reply, Service};
use regatta_sim::net::rule::{self, Action, Rule};
use regatta_sim::{Host, Link, Net, tls};

use self::stage::{MS, NEAR, SECOND, offer, origin};

const V4: &str = "192.0.2.1";
const V6: &str = "2001:db8::1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A server and a client, 20 ms apart; the client's datagrams and answers to them may be dropped.
struct Scene {
    net: Net,
    server: Host,
    host: Host,
}

impl Scene {
    fn new(addresses: &[&str]) -> Self {
        Self::on(Net::seeded(1), addresses)
    }

    fn on(net: Net, addresses: &[&str]) -> Self {
        let server = net.host("server", addresses.iter().map(|text| ip(text)));
        let host = net.host("client", [ip("192.0.2.9"), ip("2001:db8::9")]);
        net.link(&host, &server, NEAR);
        net.name("www.test", addresses.iter().map(|text| ip(text)));
        Self { net, server, host }
    }

    /// Plays to the end.
    fn play(self, body: impl AsyncFnOnce(&Self)) {
        self.net.run(body(&self)).unwrap();
    }

    /// Drops UDP, to this address alone where there is one.
    fn block(&self, to: Option<&str>) -> Rule {
        let mut rule = Rule::new(Action::Drop);
        rule.transport = Some(rule::Transport::Udp);
        rule.to = to.map(ip);
        self.net.rule(rule);
        rule
    }

    fn client(&self, change: impl FnOnce(Builder<Host>) -> Builder<Host>) -> Client<Host> {
        let builder = Client::builder(self.host.clone()).http3();
        let builder = builder.roots(Roots::Der(vec![tls::ROOT.to_vec()]));
        change(builder).build().unwrap()
    }

    /// One that knows beforehand that the server speaks HTTP/3.
    fn knowing(&self) -> Client<Host> {
        self.client(|builder| builder.alternative(origin(), offer()))
    }

    /// What the client knows of how well HTTP/3 works there.
    fn state(&self, client: &Client<Host>) -> String {
        let (now, origin) = (self.host.now(), origin());
        client.inspect(|upstream| {
            let mut known = upstream.alternatives().known(now, &origin);
            known.next().map_or_else(|| "none".to_owned(), |known| format!("{:?}", known.state))
        })
    }
}

/// Serves HTTP/3 and, on the same port, what else there is; answers say what Alt-Used said. Who
/// comes for `stranger.test:8443` is told that nobody here speaks for the origin.
async fn serve(host: &Host, at: &str, options: ServerOptions) -> ServerHandle<Host> {
    let builder = Server::builder(host.clone()).tls(options);
    stage::serve(
        host,
        at,
        builder.http3(quic::ServerOptions::default()),
        |request: Request<Body>| async move {
            let used = request.headers().get("alt-used").cloned();
            let body = request.into_body().collect().await.map(|all| all.to_bytes());
            let mut response = Response::new(Full::new(body.unwrap_or_default()));
            if let Some(used) = used {
                if used == "stranger.test:8443" {
                    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
                }
                response.headers_mut().insert("seen", used);
            }
            response
        },
    )
    .await
}

/// An answer: its version, what Alt-Used said, and the attempts that it waited for.
struct Answer {
    version: Version,
    used: Option<String>,
    attempts: Vec<AttemptTrace>,
}

impl Answer {
    fn attempts(&self) -> Vec<(Transport, AttemptOutcome)> {
        self.attempts.iter().map(|attempt| (attempt.transport, attempt.outcome)).collect()
    }
}

async fn get(client: &Client<Host>) -> Result<Answer, Error> {
    let request = Request::get("https://www.test/").body(Full::new(Bytes::new())).unwrap();
    let response = client.request(request).await?;
    let (parts, body) = response.into_parts();
    let timeline = body.timeline().unwrap();
    body.collect().await?;
    let timeline = timeline.snapshot();
    let used = parts.headers.get("seen").map(|value| value.to_str().unwrap().to_owned());
    client.check();
    Ok(Answer { version: parts.version, used, attempts: timeline.attempts })
}

#[test]
fn the_first_request_teaches_and_later_ones_go_over_quic() {
    Scene::new(&[V4]).play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        let client = scene.client(|builder| builder);
        let first = get(&client).await.unwrap();
        assert_eq!((first.version, first.used), (Version::HTTP_2, None));
        assert_eq!(scene.state(&client), "Unknown");
        // QUIC starts beside it, and the request waits for nothing.
        assert_eq!(get(&client).await.unwrap().version, Version::HTTP_2);
        scene.host.sleep(100 * MS).await;
        let third = get(&client).await.unwrap();
        assert_eq!(third.version, Version::HTTP_3);
        assert_eq!(third.used.as_deref(), Some("www.test"));
        assert_eq!(scene.state(&client), "Confirmed");
    });
}

#[test]
fn a_client_that_was_not_asked_to_learns_nothing_and_sends_nothing_over_udp() {
    Scene::new(&[V4]).play(async |scene| {
        let handle = serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        let client = Client::builder(scene.host.clone());
        let client = client.roots(Roots::Der(vec![tls::ROOT.to_vec()])).build().unwrap();
        for _ in 0..3 {
            assert_eq!(get(&client).await.unwrap().version, Version::HTTP_2);
            scene.host.sleep(SECOND).await;
        }
        assert_eq!(scene.state(&client), "none");
        assert_eq!(handle.accepted_connections(), 1);
    });
}

#[test]
fn quic_that_is_known_beforehand_serves_the_first_request_in_two_round_trips() {
    Scene::new(&[V4]).play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        let answer = get(&scene.knowing()).await.unwrap();
        assert_eq!(answer.version, Version::HTTP_3);
        assert_eq!(answer.attempts(), [(Transport::Quic, AttemptOutcome::Won)]);
        assert_eq!(scene.host.now().as_nanos(), 80_000_000);
    });
}

#[test]
fn where_udp_is_swallowed_tcp_wins_300_ms_later_and_quic_is_broken_when_it_has_failed() {
    Scene::new(&[V4]).play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        let rule = scene.block(None);
        let client = scene.knowing();
        let answer = get(&client).await.unwrap();
        assert_eq!((answer.version, answer.used.as_deref()), (Version::HTTP_2, None));
        let (under_way, won) = (AttemptOutcome::UnderWay, AttemptOutcome::Won);
        let both = [(Transport::Quic, under_way), (Transport::Tcp, won)];
        assert_eq!(answer.attempts(), both);
        // The delay, and a round trip each of TCP, TLS and HTTP.
        assert_eq!(scene.host.now().as_nanos(), 300_000_000 + 3 * 40_000_000);
        assert_eq!(scene.state(&client), "Unknown");

        scene.host.sleep(5 * SECOND).await;
        assert!(scene.state(&client).starts_with("Broken"), "{}", scene.state(&client));
        assert_eq!(client.stats().count(Kind::Http3Broken), 1);
        assert_eq!(get(&client).await.unwrap().version, Version::HTTP_2);

        // Five minutes later it is tried again, beside TCP; by now it gets through.
        scene.net.apply(regatta_sim::net::fault::Fault::RemoveRule(rule));
        scene.host.sleep(301 * SECOND).await;
        assert_eq!(scene.state(&client), "Suspect");
        get(&client).await.unwrap();
        scene.host.sleep(SECOND).await;
        assert_eq!(get(&client).await.unwrap().version, Version::HTTP_3);
        assert_eq!(scene.state(&client), "Confirmed");
    });
}

#[test]
fn where_udp_is_refused_tcp_starts_at_once() {
    Scene::new(&[V4]).play(async |scene| {
        let at: SocketAddr = "192.0.2.1:443".parse().unwrap();
        let builder = Server::builder(scene.server.clone()).tls(tls::good());
        let listening = builder.bind(at).await.unwrap();
        scene.server.spawn(
            listening.serve(|_: Request<Body>| async { Response::new(Full::new(Bytes::new())) }),
        );
        let client = scene.knowing();
        let answer = get(&client).await.unwrap();
        assert_eq!(answer.version, Version::HTTP_2);
        let refused = AttemptOutcome::Failed(Cause::Refused);
        let both = [(Transport::Quic, refused), (Transport::Tcp, AttemptOutcome::Won)];
        assert_eq!(answer.attempts(), both);
        assert_eq!(scene.host.now().as_nanos(), 4 * 40_000_000);
        assert!(scene.state(&client).starts_with("Broken"));
    });
}

#[test]
fn where_udp_dies_later_the_request_goes_again_over_tcp_and_quic_is_suspect() {
    Scene::new(&[V4]).play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        let client = scene.knowing();
        assert_eq!(get(&client).await.unwrap().version, Version::HTTP_3);
        scene.block(None);
        assert_eq!(get(&client).await.unwrap().version, Version::HTTP_2);
        assert_eq!(client.stats().count(Kind::Http3Suspect), 1);
    });
}

#[test]
fn where_one_familys_udp_is_swallowed_the_other_ones_wins() {
    Scene::new(&[V6, V4]).play(async |scene| {
        serve(&scene.server, "[2001:db8::1]:443", tls::good()).await;
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        scene.block(Some(V6));
        let answer = get(&scene.knowing()).await.unwrap();
        assert_eq!(answer.version, Version::HTTP_3);
        let won: Vec<_> = answer
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome == AttemptOutcome::Won)
            .map(|attempt| attempt.address.to_string())
            .collect();
        assert_eq!(won, ["192.0.2.1:443"]);
        // The second family waits for the delay, too.
        assert_eq!(scene.host.now().as_nanos(), 300_000_000 + 2 * 40_000_000);
    });
}

/// An alternative on another host and port proves the origin's name, and requests name it.
#[test]
fn another_host_serves_where_its_certificate_is_the_origins() {
    for (options, is_used) in [(tls::good(), true), (tls::stranger(), false)] {
        let scene = Scene::new(&[V4]);
        let other = scene.net.host("other", [ip("192.0.2.7")]);
        scene.net.link(&scene.host, &other, Link::delay(5 * MS));
        scene.net.name("alt.test", [ip("192.0.2.7")]);
        scene
            .net
            .run(async {
                serve(&scene.server, "192.0.2.1:443", tls::good()).await;
                serve(&other, "192.0.2.7:8443", options).await;
                let alternative =
                    Alternative { host: Some("alt.test".into()), ..Alternative::http3(8443) };
                let client =
                    scene.client(|builder| builder.alternative(origin(), Offer::new(alternative)));
                let answer = get(&client).await.unwrap();
                let version = if is_used { Version::HTTP_3 } else { Version::HTTP_2 };
                assert_eq!(answer.version, version);
                assert_eq!(answer.used.as_deref(), is_used.then_some("alt.test:8443"));
                assert_eq!(client.stats().count(Kind::Http3Broken), u64::from(!is_used));
                // The origin has said since that its own host speaks HTTP/3.
                assert_eq!(scene.state(&client), if is_used { "Confirmed" } else { "Unknown" });
            })
            .unwrap();
    }
}

#[test]
fn an_alternative_that_answers_421_is_forgotten() {
    let scene = Scene::new(&[V4]);
    scene.net.name("stranger.test", [ip(V4)]);
    scene
        .net
        .run(async {
            serve(&scene.server, "192.0.2.1:443", tls::good()).await;
            serve(&scene.server, "192.0.2.1:8443", tls::good()).await;
            let alternative =
                Alternative { host: Some("stranger.test".into()), ..Alternative::http3(8443) };
            let client =
                scene.client(|builder| builder.alternative(origin(), Offer::new(alternative)));
            let answer = get(&client).await.unwrap();
            // The request went again by itself, to the origin.
            let both = [Transport::Quic, Transport::Tcp];
            assert_eq!(answer.attempts(), both.map(|over| (over, AttemptOutcome::Won)));
            assert_eq!((answer.version, answer.used), (Version::HTTP_2, None));
            let (now, origin) = (scene.host.now(), origin());
            let strangers = client.inspect(|upstream| {
                let known = upstream.alternatives().known(now, &origin);
                known.filter(|known| known.alternative.host.is_some()).count()
            });
            assert_eq!(strangers, 0);
        })
        .unwrap();
}

#[test]
fn what_was_said_for_a_second_holds_for_a_second() {
    Scene::new(&[V4]).play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        let client = scene.client(|builder| builder);
        let offer = Offer { max_age: SECOND, ..offer() };
        client.learn(&origin(), Said::Offers(vec![offer]), Source::Field);
        assert_eq!(scene.state(&client), "Unknown");
        scene.host.sleep(SECOND).await;
        assert_eq!(scene.state(&client), "none");
        let answer = get(&client).await.unwrap();
        assert_eq!(answer.attempts(), [(Transport::Tcp, AttemptOutcome::Won)]);
    });
}

#[test]
fn what_one_client_has_learnt_another_may_know() {
    Scene::new(&[V4]).play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        let first = scene.client(|builder| builder);
        get(&first).await.unwrap();
        let second = scene.client(|builder| builder);
        second.restore(&first.alternatives()).unwrap();
        assert_eq!(get(&second).await.unwrap().version, Version::HTTP_3);
        let error = second.restore("regatta-altsvc 1\nnonsense").unwrap_err().to_string();
        assert!(error.starts_with("line 2: expected "), "{error}");
        assert_eq!(scene.state(&second), "Confirmed");
    });
}

/// What the resolver knows of the server's services, the names being there at once.
fn services(net: &Net, record: Record) {
    net.records("www.test", Records::new().a(Record::addresses([ip(V4)])).https(record));
}

fn http3_at(port: Option<u16>) -> Record {
    let mut service = Service::http3();
    service.port = port;
    Record::new(Reply::Services(vec![service]))
}

/// The first request of a client that asks for HTTPS records, and the milliseconds that it took.
async fn first_asking(scene: &Scene) -> (Client<Host>, Answer, u64) {
    let start = scene.host.now();
    let client = scene.client(|builder| builder.https_records(true));
    let answer = get(&client).await.unwrap();
    let took = scene.host.now().saturating_since(start).as_millis();
    (client, answer, took as u64)
}

// rule: SV-5 SV-7
#[test]
fn an_https_record_sends_the_first_request_over_quic() {
    for (port, delay) in [(None, 0), (Some(8_443), 0), (None, 30)] {
        let scene = Scene::new(&[V4]);
        services(&scene.net, http3_at(port).delay(delay * MS));
        scene.play(async |scene| {
            serve(&scene.server, "192.0.2.1:443", tls::good()).await;
            serve(&scene.server, "192.0.2.1:8443", tls::good()).await;
            let (client, answer, took) = first_asking(scene).await;
            assert_eq!(answer.version, Version::HTTP_3);
            assert_eq!(answer.attempts(), [(Transport::Quic, AttemptOutcome::Won)]);
            let at = SocketAddr::new(ip(V4), port.unwrap_or(443));
            assert_eq!(answer.attempts[0].address, at);
            assert_eq!(answer.used, None, "it is no alternative service");
            assert_eq!(took, 80 + u64::from(delay));
            assert_eq!(scene.state(&client), "Confirmed");
        });
    }
}

#[test]
fn a_client_that_was_not_asked_to_asks_for_no_https_record() {
    let scene = Scene::new(&[V4]);
    services(&scene.net, http3_at(None));
    scene.play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        let client = scene.client(|builder| builder);
        assert_eq!(get(&client).await.unwrap().version, Version::HTTP_2);
    });
}

#[test]
fn an_https_record_is_waited_for_no_longer_than_50_ms_and_no_failure_of_it_fails_a_request() {
    let record = |reply| Record::new(reply).delay(10 * MS);
    let cut = [0, 1, 0, 0, 1, 0, 9, b'x'].to_vec();
    let all = [
        ("late", http3_at(None).delay(70 * MS), 50),
        ("never", Record::new(Reply::Silence), 50),
        ("failed", record(Reply::Failure), 10),
        ("no such name", record(Reply::NoSuchName), 10),
        ("none", record(Reply::Services(Vec::new())), 10),
        ("malformed", record(Reply::Data(vec![Service::http3().data(), cut])), 10),
    ];
    for (what, record, waited) in all {
        let scene = Scene::new(&[V4]);
        services(&scene.net, record);
        scene.play(async |scene| {
            serve(&scene.server, "192.0.2.1:443", tls::good()).await;
            let (client, answer, took) = first_asking(scene).await;
            assert_eq!((answer.version, took), (Version::HTTP_2, waited + 120), "{what}");
            assert_eq!(answer.attempts(), [(Transport::Tcp, AttemptOutcome::Won)], "{what}");
            // The response has told of HTTP/3 too.
            get(&client).await.unwrap();
            scene.host.sleep(100 * MS).await;
            assert_eq!(get(&client).await.unwrap().version, Version::HTTP_3, "{what}");
        });
    }
}

// rule: SV-2
#[test]
fn an_alias_leads_to_another_name() {
    let scene = Scene::new(&[V4]);
    let mut alias = Service::default();
    alias.target = Some("svc.test".to_owned());
    services(&scene.net, Record::new(Reply::Services(vec![alias])));
    let other = scene.net.host("other", [ip("192.0.2.7")]);
    scene.net.link(&scene.host, &other, Link::delay(5 * MS));
    let records = Records::new().a(Record::addresses([ip("192.0.2.7")])).https(http3_at(None));
    scene.net.records("svc.test", records);
    scene.play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        serve(&other, "192.0.2.7:443", tls::good()).await;
        let (_, answer, took) = first_asking(scene).await;
        assert_eq!((answer.version, took), (Version::HTTP_3, 20));
        assert_eq!(answer.attempts[0].address.to_string(), "192.0.2.7:443");
    });
}

#[test]
fn an_https_record_that_lies_is_broken_as_alt_svc_that_lies() {
    let scene = Scene::new(&[V4]);
    services(&scene.net, http3_at(None));
    scene.play(async |scene| {
        serve(&scene.server, "192.0.2.1:443", tls::good()).await;
        scene.block(None);
        let (client, answer, took) = first_asking(scene).await;
        assert_eq!((answer.version, took), (Version::HTTP_2, 420));
        scene.host.sleep(5 * SECOND).await;
        assert!(scene.state(&client).starts_with("Broken"), "{}", scene.state(&client));
        assert_eq!(client.stats().count(Kind::Http3Broken), 1);
    });
}

/// A race, a break, and more, from one tape twice.
#[test]
fn the_same_tape_gives_the_same_race() {
    for seed in 0..20 {
        let run = || {
            let net = Net::new(Choices::new(Tape::seeded(seed)), seed);
            let scene = Scene::on(net, &[V6, V4]);
            let played = scene.net.run(async {
                serve(&scene.server, "[2001:db8::1]:443", tls::good()).await;
                serve(&scene.server, "192.0.2.1:443", tls::good()).await;
                let client = scene.knowing();
                for round in 0..8 {
                    if round == seed % 8 {
                        scene.block((seed % 2 == 0).then_some(V6));
                    }
                    get(&client).await.unwrap();
                    scene.host.sleep(100 * MS).await;
                }
            });
            played.unwrap();
            scene.net.steps(|steps| steps.digest())
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
}
