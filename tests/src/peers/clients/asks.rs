//! httpx and Go's net/http as clients of `regatta origin`: small programs of theirs (`asks.py`,
//! `asks.go`) ask what they are told, line by line, and say what came. What must come is one
//! table.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::Origins;
use crate::peers::program::{Folder, find, say};

/// One line for the program, and what it must say: status, version, connection, length, what.
/// `V` stands for the version.
type Row = (&'static str, &'static str);

const TABLE: [Row; 21] = [
    ("GET /bytes/100000", "200 V new 100000 letters"),
    ("HEAD /bytes/5", "200 V old 0 letters"),
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
    program: PathBuf,
    arguments: Vec<String>,
    /// How it calls HTTP/1.1 and HTTP/2.
    versions: [&'static str; 2],
    lacks: &'static [(&'static str, Which, &'static str)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Both,
    Http2,
}

impl Client {
    /// Whether it can be asked this; if not, says why.
    fn shows(&self, line: &str, http2: bool) -> bool {
        let fits = |which| which == Which::Both || http2;
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
        program: program.into(),
        arguments: vec![],
        versions: ["HTTP/1.1", "HTTP/2.0"],
        lacks: &[(DEFLATE, Which::Both, "it unpacks gzip alone")],
    });
}

#[test]
fn httpx_gets_what_it_asks_for() {
    let Some(python) = find("httpx_python") else { return };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/peers/clients/asks.py");
    holds(&Client {
        name: "httpx",
        program: python,
        arguments: vec![source.to_str().unwrap().to_owned()],
        versions: ["HTTP/1.1", "HTTP/2"],
        lacks: &[
            (CONTINUE, Which::Both, "it does not wait for 100"),
            (TRAILERS, Which::Both, "it does not show trailers"),
            (GOAWAY, Which::Http2, BEHIND),
            (GOAWAYS, Which::Http2, BEHIND),
            (PAUSE, Which::Http2, BEHIND),
        ],
    });
}

/// Every row, on every way to the origin.
fn holds(client: &Client) {
    for (tls, http2) in [(false, false), (false, true), (true, false), (true, true)] {
        let Origins { plain, tls: secure, ca, folder: _folder } = Origins::start();
        let origin = if tls { secure } else { plain };
        let base = if tls { origin.https("") } else { origin.http("") };
        let version = client.versions[usize::from(http2)];
        let mut asker = Asker::start(client, &base, &ca, http2);
        for (line, wanted) in TABLE {
            // HTTP/1.1 knows no limit of streams.
            if client.shows(line, http2) && (http2 || line != LIMITS) {
                let what = format!("{} {base} {version}: {line}", client.name);
                check(&what, &asker.ask(line), wanted, version);
            }
        }
        if client.shows(PAUSE, http2) {
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

/// The running program.
struct Asker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Asker {
    fn start(client: &Client, base: &str, ca: &str, http2: bool) -> Self {
        let mut command = Command::new(&client.program);
        command.args(&client.arguments).args([base, ca, if http2 { "2" } else { "1" }]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

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
