//! The race between QUIC and TCP, slowly: every rule asked again of the whole history of legs
//! after each event, and compared with the machine action by action and deadline by deadline.
//!
//! Beside it one law is judged by itself, from what was done alone: *HTTP/3 is marked broken only
//! by its rule*.

mod events;

use regatta_core::race::{
    Action, Config, Delay, Event, Health, Leg, LegId, Mark, Next, Offer, Race, Target,
};
use regatta_core::record::Rule;
use regatta_core::{Duration, Instant, Machine};

use crate::harness::{self, Input, Rest, Subject};
use crate::seen::{Expected, Seen, Tally};
use crate::tape::Tape;

/// What became of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    UnderWay,
    Up,
    Failed { early: bool },
    Withdrawn,
    Aborted,
    Closed,
}

/// One leg of the past or present.
#[derive(Clone, Copy, Debug)]
struct Past {
    id: LegId,
    runner: Leg,
    target: Option<Target>,
    race: usize,
    network: u32,
    fate: Fate,
}

/// How a race began, and what was asked of it since.
#[derive(Clone, Copy, Debug)]
struct Begun {
    network: u32,
    /// QUIC, once this race is about it.
    target: Option<Target>,
    failed_before: bool,
    at_once: bool,
    /// TCP was in use when QUIC began.
    served: bool,
    wanted: bool,
    quiet: bool,
    until: Option<Instant>,
    due: bool,
    broken: bool,
    over: bool,
}

/// The model, and the generator of its events.
#[derive(Clone, Debug)]
pub struct Grid {
    pub(crate) config: Config,
    legs: Vec<Past>,
    races: Vec<Begun>,
    both: bool,
    network: u32,
    draining: bool,
    stale: u64,
    /// What won last over QUIC, and on which network.
    won_last: Option<(u32, Leg)>,
    /// The races in which broken was marked: for the law alone.
    verdicts: Vec<usize>,
    pub(crate) tally: Tally,
}

/// What must be done, where the machine chooses a leg's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Start(Leg, Option<Target>, Rule),
    Abort(LegId),
    Mark(Target, Mark),
    GiveUp,
}

const ACTIONS: &str = "the race does what its model does, in that order";
const DEADLINE: &str = "the race waits until its model's delay";
const NEXT: &str = "the race says what the next wish leads to";
const STALE: &str = "the race counts what is stale";
const END: &str = "a race that is over leaves nothing behind";
/// The law.
pub const BROKEN: &str = "HTTP/3 is marked broken only by its rule";

const RULES: [&str; 8] = [
    Rule::RaceQuicFirst.name(),
    Rule::RaceTcpOnly.name(),
    Rule::RaceDelay.name(),
    Rule::RaceQuicFailed.name(),
    Rule::RaceSuspect.name(),
    Rule::RaceBehind.name(),
    Rule::RaceLearnt.name(),
    Rule::RaceSecondKnown.name(),
];

/// What a sweep over races must have seen.
pub fn expected() -> Expected {
    let starts = ["start quic", "start quic fallback", "start tcp"];
    Expected::default()
        .with("action", &starts)
        .with("action", &["abort", "broken", "suspect", "confirmed", "give up"])
        .with("rule", &RULES)
        .with("next", &["quic", "tcp", "wait", "full", "draining"])
        .with("race", &["quic came after tcp", "the second family won", "quic beside tcp in use"])
        .with(
            "race",
            &["another network under way", "nobody waits", "early data failed", "withdrawn"],
        )
        .with_always(&harness::INVARIANTS)
        .with_always(&[ACTIONS, DEADLINE, NEXT, STALE, END, BROKEN])
}

impl Grid {
    /// A world in which nothing has happened.
    pub(crate) fn of(config: Config) -> Self {
        Self {
            config,
            legs: vec![],
            races: vec![],
            both: false,
            network: 0,
            draining: false,
            stale: 0,
            won_last: None,
            verdicts: vec![],
            tally: Tally::default(),
        }
    }

    /// The race under way, if one is.
    fn race(&self) -> Option<usize> {
        let last = self.races.len().checked_sub(1)?;
        (!self.races[last].over).then_some(last)
    }

    fn of_race(&self, race: usize) -> impl Iterator<Item = &Past> {
        self.legs.iter().filter(move |leg| leg.race == race)
    }

    fn quic_of(&self, race: usize) -> impl Iterator<Item = &Past> {
        self.of_race(race).filter(|leg| leg.runner.is_quic())
    }

    fn is_running(leg: &Past) -> bool {
        leg.fate == Fate::UnderWay
    }

    /// Whether a leg of this kind has, or had, a connection.
    fn was_up(leg: &Past) -> bool {
        matches!(leg.fate, Fate::Up | Fate::Closed)
    }

    pub(crate) fn running(&self) -> Vec<LegId> {
        self.legs.iter().filter(|leg| Self::is_running(leg)).map(|leg| leg.id).collect()
    }

    pub(crate) fn up(&self) -> Vec<LegId> {
        self.legs.iter().filter(|leg| leg.fate == Fate::Up).map(|leg| leg.id).collect()
    }

    /// Names of legs that are gone, or that never were.
    pub(crate) fn gone(&self) -> Vec<LegId> {
        let living = |leg: &&Past| !Self::is_running(leg) && leg.fate != Fate::Up;
        let mut gone: Vec<_> = self.legs.iter().filter(living).map(|leg| leg.id).collect();
        gone.push(LegId::new(u32::MAX, 0));
        gone
    }

    fn has_quic(&self) -> bool {
        self.legs.iter().any(|leg| leg.fate == Fate::Up && leg.runner.is_quic())
    }

    fn is_full(&self) -> bool {
        let living = self.running().len() + self.up().len();
        living >= self.config.max_legs.max(1) as usize
    }

    fn runs_quic(&self, race: usize) -> bool {
        self.quic_of(race).any(Self::is_running)
    }

    fn tcp_works(&self, race: usize) -> bool {
        let mut tcp = self.of_race(race).filter(|leg| leg.runner == Leg::Tcp);
        self.races[race].served || tcp.any(Self::was_up)
    }

    fn quic_works(&self, race: usize) -> bool {
        self.quic_of(race).any(Self::was_up)
    }

    /// Whether a second family is left that this race may try.
    fn second_left(&self, race: usize) -> bool {
        let begun = &self.races[race];
        let tried = self.of_race(race).any(|leg| leg.runner == Leg::QuicFallback);
        self.config.second_family
            && self.both
            && begun.target.is_some()
            && !begun.failed_before
            && !begun.broken
            && !tried
            && !self.quic_works(race)
    }

    /// Whether the second family was the last to win on this network.
    fn second_won(&self) -> bool {
        self.won_last
            .is_some_and(|(network, runner)| network == self.network && runner == Leg::QuicFallback)
    }

    fn next(&self, quic: Option<Offer>) -> Next {
        let quic = quic.is_some_and(|offer| offer.health != Health::Failed);
        let Some(race) = self.race().filter(|_| !self.draining && !self.is_full()) else {
            return match (self.draining, self.is_full(), quic) {
                (true, ..) => Next::Draining,
                (_, true, _) => Next::Full,
                (_, _, true) => Next::Quic,
                _ => Next::Tcp,
            };
        };
        let begun = &self.races[race];
        let alone = quic
            && begun.target.is_some()
            && !begun.due
            && !begun.at_once
            && !self.tcp_works(race)
            && self.runs_quic(race);
        if alone { Next::Wait } else { Next::Tcp }
    }

    fn delay(&self, rtt: Option<Duration>) -> Duration {
        match self.config.delay {
            Delay::Fixed(delay) => delay,
            Delay::RoundTrip { permille, least, most } => rtt.map_or(most, |rtt| {
                let nanos = rtt.as_nanos().saturating_mul(permille.into()) / 1_000;
                let scaled = u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos);
                scaled.max(least).min(most)
            }),
        }
    }
}
