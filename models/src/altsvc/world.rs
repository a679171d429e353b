//! The origins of the world, what is said of them, and the comparison.

use regatta_core::altsvc::{BackOff, Offer};
use regatta_core::types::Protocol;

use super::{
    Alternative, Answer, Call, Config, Duration, Instant, Ledger, NotLearnt, Origin, Said, Scheme,
    Shadow, Shelf, Source, State,
};
use crate::harness::{self, Input, Rest, Subject};
use crate::seen::{Expected, Seen, Tally};
use crate::tape::Tape;

/// A ledger, its model, and who talks to them.
#[derive(Clone, Debug)]
pub struct World {
    config: Config,
    shadow: Shadow,
    /// The last answer.
    answer: Option<Answer>,
    tally: Tally,
}

const ANSWERS: &str = "the ledger says of every origin what its model says";

const CALLS: [&str; 10] = [
    "learn",
    "used",
    "confirmed",
    "suspect",
    "broken",
    "misdirected",
    "rtt",
    "forget",
    "network changed",
    "reload",
];

const fn name(call: &Call) -> &'static str {
    match call {
        Call::Learn { .. } => "learn",
        Call::Used(_) => "used",
        Call::Confirmed(..) => "confirmed",
        Call::Suspect(..) => "suspect",
        Call::Broken(..) => "broken",
        Call::Misdirected(..) => "misdirected",
        Call::Rtt(..) => "rtt",
        Call::Forget(_) => "forget",
        Call::NetworkChanged => "network changed",
        Call::Reload => "reload",
    }
}

/// What a sweep over ledgers must have seen.
pub fn expected() -> Expected {
    let sources: Vec<_> = Source::ALL.into_iter().map(Source::name).collect();
    // A ledger has no deadline that could be followed.
    let [sound, twin, bounded, _progress, _harmless, early, rest] = harness::INVARIANTS;
    Expected::default()
        .with("call", &CALLS)
        .with("learnt", &["some", "nothing", "not secure", "already known"])
        .with("state", &["unknown", "confirmed", "suspect", "broken"])
        .with("offered by", &sources)
        .with("ledger", &["evicted", "refused", "a suffix answers", "persists", "for ever"])
        .with_always(&[sound, twin, bounded, early, rest, ANSWERS])
}

fn origins() -> Vec<Origin> {
    let rows = [
        (Scheme::Https, "a.b.test", 443),
        (Scheme::Https, "c.b.test", 443),
        (Scheme::Https, "d.test", 443),
        (Scheme::Https, "a.b.test", 8_443),
        (Scheme::Https, "127.0.0.1", 443),
        (Scheme::Http, "a.b.test", 80),
    ];
    rows.map(|(scheme, host, port)| Origin { scheme, host: host.into(), port }).into()
}

fn alternative(tape: &mut Tape) -> Alternative {
    let hosts = [None, Some("x.test"), Some("y.test"), Some("a.b.test"), Some("10.0.0.1")];
    Alternative {
        protocol: tape.pick("protocol", &[Protocol::Http3, Protocol::Http2]),
        host: tape.pick("host", &hosts).map(Into::into),
        port: tape.pick("port", &[443, 8_443, 1]),
    }
}

fn offer(tape: &mut Tape) -> Offer {
    let ages = [60, 1, 0, 300, 86_400].map(Duration::from_secs);
    let mut offer = Offer::new(alternative(tape));
    offer.max_age = match tape.one_in("for ever", 8) {
        true => Duration::MAX,
        false => tape.pick("max age", &ages),
    };
    offer.persist = tape.one_in("persist", 3);
    offer
}

fn said(tape: &mut Tape) -> Said {
    if tape.one_in("clear", 8) {
        return Said::Clear;
    }
    let count = tape.draw("offers", 5);
    Said::Offers((0..count).map(|_| offer(tape)).collect())
}

impl Subject for World {
    type Machine = Shelf;

    fn new(tape: &mut Tape) -> Self {
        let suffixes: [&[&str]; 4] = [&[], &[".b.test"], &[".test", ".b.test"], &["b.test"]];
        let short = BackOff { first: Duration::from_millis(1), longest: Duration::from_millis(5) };
        let mut config = Config::default();
        config.max_origins = tape.pick("origins", &[1_024, 3, 2, 1, 0]);
        config.max_alternatives = tape.pick("alternatives", &[10, 2, 1, 0]);
        config.max_hosts = tape.pick("hosts", &[5, 2, 1, 0]);
        config.back_off = tape.pick("back-off", &[BackOff::default(), BackOff::ENVOY, short]);
        let suffixes = tape.pick("suffixes", &suffixes);
        config.canonical_suffixes = suffixes.iter().map(|suffix| (*suffix).into()).collect();
        config.refuse_private = !tape.one_in("private", 3);
        config.refuse_user_ports = tape.one_in("user ports", 3);
        config.seed = tape.draw("seed", 256).into();
        let shadow = Shadow::new(config.clone(), origins());
        Self { config, shadow, answer: None, tally: Tally::default() }
    }

    fn machine(&self) -> Shelf {
        let config = self.config.clone();
        Shelf { ledger: Ledger::new(config.clone()), config, origins: origins() }
    }

    fn event(&mut self, tape: &mut Tape, _now: Instant) -> Call {
        let origin = tape.draw("origin", origins().len() as u32) as usize;
        match tape.weighted("call", &[12, 2, 2, 3, 4, 1, 2, 1, 1, 2]) {
            0 => Call::Learn {
                origin,
                said: said(tape),
                source: tape.pick("source", &Source::ALL),
                age: Duration::from_secs(tape.pick("age", &[0, 1, 59, 100_000])),
            },
            1 => Call::Used(origin),
            2 => Call::Confirmed(origin, self.known(tape, origin)),
            3 => Call::Suspect(origin, self.known(tape, origin)),
            4 => Call::Broken(origin, self.known(tape, origin)),
            5 => Call::Misdirected(origin, self.known(tape, origin)),
            6 => {
                let rtts = [20_000_000, 0, 1, u64::MAX].map(Duration::from_nanos);
                Call::Rtt(origin, tape.pick("rtt", &rtts))
            }
            7 => Call::Forget(origin),
            8 => Call::NetworkChanged,
            _ => Call::Reload,
        }
    }

    fn observe(&mut self, now: Instant, input: &Input<Call>, actions: &[Answer], _: &Shelf) {
        let Input::Event(call) = input else { return };
        let expected = self.shadow.call(now, call);
        assert_eq!(actions, [expected], "{call:?} at {now:?} must lead to the second");
        self.answer = actions.last().cloned();
        self.tally.held(ANSWERS);
    }

    fn see(&self, input: &Input<Call>, actions: &[Answer], _: &mut Shelf, seen: &mut Seen) {
        let (Input::Event(call), Some(answer)) = (input, actions.last()) else { return };
        seen.sometimes("call", name(call));
        if let Some(learnt) = &answer.learnt {
            let name = match learnt {
                Ok(0) => "nothing",
                Ok(_) => "some",
                Err(NotLearnt::NotSecure) => "not secure",
                Err(NotLearnt::AlreadyKnown) => "already known",
                Err(_) => "new",
            };
            seen.sometimes("learnt", name);
        }
        for (_, state, until, source, persist) in answer.known.iter().flatten() {
            let name = match state {
                State::Unknown => "unknown",
                State::Confirmed => "confirmed",
                State::Suspect => "suspect",
                State::Broken(_) => "broken",
            };
            seen.sometimes("state", name);
            seen.sometimes("offered by", source.name());
            let reached = [("persists", *persist), ("for ever", *until == Instant::MAX)];
            for (item, _) in reached.into_iter().filter(|(_, is)| *is) {
                seen.sometimes("ledger", item);
            }
        }
        let answering = answer.known.iter().filter(|known| !known.is_empty()).count();
        let reached = [
            ("evicted", answer.evicted > 0),
            ("refused", answer.refused > 0),
            ("a suffix answers", answering > answer.len),
        ];
        for (item, _) in reached.into_iter().filter(|(_, is)| *is) {
            seen.sometimes("ledger", item);
        }
    }

    fn see_invariants(&self, seen: &mut Seen) {
        self.tally.tell(seen);
    }

    fn describe(&self) -> String {
        format!("{:#?}", self.config)
    }

    fn rest(&mut self, _now: Instant, _machine: &Shelf) -> Rest<Call> {
        Rest::Done
    }

    fn at_rest(&self, machine: &Shelf) {
        assert!(machine.ledger.len() <= self.config.max_origins.max(1) as usize, "too many");
    }

    fn actions_max(&self) -> usize {
        1
    }
}

impl World {
    /// Mostly one that is offered.
    fn known(&self, tape: &mut Tape, origin: usize) -> Alternative {
        let known = self.answer.as_ref().map(|answer| &answer.known[origin][..]);
        match known {
            Some(known) if !known.is_empty() && !tape.one_in("another", 4) => {
                tape.pick("known", known).0
            }
            _ => alternative(tape),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::World;
    use crate::campaign::{Machine, Sweep};
    use crate::testing::{regressions, tapes};

    #[test]
    fn a_short_sweep_sees_all() {
        let sweep = Sweep::run(Machine::Altsvc, 0..200, true);
        let verdict = sweep.seen.verdict(&super::expected());
        assert!(verdict.is_good() && sweep.failures == 0, "{verdict:?}");
    }

    #[test]
    fn ledger_and_model_agree() {
        tapes::<World>(10, 200);
    }

    #[test]
    fn tapes_that_once_failed() {
        regressions::<World>(&[
            // A file held more of the past than a ledger may.
            &[
                0, 2, 0, 0, 62, 3, 80, 0, 0, 45, 0, 26, 0, 57, 0, 0, 0, 0, 116, 0, 0, 45, 0, 132,
                0, 0, 42, 0, 89, 0, 0, 0, 42, 0, 0, 42, 0, 0, 0, 3, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 102, 0, 0, 132, 0, 90, 0, 66, 46, 0,
                0, 0, 0, 0, 0, 30, 60, 0, 92, 0, 135, 95, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 45,
                185, 68, 212, 172, 194, 79, 1, 123, 118, 151, 36, 214, 11, 6, 237, 201, 112, 239,
                223, 201, 55, 59, 191, 0, 20, 218, 19, 162, 61, 142, 79, 220, 219, 89, 115, 199,
                21, 223, 12, 118, 146, 216, 110, 123, 102, 125, 136, 242, 90, 105, 172, 114, 134,
                222, 58, 144, 134, 161, 130, 131, 29, 239,
            ],
        ]);
    }
}
