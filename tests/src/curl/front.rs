//! What stands in front of the origin: it writes down what each client sends, hands it on, and
//! answers some paths itself, byte by byte. It is a proxy too: what is asked for in absolute-form
//! it hands on to the origin, and CONNECT leads where it says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::scripts::{self, End};

/// One request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) line: String,
    /// Names in lower case, sorted; without User-Agent.
    pub(super) fields: Vec<String>,
    pub(super) body: Vec<u8>,
}

/// Listens until the test's process ends.
#[derive(Clone, Debug)]
pub(super) struct Front {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Front {
    /// Hands on to the origin at this address.
    pub(super) fn start(origin: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let front = Self { port, seen: Arc::default() };
        let (this, origin) = (front.clone(), origin.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (this, origin) = (this.clone(), origin.clone());
                thread::spawn(move || this.serve(client, &origin));
            }
        });
        front
    }

    /// Listens at a Unix socket too, and hands on to itself.
    pub(super) fn listen_at(&self, path: &Path) {
        let (listener, port) = (UnixListener::bind(path).unwrap(), self.port);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                thread::spawn(move || relay(client, server));
            }
        });
    }

    /// All requests since the last call.
    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One connection of a client. Whatever breaks ends it, as it would a server's.
    fn serve(&self, client: TcpStream, origin: &str) -> Option<()> {
        let server = TcpStream::connect(origin).ok()?;
        server.set_nodelay(true).ok()?;
        client.set_nodelay(true).ok()?;
        let (back, to) = (server.try_clone().ok()?, client.try_clone().ok()?);
        thread::spawn(move || relay(back, to));
        let mut from = BufReader::new(client.try_clone().ok()?);
        let first = from.fill_buf().ok()?;
        // HTTP/2 and TLS are handed on as they are.
        if first.starts_with(b"PRI ") || first.first() == Some(&0x16) {
            relay(from, server);
            return Some(());
        }
        while self.request(&mut from, &client, &server).is_some() {}
        let _ = server.shutdown(Shutdown::Both);
        Some(())
    }

    /// Reads one request, writes it down and hands it on.
    fn request(
        &self,
        from: &mut BufReader<TcpStream>,
        client: &TcpStream,
        server: &TcpStream,
    ) -> Option<()> {
        let mut raw = Vec::new();
        loop {
            let start = raw.len();
            from.read_until(b'\n', &mut raw).ok().filter(|count| *count > 0)?;
            if raw[start..].trim_ascii().is_empty() {
                break;
            }
        }
        let text = String::from_utf8_lossy(&raw).into_owned();
        let mut lines = text.lines();
        let line = lines.next()?.to_owned();
        let mut fields: Vec<String> = lines.filter(|line| !line.is_empty()).map(field).collect();
        // Proxy-Connection is curl's alone: RFC 9112 C.2.2 would not have it sent.
        fields.retain(|field| {
            !field.starts_with("user-agent:") && !field.starts_with("proxy-connection:")
        });
        fields.sort();
        let place = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(Seen { line: line.clone(), fields: fields.clone(), body: Vec::new() });
            seen.len() - 1
        };
        if let Some(target) = line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next())
        {
            tunnel(target, from, client);
            return None;
        }
        if let Some(script) = line.split(' ').nth(1).and_then(|path| path.strip_prefix("/raw/")) {
            let earlier = {
                let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.iter().filter(|seen| seen.line == line).count() - 1
            };
            let (bytes, end) = scripts::find(script, earlier);
            let mut client = client;
            client.write_all(&bytes).ok()?;
            finish(from, client, end);
            return None;
        }
        // A short body goes on with its head: else the answer might come before it, or behind.
        let length = fields.iter().find_map(|field| field.strip_prefix("content-length: "));
        let is_short = length.is_some_and(|text| text.len() < 5);
        let waits = fields.iter().any(|field| field.starts_with("expect: "));
        let mut to = server;
        if is_short && !waits {
            let mut whole = Whole { raw, server };
            return self.body(from, &mut whole, &fields, place).and_then(|()| whole.send());
        }
        to.write_all(&raw).ok()?;
        self.body(from, &mut to, &fields, place)
    }

    /// The request's body, by its length or in chunks.
    fn body(
        &self,
        from: &mut BufReader<TcpStream>,
        to: &mut impl std::io::Write,
        fields: &[String],
        place: usize,
    ) -> Option<()> {
        let named = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name));
        if let Some(length) = named("content-length: ") {
            return self.copy(from, to, length.parse().ok()?, place, true);
        }
        if named("transfer-encoding: ") != Some("chunked") {
            return Some(());
        }
        loop {
            let mut size = String::new();
            from.read_line(&mut size).ok()?;
            to.write_all(size.as_bytes()).ok()?;
            let count = u64::from_str_radix(size.trim(), 16).ok()?;
            self.copy(from, to, count, place, true)?;
            self.copy(from, to, 2, place, false)?;
            if count == 0 {
                return Some(());
            }
        }
    }

    fn copy(
        &self,
        from: &mut BufReader<TcpStream>,
        to: &mut impl std::io::Write,
        count: u64,
        place: usize,
        is_content: bool,
    ) -> Option<()> {
        let mut left = usize::try_from(count).ok()?;
        while left > 0 {
            let piece = from.fill_buf().ok().filter(|piece| !piece.is_empty())?;
            let count = piece.len().min(left);
            if is_content {
                // Before it is handed on: its answer may be the end of the command.
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                // The next command may have begun by now.
                seen.get_mut(place)?.body.extend_from_slice(&piece[..count]);
            }
            to.write_all(&piece[..count]).ok()?;
            from.consume(count);
            left -= count;
        }
        Some(())
    }
}

/// What CONNECT brings: the scripts' answer for names of `.answers`, else a tunnel.
fn tunnel(target: &str, from: &mut BufReader<TcpStream>, client: &TcpStream) -> Option<()> {
    let mut to = client;
    if let Some((name, _)) = target.split_once(".answers") {
        let (bytes, end) = scripts::find_connect(name);
        to.write_all(&bytes).ok()?;
        finish(from, client, end);
        return Some(());
    }
    let Ok(server) = TcpStream::connect(target) else {
        return to.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").ok();
    };
    server.set_nodelay(true).ok()?;
    to.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (back, near) = (server.try_clone().ok()?, client.try_clone().ok()?);
    let behind = thread::spawn(move || relay(back, near));
    relay(from, server);
    behind.join().ok()
}

/// A request that is handed on in one piece.
struct Whole<'a> {
    raw: Vec<u8>,
    server: &'a TcpStream,
}

impl Whole<'_> {
    fn send(self) -> Option<()> {
        let mut server = self.server;
        server.write_all(&self.raw).ok()
    }
}

impl std::io::Write for Whole<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.raw.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// `Name:  value` with its name in lower case.
fn field(line: &str) -> String {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    format!("{}: {}", name.to_ascii_lowercase(), value.trim())
}

fn relay(mut from: impl std::io::Read, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

fn finish(from: &mut BufReader<TcpStream>, client: &TcpStream, end: End) {
    let mut rest = Vec::new();
    match end {
        End::Close => {
            let _ = client.shutdown(Shutdown::Write);
            // Until the client closes too, so that nothing is reset.
            let _ = from.read_to_end(&mut rest);
        }
        End::Hang => {
            let _ = from.read_to_end(&mut rest);
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
