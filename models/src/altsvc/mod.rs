//! The ledger of alternatives beside a model of lists that are searched from end to end.
//!
//! A ledger has no actions: a [`Shelf`] makes a machine of it, whose events are calls and whose
//! one action is everything that the ledger says afterwards of every origin of the world.

mod shadow;
mod world;

use std::collections::VecDeque;

use regatta_core::altsvc::{
    Alternative, Clock, Config, Heard, Ledger, NotLearnt, Said, Source, State,
};
use regatta_core::types::{Origin, Scheme};
use regatta_core::{Duration, Instant, Machine, Outbox};

use shadow::Shadow;
pub use world::{World, expected};

/// What is told to the ledger, of which of the world's origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Something was heard.
    Learn {
        /// About whom.
        origin: usize,
        /// What.
        said: Said,
        /// Where.
        source: Source,
        /// How old it was.
        age: Duration,
    },
    /// Somebody asked.
    Used(usize),
    /// It works.
    Confirmed(usize, Alternative),
    /// It failed lately.
    Suspect(usize, Alternative),
    /// It failed and another way worked.
    Broken(usize, Alternative),
    /// It answered 421.
    Misdirected(usize, Alternative),
    /// How far away it is.
    Rtt(usize, Duration),
    /// Its data was cleared.
    Forget(usize),
    /// Another network.
    NetworkChanged,
    /// Everything is written to a file, and read by another program.
    Reload,
}

/// An alternative as the ledger shows it.
type Shown = (Alternative, State, Instant, Source, bool);

/// Everything that the ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    learnt: Option<Result<u32, NotLearnt>>,
    known: Vec<Vec<Shown>>,
    rtts: Vec<Option<Duration>>,
    len: usize,
    evicted: u64,
    refused: u64,
}

/// The ledger as a machine.
#[derive(Clone, Debug)]
pub struct Shelf {
    config: Config,
    ledger: Ledger,
    origins: Vec<Origin>,
}

impl Shelf {
    fn call(&mut self, now: Instant, call: &Call) -> Option<Result<u32, NotLearnt>> {
        let (origins, ledger) = (&self.origins, &mut self.ledger);
        match call {
            Call::Learn { origin, said, source, age } => {
                let heard = Heard { source: *source, age: *age };
                return Some(ledger.learn(now, &origins[*origin], said, heard));
            }
            Call::Used(origin) => ledger.used(now, &origins[*origin]),
            Call::Confirmed(origin, which) => ledger.mark_confirmed(now, &origins[*origin], which),
            Call::Suspect(origin, which) => ledger.mark_suspect(now, &origins[*origin], which),
            Call::Broken(origin, which) => ledger.mark_broken(now, &origins[*origin], which),
            Call::Misdirected(origin, which) => ledger.misdirected(now, &origins[*origin], which),
            Call::Rtt(origin, rtt) => ledger.note_rtt(&origins[*origin], *rtt),
            Call::Forget(origin) => ledger.forget(&origins[*origin]),
            Call::NetworkChanged => ledger.network_changed(),
            Call::Reload => {
                let clock = Clock { now, unix: 1_800_000_000 };
                let text = self.ledger.text(clock);
                let read = Ledger::from_text(self.config.clone(), clock, &text);
                self.ledger = read.unwrap_or_else(|error| panic!("own file: {error}\n{text}"));
                assert_eq!(self.ledger.text(clock), text, "a file that is written again");
            }
        }
        None
    }

    fn answer(&self, now: Instant, learnt: Option<Result<u32, NotLearnt>>) -> Answer {
        let ledger = &self.ledger;
        let shown = |origin| {
            let known = ledger.known(now, origin);
            known.map(|k| (k.alternative.clone(), k.state, k.until, k.source, k.persist)).collect()
        };
        Answer {
            learnt,
            known: self.origins.iter().map(shown).collect(),
            rtts: self.origins.iter().map(|origin| ledger.rtt(origin)).collect(),
            len: ledger.len(),
            evicted: ledger.evicted(),
            refused: ledger.refused(),
        }
    }
}

impl Machine for Shelf {
    type Event = Call;
    type Action = Answer;

    fn handle_event(&mut self, now: Instant, call: Call, out: &mut Outbox<Answer>) {
        let learnt = self.call(now, &call);
        out.push(self.answer(now, learnt));
    }

    fn handle_timeout(&mut self, _now: Instant, _out: &mut Outbox<Answer>) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn check(&self) {
        self.ledger.check();
    }
}
