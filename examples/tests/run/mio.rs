//! The loop without async, with our server and with nginx, over TLS and in plain text.

use regatta_core::types::Protocol;

use super::nginx::{BIG, Nginx};
use super::origin::{Origin, Trust};
use super::program::{Said, dead_port, run, run_trusting};

const BOTH: &[Protocol] = &[Protocol::Http2, Protocol::Http1];

/// Asks for these paths of a server, which is trusted.
fn ask(trust: &Trust, at: &str, paths: &[&str]) -> Said {
    let urls: Vec<String> = paths.iter().map(|path| format!("{at}{path}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    run_trusting(&trust.ca(), "mio", &urls)
}

/// How many lines say this of a path.
fn count(out: &str, says: &str, path: &str) -> usize {
    out.lines().filter(|line| line.starts_with(says) && line.ends_with(path)).count()
}

/// It is to be read in one go.
#[test]
fn it_is_short() {
    let lines = include_str!("../../mio.rs").lines().count();
    assert!(lines < 400, "{lines} lines");
}

/// ALPN chooses, and HTTP/2 carries everything on one connection.
#[test]
fn requests_go_over_tls() {
    let trust = Trust::new();
    for (alpn, version) in [(BOTH, "HTTP/2.0"), (&BOTH[1..], "HTTP/1.1"), (&[], "HTTP/1.1")] {
        let origin = Origin::tls(&trust, alpn);
        let at = format!("https://localhost:{}", origin.port());
        let paths = [["/bytes/7"; 20].as_slice(), &["/bytes/1000000", "/none"]].concat();
        let out = ask(&trust, &at, &paths).well();
        assert_eq!(count(&out, &format!("{version} 200 7 bytes"), "/bytes/7"), 20, "{out}");
        assert_eq!(count(&out, &format!("{version} 200 1000000 bytes"), "/bytes/1000000"), 1);
        assert_eq!(count(&out, &format!("{version} 404 0 bytes"), "/none"), 1, "{out}");
        if version == "HTTP/2.0" {
            assert_eq!(origin.connections(), 1, "all went on one connection");
        }
    }
}

#[test]
fn requests_go_in_plain_text() {
    let (trust, origin) = (Trust::new(), Origin::plain());
    let paths = ["/bytes/7", "/bytes/0", "/protocol"];
    let out = ask(&trust, &format!("http://{}", origin.address), &paths).well();
    for says in ["HTTP/1.1 200 7 bytes", "HTTP/1.1 200 0 bytes", "HTTP/1.1 200 8 bytes"] {
        assert_eq!(count(&out, says, ""), 1, "{out}");
    }
    // Nothing to do is done at once.
    assert_eq!(run("mio", &[]).well(), "");
}

/// A body goes frame by frame, as fast as the peer takes it; each origin counts its bytes.
#[test]
fn bodies_are_sent() {
    let trust = Trust::new();
    let file = trust.file("body", vec![b'x'; 3_000_000]);
    for alpn in [BOTH, &BOTH[1..]] {
        let origin = Origin::tls(&trust, alpn);
        let url = format!("https://localhost:{}/length", origin.port());
        let out = run_trusting(&trust.ca(), "mio", &["--post", &file, &url, &url]).well();
        // The answer is the length in digits.
        assert_eq!(count(&out, "HTTP/", "/length"), 2, "{out}");
        assert_eq!(out.matches(" 200 7 bytes ").count(), 2, "{out}");
    }
}

/// A connection that its server drains gets no new request, and none is lost.
#[test]
fn drains_lose_nothing() {
    let trust = Trust::new();
    for alpn in [BOTH, &BOTH[1..]] {
        let origin = Origin::tls(&trust, alpn);
        let paths = ["/goaway", "/bytes/3"].repeat(10);
        let out = ask(&trust, &format!("https://localhost:{}", origin.port()), &paths).well();
        assert_eq!(out.matches(" 200 ").count(), 20, "{out}");
    }
}

/// nginx ends each connection after four requests. What it had not looked at goes again, once
/// unless `max_unprocessed_resends` says more: so there are no more than eight.
#[test]
fn nginx_is_asked() {
    let trust = Trust::new();
    let Some(nginx) = Nginx::start(&trust) else { return };
    let ways = [
        (format!("https://localhost:{}", nginx.tls), "HTTP/2.0"),
        (format!("http://localhost:{}", nginx.plain), "HTTP/1.1"),
    ];
    for (at, version) in ways {
        let paths = [["/hello"; 6].as_slice(), &["/big", "/nothing"]].concat();
        let out = ask(&trust, &at, &paths).well();
        assert_eq!(count(&out, &format!("{version} 200 6 bytes"), "/hello"), 6, "{out}");
        assert_eq!(count(&out, &format!("{version} 200 {BIG} bytes"), "/big"), 1, "{out}");
        assert_eq!(count(&out, &format!("{version} 404 "), "/nothing"), 1, "{out}");
    }
    let url = format!("http://localhost:{}/cut", nginx.plain);
    let cut = run("mio", &[&url]).failed();
    assert_eq!(cut, format!("{url}: the peer closed the connection before it answered"));
}

#[test]
fn failures_are_one_sentence() {
    let trust = Trust::new();
    let (plain, dead) = (Origin::plain(), dead_port());
    let fail = |url: &str, why: &str| {
        assert_eq!(run_trusting(&trust.ca(), "mio", &[url]).failed(), format!("{url}: {why}"));
    };
    let refused = "cannot connect: connection refused, nobody listens on that port";
    fail(&format!("http://127.0.0.1:{dead}/"), refused);
    fail(&format!("https://localhost:{dead}/"), refused);
    let not_tls = "cannot connect: TLS failed, the peer does not speak TLS";
    fail(&format!("https://localhost:{}/", plain.port()), not_tls);
    let unknown = "cannot connect: the name does not exist";
    fail("http://no-such-host.invalid/", unknown);
    fail("ftp://localhost/", "the scheme is ftp, not http or https");
    fail("localhost", "the URI is not absolute");
    let file = run("mio", &["--post", "/no/such/file", "http://localhost/"]).failed();
    assert!(file.starts_with("/no/such/file: "), "{file}");
}

/// One that fails does not take the others with it.
#[test]
fn a_certificate_that_is_not_trusted_is_refused() {
    let (trust, stranger) = (Trust::new(), Trust::new());
    let (good, bad) = (Origin::tls(&trust, BOTH), Origin::tls(&stranger, BOTH));
    let good = format!("https://localhost:{}/bytes/3", good.port());
    let bad = format!("https://localhost:{}/", bad.port());
    let said = run_trusting(&trust.ca(), "mio", &[&bad, &good]);
    assert_eq!(said.out, format!("HTTP/2.0 200 3 bytes {good}\n"));
    let why = "cannot connect: TLS failed, the certificate's issuer is not trusted";
    assert_eq!(said.failed(), format!("{bad}: {why}"));
}
