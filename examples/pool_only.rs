//! The pool alone: a little HTTP/1 client over std's blocking sockets, whose every decision about
//! connections is made by one machine of regatta-core.
//!
//! ```text
//! cargo run -p regatta-examples --example pool_only -- example.org 80 / /a /b /c
//! ```
//!
//! The pool opens no socket and never sees a byte. It says when to connect, which request goes on
//! which connection, which request goes again after its connection broke, and when to close.
//! Here each connection is a thread: what it is told comes through a channel, what it has to say
//! goes back through another. The protocol is HTTP/1.0 with keep-alive, because that has no
//! chunks; a connection of any other protocol would look the same from here.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant as Clock};

use regatta_core::id::{ConnectionId, RequestId};
use regatta_core::pool::{Action, Event, Solo, SoloConfig};
use regatta_core::types::{
    AllFailed, BodyState, Cause, Limit, MethodClass, Outcome, Protocol, ProtocolFault, RetrySafe,
};
use regatta_core::{Instant, Machine as _, Outbox};

/// Most connections at a time. Without it each waiting request gets one of its own.
const CONNECTIONS: u32 = 2;
/// What one request may take in all.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest line of a response's head.
const LINE: u64 = 16 << 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, paths @ ..] = arguments.as_slice() else {
        eprintln!("expected a host, a port and the paths to get");
        return ExitCode::FAILURE;
    };
    let Ok(port) = port.parse() else {
        eprintln!("`{port}` is not a port: expected a number up to 65535");
        return ExitCode::FAILURE;
    };
    let mut client = Client::new(host, port);
    paths.iter().for_each(|path| client.get(path));
    client.run();
    println!("{} requests on {} connections", paths.len(), client.made);
    if client.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What a connection's thread tells.
enum Told {
    /// TCP is up; the clone is for ending it from outside.
    Connected(ConnectionId, TcpStream),
    /// An answer is complete; its `StreamEnded` follows.
    Answer(RequestId, Answer),
    /// Anything else is the pool's.
    Event(Event),
}

struct Answer {
    status: u16,
    bytes: u64,
    /// The server says that it takes another request on this connection.
    keep: bool,
}

/// One connection, as the main thread knows it.
struct Handle {
    /// What it is to fetch. Once this is dropped, the thread ends what it has and closes.
    work: Option<Sender<(RequestId, String)>>,
    /// Once TCP is up.
    socket: Option<TcpStream>,
}

/// The machine, and the side tables of what it must not know: names, paths and sockets.
struct Client {
    pool: Solo,
    /// What the pool wants done. It is given to every call, and emptied after each.
    actions: Outbox<Action>,
    /// The epoch of the pool's time, which is a number of nanoseconds.
    began: Clock,
    host: String,
    port: u16,
    paths: BTreeMap<RequestId, String>,
    connections: BTreeMap<ConnectionId, Handle>,
    told: Receiver<Told>,
    tell: Sender<Told>,
    made: u32,
    failed: bool,
}

impl Client {
    fn new(host: &str, port: u16) -> Self {
        let mut config = SoloConfig { http1_alone: true, ..SoloConfig::default() };
        config.limits.max_connections = Some(CONNECTIONS);
        let (tell, told) = channel();
        Self {
            pool: Solo::new(&config),
            actions: Outbox::new(),
            began: Clock::now(),
            host: host.to_owned(),
            port,
            paths: BTreeMap::new(),
            connections: BTreeMap::new(),
            told,
            tell,
            made: 0,
            failed: false,
        }
    }

    fn now(&self) -> Instant {
        Instant::EPOCH + self.began.elapsed()
    }

    /// Asks for a connection for one request. The actions are carried out later, by the loop.
    fn get(&mut self, path: &str) {
        let now = self.now();
        let deadline = Some(now + REQUEST_TIMEOUT);
        let event = Event::Requested { method: MethodClass::Safe, deadline };
        self.pool.handle_event(now, event, &mut self.actions);
        let request = self.pool.last_request().expect("a request was just made");
        self.paths.insert(request, path.to_owned());
    }

    /// Until every request has ended, and then every connection.
    fn run(&mut self) {
        self.carry_out_all();
        while !self.paths.is_empty() || !self.connections.is_empty() {
            let deadline = self.pool.poll_timeout();
            let patience = deadline.map_or(Duration::MAX, |at| at.saturating_since(self.now()));
            let told = self.told.recv_timeout(patience);
            let now = self.now();
            match told {
                Ok(told) => self.on_told(now, told),
                // Early, late or twice is harmless.
                Err(_) => self.pool.handle_timeout(now, &mut self.actions),
            }
            self.carry_out_all();
            if self.paths.is_empty() {
                self.pool.handle_event(now, Event::Drain, &mut self.actions);
                self.carry_out_all();
            }
        }
    }

    fn on_told(&mut self, now: Instant, told: Told) {
        let event = match told {
            Told::Answer(request, Answer { status, bytes, .. }) => {
                // The pool has forgotten requests that it refused; their answers come too late.
                if let Some(path) = self.paths.get(&request) {
                    println!("{status} {path}, {bytes} bytes");
                }
                return;
            }
            Told::Connected(connection, socket) => {
                if let Some(handle) = self.connections.get_mut(&connection) {
                    handle.socket = Some(socket);
                }
                let limit = Limit::Concurrent(1);
                Event::Connected { connection, protocol: Protocol::Http1, limit }
            }
            Told::Event(event) => event,
        };
        if let Event::Closed { connection, .. } | Event::ConnectFailed { connection, .. } = &event {
            self.connections.remove(connection);
        }
        // A stale event, of a connection that the pool has given up, is ignored there.
        self.pool.handle_event(now, event, &mut self.actions);
    }

    fn carry_out_all(&mut self) {
        while let Some(action) = self.actions.pop() {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect(connection) => self.connect(connection),
            Action::Assign { request, connection } => {
                let path = self.paths.get(&request).cloned().unwrap_or_default();
                let work = self.connections.get(&connection).and_then(|to| to.work.as_ref());
                if work.is_none_or(|work| work.send((request, path)).is_err()) {
                    // The thread has ended; nothing of the request was sent.
                    let ended = ended(connection, request, Err((Cause::Closed, RetrySafe::Unsent)));
                    let now = self.now();
                    self.pool.handle_event(now, ended, &mut self.actions);
                }
            }
            Action::ConnectTimedOut(connection) => {
                // std cannot interrupt `connect`: the thread is forgotten, not waited for.
                self.connections.remove(&connection);
                let failed = Arc::new(all_failed(Cause::ConnectTimeout));
                let event = Event::ConnectFailed { connection, failed };
                let now = self.now();
                self.pool.handle_event(now, event, &mut self.actions);
            }
            Action::AbortConnect(connection) => drop(self.connections.remove(&connection)),
            Action::Shutdown(connection) => self.end(connection, false),
            // HTTP/1 has no way to end a request but to end its connection.
            Action::Abort(connection) | Action::Reset { connection, .. } => {
                self.end(connection, true);
            }
            Action::Refuse { request, reason, .. } => {
                self.failed = true;
                let path = self.paths.remove(&request).unwrap_or_default();
                eprintln!("http://{}:{}{path}: {reason}", self.host, self.port);
            }
            Action::Finished { request, .. } => drop(self.paths.remove(&request)),
            // `Assign` or `Refuse` follows; a GET has no body to rewind. Over TCP no peer is mute.
            Action::Resend(_) | Action::Recall { .. } => {}
            // HTTP/1 has no PING.
            Action::Probe(connection) => {
                let now = self.now();
                self.pool.handle_event(now, Event::Probed(connection), &mut self.actions);
            }
        }
    }

    fn connect(&mut self, connection: ConnectionId) {
        let (work, orders) = channel();
        self.connections.insert(connection, Handle { work: Some(work), socket: None });
        self.made += 1;
        let (host, port, tell) = (self.host.clone(), self.port, self.tell.clone());
        thread::spawn(move || run_connection(connection, &host, port, &orders, &tell));
    }

    fn end(&mut self, connection: ConnectionId, now: bool) {
        let Some(handle) = self.connections.get_mut(&connection) else { return };
        handle.work = None;
        if let Some(socket) = handle.socket.as_ref().filter(|_| now) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// A connection's thread: connects, answers one order after the other, closes.
fn run_connection(
    connection: ConnectionId,
    host: &str,
    port: u16,
    orders: &Receiver<(RequestId, String)>,
    tell: &Sender<Told>,
) {
    let say = |told| {
        // The main thread ends when nobody is left to be told of.
        let _ = tell.send(told);
    };
    // `connect` looks the name up and tries one address after the other, without a race.
    let socket = match TcpStream::connect((host, port)) {
        Ok(socket) => socket,
        Err(error) => {
            let failed = Arc::new(all_failed(Cause::from(&error)));
            return say(Told::Event(Event::ConnectFailed { connection, failed }));
        }
    };
    if let Ok(clone) = socket.try_clone() {
        say(Told::Connected(connection, clone));
    }
    let mut reader = BufReader::new(socket);
    let mut cause = Cause::ShutDown;
    for (request, path) in orders {
        let done = exchange(&mut reader, host, &path);
        let keep = done.as_ref().is_ok_and(|answer| answer.keep);
        if !keep {
            // The pool hears it before it gets the capacity back, lest it uses it at once.
            say(Told::Event(Event::Refusing(connection)));
        }
        let outcome = done.map(|answer| say(Told::Answer(request, answer)));
        cause = outcome.err().map_or(Cause::Closed, |(cause, _)| cause);
        say(Told::Event(ended(connection, request, outcome)));
        if !keep {
            break;
        }
    }
    drop(reader);
    say(Told::Event(Event::Closed { connection, cause }));
}

/// One request and its whole answer. An error says what went wrong, and what is known of the
/// request's fate: the pool decides by it whether the request may go again.
fn exchange(
    reader: &mut BufReader<TcpStream>,
    host: &str,
    path: &str,
) -> Result<Answer, (Cause, RetrySafe)> {
    let unknown = |error: io::Error| (Cause::from(&error), RetrySafe::Unknown);
    let head = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n");
    reader.get_mut().write_all(head.as_bytes()).map_err(unknown)?;
    if reader.fill_buf().map_err(unknown)?.is_empty() {
        return Err((Cause::Closed, RetrySafe::Unknown));
    }
    read_answer(reader).map_err(|cause| (cause, RetrySafe::Answered))
}

fn read_answer(reader: &mut BufReader<TcpStream>) -> Result<Answer, Cause> {
    let line = read_line(reader)?;
    let number = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status = number.and_then(|number| number.parse().ok());
    let status: u16 = status.ok_or(Cause::Protocol(ProtocolFault::StartLine))?;
    let (mut keep, mut length) = (false, None);
    if matches!(status, 204 | 304) {
        length = Some(0);
    }
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(Cause::Protocol(ProtocolFault::Field))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("connection") {
            keep = value.eq_ignore_ascii_case("keep-alive");
        } else if name.eq_ignore_ascii_case("content-length") && length.is_none() {
            let parsed = value.parse().map_err(|_| ProtocolFault::ConflictingLength);
            length = Some(parsed.map_err(Cause::Protocol)?);
        }
    }
    // Without a length the body ends with the connection.
    let keep = keep && length.is_some();
    let mut body = reader.take(length.unwrap_or(u64::MAX));
    let bytes = io::copy(&mut body, &mut io::sink()).map_err(|error| Cause::from(&error))?;
    match length {
        Some(length) if bytes < length => Err(Cause::Incomplete),
        _ => Ok(Answer { status, bytes, keep }),
    }
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Result<String, Cause> {
    let mut line = Vec::new();
    let read = reader.take(LINE).read_until(b'\n', &mut line);
    read.map_err(|error| Cause::from(&error))?;
    match line.pop() {
        Some(b'\n') => Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()),
        Some(_) if line.len() + 1 >= LINE as usize => {
            Err(Cause::Protocol(ProtocolFault::HeadTooLarge))
        }
        _ => Err(Cause::Incomplete),
    }
}

/// The one end of a request on a connection.
fn ended(
    connection: ConnectionId,
    request: RequestId,
    done: Result<(), (Cause, RetrySafe)>,
) -> Event {
    let (outcome, retry) = match done {
        Ok(()) => (Outcome::Complete, RetrySafe::Answered),
        Err((cause, retry)) => (Outcome::Failed(cause), retry),
    };
    Event::StreamEnded { connection, request, outcome, retry, body: BodyState::Untouched }
}

/// A failure without a list of attempts: `connect` does not say which addresses it tried.
fn all_failed(cause: Cause) -> AllFailed {
    AllFailed { attempts: Vec::new(), resolution: Some(cause) }
}
