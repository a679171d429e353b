//! A peer that says anything, an engine that hears it, and what is compared.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, Request, Response};
use quinn_proto::{Dir, StreamId as Number};
use regatta_core::engine::quic::Options;
use regatta_core::engine::{Config, Event};
use regatta_core::id::StreamId;
use regatta_core::{Duration, Instant};
use regatta_models::tape::Tape;

use super::drawn;
use super::meaning::Message;
use super::reading::{self, Asked, Read, Verdict};
use crate::cuts::NOW;
use crate::log::Promises;
use crate::quic::{DATAGRAM_MAX, End, ends};

/// Most moves that are drawn.
const MOVES_MAX: usize = 80;
/// Streams of requests, and of one direction.
const REQUESTS: usize = 3;
const ONE_WAY: usize = 3;
/// Milliseconds until everything that was said has been heard.
const REST: u64 = 60;

/// A server hears requests.
pub fn requests(bytes: &[u8]) {
    Wire::new(Tape::new(bytes), true).run();
}

/// A client hears answers.
pub fn responses(bytes: &[u8]) {
    Wire::new(Tape::new(bytes), false).run();
}

/// One stream as the peer has said it.
#[derive(Default)]
struct Said {
    number: Option<Number>,
    bytes: Vec<u8>,
    ended: bool,
    reset: bool,
    /// Its opening half is over for other reasons: what was said later was not heard.
    stopped: bool,
}

struct Wire {
    tape: Tape,
    now: Instant,
    /// The engine's.
    own: End,
    peer: End,
    is_server: bool,
    requests: Vec<Said>,
    one_way: Vec<Said>,
    asked: Vec<(StreamId, Asked)>,
    /// What the engine told of each stream.
    heard: BTreeMap<StreamId, Message>,
    /// Streams that ended badly.
    broken: BTreeSet<StreamId>,
    /// The peer has taken streams back.
    is_away: bool,
    promises: Promises,
}

impl Wire {
    fn new(mut tape: Tape, is_server: bool) -> Self {
        let mut now = NOW;
        let mut config = Config::default();
        config.stream_buffer = tape.pick("buffer", &[64 << 10, 3]);
        let far = Duration::from_secs(1_000_000);
        (config.head_timeout, config.expect_timeout, config.linger_timeout) = (far, far, far);
        config.idle_timeout = None;
        let mut options = Options::default();
        options.idle_timeout = None;
        let (client, server) = match is_server {
            true => ends(&mut now, &options, None, Some(&config)),
            false => ends(&mut now, &options, Some(&config), None),
        };
        let (own, peer) = if is_server { (server, client) } else { (client, server) };
        let said = |count| (0..count).map(|_| Said::default()).collect();
        let mut wire = Self {
            tape,
            now,
            own,
            peer,
            is_server,
            requests: said(REQUESTS),
            one_way: said(ONE_WAY),
            asked: Vec::new(),
            heard: BTreeMap::new(),
            broken: BTreeSet::new(),
            is_away: false,
            promises: Promises::default(),
        };
        wire.begin();
        wire
    }

    /// SETTINGS, mostly; a client's engine asks.
    fn begin(&mut self) {
        if self.tape.draw("settings", 8) < 7 {
            self.say(REQUESTS, &[0, 4, 0], usize::MAX);
        }
        if self.is_server {
            return;
        }
        for number in 0..REQUESTS {
            let is_head = self.tape.one_in("HEAD", 4);
            let method = if is_head { Method::HEAD } else { Method::GET };
            let request = Request::builder().method(method).uri("https://www.test/").body(());
            let (Some(engine), Ok(request)) = (&mut self.own.engine, request) else { return };
            let Ok(id) = engine.open(self.now, &request, true) else { panic!("a stream is free") };
            self.promises.begin(id);
            let asked = if is_head { Asked::ForHead } else { Asked::Plainly };
            self.asked.push((id, asked));
            self.requests[number].number =
                Some(Number::new(quinn_proto::Side::Client, Dir::Bi, number as u64));
        }
        self.tick(5);
    }

    fn run(mut self) {
        for _ in 0..MOVES_MAX {
            if self.tape.is_used_up() {
                break;
            }
            self.step();
        }
        self.tick(REST);
        self.judge();
    }

    fn step(&mut self) {
        let which = self.tape.draw("stream", (REQUESTS + ONE_WAY) as u32) as usize;
        let is_control = which >= REQUESTS;
        match self.tape.weighted("move", &[8, 2, 3, 1, 2]) {
            0 => {
                let mut bytes = Vec::new();
                if is_control && self.said(which).bytes.is_empty() {
                    let kind = self.tape.pick("kind", &[0, 2, 3, 0x21, 1, 0x40]);
                    drawn::put(&mut bytes, kind, self.tape.draw("wide", 4));
                }
                let is_request = self.is_server;
                bytes.extend(drawn::frame(&mut self.tape, which, is_request, is_control));
                let cut = self.tape.pick("cut", &[usize::MAX, 1, 2, 5, 20]);
                self.say(which, &bytes, cut);
            }
            1 => {
                let bytes = drawn::bytes(&mut self.tape);
                self.say(which, &bytes, usize::MAX);
            }
            2 => self.end(which, false),
            3 => self.end(which, true),
            _ => self.tick(1),
        }
    }

    fn said(&mut self, which: usize) -> &mut Said {
        match which.checked_sub(REQUESTS) {
            Some(which) => &mut self.one_way[which],
            None => &mut self.requests[which],
        }
    }

    /// The transport's number of a stream, which is begun where it was not.
    fn number(&mut self, which: usize) -> Option<Number> {
        let known = self.said(which).number;
        if known.is_some() {
            return known;
        }
        let dir = if which < REQUESTS { Dir::Bi } else { Dir::Uni };
        let connection = self.peer.endpoint.connection(self.peer.id?)?;
        let number = connection.streams().open(dir);
        self.said(which).number = number;
        number
    }

    /// Says bytes in pieces of this size, each of which is heard by itself.
    fn say(&mut self, which: usize, bytes: &[u8], cut: usize) {
        for piece in bytes.chunks(cut.clamp(1, 1 << 20)) {
            let said = self.said(which);
            if said.ended || said.reset || said.stopped {
                return;
            }
            let Some(number) = self.number(which) else { return };
            let id = self.peer.id;
            let connection = id.and_then(|id| self.peer.endpoint.connection(id));
            let Some(connection) = connection else { return };
            match connection.send_stream(number).write(piece) {
                Ok(written) => self.said(which).bytes.extend_from_slice(&piece[..written]),
                Err(_) => self.said(which).stopped = true,
            }
            if cut < bytes.len() {
                self.tick(1);
            }
        }
    }

    fn end(&mut self, which: usize, reset: bool) {
        let said = self.said(which);
        if said.ended || said.reset || said.stopped {
            return;
        }
        let Some(number) = self.number(which) else { return };
        let connection = self.peer.id.and_then(|id| self.peer.endpoint.connection(id));
        let Some(connection) = connection else { return };
        let mut stream = connection.send_stream(number);
        let done = match reset {
            true => stream.reset(0x10c_u32.into()).is_ok(),
            false => stream.finish().is_ok(),
        };
        let said = self.said(which);
        match (done, reset) {
            (false, _) => said.stopped = true,
            (true, true) => said.reset = true,
            (true, false) => said.ended = true,
        }
    }

    /// So many milliseconds; what is told is taken.
    fn tick(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now = self.now + Duration::from_millis(1);
            for (_, datagram) in self.peer.work(self.now) {
                self.own.hear(self.now, self.peer.address, &datagram);
            }
            for (_, datagram) in self.own.work(self.now) {
                self.peer.hear(self.now, self.own.address, &datagram);
            }
            let mut peer = self.peer.id.and_then(|id| self.peer.endpoint.connection(id));
            while peer.as_mut().is_some_and(|peer| peer.streams().accept(Dir::Bi).is_some()) {}
            for event in core::mem::take(&mut self.own.told) {
                self.hear(event);
            }
        }
    }

    fn hear(&mut self, event: Event) {
        self.promises.event(&event);
        let buffer = self.own.config.as_ref().map_or(0, |config| config.stream_buffer);
        // A head's datagram may hold the begin of its body.
        let most = REQUESTS * (buffer as usize + DATAGRAM_MAX);
        let Some(engine) = &mut self.own.engine else { return };
        assert!(engine.unread() <= most, "{} bytes unread, over {most}", engine.unread());
        let stream = match &event {
            Event::Head { stream, .. } => {
                if self.is_server {
                    engine.respond(self.now, *stream, &Response::new(()), true);
                }
                *stream
            }
            Event::Data { stream, bytes, .. } => {
                engine.allow(self.now, *stream, bytes.len());
                *stream
            }
            Event::Reset { stream, .. } => {
                self.broken.insert(*stream);
                return;
            }
            Event::GoAway { .. } => {
                self.is_away |= !self.is_server;
                return;
            }
            Event::Informational { stream, .. } | Event::Trailers { stream, .. } => *stream,
            _ => return,
        };
        self.heard.entry(stream).or_default().hear(event);
    }
}

/// What is compared.
impl Wire {
    fn judge(&self) {
        let ask = |at: usize| self.asked.get(at).map_or(Asked::Nothing, |(_, asked)| *asked);
        let reads: Vec<Read> = self
            .requests
            .iter()
            .enumerate()
            .map(|(at, said)| reading::message(&said.bytes, said.ended, ask(at)))
            .collect();
        let one_way: Vec<_> =
            self.one_way.iter().map(|said| (said.bytes.clone(), said.ended, said.reset)).collect();
        let mut codes = reading::one_way(&one_way, self.is_server);
        // What was said before a reset may not have been heard.
        let whole: Vec<_> = one_way.iter().filter(|(_, _, reset)| !reset).cloned().collect();
        let is_certain = !reading::one_way(&whole, self.is_server).is_empty();
        for (read, said) in reads.iter().zip(&self.requests) {
            if let Verdict::Connection(code) = read.verdict {
                codes.insert(code);
                let is_heard = !said.reset && !said.stopped && !self.is_away;
                let is_found = self.own.close.is_some() || !is_heard;
                assert!(is_found, "{code:#x} and nobody says so: {:?}", said.bytes);
            }
        }
        assert!(!is_certain || self.own.close.is_some(), "a fault among {one_way:?} was not found");
        let is_unsure = reads.iter().any(|read| read.verdict == Verdict::Unsure);
        if let Some(close) = self.own.close.filter(|_| !is_unsure) {
            assert!(codes.contains(&close.code), "{:#x} is none of {codes:x?}", close.code);
        }
        for (at, read) in reads.iter().enumerate() {
            let is_calm = codes.is_empty() && self.own.close.is_none() && !self.is_away;
            self.compare(at, read, is_calm);
        }
    }

    /// What the engine told of one stream is what stands there.
    fn compare(&self, at: usize, read: &Read, is_calm: bool) {
        let said = &self.requests[at];
        let heard = match self.asked.get(at) {
            Some((id, _)) => self.heard.get(id).map(|message| (*id, message)),
            None => {
                let mine = |(_, message): &(&StreamId, &Message)| message.which() == Some(at);
                self.heard.iter().find(mine).map(|(id, message)| (*id, message))
            }
        };
        if !read.is_other
            && let Some((_, message)) = heard
        {
            assert!(
                message.begins(&read.message),
                "heard {message:?}, and said {:?}",
                read.message
            );
        }
        let is_whole = is_calm && !said.reset && !said.stopped && read.verdict == Verdict::Sound;
        let asked = self.asked.get(at).map(|(id, _)| *id);
        let id = heard.map(|(id, _)| id).or(asked);
        if is_whole {
            let message = heard.map(|(_, message)| message.clone()).unwrap_or_default();
            let is_named = !self.asked.is_empty() || read.message.which() == Some(at);
            let is_heard = message == read.message || !is_named;
            assert!(is_heard, "heard {message:?} of {:?}", read.message);
            let broken = id.is_some_and(|id| self.broken.contains(&id));
            assert!(!broken || self.asked.is_empty() && !is_named, "a sound stream was broken off");
        }
        let is_refused = read.verdict == Verdict::Malformed && !said.stopped && !said.reset;
        if is_refused
            && is_calm
            && let Some(id) = id
        {
            assert!(
                self.broken.contains(&id),
                "a malformed message was let through: {:?}",
                read.message
            );
        }
    }
}
