//! Everybody becomes kind: what is open is brought to its end, and then the connection ends.

use bytes::Bytes;
use http::Response;
use regatta_core::Duration;
use regatta_core::types::Cause;

use super::World;
use super::speaker::Speaker;

/// Rounds of kindness; more would be a livelock.
const ROUNDS_MAX: usize = 10_000;
/// Rounds in which nothing moves until it is the end.
const STILL: usize = 3;

impl World {
    /// Goes on until nothing moves any more.
    pub(super) fn rest(&mut self) {
        let mut still = 0;
        for _ in 0..ROUNDS_MAX {
            let heard = self.heard;
            self.finish();
            let mut moved = self.carry_all();
            self.now = self.now + Duration::from_millis(60);
            if self.is_quic && moved == 0 {
                // What was lost is sent again when its timer says so.
                self.skip();
            }
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.listen();
            moved += self.heard - heard;
            still = if moved == 0 { still + 1 } else { 0 };
            if still > STILL {
                return;
            }
        }
        panic!("no rest after {ROUNDS_MAX} rounds of a kind world");
    }

    /// Lets time pass until a timer of QUIC's is due, if one is.
    fn skip(&mut self) {
        let next = [&self.client, &self.server].into_iter().filter_map(|side| match &side.engine {
            Speaker::Quic(end) => end.endpoint.poll_timeout(),
            Speaker::Bytes(_) => None,
        });
        let late = self.now + Duration::from_secs(1_000);
        if let Some(next) = next.min().filter(|at| *at < late) {
            self.now = self.now.max(next);
        }
    }

    /// Ends what each side has still to say, answers what was heard, and reads everything.
    fn finish(&mut self) {
        for at in 0..self.exchanges.len() {
            self.take(at, true, usize::MAX);
            self.take(at, false, usize::MAX);
            let exchange = &mut self.exchanges[at];
            if let Some(stream) = exchange.client
                && exchange.up.may_send()
            {
                exchange.up.end_said = true;
                self.client.engine.send(self.now, stream, Bytes::new(), true);
            }
            let Some(stream) = exchange.server else { continue };
            if !exchange.down.head_said {
                exchange.down.say_head(Default::default(), true);
                exchange.early |= !exchange.up.end_heard;
                self.server.engine.respond(self.now, stream, &Response::new(()), true);
            } else if exchange.down.may_send() {
                exchange.down.end_said = true;
                exchange.early |= !exchange.up.end_heard;
                self.server.engine.send(self.now, stream, Bytes::new(), true);
            }
        }
    }

    /// Carries everything there is; how many bytes that were.
    fn carry_all(&mut self) -> usize {
        let mut moved = 0;
        for up in [true, false] {
            let now = self.now;
            let (from, to) = self.sides(up);
            moved += from.transmit(now, usize::MAX);
            for datagram in core::mem::take(&mut from.datagrams) {
                moved += 1;
                to.hear(now, &datagram);
            }
            if let Speaker::Bytes(engine) = &mut to.engine
                && !from.pipe.is_empty()
                && (engine.wants_input() || to.told_end)
            {
                moved += from.pipe.len();
                let bytes = core::mem::take(&mut from.pipe);
                if !to.told_end {
                    engine.receive(now, &bytes);
                }
            }
            self.listen();
            let is_quic = self.is_quic;
            let (from, to) = self.sides(up);
            if !is_quic && from.promises.closed && from.pipe.is_empty() && !to.told_end {
                to.told_end = true;
                to.engine.receive_end(now, true, Cause::Closed);
                moved += 1;
            }
            self.listen();
        }
        moved
    }

    /// The transport ends on both sides: every stream has its last event, and `Closed` comes.
    pub(super) fn end(&mut self) {
        for up in [true, false] {
            let now = self.now;
            let (_, to) = self.sides(up);
            if !to.told_end {
                to.engine.receive_end(now, true, Cause::Closed);
            }
            // A request that nobody knows of, since it was damaged, is answered by nobody.
            to.engine.receive_end(now, false, Cause::ConnectionReset);
        }
        for _ in 0..2 * STILL {
            self.finish();
            self.client.transmit(self.now, usize::MAX);
            self.server.transmit(self.now, usize::MAX);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.listen();
        }
        for side in [&self.client, &self.server] {
            assert!(side.promises.closed, "the transport has ended and no Closed came");
            assert_eq!(side.engine.poll_timeout(), None, "who is closed waits for nothing");
        }
    }
}
