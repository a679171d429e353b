//! Happy eyeballs alone: one machine of regatta-core, over nothing but std's sockets and threads.
//!
//! ```text
//! cargo run -p regatta-examples --example eyeballs_only -- example.org 443
//! cargo run -p regatta-examples --example eyeballs_only        # a race between local listeners
//! ```
//!
//! The machine opens no socket, starts no thread and reads no clock. It takes events (addresses
//! came, an attempt connected or failed, time has passed) and answers with actions (connect
//! there, give that up, the race is over). This file does the rest: whatever blocks is a thread
//! that tells its event through a channel, and the main loop waits for the next event or for the
//! machine's deadline, whichever is first.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant as Clock};

use regatta_core::eyeballs::{Action, Config, Event, Eyeballs, Failure};
use regatta_core::types::Cause;
use regatta_core::{Instant, Machine as _, Outbox};

/// The machine leaves the limit of one attempt to its owner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => demo(),
        [host, port] => match port.parse() {
            Ok(port) => connect(host, port),
            Err(_) => Err(format!("`{port}` is not a port: expected a number up to 65535")),
        },
        _ => Err("expected a host and a port, or nothing for the demo".to_owned()),
    };
    match done {
        Ok(winner) => {
            println!("connected to {winner}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Connects to the fastest address of a real host. TCP is all that is asked for.
fn connect(host: &str, port: u16) -> Result<SocketAddr, String> {
    let mut race = Race::new(port, false);
    let (name, tell) = (host.to_owned(), race.tell.clone());
    thread::spawn(move || {
        let (addresses, failed) = match (name.as_str(), port).to_socket_addrs() {
            Ok(found) => (found.map(|address| address.ip()).collect(), None),
            Err(_) => (Vec::new(), Some(Cause::NameNotFound)),
        };
        let _ = tell.send((Event::Resolved(addresses), None));
        let _ = tell.send((Event::ResolveFinished { failed }, None));
    });
    race.run().map_err(|failure| sentence(host, port, &failure))
}

/// Three addresses of one host: the first refuses, the second accepts and then says nothing, as
/// a middlebox may, the third greets. An attempt has won when it was greeted.
fn demo() -> Result<SocketAddr, String> {
    let no_demo = |error: io::Error| format!("the demo needs 127.0.0.2 to 127.0.0.4: {error}");
    let greeter = TcpListener::bind("127.0.0.4:0").map_err(no_demo)?;
    let port = greeter.local_addr().map_err(no_demo)?.port();
    let _silent = TcpListener::bind(("127.0.0.3", port)).map_err(no_demo)?;
    thread::spawn(move || {
        while let Ok((mut socket, _)) = greeter.accept() {
            let _ = socket.write_all(b"hello\n");
        }
    });
    let mut race = Race::new(port, true);
    let addresses = (2..=4).map(|last| IpAddr::from([127, 0, 0, last])).collect();
    let _ = race.tell.send((Event::Resolved(addresses), None));
    let _ = race.tell.send((Event::ResolveFinished { failed: None }, None));
    race.run().map_err(|failure| sentence("the demo's host", port, &failure))
}

/// What a thread tells: an event, and the socket that it is about.
type Told = (Event, Option<TcpStream>);

/// One machine and what it needs of the world.
struct Race {
    eyeballs: Eyeballs,
    /// What the machine wants done. It is given to every call, and emptied after each.
    actions: Outbox<Action>,
    /// The epoch of the machine's time, which is a number of nanoseconds.
    began: Clock,
    told: Receiver<Told>,
    tell: Sender<Told>,
    /// The sockets of attempts under way, by the attempt's number.
    sockets: BTreeMap<u32, TcpStream>,
    greeted: bool,
}

impl Race {
    fn new(port: u16, greeted: bool) -> Self {
        let (tell, told) = channel();
        Self {
            eyeballs: Eyeballs::new(&Config::default(), port),
            actions: Outbox::new(),
            began: Clock::now(),
            told,
            tell,
            sockets: BTreeMap::new(),
            greeted,
        }
    }

    fn now(&self) -> Instant {
        Instant::EPOCH + self.began.elapsed()
    }

    /// The whole driver: wait, tell the machine, do what it says.
    fn run(&mut self) -> Result<SocketAddr, Failure> {
        loop {
            // The deadline may have moved with any call: it is asked for each time.
            let deadline = self.eyeballs.poll_timeout();
            let patience = deadline.map_or(Duration::MAX, |at| at.saturating_since(self.now()));
            let told = self.told.recv_timeout(patience);
            let now = self.now();
            match told {
                Ok((event, socket)) => {
                    self.note(now, &event, socket);
                    self.eyeballs.handle_event(now, event, &mut self.actions);
                }
                // Early, late or twice is harmless.
                Err(RecvTimeoutError::Timeout) => {
                    self.eyeballs.handle_timeout(now, &mut self.actions);
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is in `self`"),
            }
            while let Some(action) = self.actions.pop() {
                if let Some(end) = self.carry_out(now, action) {
                    return end;
                }
            }
        }
    }

    fn carry_out(&mut self, now: Instant, action: Action) -> Option<Result<SocketAddr, Failure>> {
        let at = now.to_string();
        match action {
            Action::Connect { attempt, address, rule } => {
                println!("{at:>10}  connect to {address} as attempt {attempt} ({})", rule.name());
                let (tell, greeted) = (self.tell.clone(), self.greeted);
                thread::spawn(move || run_attempt(attempt, address, greeted, &tell));
            }
            Action::Abort(attempt) => {
                println!("{at:>10}  give attempt {attempt} up");
                // Its thread may sit in `connect` or `peek`. What it says later names an attempt
                // that has ended, and the machine ignores that.
                if let Some(socket) = self.sockets.remove(&attempt) {
                    let _ = socket.shutdown(std::net::Shutdown::Both);
                }
            }
            Action::AddressesDropped(count) => println!("{at:>10}  {count} addresses too many"),
            Action::Finish(Ok(winner)) => {
                // The socket is the program's from here on; this one only says where it led.
                let socket = self.sockets.remove(&winner)?;
                return Some(Ok(socket.peer_addr().ok()?));
            }
            Action::Finish(Err(failure)) => return Some(Err(failure)),
        }
        None
    }

    /// Keeps the socket and shows the event.
    fn note(&mut self, now: Instant, event: &Event, socket: Option<TcpStream>) {
        let at = now.to_string();
        match event {
            Event::Resolved(addresses) | Event::Known { addresses, .. } => {
                println!("{at:>10}  addresses: {addresses:?}");
            }
            Event::Progress(attempt) => {
                println!("{at:>10}  attempt {attempt}: TCP is up");
                self.sockets.extend(socket.map(|socket| (*attempt, socket)));
            }
            Event::Connected(attempt) => println!("{at:>10}  attempt {attempt} has won"),
            Event::Failed { attempt, cause } => {
                println!("{at:>10}  attempt {attempt} failed: {cause}");
                self.sockets.remove(attempt);
            }
            Event::ResolveFinished { .. } | Event::Cancelled => {}
        }
    }
}

/// The thread of one attempt: TCP, and the greeting where one is waited for (TLS would be here).
fn run_attempt(attempt: u32, address: SocketAddr, greeted: bool, tell: &Sender<Told>) {
    let fail = |cause| Event::Failed { attempt, cause };
    let say = |event, socket| {
        // Nobody listens any more when the race is over.
        let _ = tell.send((event, socket));
    };
    match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
        Err(error) => say(fail(Cause::from(&error)), None),
        Ok(socket) => {
            say(Event::Progress(attempt), socket.try_clone().ok());
            match if greeted { socket.peek(&mut [0]) } else { Ok(1) } {
                Ok(0) => say(fail(Cause::Closed), None),
                Ok(_) => say(Event::Connected(attempt), None),
                Err(error) => say(fail(Cause::from(&error)), None),
            }
        }
    }
}

/// One sentence that names every attempt.
fn sentence(host: &str, port: u16, failure: &Failure) -> String {
    let tried: Vec<String> = failure
        .attempts
        .iter()
        .map(|one| format!("{}: {} at {}", one.address, one.cause, one.ended))
        .collect();
    let why = match failure.resolution {
        Some(cause) if tried.is_empty() => cause.to_string(),
        _ if tried.is_empty() => Cause::NoAddress.to_string(),
        _ => tried.join(", "),
    };
    format!("cannot connect to {host} port {port}: {why}")
}
