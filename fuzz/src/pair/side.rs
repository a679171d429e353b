//! One engine, the bytes it has sent that are still under way, and its promises.

use core::net::SocketAddr;
use std::collections::VecDeque;

use regatta_core::Instant;
use regatta_core::engine::Output;

use super::speaker::Speaker;
use crate::log::Promises;

/// Most datagrams of one side under way; what is more is lost.
const DATAGRAMS_MAX: usize = 1_000;

#[derive(Debug)]
pub(super) struct Side {
    pub(super) engine: Speaker,
    pub(super) promises: Promises,
    /// What it has written and the other side has not yet read.
    pub(super) pipe: Vec<u8>,
    /// The same where it is datagrams.
    pub(super) datagrams: VecDeque<Vec<u8>>,
    /// It was told that the other side says nothing more.
    pub(super) told_end: bool,
}

impl Side {
    pub(super) fn new(engine: Speaker) -> Self {
        Self {
            engine,
            promises: Promises::default(),
            pipe: Vec::new(),
            datagrams: VecDeque::new(),
            told_end: false,
        }
    }

    /// Lets it write about `room` bytes; how many it did.
    pub(super) fn transmit(&mut self, now: Instant, room: usize) -> usize {
        let engine = match &mut self.engine {
            Speaker::Bytes(engine) => engine,
            Speaker::Quic(end) => {
                let sent = end.work(now);
                let count = sent.len();
                self.datagrams.extend(sent.into_iter().map(|(_, datagram)| datagram));
                self.datagrams.truncate(DATAGRAMS_MAX);
                return count;
            }
        };
        let mut out = Output::new();
        engine.transmit(now, &mut out, room);
        let written = out.len();
        while let Some(chunk) = out.pop() {
            self.pipe.extend_from_slice(&chunk);
        }
        written
    }

    /// Does what is due. Work that is left for now is done at once.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        /// So many calls at one instant are a livelock.
        const CALLS_MAX: usize = 1_000;
        let Speaker::Bytes(engine) = &mut self.engine else {
            self.transmit(now, usize::MAX);
            return;
        };
        for _ in 0..CALLS_MAX {
            if engine.poll_timeout().is_none_or(|at| at > now) {
                return;
            }
            engine.handle_timeout(now);
        }
        panic!("{CALLS_MAX} timeouts at {now:?} made no progress");
    }

    /// A datagram of the other side comes.
    pub(super) fn hear(&mut self, now: Instant, datagram: &[u8]) {
        if let Speaker::Quic(end) = &mut self.engine {
            let from: SocketAddr = end.other;
            end.hear(now, from, datagram);
            self.transmit(now, usize::MAX);
        }
    }
}
