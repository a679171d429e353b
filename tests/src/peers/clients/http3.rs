//! curl and h2load over HTTP/3, as clients of `regatta origin`.

use std::path::Path;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use regatta_core::engine::quic;
use regatta_tokio::Body;

use super::{Origins, every_kind, in_parallel, loads, reuses_until_goaway};
use crate::peers::program::{Folder, find, say};
use crate::peers::relay::Relay;
use crate::serve::{ANY, Serving};
use crate::trust::Authority;

#[test]
fn curl_asks_for_all() {
    let Some(curl) = find("curl_http3") else { return };
    let origins = Origins::start();
    let upload = origins.folder.file("upload", vec![b'u'; 1 << 20]);
    let (options, at) = (["--http3-only", "--cacert", &origins.ca], origins.tls.https(""));
    every_kind(&curl, &options, &at, &upload);
    reuses_until_goaway(&curl, &options, &at);
    in_parallel(&curl, &options, &at);
}

/// A certificate that it does not trust ends curl's attempt, and nothing of ours.
#[test]
fn curl_refuses_an_unknown_authority() {
    let Some(curl) = find("curl_http3") else { return };
    let (origins, others) = (Origins::start(), Origins::start());
    let url = origins.tls.https("/bytes/5");
    let ask = |ca: &str| say(&curl, &["-sS", "-m", "30", "--http3-only", "--cacert", ca, &url]);
    let refused = ask(&others.ca);
    assert_eq!(refused.code, 60, "{}", refused.err);
    assert_eq!(ask(&origins.ca).well(), "abcde");
}

#[test]
fn h2load_succeeds_every_time() {
    let Some(h2load) = find("h2load_http3") else { return };
    let origins = Origins::start();
    let tls = &origins.tls;
    let runs: [(&[&str], String, &str); 3] = [
        (&["--h3", "-n", "2000", "-c", "4", "-m", "32"], tls.https("/"), "2000"),
        (
            &["--alpn-list=h3", "-n", "1000", "-c", "4", "-m", "100"],
            tls.https("/bytes/2000"),
            "1000",
        ),
        (&["--h3", "-n", "100", "-c", "4", "-m", "10"], tls.https("/bytes/200000"), "100"),
    ];
    for (words, url, n) in runs {
        loads(&h2load, words, &url, n);
    }
}

/// nghttp3's encoder, with a dynamic table of ours at the other end: the same fields, forty times
/// on one connection, cost less than half of what they do without. (curl grants no table itself,
/// so that the way back is without one.)
#[tokio::test(flavor = "multi_thread")]
async fn curl_compresses_fields() {
    let Some(curl) = find("curl_http3") else { return };
    let plain = compressed(&curl, 0).await;
    let packed = compressed(&curl, 4_096).await;
    println!("{plain} bytes up, with a table {packed}");
    assert!(packed * 2 < plain, "{packed} bytes with a table, {plain} without");
}

/// The other way: our encoder, with nghttp3's decoder and its table at the other end. The same
/// fields in forty answers on one connection cost less than half of what they do without.
#[tokio::test(flavor = "multi_thread")]
async fn h2load_reads_compressed_fields() {
    let Some(h2load) = find("h2load_http3") else { return };
    let plain = told(&h2load, 0).await;
    let packed = told(&h2load, 4_096).await;
    println!("{plain} bytes down, with a table {packed}");
    assert!(packed * 2 < plain, "{packed} bytes with a table, {plain} without");
}

async fn told(h2load: &Path, table: u32) -> u64 {
    let (serving, _authority) = serving(table, |_| {
        let fields = FIELDS.map(|name| (name, "v".repeat(200 + name.len())));
        let answer = fields
            .into_iter()
            .fold(Response::builder(), |answer, (name, value)| answer.header(name, value));
        answer.body(Full::default()).unwrap()
    })
    .await;
    let relay = Relay::to(serving.address).await;
    let url = format!("https://127.0.0.1:{}/", relay.address.port());
    let h2load = h2load.to_owned();
    let load = move || {
        let words = ["--h3", "-n", "40", "-c", "1", "-m", "1", "--header-table-size=4096"];
        loads(&h2load, &words, &url, "40");
    };
    tokio::task::spawn_blocking(load).await.unwrap();
    assert_eq!(serving.handle.accepted_connections(), 1);
    relay.down()
}

/// nghttp3 puts only names in its table that it knows.
const FIELDS: [&str; 5] = ["accept-language", "cache-control", "purpose", "referer", "user-agent"];

async fn compressed(curl: &Path, table: u32) -> u64 {
    // What has such a value comes back.
    let (serving, authority) = serving(table, |request| {
        let mut response = Response::new(Full::new(Bytes::new()));
        let fields = request.headers().iter();
        let fields = fields.filter(|(_, value)| value.as_bytes().starts_with(b"vvv"));
        response.headers_mut().extend(fields.map(|(name, value)| (name.clone(), value.clone())));
        response
    })
    .await;
    let folder = Folder::new();
    let ca = folder.file("ca.pem", authority.pem());
    let relay = Relay::to(serving.address).await;
    let url = format!("https://127.0.0.1:{}/[1-40]", relay.address.port());
    let fields = FIELDS.map(|name| format!("{name}: {}", "v".repeat(200 + name.len())));
    let (sent, curl) = (fields.clone(), curl.to_owned());
    let asked = tokio::task::spawn_blocking(move || {
        let words = ["-sSi", "-m", "60", "--http3-only", "--cacert", &ca, &url];
        let fields = sent.iter().flat_map(|field| ["-H", field]);
        say(curl, &words.into_iter().chain(fields).collect::<Vec<_>>())
    });
    let said = asked.await.unwrap().well().replace('\r', "");
    for field in fields {
        assert_eq!(said.lines().filter(|line| **line == field).count(), 40, "{field}");
    }
    assert_eq!(serving.handle.accepted_connections(), 1);
    relay.up()
}

/// A server with so many bytes for a table, both ways, and the authority of its certificate.
async fn serving(
    table: u32,
    respond: fn(Request<Body>) -> Response<Full<Bytes>>,
) -> (Serving, Authority) {
    let authority = Authority::new();
    let tls = regatta_tokio::server().tls(authority.server(&["localhost", "127.0.0.1"]));
    let server = tls.http3(quic::ServerOptions::default());
    let server = server.engine(|engine| (engine.qpack_table, engine.qpack_blocked) = (table, 16));
    let server = server.bind(ANY).await.unwrap();
    let serving = Serving::start(server, move |request| async move { respond(request) });
    (serving, authority)
}
