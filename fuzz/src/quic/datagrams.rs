//! Datagrams into endpoints: true ones lost, late, doubled, cut and changed, from wherever, and
//! noise.
//!
//! The oracle: nobody panics; there are never more connections and handshakes than the limits;
//! an address that has not proven itself gets at most three bytes for each that came from it
//! (RFC 9000 8.1), whoever answers; what is read is the beginning of what was written; and once the
//! handshake is complete nothing that was not sent by the other end ends the connection.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use quinn_proto::{Dir, StreamId};
use regatta_core::engine::quic::{Endpoint, Options, Retry, ServerOptions};
use regatta_core::{Duration, Instant};
use regatta_models::tape::Tape;

use super::end::{DATAGRAM_MAX, Datagram, End, configs};
use crate::cuts::NOW;

/// Most moves that are drawn.
const MOVES_MAX: usize = 300;
/// Most of what was ever sent that is kept to be forged.
const KEPT_MAX: usize = 64;
/// quinn-proto begins a last datagram while a single byte may be sent: with so many bytes it may
/// go beyond what RFC 9000 8.1 allows, on each path of each connection.
const BEYOND: usize = DATAGRAM_MAX;
/// Limits of the server.
const CONNECTIONS: u32 = 4;
const HANDSHAKES: u32 = 3;

/// Runs one tape.
pub fn datagrams(bytes: &[u8]) {
    let mut world = World::new(Tape::new(bytes));
    for _ in 0..MOVES_MAX {
        if world.tape.is_used_up() {
            break;
        }
        world.step();
        world.check();
    }
    world.rest();
}

/// On its way.
struct Flying {
    from: SocketAddr,
    to_server: bool,
    bytes: Vec<u8>,
}

struct World {
    tape: Tape,
    now: Instant,
    client: End,
    server: End,
    flying: Vec<Flying>,
    /// What was sent, whether to the server.
    kept: Vec<(bool, Vec<u8>)>,
    /// What came from an address and went to it, in bytes.
    traffic: BTreeMap<SocketAddr, (usize, usize)>,
    /// Where the server's connections began, or went on to, and how often.
    paths: BTreeMap<SocketAddr, usize>,
    path: Option<SocketAddr>,
    stream: Option<StreamId>,
    written: Vec<u8>,
    read: Vec<u8>,
    /// Something was forged before the handshake was complete, or it took too long: it may fail
    /// (RFC 9000 21.1.1.1).
    is_meddled: bool,
    has_proven: bool,
}

impl World {
    fn new(mut tape: Tape) -> Self {
        let mut options = Options::default();
        options.idle_timeout = None;
        let mut theirs = ServerOptions::default();
        theirs.connection = options.clone();
        theirs.max_connections = CONNECTIONS;
        theirs.max_handshakes = HANDSHAKES;
        theirs.retry = tape.pick("retry", &[Retry::Never, Retry::Always, Retry::Above(1)]);
        theirs.migration = tape.draw("migration", 2) == 0;
        let (client, server) = configs(&options, &theirs);
        let both = (Endpoint::client(&client, false), Endpoint::server(&server, false));
        let (Ok(client), Ok(server)) = both else { panic!("the settings are good") };
        let mut client = End::new(client, None, false);
        let server = End::new(server, None, true);
        client.connect(NOW);
        let mut world = Self {
            tape,
            now: NOW,
            client,
            server,
            flying: Vec::new(),
            kept: Vec::new(),
            traffic: BTreeMap::new(),
            paths: BTreeMap::new(),
            path: None,
            stream: None,
            written: Vec::new(),
            read: Vec::new(),
            is_meddled: false,
            has_proven: false,
        };
        world.work();
        let is_begun = world.tape.draw("begun", 2) == 0;
        if is_begun {
            world.settle();
        }
        world
    }

    fn step(&mut self) {
        match self.tape.weighted("move", &[8, 3, 3, 3, 3, 1]) {
            0 => self.carry(),
            1 => self.speak(),
            2 => self.pass(),
            3 => self.forge(),
            4 => self.noise(),
            _ => {
                let which = self.tape.draw("lost", 8) as usize;
                if which < self.flying.len() {
                    self.flying.remove(which);
                }
            }
        }
    }

    /// One of those under way arrives, perhaps not for the last time.
    fn carry(&mut self) {
        let Some(last) = self.flying.len().checked_sub(1) else { return self.work() };
        let which = (self.tape.draw("which", 4) as usize).min(last);
        let again = self.tape.one_in("again", 8);
        let Flying { from, to_server, bytes } = self.flying.remove(which);
        self.arrive(from, to_server, &bytes);
        if again {
            self.flying.push(Flying { from, to_server, bytes });
        }
    }

    /// The client writes on its stream.
    fn speak(&mut self) {
        let wide = self.tape.pick("wide", &[30, 3_000, 30_000]);
        let length = self.tape.draw("length", wide) as usize;
        if !self.client.is_connected || self.written.len() > 200_000 {
            return;
        }
        let connection = self.client.id.and_then(|id| self.client.endpoint.connection(id));
        let Some(connection) = connection else { return };
        if self.stream.is_none() {
            self.stream = connection.streams().open(Dir::Uni);
        }
        let Some(stream) = self.stream else { return };
        let from = self.written.len();
        let bytes: Vec<u8> = (from..from + length).map(|at| (at % 251) as u8).collect();
        if let Ok(written) = connection.send_stream(stream).write(&bytes) {
            self.written.extend_from_slice(&bytes[..written]);
        }
        self.work();
    }

    fn pass(&mut self) {
        let wide = self.tape.pick("time", &[10, 500, 20_000]);
        let millis = self.tape.draw("ms", wide);
        self.now = self.now + Duration::from_millis(millis.into());
        self.work();
    }

    /// One of those that were sent, changed or not, from here or elsewhere.
    fn forge(&mut self) {
        let Some(last) = self.kept.len().checked_sub(1) else { return };
        let which = (self.tape.draw("kept", KEPT_MAX as u32) as usize).min(last);
        let (to_server, mut bytes) = self.kept[last - which].clone();
        for _ in 0..self.tape.draw("changes", 4) {
            let count = bytes.len() as u32;
            let wide = self.tape.pick("where", &[count, 7, 40]).min(count);
            let at = self.tape.draw("at", wide) as usize;
            match self.tape.draw("how", 5) {
                0 if count > 0 => bytes[at] ^= 1 << self.tape.draw("bit", 8),
                1 if count > 0 => bytes[at] = self.tape.draw("byte", 256) as u8,
                2 => bytes.truncate(at),
                3 => bytes.extend(core::iter::repeat_n(0, at)),
                // Two in one datagram (RFC 9000 12.2).
                _ => {
                    let other = self.kept[at.min(last)].1.clone();
                    bytes.extend(other);
                }
            }
        }
        bytes.truncate(65_000);
        let from = self.from(to_server);
        // The other way round as well.
        let to_server = to_server != self.tape.one_in("back", 8);
        self.meddle(from, to_server, &bytes);
    }

    fn noise(&mut self) {
        let wide = self.tape.pick("wide", &[40, 1_500]);
        let length = self.tape.draw("noise", wide) as usize;
        let front = self.tape.pick("front", &[0xc0, 0x40, 0x80, 0xe0, 0xf0, 0]);
        let mut bytes = vec![0; length];
        let own = self.tape.draw("drawn", 24) as usize;
        for byte in bytes.iter_mut().take(own) {
            *byte = self.tape.draw("byte", 256) as u8;
        }
        if let Some(first) = bytes.first_mut() {
            *first |= front;
        }
        if self.tape.one_in("version", 2) && length > 5 {
            bytes[1..5].copy_from_slice(&[0, 0, 0, 1]);
        }
        let to_server = !self.tape.one_in("to the client", 3);
        let from = self.from(to_server);
        self.meddle(from, to_server, &bytes);
    }

    /// Where a forged one comes from.
    fn from(&mut self, to_server: bool) -> SocketAddr {
        let other: [SocketAddr; 2] =
            [([203, 0, 113, 7], 4_433).into(), ([0x20, 0, 0, 1], 9).into()];
        let right = if to_server { self.client.address } else { self.server.address };
        self.tape.pick("from", &[right, other[0], other[1], right])
    }

    fn meddle(&mut self, from: SocketAddr, to_server: bool, bytes: &[u8]) {
        self.is_meddled |= !(self.client.is_connected && self.server.is_connected);
        self.arrive(from, to_server, bytes);
    }

    fn arrive(&mut self, from: SocketAddr, to_server: bool, bytes: &[u8]) {
        if to_server {
            self.traffic.entry(from).or_default().0 += bytes.len();
            let before = self.server.endpoint.counts().connections;
            self.server.hear(self.now, from, bytes);
            let after = self.server.endpoint.counts().connections;
            if after > before {
                *self.paths.entry(from).or_default() += 1;
            } else if before == 0 {
                let answers = self.server.work(self.now);
                let size: usize = answers.iter().map(|(_, answer)| answer.len()).sum();
                assert!(size <= 3 * bytes.len(), "{size} bytes for {}", bytes.len());
                self.send(false, answers);
            }
        } else {
            self.client.hear(self.now, from, bytes);
        }
        self.work();
    }

    /// Both ends do what there is to do.
    fn work(&mut self) {
        let sent = self.client.work(self.now);
        self.send(true, sent);
        let sent = self.server.work(self.now);
        for (to, bytes) in &sent {
            self.traffic.entry(*to).or_default().1 += bytes.len();
        }
        self.send(false, sent);
        let connection = self.server.id.and_then(|id| self.server.endpoint.connection(id));
        if let Some(at) = connection.map(|connection| connection.remote_address())
            && self.path.replace(at) != Some(at)
        {
            *self.paths.entry(at).or_default() += 1;
        }
        self.has_proven |= self.server.is_connected;
        let is_standing = self.client.is_connected && self.server.is_connected;
        // Tokens and handshakes have their time.
        self.is_meddled |= !is_standing && self.now > NOW + Duration::from_secs(5);
        self.listen();
    }

    fn send(&mut self, to_server: bool, sent: Vec<Datagram>) {
        for (to, bytes) in sent {
            if self.kept.len() == KEPT_MAX {
                self.kept.remove(0);
            }
            self.kept.push((to_server, bytes.clone()));
            let right = if to_server { self.server.address } else { self.client.address };
            let from = if to_server { self.client.address } else { self.server.address };
            if to == right && self.flying.len() < 10 * KEPT_MAX {
                self.flying.push(Flying { from, to_server, bytes });
            }
        }
    }

    /// The server reads what came on the client's stream.
    fn listen(&mut self) {
        let connection = self.server.id.and_then(|id| self.server.endpoint.connection(id));
        let (Some(connection), Some(stream)) = (connection, self.stream) else { return };
        while connection.streams().accept(Dir::Uni).is_some() {}
        let mut stream = connection.recv_stream(stream);
        let Ok(mut chunks) = stream.read(true) else { return };
        while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
            self.read.extend_from_slice(&chunk.bytes);
        }
    }

    fn check(&self) {
        let counts = self.server.endpoint.counts();
        assert!(counts.connections <= CONNECTIONS as usize, "{counts:?}");
        assert!(counts.handshakes <= HANDSHAKES as usize, "{counts:?}");
        assert!(self.client.endpoint.counts().connections <= 1, "a client has one");
        assert!(self.written.starts_with(&self.read), "read what nobody has written");
        let all: usize = self.traffic.values().map(|(came, _)| came).sum();
        for (address, (came, went)) in &self.traffic {
            let is_proven = *address == self.client.address && self.has_proven;
            let most = match self.paths.get(address) {
                None => 3 * came,
                // quinn-proto's connection credits a path with what comes from other addresses
                // too.
                Some(paths) => 3 * all + BEYOND * paths,
            };
            assert!(is_proven || *went <= most, "{went} bytes to {address} for {came}");
        }
    }

    /// Everything arrives until nothing is under way and no timer is near.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.work();
            for Flying { from, to_server, bytes } in core::mem::take(&mut self.flying) {
                self.arrive(from, to_server, &bytes);
            }
            self.check();
            let next = [self.client.poll_timeout(), self.server.poll_timeout()];
            let next = next.into_iter().flatten().min();
            match next {
                _ if !self.flying.is_empty() => self.now = self.now + Duration::from_millis(1),
                // Late answers make patient timers.
                Some(at) if at < self.now + Duration::from_secs(100_000) => {
                    self.now = self.now.max(at)
                }
                _ => return,
            }
        }
    }

    fn rest(&mut self) {
        self.settle();
        if self.is_meddled {
            return;
        }
        let lost = [&self.client.lost, &self.server.lost];
        assert!(lost.iter().all(|lost| lost.is_none()), "the connection is lost: {lost:?}");
        assert!(self.client.is_connected && self.server.is_connected, "no handshake");
        assert!(self.read == self.written, "{} of {} bytes", self.read.len(), self.written.len());
    }
}
