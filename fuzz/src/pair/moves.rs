//! What happens next, and what is heard.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use regatta_core::engine::{Event, Head, Shutdown};
use regatta_core::types::Cause;
use regatta_core::{Duration, Instant};
use regatta_models::tape::Tape;

use super::exchange::{End, Exchange};
use super::speaker::Speaker;
use super::{EXCHANGES_MAX, World, drawn};
use crate::quic::DATAGRAM_MAX;

/// A body of more windows than this would take too many rounds.
const WINDOWS_MAX: usize = 50;

impl World {
    /// One move.
    pub(super) fn step(&mut self, tape: &mut Tape) {
        match tape.weighted("move", &[6, 6, 4, 6, 4, 12, 2, 2]) {
            0 => self.ask(tape),
            1 => self.send(tape, true),
            2 => self.answer(tape),
            3 => self.send(tape, false),
            4 => self.allow(tape),
            5 => self.carry(tape),
            6 => self.pass(tape),
            _ => self.rare(tape),
        }
    }

    fn ask(&mut self, tape: &mut Tape) {
        let number = self.exchanges.len();
        if number >= EXCHANGES_MAX {
            return;
        }
        let mut head = drawn::request(tape, number, self.is_http1);
        let end = tape.one_in("no body", 2);
        if self.is_http1 && !end && tape.one_in("expect", 4) {
            let value = header::HeaderValue::from_static("100-continue");
            head.headers_mut().insert(header::EXPECT, value);
        }
        if let Ok(id) = self.client.engine.open(self.now, &head, end) {
            self.client.promises.begin(id);
            let mut exchange = Exchange { client: Some(id), ..Exchange::default() };
            exchange.bodyless = *head.method() == Method::HEAD;
            exchange.up.say_head(drawn::ours(head.headers()), end);
            self.exchanges.push(exchange);
        }
    }

    fn answer(&mut self, tape: &mut Tape) {
        let hint = tape.one_in("hint", 4);
        let Some(at) = self.pick(tape, |e| !e.down.head_said && e.server.is_some()) else { return };
        let Some(stream) = self.exchanges[at].server else { return };
        if hint {
            self.exchanges[at].hints += 1;
            if self.exchanges[at].hints > self.config.max_informational {
                return;
            }
            let head = drawn::hint(tape);
            return self.server.engine.respond(self.now, stream, &head, false);
        }
        let head = drawn::response(tape, self.is_http1);
        let exchange = &mut self.exchanges[at];
        let bodyless = exchange.bodyless
            || matches!(head.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let end = tape.one_in("no body", 2) || bodyless;
        exchange.down.say_head(drawn::ours(head.headers()), end);
        exchange.early |= end && !exchange.up.end_heard;
        self.server.engine.respond(self.now, stream, &head, end);
    }

    /// The next frame of a body, trailers, or the end.
    fn send(&mut self, tape: &mut Tape, up: bool) {
        let Some(at) = self.pick(tape, |e| {
            let is_open = if up { e.client.is_some() } else { e.server.is_some() };
            is_open && if up { e.up.may_send() } else { e.down.may_send() }
        }) else {
            return;
        };
        let exchange = &mut self.exchanges[at];
        let (side, stream) = match up {
            true => (&mut self.client, exchange.client),
            false => (&mut self.server, exchange.server),
        };
        let Some(stream) = stream else { return };
        let direction = if up { &mut exchange.up } else { &mut exchange.down };
        let enough = direction.body.len() > WINDOWS_MAX * self.config.stream_window as usize;
        direction.welcome = false;
        // h2's server ends the connection when trailers come on a stream that it has refused, as
        // it does when the client knows too late how many it may have.
        let refuses = self.config.initial_streams > self.config.max_concurrent_streams;
        if tape.one_in("trailers", 8) && !(up && refuses) {
            direction.trailers = drawn::trailers(tape);
            direction.end_said = true;
            side.engine.trailers(self.now, stream, direction.trailers.clone());
        } else {
            let most = if enough { 1 } else { 20 * self.config.stream_window };
            let bytes = drawn::body(tape, direction.body.len(), most);
            direction.body.extend_from_slice(&bytes);
            direction.end_said = tape.one_in("end", 3) || enough;
            side.engine.send(self.now, stream, Bytes::from(bytes), direction.end_said);
        }
        exchange.early |= !up && exchange.down.end_said && !exchange.up.end_heard;
    }

    fn allow(&mut self, tape: &mut Tape) {
        let up = tape.one_in("up", 2);
        let most = tape.pick("most", &[1, 50, u32::MAX]);
        let begun = |e: &Exchange| if up { e.server.is_some() } else { e.client.is_some() };
        let Some(at) = self.pick(tape, begun) else { return };
        self.take(at, up, most as usize);
    }

    /// A reader takes at most so many bytes of what it has heard.
    pub(super) fn take(&mut self, at: usize, up: bool, most: usize) {
        let exchange = &mut self.exchanges[at];
        let (side, stream, direction) = match up {
            true => (&mut self.server, exchange.server, &mut exchange.up),
            false => (&mut self.client, exchange.client, &mut exchange.down),
        };
        let taken = direction.owed.min(most);
        direction.owed -= taken;
        if let Some(stream) = stream {
            side.engine.allow(self.now, stream, taken);
        }
    }

    /// One side writes, or one reads a piece of what is under way.
    fn carry(&mut self, tape: &mut Tape) {
        let up = tape.one_in("up", 2);
        let room = tape.pick("room", &[100_000, 1, 9, 50, 5_000]);
        let now = self.now;
        if self.is_quic {
            return self.carry_datagram(tape, up);
        }
        let (from, to) = self.sides(up);
        if tape.one_in("write", 2) {
            from.transmit(now, room);
        } else if let Speaker::Bytes(engine) = &mut to.engine
            && engine.wants_input()
            && !to.told_end
        {
            let piece: Vec<u8> = from.pipe.drain(..room.min(from.pipe.len())).collect();
            let direct = engine.body_room();
            if direct >= piece.len() && tape.one_in("direct", 2) {
                engine.receive_body(now, Bytes::from(piece));
            } else {
                engine.receive(now, &piece);
            }
        }
    }

    /// One side writes, or one of its datagrams comes, is lost, or comes twice.
    fn carry_datagram(&mut self, tape: &mut Tape, up: bool) {
        let now = self.now;
        let how = tape.weighted("datagram", &[3, 4, 1, 1, 1]);
        let which = tape.draw("which", 4) as usize;
        let (from, to) = self.sides(up);
        let Some(last) = from.datagrams.len().checked_sub(1).filter(|_| how > 0) else {
            from.transmit(now, usize::MAX);
            return;
        };
        let which = if how > 1 { which.min(last) } else { 0 };
        let Some(mut datagram) = from.datagrams.remove(which) else { return };
        match how {
            3 => return,
            4 => {
                from.datagrams.push_back(datagram.clone());
                // Nobody has the keys: a changed one is as good as lost.
                if let Some(byte) = datagram.last_mut() {
                    *byte ^= 1;
                }
            }
            _ => {}
        }
        to.hear(now, &datagram);
    }

    fn pass(&mut self, tape: &mut Tape) {
        // A header block that takes longer is the peer's fault.
        let late = self.now >= Instant::from_millis(6_000);
        let wide = if self.faults && !late { 3_000 } else { 2 };
        let time = Duration::from_millis(u64::from(tape.draw("ms", wide)));
        self.now = self.now + time;
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
    }

    /// What seldom happens.
    fn rare(&mut self, tape: &mut Tape) {
        let up = tape.one_in("up", 2);
        let (now, damages) = (self.now, self.damages);
        if !self.faults {
            return self.sides(up).0.engine.ping(now);
        }
        match tape.weighted("rare", &[4, 2, 2, 1, 1, 2, 4]) {
            0 => {
                let begun = |e: &Exchange| if up { e.client.is_some() } else { e.server.is_some() };
                let Some(at) = self.pick(tape, begun) else { return };
                let exchange = &self.exchanges[at];
                let stream = if up { exchange.client } else { exchange.server };
                if let Some(stream) = stream {
                    self.sides(up).0.engine.reset(now, stream);
                }
            }
            1 => self.sides(up).0.engine.ping(now),
            2 => self.sides(up).0.engine.shutdown(now, Shutdown::Graceful),
            3 => self.sides(up).0.engine.shutdown(now, Shutdown::Now),
            4 => {
                let clean = tape.one_in("clean", 2);
                let (_, to) = self.sides(up);
                to.told_end = true;
                to.engine.receive_end(now, clean, Cause::ConnectionReset);
            }
            5 => {
                let most = tape.draw("streams", 4);
                self.server.engine.set_max_concurrent_streams(now, most);
            }
            _ if damages => self.damage(tape, up),
            _ => {}
        }
    }

    /// Changes, doubles, drops or swaps bytes that are under way.
    fn damage(&mut self, tape: &mut Tape, up: bool) {
        let pipe = &mut self.sides(up).0.pipe;
        let count = u32::try_from(pipe.len()).unwrap_or(u32::MAX);
        if count < 2 {
            return;
        }
        let at = tape.draw("at", count - 1) as usize;
        match tape.draw("how", 4) {
            0 => pipe[at] ^= 1 << tape.draw("bit", 8),
            1 => pipe.insert(at, u8::try_from(tape.draw("byte", 256)).unwrap_or(0)),
            2 => drop(pipe.remove(at)),
            _ => pipe[at..].rotate_left(1),
        }
    }

    /// One of the exchanges that are so, mostly the newest.
    fn pick(&self, tape: &mut Tape, is_so: impl Fn(&Exchange) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.exchanges.len())
            .rev()
            .filter(|at| self.exchanges.get(*at).is_some_and(&is_so))
            .collect();
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all.get(tape.draw("exchange", count) as usize).copied()
    }

    /// Who says and who hears.
    pub(super) fn sides(&mut self, up: bool) -> (&mut super::Side, &mut super::Side) {
        match up {
            true => (&mut self.client, &mut self.server),
            false => (&mut self.server, &mut self.client),
        }
    }
}

/// Hearing.
impl World {
    /// Takes every event of both sides.
    pub(super) fn listen(&mut self) {
        while let Some(event) = self.client.engine.poll_event() {
            self.client.promises.event(&event);
            self.hear(event, false);
        }
        while let Some(event) = self.server.engine.poll_event() {
            self.server.promises.event(&event);
            self.hear(event, true);
        }
    }

    /// `up`: the server has heard it.
    fn hear(&mut self, event: Event, up: bool) {
        self.heard += 1;
        if self.trace {
            eprintln!("    {} hears {event:?}", if up { "server" } else { "client" });
        }
        if let Event::Reset { cause, .. } | Event::Closed { cause } = &event {
            let broken = matches!(cause, Cause::Protocol(_));
            assert!(self.damages || !broken, "our own peer broke a rule: {event:?}");
        }
        if let Event::Head { stream, head: Head::Request(head), end } = event {
            let Some(exchange) = drawn::number(&head).and_then(|at| self.exchanges.get_mut(at))
            else {
                assert!(self.damages, "a request that nobody made: {head:?}");
                return;
            };
            assert!(self.damages || !exchange.up.head_heard, "a request is heard twice");
            exchange.server = Some(stream);
            exchange.up.head_heard = true;
            exchange.up.heard_fields = drawn::ours(head.headers());
            exchange.up.end_heard = end;
            return;
        }
        // Until SETTINGS have come a peer may send as much as it may by default.
        let most = self.config.stream_window.max(self.config.stream_window_max);
        let window = match self.is_quic {
            // A head's datagram may hold the begin of its body.
            true => self.config.stream_buffer as usize + DATAGRAM_MAX,
            false => most.max(65_535) as usize,
        };
        let window = Some(window).filter(|_| !self.is_http1);
        let stream = match &event {
            Event::Head { stream, .. }
            | Event::Data { stream, .. }
            | Event::Trailers { stream, .. }
            | Event::Capacity { stream }
            | Event::Ended { stream }
            | Event::Reset { stream, .. } => *stream,
            _ => return,
        };
        let id = Some(stream);
        let mine = |e: &&mut Exchange| if up { e.server == id } else { e.client == id };
        let Some(exchange) = self.exchanges.iter_mut().rev().find(mine) else { return };
        let (heard, said) = match up {
            true => (&mut exchange.up, &mut exchange.down),
            false => (&mut exchange.down, &mut exchange.up),
        };
        match event {
            Event::Head { head: Head::Response(head), end, .. } => {
                heard.head_heard = true;
                heard.heard_fields = drawn::ours(head.headers());
                heard.end_heard = end;
            }
            Event::Data { bytes, end, .. } => {
                heard.heard_body.extend_from_slice(&bytes);
                heard.owed += bytes.len();
                let most = window.unwrap_or(usize::MAX);
                assert!(heard.owed <= most, "{} bytes unread, over {most}", heard.owed);
                heard.end_heard = end;
            }
            Event::Trailers { trailers, .. } => {
                heard.heard_trailers = *trailers;
                heard.end_heard = true;
            }
            Event::Capacity { .. } => said.welcome = true,
            Event::Ended { .. } => exchange.over(up, End::Ended),
            Event::Reset { retry, .. } => exchange.over(up, End::Reset(retry)),
            _ => {}
        }
    }
}

impl Exchange {
    /// A stream has ended: its id is stale.
    fn over(&mut self, up: bool, end: End) {
        if up {
            self.server = None;
            self.server_end = end;
        } else {
            self.client = None;
            self.client_end = end;
        }
    }
}
