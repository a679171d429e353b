//! curl, nghttp, h2load and wrk as clients of `regatta origin`; [`asks`] has httpx, Go's net/http,
//! aioquic and the `h3` crate, [`chromium`] and [`firefox`] the browsers, [`http3`] what is tried
//! over HTTP/3.

mod asks;
mod beside;
mod chromium;
mod firefox;
mod h3;
mod http3;

use std::path::Path;

use crate::dsl::{Frame, Frames, Line, code, data, headers, run};

use crate::peers::program::{Folder, Origin, find, say};

/// Our origin in plain text and over TLS, and the authority's certificate.
struct Origins {
    plain: Origin,
    tls: Origin,
    folder: Folder,
    ca: String,
}

impl Origins {
    fn start() -> Self {
        let folder = Folder::new();
        let ca = folder.at("origin-ca.pem");
        let tls = Origin::start(&["--tls", "self-signed", "--tls-ca-out", &ca]);
        Self { plain: Origin::start(&[]), tls, folder, ca }
    }

    /// curl's options for every way, and the beginning of a URL.
    fn curls(&self) -> [(Vec<&str>, String); 4] {
        [
            (vec!["--http1.1"], self.plain.http("")),
            (vec!["--http2-prior-knowledge"], self.plain.http("")),
            (vec!["--http1.1", "--cacert", &self.ca], self.tls.https("")),
            (vec!["--http2", "--cacert", &self.ca], self.tls.https("")),
        ]
    }
}

#[test]
fn curl_of_every_kind() {
    let Some(curl) = find("curl") else { return };
    let origins = Origins::start();
    let upload = origins.folder.file("upload", vec![b'u'; 1 << 20]);
    for (options, at) in origins.curls() {
        every_kind(&curl, &options, &at, &upload);
    }
}

/// Requests of every kind in one version, which is what the first option says.
fn every_kind(curl: &Path, options: &[&str], at: &str, upload: &str) {
    let (version, code) = match options[0] {
        "--http1.1" => ("HTTP/1.1", 18),
        "--http3-only" => ("HTTP/3", 18),
        _ => ("HTTP/2", 92),
    };
    let ask = |words: &[&str], path: &str| {
        let url = format!("{at}{path}");
        say(curl, &[&["-sS", "-m", "30"], options, words, &[&url]].concat())
    };
    assert_eq!(ask(&[], "/bytes/100000").well().len(), 100_000);
    assert_eq!(ask(&["-d", "a=b"], "/echo").well(), "a=b");
    let data = format!("@{upload}");
    assert_eq!(ask(&["--data-binary", &data], "/echo").well().len(), 1 << 20);
    // A chunked upload that waits for 100 (Continue).
    let expect = ["-T", upload, "-X", "POST", "-H", "expect: 100-continue"];
    let chunked = [&expect[..], &["-H", "transfer-encoding: chunked"]].concat();
    let expect = if version == "HTTP/1.1" { &chunked[..] } else { &expect[..] };
    assert_eq!(ask(expect, "/echo").well().len(), 1 << 20);
    assert!(ask(&["-I"], "/bytes/5").well().starts_with(&format!("{version} 200")));
    assert_eq!(ask(&["-o", "/dev/null", "-w", "%{http_code}"], "/status/404").well(), "404");
    assert_eq!(ask(&[], "/status/204").well(), "");
    let trailers = ask(&["-i"], "/trailers").well().to_ascii_lowercase();
    assert!(trailers.contains("x-trailer: "), "{trailers}");
    assert_eq!(ask(&[], "/reset").code, code);
    assert_eq!(ask(&["-m", "0.1"], "/delay/60000").code, 28);
    assert_eq!(ask(&["--compressed", "-r", "0-1"], "/bytes/5").code, 0);
}

/// curl keeps its connection, and makes a new one behind `/goaway`. (curl 7.88 cannot use a
/// connection twice with prior knowledge, whatever the server.)
#[test]
fn curl_reuses_until_goaway() {
    let Some(curl) = find("curl") else { return };
    let origins = Origins::start();
    for (options, at) in origins.curls() {
        if options == ["--http2-prior-knowledge"] {
            continue;
        }
        reuses_until_goaway(&curl, &options, &at);
    }
}

fn reuses_until_goaway(curl: &Path, options: &[&str], at: &str) {
    let urls = ["/", "/bytes/3", "/goaway", "/", "/"].map(|path| format!("{at}{path}"));
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    // One line for each: how many connections curl had to make for it.
    let words = ["-sS", "-m", "30", "-w", "\nmade %{num_connects}\n"];
    let said = say(curl, &[&words[..], options, &urls].concat()).well();
    let made: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("made ")).collect();
    assert_eq!(made, ["1", "0", "0", "1", "0"], "{options:?}");
}

#[test]
fn curl_in_parallel() {
    let Some(curl) = find("curl") else { return };
    let origins = Origins::start();
    for (options, at) in origins.curls() {
        if options == ["--http2-prior-knowledge"] {
            continue;
        }
        in_parallel(&curl, &options, &at);
    }
}

fn in_parallel(curl: &Path, options: &[&str], at: &str) {
    let url = format!("{at}/bytes/[1000-1099]");
    let words = ["-sS", "-m", "30", "-Z", "--parallel-max", "50"];
    let said = say(curl, &[&words[..], options, &[&url]].concat()).well();
    assert_eq!(said.len(), (1_000..1_100).sum::<usize>());
}

/// SIGTERM in the middle of an exchange: both bodies come to their ends, then the origin ends,
/// and ends well. (curl decides by itself when it reads on from its input; this is said by hand.)
#[test]
fn sigterm_finishes_what_is_under_way() {
    let origin = Origin::start(&[]);
    run(async {
        let mut line = Line::connect(origin.address.parse().unwrap()).await;
        line.send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
        line.send("6\r\nbefore\r\n").await;
        line.until("\r\n\r\n6\r\nbefore\r\n").await;
        origin.running.signal("TERM");
        line.send("5\r\nafter\r\n0\r\n\r\n").await;
        assert_eq!(line.rest().await, "5\r\nafter\r\n0\r\n\r\n");
    });
    assert!(origin.running.wait(), "the origin did not end well");
}

/// The same over HTTP/2, frame by frame.
#[test]
fn sigterm_says_goaway_and_finishes() {
    let origin = Origin::start(&[]);
    run(async {
        let mut peer = Frames::connect(origin.address.parse().unwrap()).await;
        peer.send(headers(1).request("POST", "/echo")).await;
        peer.send(data(1, "before")).await;
        peer.recv(headers(1)).await;
        peer.recv(data(1, "before")).await;
        origin.running.signal("TERM");
        let away = peer.next().await;
        assert!(matches!(away, Some(Frame::GoAway { code: code::NO_ERROR, .. })), "{away:?}");
        peer.send(data(1, "after").end()).await;
        assert_eq!(peer.recv_body(1).await, b"after");
        peer.recv_end().await;
    });
    assert!(origin.running.wait(), "the origin did not end well");
}

#[test]
fn nghttp_speaks_frames() {
    let Some(nghttp) = find("nghttp") else { return };
    let origins = Origins::start();
    let upload = origins.folder.file("upload", vec![b'u'; 300_000]);
    for at in [origins.plain.http(""), origins.tls.https("")] {
        let ask = |words: &[&str], path: &str| {
            let url = format!("{at}{path}");
            say(&nghttp, &[words, &[url.as_str()]].concat()).well()
        };
        assert_eq!(ask(&["-d", &upload], "/echo").len(), 300_000);
        let trailers = ask(&["-nv"], "/trailers");
        assert!(trailers.contains("x-trailer: "), "{trailers}");
        let sent = ask(&["-d", &upload, "--trailer", "x-sum: 7"], "/echo");
        assert_eq!(sent.len(), 300_000);
        let limits = ask(&["-nv"], "/limits?streams=3");
        assert!(limits.contains("[SETTINGS_MAX_CONCURRENT_STREAMS(0x03):3]"), "{limits}");
        let away = ask(&["-nv"], "/goaway");
        assert!(away.contains("recv GOAWAY frame"), "{away}");
        assert!(away.contains("error_code=NO_ERROR"), "{away}");
        let reset = ask(&["-nv"], "/reset");
        assert!(reset.contains("recv RST_STREAM frame"), "{reset}");
        // A window of 1,024 bytes, and 20 requests at once.
        let many = ask(&["-n", "-v", "-w", "10", "-m", "20"], "/bytes/20000");
        assert_eq!(many.matches("; END_STREAM").count(), 40, "20 requests and 20 answers");
    }
}

#[test]
fn h2load_succeeds_every_time() {
    let Some(h2load) = find("h2load") else { return };
    let origins = Origins::start();
    let runs: [(&[&str], String, &str); 5] = [
        (&["-n", "2000", "-c", "4", "-m", "32"], origins.plain.http("/"), "2000"),
        (&["-n", "2000", "-c", "4", "--h1"], origins.plain.http("/"), "2000"),
        (&["-n", "1000", "-c", "4", "-m", "100"], origins.tls.https("/bytes/2000"), "1000"),
        (&["-n", "1000", "-c", "4", "--h1"], origins.tls.https("/bytes/2000"), "1000"),
        (&["-n", "100", "-c", "4", "-m", "10"], origins.plain.http("/bytes/200000"), "100"),
    ];
    for (words, url, n) in runs {
        loads(&h2load, words, &url, n);
    }
}

fn loads(h2load: &Path, words: &[&str], url: &str, n: &str) {
    let said = say(h2load, &[words, &[url]].concat()).well();
    let wanted = format!("{n} done, {n} succeeded, 0 failed, 0 errored, 0 timeout");
    assert!(said.contains(&wanted), "{words:?} {url}\n{said}");
    assert!(said.contains(&format!("{n} 2xx, 0 3xx, 0 4xx, 0 5xx")), "{said}");
}

/// A second each: whatever it asked for came, and no connection failed.
#[test]
fn wrk_sees_no_errors() {
    let Some(wrk) = find("wrk") else { return };
    let origins = Origins::start();
    let (plain, tls) = (&origins.plain, &origins.tls);
    for url in [plain.http("/"), plain.http("/bytes/100000"), tls.https("/"), plain.http("/goaway")]
    {
        let said = say(&wrk, &["-t", "1", "-c", "8", "-d", "1s", "--timeout", "30s", &url]).well();
        let done = said.lines().find_map(|line| line.trim().split_once(" requests in "));
        assert!(done.is_some_and(|(count, _)| count.parse::<u32>().unwrap() > 0), "{said}");
        assert!(!said.contains("Socket errors") && !said.contains("Non-2xx"), "{url}\n{said}");
    }
}
