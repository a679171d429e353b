//! Memory of idle connections, ours and hyper's: one end is measured in a process of its own, and
//! the other end, in another, is always hyper's.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::measure::{live_bytes, table};

mod answering;
mod asking;

/// Connections, unless the command says how many.
const COUNT: usize = 10_000;

/// Whose code the measured end is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Regatta,
    Hyper,
}

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Http1,
    Http1Tls,
    Http2Tls,
}

const WHO: [(Who, &str); 2] = [(Who::Regatta, "regatta"), (Who::Hyper, "hyper")];
const WAYS: [(Way, &str, &str, u32); 3] = [
    (Way::Http1, "http1", "HTTP/1.1", 4),
    (Way::Http1Tls, "http1-tls", "HTTP/1.1, TLS", 8),
    (Way::Http2Tls, "http2-tls", "HTTP/2, TLS", 40),
];

/// What one process holds for each of its idle connections.
struct Held {
    /// Resident, by the system.
    resident: f64,
    /// Live on the heap, by a counting allocator.
    heap: f64,
}

/// The words behind `idle`: none, a number of connections, or the role of a child.
pub(crate) fn run(words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["client", who, way, at, count] => {
            asking::run(who_of(who), way_of(way), at.parse().expect("an address"), number(count));
        }
        ["server", who, way, count] => answering::run(who_of(who), way_of(way), number(count)),
        [count] => print(number(count)),
        _ => print(COUNT),
    }
}

fn who_of(name: &str) -> Who {
    WHO.iter().find(|(_, known)| *known == name).expect("regatta or hyper").0
}

fn way_of(name: &str) -> Way {
    WAYS.iter().find(|(_, known, ..)| *known == name).expect("a way").0
}

fn number(text: &str) -> usize {
    text.parse().expect("a number of connections")
}

fn print(count: usize) {
    let mut rows = Vec::new();
    for (_, way, title, goal) in WAYS {
        for (_, who) in WHO {
            // The other end is hyper's each time, so that one thing differs.
            let (client, _) = measure(who, "hyper", way, count);
            let (_, server) = measure("hyper", who, way, count);
            let cell = |bytes: f64| format!("{:.1}", bytes / 1024.0);
            rows.push(vec![
                title.to_owned(),
                who.to_owned(),
                cell(client.resident),
                cell(client.heap),
                cell(server.resident),
                cell(server.heap),
                goal.to_string(),
            ]);
        }
    }
    table(
        "Idle connections",
        &format!(
            "KiB for each of {count} connections that have carried one request and are idle: \
             resident memory of the process before the first and behind the last, and what lives \
             on its heap, divided by their number. Client and server are processes of their own, \
             on one thread each; the other end is hyper's every time. The pool and its tables are \
             included, the kernel's buffers are not."
        ),
        &["way", "whose", "client", "its heap", "server", "its heap", "goal"],
        &rows,
    );
}

/// A client and a server, each in its process: what each holds.
fn measure(client: &str, server: &str, way: &str, count: usize) -> (Held, Held) {
    let count_text = count.to_string();
    let mut answering = Role::start(&["server", server, way, &count_text]);
    let at = answering.line();
    let mut asking = Role::start(&["client", client, way, at.trim(), &count_text]);
    let client = asking.held(count);
    answering.tell();
    let server = answering.held(count);
    (client, server)
}

/// One of the two processes.
struct Role {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Role {
    fn start(words: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.arg("idle").args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let stdin = child.stdin.take().expect("its input");
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, stdin, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }

    /// Asks what it holds now.
    fn tell(&mut self) {
        self.stdin.write_all(b"now\n").expect("it listens");
    }

    fn held(&mut self, count: usize) -> Held {
        let line = self.line();
        let (resident, heap) = line.trim().split_once(' ').expect("two numbers");
        let each = |bytes: &str| bytes.parse::<f64>().expect("bytes") / count as f64;
        Held { resident: each(resident), heap: each(heap) }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a process holds in all.
#[derive(Clone, Copy)]
struct Sample {
    resident: i64,
    heap: i64,
}

impl Sample {
    fn take() -> Self {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok());
        Self { resident: resident.unwrap_or_default() * 4_096, heap: live_bytes() }
    }

    /// Says what has come since.
    fn say(self) {
        let now = Self::take();
        println!("{} {}", now.resident - self.resident, now.heap - self.heap);
    }
}

/// Waits for a word of the process that started this one.
fn wait_for_word() {
    std::io::stdin().lock().read_line(&mut String::new()).expect("a word");
}

/// As many open files as the system lets this process have.
fn raise_limits() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("more open files");
}
