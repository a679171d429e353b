//! What each event must lead to, and which events there are.

use super::{
    ACTIONS, Action, BROKEN, Begun, Config, DEADLINE, Deed, Delay, Duration, END, Event, Fate,
    Grid, Health, Input, Instant, Leg, LegId, Machine as _, Mark, NEXT, Next, Offer, Past, Race,
    Rest, Rule, STALE, Seen, Subject, Tape, Target,
};
use crate::settings::ms;

/// Stands for the name that the machine has yet to choose.
const NAMELESS: LegId = LegId::new(u32::MAX, u32::MAX);

impl Grid {
    fn expect(&mut self, now: Instant, input: &Input<Event>) -> Vec<Deed> {
        let mut deeds = vec![];
        match *input {
            Input::Timeout => {}
            Input::Event(Event::Wanted { quic, rtt }) => self.want(now, quic, rtt, &mut deeds),
            Input::Event(Event::Unwanted) => self.unwant(&mut deeds),
            Input::Event(Event::Served { quic, rtt }) => self.serve(now, quic, rtt, &mut deeds),
            Input::Event(Event::BothFamilies(both)) => self.hear_of_families(both, &mut deeds),
            Input::Event(Event::Connected(id)) => self.connect(id, &mut deeds),
            Input::Event(Event::Failed { leg, early_data }) => {
                self.fail(leg, early_data, &mut deeds);
            }
            Input::Event(Event::Withdrawn(leg)) => {
                if let Some(leg) = self.find(leg, Fate::UnderWay) {
                    leg.fate = Fate::Withdrawn;
                }
            }
            Input::Event(Event::Closed { leg, silent }) => self.close(leg, silent, &mut deeds),
            Input::Event(Event::NetworkChanged) => self.network += 1,
            Input::Event(Event::Drain) => {
                self.draining = true;
                if let Some(race) = self.race() {
                    self.races[race].until = None;
                }
            }
        }
        if let Some(race) = self.race() {
            self.follow(now, race, &mut deeds);
        }
        deeds
    }

    fn start(&mut self, runner: Leg, rule: Rule, deeds: &mut Vec<Deed>) {
        let race = self.races.len() - 1;
        let target = self.races[race].target.filter(|_| runner.is_quic());
        let network = self.network;
        let fate = Fate::UnderWay;
        self.legs.push(Past { id: NAMELESS, runner, target, race, network, fate });
        deeds.push(Deed::Start(runner, target, rule));
    }

    fn begin(&mut self, target: Option<Target>) -> &mut Begun {
        self.races.push(Begun {
            network: self.network,
            target,
            failed_before: false,
            at_once: false,
            served: false,
            wanted: false,
            quiet: false,
            until: None,
            due: false,
            broken: false,
            over: false,
        });
        self.races.last_mut().expect("just pushed")
    }

    fn want(
        &mut self,
        now: Instant,
        quic: Option<Offer>,
        rtt: Option<Duration>,
        deeds: &mut Vec<Deed>,
    ) {
        let (next, until) = (self.next(quic), now + self.delay(rtt));
        if matches!(next, Next::Full | Next::Draining) {
            return;
        }
        let Some(race) = self.race() else {
            let unknown = self.config.tcp_at_once_when_unknown;
            let begun = self.begin(quic.map(|offer| offer.target));
            begun.wanted = true;
            let Some(health) = quic.map(|offer| offer.health) else { return };
            begun.failed_before = health == Health::Failed;
            if !begun.failed_before {
                begun.until = Some(until);
                begun.at_once = health == Health::Suspect || health == Health::Unknown && unknown;
                // Nobody has said yet where this leg goes.
                self.both = false;
                self.start(Leg::Quic, Rule::RaceQuicFirst, deeds);
            }
            return;
        };
        let tcp = self.tried_tcp(race);
        let begun = &mut self.races[race];
        let waited = begun.quiet;
        (begun.wanted, begun.quiet) = (true, false);
        if next == Next::Wait {
            if waited && !begun.due {
                begun.until = Some(until);
            }
        } else if !tcp {
            begun.at_once = true;
        } else if begun.target.is_some() {
            self.start(Leg::Tcp, Rule::RaceBehind, deeds);
        } else {
            self.start(Leg::Tcp, Rule::RaceTcpOnly, deeds);
        }
    }

    fn tried_tcp(&self, race: usize) -> bool {
        self.races[race].served || self.of_race(race).any(|leg| leg.runner == Leg::Tcp)
    }

    fn unwant(&mut self, deeds: &mut Vec<Deed>) {
        let Some(race) = self.race() else { return };
        let begun = &mut self.races[race];
        (begun.wanted, begun.quiet, begun.until) = (false, true, None);
        self.abort(|leg| leg.runner == Leg::Tcp, deeds);
    }

    fn abort(&mut self, which: impl Fn(&Past) -> bool, deeds: &mut Vec<Deed>) {
        for leg in self.legs.iter_mut().filter(|leg| leg.fate == Fate::UnderWay) {
            if which(leg) {
                leg.fate = Fate::Aborted;
                deeds.push(Deed::Abort(leg.id));
            }
        }
    }

    fn serve(&mut self, now: Instant, quic: Offer, rtt: Option<Duration>, deeds: &mut Vec<Deed>) {
        let about_quic = self.race().is_some_and(|race| self.races[race].target.is_some());
        let no = self.draining || self.is_full() || self.has_quic() || about_quic;
        if no || quic.health == Health::Failed {
            return;
        }
        let (until, network) = (now + self.delay(rtt), self.network);
        let begun = match self.race() {
            Some(race) => &mut self.races[race],
            None => self.begin(None),
        };
        (begun.target, begun.until, begun.network) = (Some(quic.target), Some(until), network);
        (begun.served, begun.quiet) = (true, false);
        self.both = false;
        self.start(Leg::Quic, Rule::RaceLearnt, deeds);
    }

    fn hear_of_families(&mut self, both: bool, deeds: &mut Vec<Deed>) {
        self.both = both;
        let Some(race) = self.race().filter(|race| self.runs_quic(*race)) else { return };
        let may = !self.draining && !self.is_full() && !self.races[race].quiet;
        if may && self.second_won() && self.second_left(race) {
            self.start(Leg::QuicFallback, Rule::RaceSecondKnown, deeds);
        }
    }

    fn find(&mut self, id: LegId, fate: Fate) -> Option<&mut Past> {
        let found = self.legs.iter_mut().find(|leg| leg.id == id && leg.fate == fate);
        if found.is_none() {
            self.stale += 1;
        }
        found
    }

    fn connect(&mut self, id: LegId, deeds: &mut Vec<Deed>) {
        let here = self.network;
        let Some(leg) = self.find(id, Fate::UnderWay) else { return };
        leg.fate = Fate::Up;
        let Past { runner, network, race, .. } = *leg;
        let Some(target) = leg.target else { return };
        self.races[race].until = None;
        if network == here {
            deeds.push(Deed::Mark(target, Mark::Confirmed));
            self.won_last = Some((here, runner));
        }
        self.abort(|_| true, deeds);
    }

    fn fail(&mut self, id: LegId, early: bool, deeds: &mut Vec<Deed>) {
        let here = self.network;
        let Some(leg) = self.find(id, Fate::UnderWay) else { return };
        let early = early && leg.runner.is_quic();
        leg.fate = Fate::Failed { early };
        if let (Some(target), true) = (leg.target, early && leg.network == here) {
            deeds.push(Deed::Mark(target, Mark::Suspect));
        }
    }

    fn close(&mut self, id: LegId, silent: bool, deeds: &mut Vec<Deed>) {
        let here = self.network;
        let Some(leg) = self.find(id, Fate::Up) else { return };
        leg.fate = Fate::Closed;
        if let (Some(target), true) = (leg.target, silent && leg.network == here) {
            deeds.push(Deed::Mark(target, Mark::Suspect));
        }
    }

    /// What is due after whatever has happened.
    fn follow(&mut self, now: Instant, race: usize, deeds: &mut Vec<Deed>) {
        if self.races[race].until.is_some_and(|until| until <= now) {
            (self.races[race].until, self.races[race].due) = (None, true);
        }
        let begun = self.races[race];
        let may = |grid: &Self| !grid.draining && !grid.is_full();
        let alone = self.runs_quic(race);
        if self.second_left(race) && !begun.quiet && may(self) && (begun.due || !alone) {
            let rule = if alone { Rule::RaceDelay } else { Rule::RaceQuicFailed };
            self.start(Leg::QuicFallback, rule, deeds);
        }
        let rule = match begun.target {
            None => Some(Rule::RaceTcpOnly),
            Some(_) if !self.runs_quic(race) => Some(Rule::RaceQuicFailed),
            Some(_) if begun.at_once => Some(Rule::RaceSuspect),
            Some(_) => begun.due.then_some(Rule::RaceDelay),
        };
        let first = begun.wanted && !self.tried_tcp(race) && !self.quic_works(race);
        if let Some(rule) = rule.filter(|_| first && may(self)) {
            self.start(Leg::Tcp, rule, deeds);
        }
        let over = self.quic_of(race).all(|leg| matches!(leg.fate, Fate::Failed { early: false }));
        let known = begun.network == self.network && !begun.broken && !self.second_left(race);
        if let Some(target) = begun.target
            && over
            && known
            && self.tcp_works(race)
        {
            self.races[race].broken = true;
            deeds.push(Deed::Mark(target, Mark::Broken));
        }
        if !self.of_race(race).any(Self::is_running) {
            self.races[race].over = true;
            if begun.wanted && !self.tcp_works(race) && !self.quic_works(race) {
                deeds.push(Deed::GiveUp);
            }
        }
    }

    /// Takes the names of new legs over, and forgets the difference that they make.
    fn name(&mut self, actions: &[Action]) -> Vec<Deed> {
        let mut deeds = vec![];
        for action in actions {
            deeds.push(match *action {
                Action::Start { leg, runner, target, rule } => {
                    let living = |past: &Past| past.id == leg && past.fate == Fate::UnderWay;
                    assert!(!self.legs.iter().any(living), "{leg:?} is under way already");
                    if let Some(past) = self.legs.iter_mut().find(|past| past.id == NAMELESS) {
                        past.id = leg;
                    }
                    Deed::Start(runner, target, rule)
                }
                Action::Abort(leg) => Deed::Abort(leg),
                Action::Mark { target, mark } => Deed::Mark(target, mark),
                Action::GiveUp => Deed::GiveUp,
            });
        }
        deeds
    }

    /// The law, from the history alone.
    fn judge_broken(&mut self, actions: &[Action]) {
        let broken = |action: &&Action| matches!(action, Action::Mark { mark: Mark::Broken, .. });
        for action in actions.iter().filter(broken) {
            let race = self.races.len() - 1;
            let begun = &self.races[race];
            let Action::Mark { target, .. } = *action else { continue };
            assert_eq!(Some(target), begun.target, "another alternative is broken");
            let tcp = self.of_race(race).any(|leg| leg.runner == Leg::Tcp && Self::was_up(leg));
            assert!(tcp || begun.served, "broken, and TCP has not connected");
            let failed = |leg: &Past| matches!(leg.fate, Fate::Failed { early: false });
            assert!(self.quic_of(race).all(failed), "broken, and not every QUIC leg has failed");
            let tried = begun.failed_before || self.quic_of(race).next().is_some();
            assert!(tried, "broken, and QUIC was not tried");
            assert_eq!(begun.network, self.network, "broken on another network");
            assert!(!self.verdicts.contains(&race), "broken twice in one race");
            self.verdicts.push(race);
        }
        self.tally.held(BROKEN);
    }

    fn sights(&self, input: &Input<Event>, actions: &[Action], seen: &mut Seen) {
        let last = self.races.last();
        let is = |event: fn(&Event) -> bool| matches!(input, Input::Event(it) if event(it));
        let marked = |mark| {
            let is =
                |action: &Action| matches!(action, Action::Mark { mark: it, .. } if *it == mark);
            actions.iter().any(is)
        };
        let confirmed = marked(Mark::Confirmed);
        let tcp_was_up = self.races.len().checked_sub(1).is_some_and(|race| {
            self.of_race(race).any(|leg| leg.runner == Leg::Tcp && Self::was_up(leg))
        });
        let learnt = |a: &Action| matches!(a, Action::Start { rule: Rule::RaceLearnt, .. });
        let early = is(|event| matches!(event, Event::Failed { .. })) && marked(Mark::Suspect);
        let under_way = self.race().is_some_and(|race| self.races[race].network != self.network);
        let reached = [
            ("quic came after tcp", confirmed && tcp_was_up),
            ("the second family won", confirmed && self.second_won()),
            ("quic beside tcp in use", actions.iter().any(learnt)),
            ("another network under way", under_way),
            ("nobody waits", last.is_some_and(|begun| begun.quiet)),
            ("early data failed", early),
            ("withdrawn", is(|event| matches!(event, Event::Withdrawn(_)))),
        ];
        for (item, _) in reached.into_iter().filter(|(_, is)| *is) {
            seen.sometimes("race", item);
        }
    }

    /// Mostly a leg of those, else one that is gone.
    fn pick(&self, tape: &mut Tape, likely: &[LegId]) -> LegId {
        if likely.is_empty() || tape.one_in("stale", 8) {
            let all = [self.gone(), self.running(), self.up()].concat();
            tape.pick("any leg", &all)
        } else {
            tape.pick("leg", likely)
        }
    }
}

const HEALTHS: [Health; 4] = [Health::Unknown, Health::Confirmed, Health::Suspect, Health::Failed];

fn offer(tape: &mut Tape) -> Offer {
    let target = Target(tape.draw("target", 2));
    Offer { target, health: tape.pick("health", &HEALTHS) }
}

fn rtt(tape: &mut Tape) -> Option<Duration> {
    tape.pick("rtt", &[None, Some(ms(20)), Some(ms(0)), Some(Duration::MAX)])
}

impl Subject for Grid {
    type Machine = Race;

    fn new(tape: &mut Tape) -> Self {
        let scaled = Delay::RoundTrip { permille: 1_500, least: ms(10), most: ms(300) };
        let delays =
            [Delay::Fixed(ms(300)), scaled, Delay::Fixed(ms(0)), Delay::Fixed(Duration::MAX)];
        let mut config = Config::default();
        config.delay = tape.pick("delay", &delays);
        config.tcp_at_once_when_unknown = tape.one_in("at once", 4);
        config.second_family = !tape.one_in("one family", 4);
        config.max_legs = tape.pick("legs", &[1_024, 4, 2, 1, 0]);
        Self::of(config)
    }

    fn machine(&self) -> Race {
        Race::new(&self.config)
    }

    fn event(&mut self, tape: &mut Tape, _now: Instant) -> Event {
        match tape.weighted("event", &[8, 6, 6, 4, 3, 3, 2, 1, 1]) {
            0 => {
                let quic = (!tape.one_in("none", 4)).then(|| offer(tape));
                Event::Wanted { quic, rtt: rtt(tape) }
            }
            1 => Event::Connected(self.pick(tape, &self.running())),
            2 => {
                let leg = self.pick(tape, &self.running());
                match tape.weighted("end", &[4, 1, 1]) {
                    0 => Event::Failed { leg, early_data: false },
                    1 => Event::Withdrawn(leg),
                    _ => Event::Failed { leg, early_data: true },
                }
            }
            3 => {
                let leg = self.pick(tape, &self.up());
                Event::Closed { leg, silent: tape.one_in("silent", 2) }
            }
            4 => Event::Served { quic: offer(tape), rtt: rtt(tape) },
            5 => Event::BothFamilies(!tape.one_in("one", 4)),
            6 => Event::Unwanted,
            7 => Event::NetworkChanged,
            _ if tape.one_in("drain", 3) => Event::Drain,
            _ => Event::Unwanted,
        }
    }

    fn observe(&mut self, now: Instant, input: &Input<Event>, actions: &[Action], machine: &Race) {
        let expected = self.expect(now, input);
        let done = self.name(actions);
        self.judge_broken(actions);
        assert_eq!(done, expected, "{input:?} at {now:?} must lead to the second");
        self.tally.held(ACTIONS);
        let until = self.race().and_then(|race| self.races[race].until);
        assert_eq!(machine.poll_timeout(), until, "deadline after {input:?} at {now:?}");
        self.tally.held(DEADLINE);
        for health in [None, Some(Health::Unknown), Some(Health::Failed)] {
            let quic = health.map(|health| Offer { target: Target(0), health });
            assert_eq!(machine.next(quic), self.next(quic), "the next wish with {quic:?}");
        }
        self.tally.held(NEXT);
        assert_eq!(machine.stale(), self.stale, "events about legs that are gone");
        self.tally.held(STALE);
        assert_eq!(machine.has_quic(), self.has_quic(), "whether QUIC is established");
        assert_eq!(machine.running(), self.running().len(), "legs under way");
    }

    fn see(&self, input: &Input<Event>, actions: &[Action], machine: &mut Race, seen: &mut Seen) {
        for action in actions {
            let name = match action {
                Action::Start { runner, rule, .. } => {
                    seen.sometimes("rule", rule.name());
                    match runner {
                        Leg::Quic => "start quic",
                        Leg::QuicFallback => "start quic fallback",
                        Leg::Tcp => "start tcp",
                    }
                }
                Action::Abort(_) => "abort",
                Action::Mark { mark: Mark::Broken, .. } => "broken",
                Action::Mark { mark: Mark::Suspect, .. } => "suspect",
                Action::Mark { mark: Mark::Confirmed, .. } => "confirmed",
                Action::GiveUp => "give up",
            };
            seen.sometimes("action", name);
        }
        for health in [None, Some(Health::Unknown)] {
            let next = machine.next(health.map(|health| Offer { target: Target(0), health }));
            let name = match next {
                Next::Quic => "quic",
                Next::Tcp => "tcp",
                Next::Wait => "wait",
                Next::Full => "full",
                Next::Draining => "draining",
            };
            seen.sometimes("next", name);
        }
        self.sights(input, actions, seen);
    }

    fn see_invariants(&self, seen: &mut Seen) {
        self.tally.tell(seen);
    }

    fn describe(&self) -> String {
        format!("{:#?}", self.config)
    }

    fn rest(&mut self, _now: Instant, _machine: &Race) -> Rest<Event> {
        if let Some(&leg) = self.running().first() {
            Rest::Event(Event::Connected(leg))
        } else if let Some(&leg) = self.up().first() {
            Rest::Event(Event::Closed { leg, silent: false })
        } else {
            Rest::Done
        }
    }

    fn at_rest(&self, machine: &Race) {
        assert_eq!(machine.poll_timeout(), None, "a race that is over wants nothing");
        assert!(!machine.has_quic() && machine.running() == 0, "a leg is left");
        self.tally.held(END);
    }

    fn actions_max(&self) -> usize {
        // Each leg aborted, two started, two marks, one end.
        self.running().len() + 6
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;
    use crate::testing::{regressions, tapes};

    #[test]
    fn machine_and_model_agree() {
        tapes::<Grid>(25, 200);
    }

    #[test]
    fn tapes_that_once_failed() {
        regressions::<Grid>(&[]);
    }
}
