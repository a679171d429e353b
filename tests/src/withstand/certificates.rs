//! Servers whose TLS a client must not take: each is told in one sentence, and a good server is
//! asked all the same.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::engine::tls::ServerOptions;
use regatta_core::types::Protocol;
use regatta_core::upstream::Protocols;
use regatta_runtime::{Body, Client, Error, Roots, Runtime, Server, ServerHandle};
use regatta_sim::{Link, Net, tls};
use regatta_tokio::Tokio;

use crate::dsl::run;
use crate::peers::program::{Folder, get, regatta};
use crate::serve::ANY;
use crate::trust::Authority;

const EXPIRED: &str = "TLS failed, the certificate has expired or is not valid yet";
const ISSUER: &str = "TLS failed, the certificate's issuer is not trusted";
const NAME: &str = "TLS failed, the certificate is for another name";
const ALPN: &str = "TLS failed, no version, cipher or protocol in common";

/// What a server shows, and what comes of it.
struct Case {
    name: &'static str,
    shows: ServerOptions,
    /// The client insists on HTTP/2, which the server does not speak.
    insists: bool,
    code: i32,
    says: &'static str,
}

fn cases(
    expired: ServerOptions,
    wrong: ServerOptions,
    own: ServerOptions,
    good: ServerOptions,
) -> Vec<Case> {
    let case = |name, shows, says| Case { name, shows, insists: false, code: 60, says };
    let mut old = good;
    old.alpn = vec![Protocol::Http1];
    vec![
        case("expired", expired, EXPIRED),
        case("self-signed", own, ISSUER),
        case("for another name", wrong, NAME),
        Case { name: "ALPN", shows: old, insists: true, code: 35, says: ALPN },
    ]
}

async fn serve<R: Runtime>(
    runtime: &R,
    at: SocketAddr,
    shows: ServerOptions,
) -> (SocketAddr, ServerHandle<R>) {
    let server = Server::builder(runtime.clone()).tls(shows).bind(at).await.unwrap();
    let (at, handle) = (server.local_address().unwrap(), server.handle());
    let answer = |_: Request<Body>| async { Response::new(Full::new(Bytes::from_static(b"ok"))) };
    runtime.spawn(server.serve(answer));
    (at, handle)
}

async fn ask<R: Runtime>(client: &Client<R>, url: String) -> Result<Bytes, Error> {
    let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
    Ok(client.request(request).await?.into_body().collect().await?.to_bytes())
}

fn client<R: Runtime>(runtime: &R, roots: Roots, at: IpAddr, insists: bool) -> Client<R> {
    let builder = Client::builder(runtime.clone()).roots(roots).resolve("www.test", vec![at]);
    let builder = builder.profile(|profile| {
        if insists {
            profile.protocols = Protocols::Http2PriorKnowledge;
        }
    });
    builder.build().unwrap()
}

/// Asks the bad server, then the good one.
async fn meet<R: Runtime>(client: &Client<R>, case: &Case, bad: SocketAddr, good: SocketAddr) {
    let error = ask(client, format!("https://www.test:{}/", bad.port())).await.unwrap_err();
    let said = error.to_string();
    let begin = format!("cannot connect to https://www.test:{}: {}", bad.port(), case.says);
    assert!(said.starts_with(&begin), "{}: {said}", case.name);
    assert!(!said.contains('\n'), "one sentence: {said}");
    let next = ask(client, format!("https://www.test:{}/", good.port())).await;
    assert_eq!(next.unwrap(), "ok", "{}: the next", case.name);
    client.check();
    assert_eq!(client.inspect(|upstream| upstream.requests()), 0, "{}", case.name);
}

/// An authority, and what servers of it and of another show for a name.
fn shown(name: &str) -> (Authority, Vec<Case>, ServerOptions) {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = || authority.server(&[name]);
    let cases = cases(
        authority.expired(&[name]),
        authority.server(&["stranger.test"]),
        other.server(&[name]),
        good(),
    );
    let good = good();
    (authority, cases, good)
}

#[test]
fn on_sockets() {
    run(async {
        let (authority, cases, good) = shown("www.test");
        let runtime = Tokio::new();
        let (good, _keep) = serve(&runtime, ANY, good).await;
        for case in cases {
            let (bad, _keep) = serve(&runtime, ANY, case.shows.clone()).await;
            let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let client = client(&runtime, authority.roots(), loopback, case.insists);
            meet(&client, &case, bad, good).await;
        }
    });
}

#[test]
fn simulated() {
    let root = || Roots::Der(vec![tls::ROOT.to_vec()]);
    let cases = cases(tls::expired(), tls::stranger(), tls::good(), tls::good());
    for case in cases {
        let net = Net::seeded(1);
        let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
        let asking = net.host("client", ["192.0.2.9".parse().unwrap()]);
        net.link(&asking, &server, Link::delay(Duration::from_millis(5)));
        let at = |port: u16| SocketAddr::new("192.0.2.1".parse().unwrap(), port);
        net.run(async {
            let (bad, _keep) = serve(&server, at(444), case.shows.clone()).await;
            let (good, _keep) = serve(&server, at(443), tls::good()).await;
            if case.says == ISSUER {
                let client = client(&asking, Roots::None, bad.ip(), false);
                let error = ask(&client, "https://www.test:444/".to_owned()).await.unwrap_err();
                assert!(error.to_string().contains(ISSUER), "{error}");
                client.check();
                return;
            }
            meet(&client(&asking, root(), bad.ip(), case.insists), &case, bad, good).await;
        })
        .unwrap();
    }
}

/// Every case is one URL, with a good server behind it in the same run.
#[test]
fn said() {
    // Built before the clock runs.
    regatta();
    run(async {
        let (authority, cases, good) = shown("127.0.0.1");
        let folder = Folder::new();
        let ca = folder.file("ca.pem", authority.pem());
        let runtime = Tokio::new();
        let (good, _keep) = serve(&runtime, ANY, good).await;
        for case in cases {
            let (bad, _keep) = serve(&runtime, ANY, case.shows.clone()).await;
            let urls = [format!("https://{bad}/"), format!("https://{good}/")];
            let (insists, ca) = (case.insists, ca.clone());
            let asked = tokio::task::spawn_blocking(move || {
                let http2 = if insists { &["--http2-prior-knowledge"][..] } else { &[] };
                let words = ["-sS", "--cacert", &ca, "-w", "%{exitcode} %{errormsg}\\n"];
                let null = ["-o", "/dev/null", &urls[0], "-o", "/dev/null", &urls[1]];
                get(&[http2, &words, &null].concat())
            });
            let said = asked.await.unwrap();
            let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
            let begin = format!("{} cannot connect to https://{bad}: {}", case.code, case.says);
            assert!(lines[0].starts_with(&begin), "{}: {lines:?}", case.name);
            assert_eq!(lines[1..], ["0"], "{}: the next", case.name);
        }
    });
}
