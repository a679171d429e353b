//! What must hold of `regatta get` with every peer: a row each.

use std::fs;

use super::Peer;
use super::site::{Ask, BIG, Served, Settings, Way};
use crate::peers::program::get;

/// One row: what holds, on which ways, and how it is seen.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) on: fn(Way) -> bool,
    holds: fn(&Ask<'_>),
}

const fn fact(name: &'static str, holds: fn(&Ask<'_>)) -> Fact {
    Fact { name, on: |_| true, holds }
}

const fn on(on: fn(Way) -> bool, name: &'static str, holds: fn(&Ask<'_>)) -> Fact {
    Fact { name, on, holds }
}

const HTTP1: fn(Way) -> bool = Way::is_http1;
const HTTP2: fn(Way) -> bool = Way::is_http2;
const HTTP3: fn(Way) -> bool = Way::is_http3;

/// The rows.
pub(super) const TABLE: [Fact; 28] = [
    fact("the version that was agreed on", version),
    fact("methods and fields", methods),
    fact("HEAD", head),
    fact("204", no_content),
    fact("304 to a known ETag", not_modified),
    fact("302, followed", redirect),
    fact("404 fails with --fail", missing),
    on(HTTP1, "chunked", chunked),
    on(HTTP1, "trailers, HTTP/1.1", trailers),
    on(HTTP2, "trailers, HTTP/2", trailers),
    on(HTTP3, "trailers, HTTP/3", trailers),
    fact("103", early_hints),
    on(HTTP1, "100 before a body, HTTP/1.1", expects),
    on(HTTP2, "100 before a body, HTTP/2", expects),
    on(HTTP3, "100 before a body, HTTP/3", expects),
    fact("bodies up, with a length", uploads),
    fact("bodies up, without a length", chunked_uploads),
    fact("3 MiB up", long_up),
    fact("3 MiB down", long_down),
    fact("ranges", ranges),
    fact("ranges that are not there", no_range),
    fact("gzip", compressed),
    fact("one connection for one after another", reuse),
    fact("200 requests, 16 at once", many),
    on(HTTP3, "100 requests at once on one connection", all_at_once),
    on(HTTP3, "many fields, again and again", many_fields),
    fact("closed without an answer", cut),
    on(Way::is_tls, "certificates that do not fit", untrusted),
];

/// Every row that the peer can show, on every way to it.
pub(super) fn hold(peer: &Peer) {
    let Some(served) = Served::start(peer, &Settings::default()) else { return };
    for fact in &TABLE {
        let ways = peer.ways.iter().copied().filter(|way| (fact.on)(*way));
        for way in ways.filter(|_| peer.shows(fact.name)) {
            println!("{} {way}: {}", peer.name, fact.name);
            (fact.holds)(&served.ask(way));
        }
    }
}

fn version(ask: &Ask<'_>) {
    let said = ask.path(&["-w", "%{http_code} %{http_version}"], "/hello").well();
    assert_eq!(said, format!("hello\n200 {}", ask.way.version()));
}

fn methods(ask: &Ask<'_>) {
    // `regatta origin` names the method; it is behind the peer.
    let said = ask.path(&["-i", "-X", "DELETE", "-H", "content-type: a/b"], "/echo?whole").well();
    assert!(said.contains("\nx-echo-method: DELETE\n"), "{said}");
    assert!(said.contains("\ncontent-type: a/b\n"), "{said}");
}

fn head(ask: &Ask<'_>) {
    let said = ask.path(&["-I", "-w", "%{size_download}"], "/big").well();
    assert!(said.contains(&format!("\ncontent-length: {BIG}\n")), "{said}");
    assert!(said.ends_with("\n0"), "{said}");
}

fn no_content(ask: &Ask<'_>) {
    assert_eq!(ask.path(&["-w", "%{http_code}"], "/empty").well(), "204");
}

fn not_modified(ask: &Ask<'_>) {
    let tag = ask.file("tag");
    let seen = ask.path(&["--etag-save", &tag], "/tagged").well();
    assert!(seen.contains("tagged"), "{seen}");
    let again = ask.path(&["--etag-compare", &tag, "-w", "%{http_code}"], "/tagged").well();
    assert_eq!(again, "304");
}

fn redirect(ask: &Ask<'_>) {
    assert_eq!(ask.path(&["-L"], "/away").well(), "hello\n");
}

fn missing(ask: &Ask<'_>) {
    let said = ask.path(&["--fail"], "/nothing-here");
    assert_eq!((said.code, said.out.as_str()), (22, ""), "{}", said.err);
}

fn chunked(ask: &Ask<'_>) {
    let said = ask.path(&["-i"], "/trailers").well();
    assert!(said.contains("\ntransfer-encoding: chunked\n"), "{said}");
    assert!(!said.contains("\ncontent-length: "), "{said}");
}

fn trailers(ask: &Ask<'_>) {
    let said = ask.path(&["-i"], "/trailers").well();
    assert!(said.ends_with("\nx-trailer: behind the body\n"), "{said}");
}

fn early_hints(ask: &Ask<'_>) {
    let said = ask.path(&["-i"], "/early").well();
    let (first, rest) = said.split_once("\n\n").unwrap();
    assert!(first.contains(" 103 "), "{said}");
    assert!(first.contains("\nlink: </style.css>; rel=preload"), "{said}");
    assert!(
        rest.lines().next().unwrap().contains(" 200 ") && rest.ends_with("\nhello\n"),
        "{said}"
    );
}

/// Without the peer's 100 the body would not be sent while this test has patience.
fn expects(ask: &Ask<'_>) {
    let words = ["--expect100-timeout", "3600", "-H", "expect: 100-continue", "-d", "a=b"];
    assert_eq!(ask.path(&words, "/echo?whole").well(), "a=b");
}

fn uploads(ask: &Ask<'_>) {
    assert_eq!(ask.path(&["-d", "a=b", "-d", "c"], "/echo?whole").well(), "a=b&c");
    assert_eq!(ask.path(&["-d", ""], "/echo?whole").well(), "");
}

fn chunked_uploads(ask: &Ask<'_>) {
    // From standard input, whose end nobody knows.
    let said = ask.reading("abc", &["-X", "POST", "-T", "-"], "/echo?whole");
    assert_eq!(said.well(), "abc");
}

fn long_up(ask: &Ask<'_>) {
    let (data, down) = (format!("@{}", ask.file("big")), ask.file("down"));
    ask.path(&["--data-binary", &data, "-o", &down], "/echo?whole").well();
    assert!(fs::read(down).unwrap() == ask.read("big"), "the echo is not what was sent");
}

fn long_down(ask: &Ask<'_>) {
    let down = ask.file("down");
    ask.path(&["-o", &down], "/big").well();
    assert!(fs::read(down).unwrap() == ask.read("big"), "what came is not what is there");
}

fn ranges(ask: &Ask<'_>) {
    assert_eq!(ask.path(&["-r", "1-3", "-w", " %{http_code}"], "/letters").well(), "bcd 206");
    assert_eq!(ask.path(&["-r", "-2"], "/letters").well(), "yz");
    // -C goes on behind what the file has.
    let part = ask.served.site.folder.file("part", "abc");
    ask.path(&["-C", "-", "-o", &part], "/letters").well();
    assert_eq!(fs::read_to_string(part).unwrap(), "abcdefghijklmnopqrstuvwxyz");
}

fn no_range(ask: &Ask<'_>) {
    let said = ask.path(&["-r", "100-", "-o", "/dev/null", "-w", "%{http_code}"], "/letters");
    assert_eq!(said.well(), "416");
}

fn compressed(ask: &Ask<'_>) {
    let (head, down) = (ask.file("head"), ask.file("down"));
    ask.path(&["--compressed", "-D", &head, "-o", &down], "/text").well();
    let head = fs::read_to_string(head).unwrap();
    assert!(head.replace("\r\n", "\n").contains("\ncontent-encoding: gzip\n"), "{head}");
    assert!(fs::read(down).unwrap() == ask.read("text"), "what was unpacked is not what is there");
}

fn reuse(ask: &Ask<'_>) {
    let paths = ["/hello", "/nothing-here", "/hello", "/hello"];
    let said = ask.paths(&["-w", "\nmade %{num_connects}\n"], &paths).well();
    let made: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("made ")).collect();
    assert_eq!(made, ["1", "0", "0", "0"]);
}

fn many(ask: &Ask<'_>) {
    let words = ["-Z", "--parallel-max", "16", "--repeat", "200"];
    assert_eq!(ask.path(&words, "/hello").well(), "hello\n".repeat(200));
}

/// The first request shows how many streams there are; then all others start at once.
fn all_at_once(ask: &Ask<'_>) {
    let first = format!("{}/hello", ask.at);
    let made = ["-sS", "-w", "made %{num_connects}\n"];
    let one = [&made[..], &ask.options, &[&first, "--next"]].concat();
    let words = ["-Z", "--parallel-max", "100", "--repeat", "100"];
    let said = get(&[&one[..], &made, &ask.options, &words, &[&first]].concat()).well();
    assert_eq!(said.matches("hello\n").count(), 101, "{said}");
    assert_eq!(said.matches("made 1\n").count(), 1, "more than one connection");
}

/// Field sections that are worth a dynamic table, several under way at once, up and down:
/// `regatta origin` behind the peer says what it saw, and sends what it is told to.
fn many_fields(ask: &Ask<'_>) {
    let fields: Vec<(String, String)> =
        (0..20).map(|n| (format!("x-many-{n}"), "v".repeat(1 + n * 7))).collect();
    let lines: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let words = ["-Z", "--parallel-max", "8", "--repeat", "40"];
    let up = lines.iter().flat_map(|line| ["-H", line]);
    let seen = ask.path(&words.into_iter().chain(up).collect::<Vec<_>>(), "/headers").well();
    let query: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = format!("/response-headers?{}", query.join("&"));
    let came = ask.path(&[&words[..], &["-i"]].concat(), &path).well();
    for line in lines {
        let count = |said: &str| said.lines().filter(|seen| **seen == line).count();
        assert_eq!((count(&seen), count(&came)), (40, 40), "{line}");
    }
}

/// One sentence and curl's code.
fn cut(ask: &Ask<'_>) {
    let said = ask.path(&[], "/cut");
    let codes: &[i32] = if ask.way.is_http1() { &[52, 56] } else { &[16, 52, 56, 92, 95] };
    assert!(codes.contains(&said.code), "{}: {}", said.code, said.err);
    // What to do next may stand below it.
    assert!(said.err.lines().count() <= 2, "{}", said.err);
}

/// An unknown authority, and a name that is not in the certificate.
fn untrusted(ask: &Ask<'_>) {
    let version: &[&str] = match ask.way {
        Way::Quic => &["--http3-only"],
        way if way.is_http2() => &[],
        _ => &["--http1.1"],
    };
    let unknown = get(&[version, &[&format!("{}/hello", ask.at)]].concat());
    assert_eq!(unknown.code, 60, "{}", unknown.err);
    let port = ask.served.site.tls;
    let (to, url) =
        (format!("other.test:{port}:127.0.0.1"), format!("https://other.test:{port}/hello"));
    let named = [version, &["--cacert", &ask.served.site.ca, "--resolve", &to]].concat();
    let other = get(&[&named[..], &[&url]].concat());
    assert_eq!(other.code, 60, "{}", other.err);
    assert_eq!(get(&[&named[..], &["-k", &url]].concat()).well(), "hello\n");
}
