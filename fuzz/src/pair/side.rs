//! One engine, the bytes it has sent that are still under way, and its promises.

use regatta_core::Instant;
use regatta_core::engine::{Engine, Output};

use crate::log::Promises;

#[derive(Debug)]
pub(super) struct Side {
    pub(super) engine: Engine,
    pub(super) promises: Promises,
    /// What it has written and the other side has not yet read.
    pub(super) pipe: Vec<u8>,
    /// It was told that the other side says nothing more.
    pub(super) told_end: bool,
}

impl Side {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, promises: Promises::default(), pipe: Vec::new(), told_end: false }
    }

    /// Lets it write about `room` bytes; how many it did.
    pub(super) fn transmit(&mut self, now: Instant, room: usize) -> usize {
        let mut out = Output::new();
        self.engine.transmit(now, &mut out, room);
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
        for _ in 0..CALLS_MAX {
            if self.engine.poll_timeout().is_none_or(|at| at > now) {
                return;
            }
            self.engine.handle_timeout(now);
        }
        panic!("{CALLS_MAX} timeouts at {now:?} made no progress");
    }
}
