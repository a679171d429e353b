//! httpx, Go's net/http, aioquic, the `h3` crate and quiche as clients of `regatta origin`: small
//! programs of theirs (`asks.py`, `asks.go`, `asks_http3.py`, the crate in `tests/quiche`), and
//! [`h3`] here, ask what they are told, line by line, and say what came. What must come is one
//! table.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{Origins, h3};
use crate::peers::program::{Folder, find, say};

/// One line for the program, and what it must say: status, version, connection, length, what.
/// `V` stands for the version.
type Row = (&'static str, &'static str);

const TABLE: [Row; 21] = [
    ("GET /bytes/100000", "200 V new 100000 letters"),
    (HEAD, "200 V old 0 letters"),
    ("POST /echo send=3000000", "200 V old 3000000 letters"),
    ("POST /echo stream=300000", "200 V old 300000 letters"),
    (CONTINUE, "200 V old 300000 letters"),
    ("GET /status/204", "204 V old 0 letters"),
    ("GET /status/404", "404 V old 14 404 Not Found"),
    ("GET /etag/x if-none-match=\"x\"", "304 V old 0 letters"),
    ("GET /range/26 range=bytes=1-3", "206 V old 3 bcd"),
    ("GET /gzip", PACKED),
    (DEFLATE, PACKED),
    (TRAILERS, "200 V old 24 a trailer field follows x-trailer: behind the body"),
    ("PARALLEL 50 GET /bytes/20000", "50 of 50"),
    ("GET /bytes/16000000", "200 V old 16000000 letters"),
    ("GET /reset", "error"),
    (AFTER, "200 V any 7 letters"),
    (GOAWAY, "200 V old 41 this connection takes no further request"),
    (AFTER, "200 V any 7 letters"),
    (GOAWAYS, "50 of 50"),
    (LIMITS, "200 V any 42 this connection now has at most 1 streams"),
    ("PARALLEL 50 GET /bytes/1000", "50 of 50"),
];

const HEAD: &str = "HEAD /bytes/5";
const CONTINUE: &str = "POST /echo send=300000 expect=100-continue";
const DEFLATE: &str = "GET /deflate";
const TRAILERS: &str = "GET /trailers";
const GOAWAY: &str = "GET /goaway";
const GOAWAYS: &str = "PARALLEL 50 GET /goaway";
const LIMITS: &str = "GET /limits?streams=1";
const AFTER: &str = "GET /bytes/7";
const PACKED: &str = "200 V old 9200 a packed body has the same line over and over";
/// The end of a long answer, after SIGTERM in its middle.
const PAUSE: &str = "PAUSE GET /bytes/16000000";

const BEHIND: &str = "python's h2 takes nothing of a connection behind GOAWAY, not even a PING";

/// A client, and the lines that it cannot be asked, with the reason.
struct Client {
    name: &'static str,
    begin: Begin,
    /// How it calls HTTP/1.1, HTTP/2 and HTTP/3.
    versions: [&'static str; 3],
    ways: &'static [(Tls, Version)],
    lacks: &'static [(&'static str, Which, &'static str)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Http2,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
    Http3,
}

/// Asks what a line says, and says what came.
pub(super) trait Ask {
    fn ask(&mut self, line: &str) -> String;
}

/// Begins to ask the origin at this URL, whose authority is in this file.
type Begin = Box<dyn Fn(&str, &str, Version) -> Box<dyn Ask>>;

/// Whether there is TLS.
type Tls = bool;

const TCP: &[(Tls, Version)] = &[
    (false, Version::Http1),
    (false, Version::Http2),
    (true, Version::Http1),
    (true, Version::Http2),
];

impl Client {
    /// Whether it can be asked this; if not, says why.
    fn shows(&self, line: &str, version: Version) -> bool {
        let fits = |which| which == Which::All || version == Version::Http2;
        let lacks = self.lacks.iter().find(|(lacks, which, _)| *lacks == line && fits(*which));
        if let Some((_, _, why)) = lacks {
            println!("left out: {}: {line}: {why}", self.name);
        }
        lacks.is_none()
    }
}

#[test]
fn go_gets_what_it_asks_for() {
    let Some(go) = find("go") else { return };
    // HTTP/2 without TLS is new in 1.24.
    let version = say(&go, &["env", "GOVERSION"]).well();
    let minor = version.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next());
    if minor.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor < 24) {
        return println!("left out: {version} has no http.Protocols");
    }
    let folder = Folder::new();
    let program = folder.at("asks");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/peers/clients/asks.go");
    let mut build = Command::new(go);
    build.args(["build", "-o", &program]).arg(source);
    // Its standard library is compiled once: half a minute.
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/go");
    build.env("GOCACHE", kept).env("GOPATH", folder.at("path")).env("GOTOOLCHAIN", "local");
    build.env("GO111MODULE", "off").env("GOFLAGS", "").env("CGO_ENABLED", "0");
    assert!(build.status().unwrap().success(), "asks.go cannot be built");
    holds(&Client {
        name: "Go",
        begin: program_of(program.into(), None),
        versions: ["HTTP/1.1", "HTTP/2.0", "-"],
        ways: TCP,
        lacks: &[(DEFLATE, Which::All, "it unpacks gzip alone")],
    });
}

#[test]
fn httpx_gets_what_it_asks_for() {
    let Some(python) = find("httpx_python") else { return };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/peers/clients/asks.py");
    holds(&Client {
        name: "httpx",
        begin: program_of(python, Some(source)),
        versions: ["HTTP/1.1", "HTTP/2", "-"],
        ways: TCP,
        lacks: &[
            (CONTINUE, Which::All, "it does not wait for 100"),
            (TRAILERS, Which::All, "it does not show trailers"),
            (GOAWAY, Which::Http2, BEHIND),
            (GOAWAYS, Which::Http2, BEHIND),
            (PAUSE, Which::Http2, BEHIND),
        ],
    });
}

#[test]
fn aioquic_gets_what_it_asks_for() {
    let Some(python) = find("aioquic_python") else { return };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/peers/clients/asks_http3.py");
    const PACKS: &str = "it unpacks nothing";
    holds(&Client {
        name: "aioquic",
        begin: program_of(python, Some(source)),
        versions: ["-", "-", "HTTP/3"],
        ways: &[(true, Version::Http3)],
        lacks: &[
            (HEAD, Which::All, "it takes the length of an answer to HEAD for that of its body"),
            ("GET /gzip", Which::All, PACKS),
            (DEFLATE, Which::All, PACKS),
        ],
    });
}

#[test]
fn h3_gets_what_it_asks_for() {
    const PACKS: &str = "it unpacks nothing";
    holds(&Client {
        name: "h3",
        begin: Box::new(|base, ca, _| Box::new(h3::Asker::start(base, ca))),
        versions: ["-", "-", "HTTP/3"],
        ways: &[(true, Version::Http3)],
        lacks: &[("GET /gzip", Which::All, PACKS), (DEFLATE, Which::All, PACKS)],
    });
}

/// It is compiled only where that is asked for: its BoringSSL takes minutes.
#[test]
fn quiche_gets_what_it_asks_for() {
    let Some(program) = find("asks_quiche") else { return };
    const PACKS: &str = "it unpacks nothing";
    holds(&Client {
        name: "quiche",
        begin: program_of(program, None),
        versions: ["-", "-", "HTTP/3"],
        ways: &[(true, Version::Http3)],
        lacks: &[("GET /gzip", Which::All, PACKS), (DEFLATE, Which::All, PACKS)],
    });
}

/// Every row, on every way to the origin.
fn holds(client: &Client) {
    for &(tls, http) in client.ways {
        let Origins { plain, tls: secure, ca, folder: _folder } = Origins::start();
        let origin = if tls { secure } else { plain };
        let base = if tls { origin.https("") } else { origin.http("") };
        let version = client.versions[http as usize];
        let mut asker = (client.begin)(&base, &ca, http);
        for (line, wanted) in TABLE {
            // HTTP/1.1 knows no limit of streams.
            if client.shows(line, http) && (http != Version::Http1 || line != LIMITS) {
                let what = format!("{} {base} {version}: {line}", client.name);
                check(&what, &asker.ask(line), wanted, version);
            }
        }
        if client.shows(PAUSE, http) {
            assert_eq!(asker.ask(PAUSE), "under way");
            origin.running.signal("TERM");
            check(PAUSE, &asker.ask("go on"), "200 V any 16000000 letters", version);
            drop(asker);
            assert!(origin.running.wait(), "the origin did not end well");
        }
    }
}

/// Compares word by word; the connection may be any where the row says so.
#[track_caller]
fn check(what: &str, said: &str, wanted: &str, version: &str) {
    let wanted = wanted.replace(" V ", &format!(" {version} "));
    let said = match wanted.contains(" any ") {
        true => said.replacen(" new ", " any ", 1).replacen(" old ", " any ", 1),
        false => said.to_owned(),
    };
    assert_eq!(said, wanted, "{what}");
}

/// Begins by running a program, with this file of source in front of its words.
fn program_of(program: PathBuf, source: Option<PathBuf>) -> Begin {
    Box::new(move |base, ca, http| {
        let mut command = Command::new(&program);
        command.args(&source).args([base, ca, ["1", "2", "3"][http as usize]]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Box::new(Asker { child, input, output })
    })
}

/// The running program.
struct Asker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Ask for Asker {
    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").unwrap();
        let mut said = String::new();
        self.output.read_line(&mut said).unwrap();
        said.trim_end().to_owned()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
