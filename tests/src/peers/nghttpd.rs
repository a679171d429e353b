//! nghttpd as an origin of `regatta get`: HTTP/2 by another hand.

use std::process::Command;

use super::program::{Folder, Running, find, free_port, get};

/// nghttpd in plain text and over TLS.
struct Nghttpd {
    _running: [Running; 2],
    folder: Folder,
    ca: String,
    plain: u16,
    tls: u16,
}

impl Nghttpd {
    fn start(options: &[&str]) -> Option<Self> {
        let program = find("nghttpd")?;
        let folder = Folder::new();
        let (ca, certificate, key) = folder.certificates();
        folder.file("hello", "hello\n");
        folder.file("big", vec![b'x'; 2 << 20]);
        let root = folder.path().to_str().unwrap().to_owned();
        let start = |more: &[&str], port: u16| {
            let number = port.to_string();
            let mut command = Command::new(&program);
            command.args(["-a", "127.0.0.1", "-d", &root]).args(options).arg(number).args(more);
            Running::start(&mut command, &[port])
        };
        let [plain, tls] = [free_port(), free_port()];
        let running = [start(&["--no-tls"], plain), start(&[&key, &certificate], tls)];
        Some(Self { _running: running, folder, ca, plain, tls })
    }

    fn ways(&self) -> [(Vec<&str>, String); 2] {
        [
            (vec!["--http2-prior-knowledge"], format!("http://127.0.0.1:{}", self.plain)),
            (vec!["--cacert", &self.ca], format!("https://localhost:{}", self.tls)),
        ]
    }
}

#[test]
fn serves_both_ways() {
    let Some(peer) = Nghttpd::start(&["--echo-upload"]) else { return };
    let data = format!("@{}", peer.folder.at("big"));
    for (options, at) in peer.ways() {
        let ask = |words: &[&str], path: &str| {
            let url = format!("{at}{path}");
            get(&[&options[..], words, &[&url]].concat())
        };
        assert_eq!(ask(&[], "/hello").well(), "hello\n");
        assert_eq!(ask(&["-d", "a=b"], "/echo").well(), "a=b");
        assert_eq!(ask(&["--data-binary", &data], "/echo").well().len(), 2 << 20);
        assert_eq!(ask(&[], "/big").well().len(), 2 << 20);
        let head = ask(&["-i", "-I"], "/big").well();
        assert!(head.starts_with("HTTP/2 200"), "{head}");
        assert_eq!(ask(&["--fail"], "/nothing-here").code, 22);
    }
}

/// It grants two streams: 100 requests, 32 at a time, and none is lost or refused for good.
#[test]
fn two_streams_for_many() {
    let Some(peer) = Nghttpd::start(&["-m", "2"]) else { return };
    for (options, at) in peer.ways() {
        let url = format!("{at}/hello");
        let many = ["-Z", "--parallel-max", "32", "--repeat", "100", &url];
        let said = get(&[&options[..], &many].concat()).well();
        assert_eq!(said, "hello\n".repeat(100));
    }
}

/// An answer that comes before the whole request stands (RFC 9113 8.1).
#[test]
fn early_answers() {
    let Some(peer) = Nghttpd::start(&["--early-response"]) else { return };
    let data = format!("@{}", peer.folder.at("big"));
    for (options, at) in peer.ways() {
        let url = format!("{at}/hello");
        let upload = ["--data-binary", data.as_str(), &url];
        assert_eq!(get(&[&options[..], &upload].concat()).well(), "hello\n");
    }
}

/// Trailers arrive as trailers.
#[test]
fn trailers_reach_the_caller() {
    use http_body_util::BodyExt as _;
    let Some(peer) = Nghttpd::start(&["--trailer", "x-sum: 7"]) else { return };
    crate::dsl::run(async {
        let client = crate::ask::http2().build().unwrap();
        let url = format!("http://127.0.0.1:{}/hello", peer.plain);
        let request = http::Request::get(url).body(String::new()).unwrap();
        let body = client.request(request).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["x-sum"], "7");
    });
}
