//! Whole transfers: the command line in front, origins on loopback behind.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

mod records;

use super::*;
use crate::demo::gate::Gate;
use crate::demo::stage::{BlackHole, Origin};
use crate::origin::tls;

/// A file of this test alone, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("regatta-get-{}-{n}", std::process::id())))
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Runs `regatta get -s` with these words.
async fn exit(line: &str) -> u8 {
    let words: Vec<String> = format!("-s {line}").split(' ').map(str::to_owned).collect();
    let parts = crate::cli::get(&words).unwrap();
    fetch_all(parts, false).await.map_or_else(|exit| exit as u8, |()| 0)
}

/// The exit code, and what was written.
async fn fetch(line: &str) -> (u8, Vec<u8>) {
    let file = Scratch::new();
    let code = exit(&format!("-o {} {line}", file.name())).await;
    (code, fs::read(&file.0).unwrap_or_default())
}

async fn text(line: &str) -> (u8, String) {
    let (code, bytes) = fetch(line).await;
    (code, String::from_utf8(bytes).unwrap())
}

fn ok(text: &str) -> (u8, String) {
    (0, text.to_owned())
}

async fn plain() -> (Origin, String) {
    let origin = Origin::start(None).await.unwrap();
    let base = format!("http://{}", origin.address);
    (origin, base)
}

/// What one scripted connection says whatever it is asked; then it closes.
async fn peer(says: &'static [u8]) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut heard = [0; 4096];
            if socket.read(&mut heard).await.is_ok() {
                socket.write_all(says).await.unwrap();
                socket.shutdown().await.unwrap();
                // Until the client closes too, so that nothing is reset.
                while let Ok(1..) = socket.read(&mut heard).await {}
            }
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn methods_bodies_and_heads_go_through_both_protocols() {
    let (_origin, base) = plain().await;
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        assert_eq!(text(&format!("{protocol} {base}/bytes/5")).await, ok("abcde"));
        assert_eq!(text(&format!("{protocol} -d a=b -d c {base}/echo")).await, ok("a=b&c"));
        assert_eq!(text(&format!("{protocol} -f {base}/echo -X PUT -d x")).await, ok("x"));
        let (code, head) = text(&format!("{protocol} -I {base}/bytes/5")).await;
        assert_eq!(code, 0);
        assert!(head.contains("content-length: 5\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        let (_, whole) = text(&format!("{protocol} -i {base}/status/404")).await;
        let status = if protocol == "--http1.1" { "HTTP/1.1 404 Not Found" } else { "HTTP/2 404" };
        assert!(whole.starts_with(status) && whole.ends_with("\r\n\r\n404 Not Found\n"), "{whole}");
    }
}

#[tokio::test]
async fn a_large_body_comes_back_as_it_went() {
    let (_origin, base) = plain().await;
    let sent = Scratch::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&sent.0, &bytes).unwrap();
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let line = format!("{protocol} --data-binary @{} {base}/echo", sent.name());
        let (code, back) = fetch(&line).await;
        assert!(code == 0 && back == bytes, "{protocol}: {code}, {} bytes", back.len());
    }
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_allowed() {
    let (_origin, base) = plain().await;
    let to = |status: u16, next: &str| format!("/status/{status}?location={next}");
    let see_other = format!("-L -d x=y {base}{}", to(303, "/echo"));
    assert_eq!(text(&see_other).await, ok(""));
    let temporary = format!("-L -d x=y {base}{}", to(307, "/echo"));
    assert_eq!(text(&temporary).await, ok("x=y"));
    let chain = to(302, &to(301, &to(308, "/bytes/3")));
    assert_eq!(text(&format!("-L {base}{chain}")).await, ok("abc"));
    assert_eq!(exit(&format!("-L --max-redirs 2 {base}{chain}")).await, 47);
    assert_eq!(text(&format!("{base}{}", to(302, "/echo"))).await, ok("302 Found\n"));
    assert_eq!(exit(&format!("-L {base}{}", to(302, "gopher://a/"))).await, 1);
}

#[tokio::test]
async fn what_the_server_does_wrong_has_its_code() {
    let (_origin, base) = plain().await;
    assert_eq!(text(&format!("-f {base}/status/404")).await, (22, String::new()));
    assert_eq!(exit(&format!("-f {base}/status/399")).await, 0);
    assert_eq!(exit(&format!("-m 0.05 {base}/delay/60000")).await, 28);
    let half = "the second half of this never co".to_owned();
    assert_eq!(text(&format!("{base}/reset")).await, (18, half.clone()));
    assert_eq!(text(&format!("--http2-prior-knowledge {base}/reset")).await, (92, half));
    for (says, code) in [
        (&b""[..], 52),
        (b"nonsense\r\n\r\n", 8),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 8),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", 18),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 56),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 0),
    ] {
        assert_eq!(fetch(&peer(says).await).await.0, code, "{}", says.escape_ascii());
    }
}

#[tokio::test]
async fn what_cannot_be_reached_has_its_code() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = free.local_addr().unwrap().port();
    let hole = BlackHole::dig(port).await.unwrap();
    drop(free);
    let resolve = |address| format!("--resolve a.test:{port}:{address} http://a.test:{port}/");
    assert_eq!(exit(&resolve("127.0.0.1".to_owned())).await, 7);
    let swallowed = format!("--connect-timeout 0.2 {}", resolve(hole.address.ip().to_string()));
    assert_eq!(exit(&swallowed).await, 28);
    assert_eq!(exit("http://a.invalid/").await, 6);
    assert_eq!(exit("http:///").await, 3);
    assert_eq!(exit("ftp://a/").await, 1);
}

#[tokio::test]
async fn certificates_are_checked_unless_told_otherwise() {
    let made = tls::self_signed(&["a.test".to_owned()]).unwrap();
    let origin = Origin::start(Some(made.options)).await.unwrap();
    let port = origin.address.port();
    let roots = Scratch::new();
    fs::write(&roots.0, &made.authority).unwrap();
    let roots = format!("--cacert {}", roots.name());
    let at =
        |name: &str| format!("--resolve {name}:{port}:127.0.0.1 https://{name}:{port}/bytes/3");
    for protocol in ["--http1.1", "--http2", "--http2-prior-knowledge"] {
        assert_eq!(text(&format!("{protocol} {roots} {}", at("a.test"))).await, ok("abc"));
    }
    assert_eq!(exit(&format!("{roots} {}", at("b.test"))).await, 60);
    assert_eq!(exit(&at("a.test")).await, 60);
    assert_eq!(text(&format!("-k {}", at("b.test"))).await, ok("abc"));
    assert_eq!(exit(&format!("--cacert /nowhere {}", at("a.test"))).await, 77);
    let (_plain, base) = plain().await;
    assert_eq!(exit(&base.replace("http:", "https:")).await, 35);
}

#[tokio::test]
async fn http3_is_tried_learnt_and_remembered() {
    let made = tls::self_signed(&["a.test".to_owned()]).unwrap();
    let gate = Gate::open().await.unwrap();
    let origin = Origin::start_http3(made.options, gate.port).await.unwrap();
    let port = origin.address.port();
    gate.lead_to(port);
    let (roots, known) = (Scratch::new(), Scratch::new());
    fs::write(&roots.0, &made.authority).unwrap();
    let resolve = format!("--resolve a.test:{port}:127.0.0.1 https://a.test:{port}/bytes/3");
    let line = format!("-i --cacert {} {resolve}", roots.name());
    let version = async |options: &str| {
        let (code, text) = text(&format!("{options} {line}")).await;
        (code, text.lines().next().unwrap_or_default().trim().to_owned())
    };
    let is = |version: &str| (0, format!("{version} 200"));
    assert_eq!(version("--http2").await, is("HTTP/2"));
    assert_eq!(version("--http3").await, is("HTTP/3"));
    assert_eq!(version("--http3-only").await, is("HTTP/3"));
    assert_eq!(version("--http3 --http1.1").await.1, "HTTP/1.1 200 OK");
    let remembers = format!("--alt-svc {}", known.name());
    assert_eq!(version(&remembers).await, is("HTTP/2"));
    assert_eq!(version(&remembers).await, is("HTTP/3"));
    // What is damaged costs nothing but what was known.
    fs::write(&known.0, "regatta-altsvc 1\nnonsense\n").unwrap();
    assert_eq!(version(&remembers).await, is("HTTP/2"));
    assert_eq!(version(&remembers).await, is("HTTP/3"));
    let aside = format!("{}.bad", known.name());
    assert_eq!(fs::read_to_string(&aside).unwrap(), "regatta-altsvc 1\nnonsense\n");
    fs::remove_file(aside).unwrap();
    // Where datagrams are swallowed TCP serves.
    gate.shut(true);
    assert_eq!(version(&remembers).await, is("HTTP/2"));
    assert_eq!(exit("--http3-only http://a.test/").await, 3);
}

/// The first connection is told to end, the next one resumes it, and the third that one.
#[tokio::test]
async fn early_data_goes_with_the_next_connection() {
    let made = tls::self_signed(&["a.test".to_owned()]).unwrap();
    let origin = Origin::start_http3(made.options, 443).await.unwrap();
    let port = origin.address.port();
    let roots = Scratch::new();
    fs::write(&roots.0, &made.authority).unwrap();
    let at = |path: &str| format!("https://a.test:{port}{path}");
    let way = format!("--cacert {} --resolve a.test:{port}:127.0.0.1", roots.name());
    let urls = ["/goaway", "/early", "/goaway", "/early?refuse", "/early"].map(at).join(" ");
    // Two GOAWAYs: who asks next waits for a connection that resumes the one before.
    let say = async |options: &str| {
        let files: [Scratch; 5] = std::array::from_fn(|_| Scratch::new());
        let outputs = files.each_ref().map(|file| format!("-o {}", file.name())).join(" ");
        assert_eq!(exit(&format!("--http3-only {options} {way} {outputs} {urls}")).await, 0);
        files.map(|file| fs::read_to_string(&file.0).unwrap().contains("came early"))
    };
    assert_eq!(say("--early-data").await, [false, true, false, false, false]);
    assert_eq!(say("-g").await, [false; 5]);
    assert_eq!(exit(&format!("--early-data {way} {}", at("/early"))).await, 2);
}

#[tokio::test]
async fn the_last_one_counts_and_the_others_are_fetched() {
    let (origin, base) = plain().await;
    let (one, two) = (Scratch::new(), Scratch::new());
    let outputs = format!("-o {} -o {}", one.name(), two.name());
    let line = format!("-f {outputs} {base}/status/500 {base}/bytes/3");
    assert_eq!(exit(&line).await, 0);
    assert_eq!(fs::read(&two.0).unwrap(), b"abc");
    assert!(!one.0.exists());
    assert_eq!(exit(&format!("-Z {line}")).await, 22);
    assert_eq!(exit(&format!("--fail-early {line}")).await, 22);
    origin.take_peak();
    let many = "-Z --parallel-max 3 --repeat 7";
    let line = format!("--http2-prior-knowledge {many} -f {base}/delay/20");
    assert_eq!(fetch(&line).await.0, 0);
    assert_eq!(origin.take_peak(), 3);
}
