//! TLS against itself: an honest handshake or none, then records that are cut, damaged, swapped,
//! doubled and dropped.
//!
//! The oracle: what one side hears is the beginning of what the other has said, never anything
//! else; on a wire without damage it is all of it and there is no error; an error is the last
//! word; what goes out is little longer than what went in.

mod moves;

use bytes::BytesMut;
use regatta_core::Duration;
use regatta_core::engine::Output;
use regatta_core::engine::tls::{
    ClientConfig, ClientOptions, Clock, ServerConfig, Tls, TlsError, Versions,
};
use regatta_core::types::Protocol;
use regatta_models::tape::Tape;
use regatta_sim::tls::{ROOT, good, provider};

use crate::cuts::NOW;

/// Most moves that are drawn.
const MOVES_MAX: usize = 500;
/// Bytes that a handshake, tickets and alerts may have.
const HANDSHAKE_MAX: usize = 10_000;
/// Bytes around each record, and the most that one holds.
const RECORD: (usize, usize) = (64, 16_384);
/// 2026-01-01, when the simulator's certificates are valid.
const TODAY: Duration = Duration::from_secs(1_767_225_600);

/// Runs one tape.
pub fn records(bytes: &[u8]) {
    let mut tape = Tape::new(bytes).listed();
    let mut world = World::new(&mut tape);
    if world.honest_first {
        world.settle();
    }
    for _ in 0..MOVES_MAX {
        if tape.is_used_up() {
            break;
        }
        world.step(&mut tape);
        world.check();
    }
    world.settle();
    world.judge();
}

/// One end.
struct Side {
    tls: Tls,
    /// What is to be sealed.
    plain: Output,
    said: Vec<u8>,
    /// Flushes in which something was said: each may be a record of its own.
    flushes: usize,
    heard: BytesMut,
    error: Option<TlsError>,
    /// Sealed bytes that the other side has not yet read.
    pipe: Vec<u8>,
    written: usize,
    has_closed: bool,
}

struct World {
    client: Side,
    server: Side,
    honest_first: bool,
    /// The wire may be damaged.
    damages: bool,
}

impl World {
    fn new(tape: &mut Tape) -> Self {
        let all = [Versions::Both, Versions::Tls12, Versions::Tls13];
        let alpn = [Protocol::Http2, Protocol::Http1];
        let clock = Clock::new(TODAY);
        let mut options = ClientOptions::default();
        options.roots = vec![ROOT.to_vec()];
        options.alpn = alpn[tape.draw("offers", 3) as usize % 2..].to_vec();
        options.versions = tape.pick("client", &all);
        options.provider = Some(provider());
        let mut theirs = good();
        theirs.provider = Some(provider());
        theirs.tickets = tape.pick("tickets", &[2, 0, 4]);
        let client = ClientConfig::new(&clock, options);
        let server = ServerConfig::new(&clock, theirs);
        let (Ok(client), Ok(server)) = (client, server) else { panic!("the settings are good") };
        let client = Tls::client(&client, "www.test", NOW);
        let server = Tls::server(&server, NOW);
        let (Ok(client), Ok(server)) = (client, server) else { panic!("both sides can begin") };
        Self {
            client: Side::new(client),
            server: Side::new(server),
            honest_first: tape.draw("handshake", 3) < 2,
            damages: tape.draw("damages", 3) < 2,
        }
    }

    /// Carries everything there is until nothing moves.
    fn settle(&mut self) {
        /// More would be two sides that talk for ever.
        const ROUNDS_MAX: usize = 100;
        for _ in 0..ROUNDS_MAX {
            self.client.flush();
            self.server.flush();
            if self.client.pipe.is_empty() && self.server.pipe.is_empty() {
                return;
            }
            carry(&mut self.client, &mut self.server, usize::MAX, self.damages);
            carry(&mut self.server, &mut self.client, usize::MAX, self.damages);
            self.check();
        }
        panic!("no rest after {ROUNDS_MAX} rounds");
    }

    /// What holds after every move.
    fn check(&self) {
        for (from, to) in [(&self.client, &self.server), (&self.server, &self.client)] {
            assert!(from.said.starts_with(&to.heard), "plain text that nobody has said");
            assert!(to.error.is_none() || self.damages, "an error without damage: {:?}", to.error);
            let records = from.flushes + from.said.len() / RECORD.1 + 1;
            let most = from.said.len() + records * RECORD.0 + HANDSHAKE_MAX;
            assert!(from.written <= most, "{} bytes written, over {most}", from.written);
        }
    }

    fn judge(&self) {
        if self.damages {
            return;
        }
        for (from, to) in [(&self.client, &self.server), (&self.server, &self.client)] {
            assert!(!to.tls.is_handshaking(), "the handshake has not come to its end");
            assert_eq!(to.tls.is_peer_closed(), from.has_closed, "close_notify");
            // Who has closed hears nothing of what is said to it later, and need not.
            assert!(from.said.len() == to.heard.len(), "plain text was lost");
        }
        assert_eq!(self.client.tls.alpn(), self.server.tls.alpn(), "what ALPN chose");
    }
}

impl Side {
    fn new(tls: Tls) -> Self {
        Self {
            tls,
            plain: Output::new(),
            said: Vec::new(),
            flushes: 0,
            heard: BytesMut::new(),
            error: None,
            pipe: Vec::new(),
            written: 0,
            has_closed: false,
        }
    }

    /// Seals what is to be said, and whatever else is due.
    fn flush(&mut self) {
        let mut out = Output::new();
        self.flushes += 1;
        self.tls.send(NOW, &mut self.plain, &mut out);
        self.written += out.len();
        while let Some(chunk) = out.pop() {
            self.pipe.extend_from_slice(&chunk);
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let before = self.heard.len();
        let result = self.tls.receive(NOW, bytes, &mut self.heard);
        match (&self.error, result) {
            (None, result) => self.error = result.err(),
            (Some(first), Err(again)) => {
                assert_eq!(*first, again, "another error after the first");
                assert_eq!(self.heard.len(), before, "plain text after an error");
            }
            (Some(first), Ok(())) if !bytes.is_empty() => panic!("{first} was forgotten"),
            _ => {}
        }
    }
}

/// Carries at most so many bytes.
fn carry(from: &mut Side, to: &mut Side, most: usize, damages: bool) {
    let piece: Vec<u8> = from.pipe.drain(..most.min(from.pipe.len())).collect();
    // A damaged record behind our own close_notify trips an assertion of rustls 0.23 that only
    // debugging builds have (`sent_fatal_alert`): there is one alert too many.
    if !(to.has_closed && damages) {
        to.hear(&piece);
    }
}
