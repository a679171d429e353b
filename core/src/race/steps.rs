//! What each event changes, and what is then due.

use smallvec::SmallVec;

use super::{Action, Health, Leg, LegId, Mark, Next, Offer, Race, Round, Runner, Target};
use crate::machine::Outbox;
use crate::record::Rule;
use crate::time::{Duration, Instant};

impl Round {
    fn new(target: Option<Target>, network: u32) -> Self {
        Self {
            target,
            network,
            until: None,
            due: false,
            at_once: false,
            failed_before: false,
            wanted: false,
            quiet: false,
            tcp: false,
            tcp_ok: false,
            quic_ok: false,
            second: false,
            spared: false,
            broken: false,
            legs: SmallVec::new(),
        }
    }
}

impl Race {
    pub(super) fn on_wanted(
        &mut self,
        now: Instant,
        quic: Option<Offer>,
        rtt: Option<Duration>,
        out: &mut Outbox<Action>,
    ) {
        let next = self.next(quic);
        if matches!(next, Next::Draining | Next::Full) {
            return;
        }
        let delay = self.config.delay.after(rtt);
        let Some(round) = &mut self.round else { return self.begin(now, quic, delay, out) };
        let waited = round.quiet;
        (round.wanted, round.quiet) = (true, false);
        match next {
            Next::Tcp if round.tcp => {
                let behind = round.target.is_some();
                let rule = if behind { Rule::RaceBehind } else { Rule::RaceTcpOnly };
                self.start(Leg::Tcp, rule, out);
            }
            // The first one: by the rule that lets it start.
            Next::Tcp => round.at_once = true,
            _ if waited && !round.due => round.until = Some(now + delay),
            _ => {}
        }
    }

    /// A race begins.
    fn begin(
        &mut self,
        now: Instant,
        quic: Option<Offer>,
        delay: Duration,
        out: &mut Outbox<Action>,
    ) {
        let mut round = Round::new(quic.map(|offer| offer.target), self.network);
        round.wanted = true;
        let unknown = self.config.tcp_at_once_when_unknown;
        match quic.map(|offer| offer.health) {
            None => {}
            Some(Health::Failed) => round.failed_before = true,
            Some(health) => {
                round.until = Some(now + delay);
                round.at_once = health == Health::Suspect || health == Health::Unknown && unknown;
            }
        }
        let runs = round.until.is_some();
        self.round = Some(round);
        if runs {
            // RACE-QUIC-FIRST
            self.start_first(Rule::RaceQuicFirst, out);
        }
    }

    /// QUIC goes ahead, and of which families its addresses are is told when they are known: what
    /// the last race heard of others proves nothing about these.
    fn start_first(&mut self, rule: Rule, out: &mut Outbox<Action>) {
        self.both_families = false;
        self.start(Leg::Quic, rule, out);
    }

    pub(super) fn on_both_families(&mut self, both: bool, out: &mut Outbox<Action>) {
        self.both_families = both;
        if self.second_won && self.runs_quic() && self.may_start_second() {
            // RACE-SECOND-KNOWN
            self.start(Leg::QuicFallback, Rule::RaceSecondKnown, out);
        }
    }

    pub(super) fn on_served(
        &mut self,
        now: Instant,
        quic: Offer,
        rtt: Option<Duration>,
        out: &mut Outbox<Action>,
    ) {
        let about_quic = self.round.as_ref().is_some_and(|round| round.target.is_some());
        let no = self.draining || self.is_full() || self.has_quic();
        if no || about_quic || quic.health == Health::Failed {
            return;
        }
        // RACE-LEARNT
        let until = Some(now + self.config.delay.after(rtt));
        let network = self.network;
        let round = self.round.get_or_insert_with(|| Round::new(None, network));
        (round.target, round.until, round.network) = (Some(quic.target), until, network);
        (round.tcp, round.tcp_ok, round.quiet) = (true, true, false);
        self.start_first(Rule::RaceLearnt, out);
    }

    pub(super) fn on_unwanted(&mut self, out: &mut Outbox<Action>) {
        let Some(round) = &mut self.round else { return };
        (round.wanted, round.quiet, round.until) = (false, true, None);
        self.abort(|runner| runner == Leg::Tcp, out);
    }

    pub(super) fn on_connected(&mut self, id: LegId, out: &mut Outbox<Action>) {
        let network = self.network;
        let (Some(round), Some(leg)) = (&mut self.round, self.legs.get_mut(id)) else {
            self.stale += 1;
            return;
        };
        if leg.established {
            self.stale += 1;
            return;
        }
        leg.established = true;
        round.legs.retain(|other| *other != id);
        let Runner { runner, target, network: began, .. } = *leg;
        if runner == Leg::Tcp {
            round.tcp_ok = true;
            return;
        }
        (round.quic_ok, round.until) = (true, None);
        self.quic += 1;
        if began == network {
            // RACE-CONFIRMED
            out.push(Action::Mark { target, mark: Mark::Confirmed });
            self.second_won = runner == Leg::QuicFallback;
        }
        self.abort(|_| true, out);
    }

    pub(super) fn on_failed(&mut self, id: LegId, early: bool, out: &mut Outbox<Action>) {
        let Some(leg) = self.take_running(id) else { return };
        if leg.runner.is_quic() && early {
            self.spare();
            if leg.network == self.network {
                // RACE-SUSPECT-DEAD
                out.push(Action::Mark { target: leg.target, mark: Mark::Suspect });
            }
        }
    }

    pub(super) fn on_withdrawn(&mut self, id: LegId) {
        if self.take_running(id).is_some_and(|leg| leg.runner.is_quic()) {
            self.spare();
        }
    }

    fn spare(&mut self) {
        if let Some(round) = &mut self.round {
            round.spared = true;
        }
    }

    /// A leg under way, which is not one any more.
    fn take_running(&mut self, id: LegId) -> Option<Runner> {
        let under_way = self.legs.get(id).is_some_and(|leg| !leg.established);
        let (true, Some(round)) = (under_way, &mut self.round) else {
            self.stale += 1;
            return None;
        };
        round.legs.retain(|other| *other != id);
        self.legs.remove(id)
    }

    pub(super) fn on_closed(&mut self, id: LegId, silent: bool, out: &mut Outbox<Action>) {
        if self.legs.get(id).is_none_or(|leg| !leg.established) {
            self.stale += 1;
            return;
        }
        let Some(leg) = self.legs.remove(id) else { return };
        if !leg.runner.is_quic() {
            return;
        }
        self.quic -= 1;
        if silent && leg.network == self.network {
            // RACE-SUSPECT-DEAD
            out.push(Action::Mark { target: leg.target, mark: Mark::Suspect });
        }
    }

    pub(super) const fn on_network_changed(&mut self) {
        self.network = self.network.wrapping_add(1);
        self.second_won = false;
    }

    pub(super) const fn on_drain(&mut self) {
        self.draining = true;
        if let Some(round) = &mut self.round {
            round.until = None;
        }
    }

    /// Does what is due: the second family, TCP, a verdict, the end.
    pub(super) fn advance(&mut self, now: Instant, out: &mut Outbox<Action>) {
        let Some(round) = &mut self.round else { return };
        if round.until.is_some_and(|until| until <= now) {
            (round.until, round.due) = (None, true);
        }
        let alone = self.runs_quic();
        if self.may_start_second() && (self.is_due() || !alone) {
            // RACE-DELAY, RACE-QUIC-FAILED: before TCP.
            let rule = if alone { Rule::RaceDelay } else { Rule::RaceQuicFailed };
            self.start(Leg::QuicFallback, rule, out);
        }
        if let Some(rule) = self.tcp_rule() {
            self.start(Leg::Tcp, rule, out);
        }
        self.judge(out);
        if self.round.as_ref().is_some_and(|round| round.legs.is_empty()) {
            self.finish(out);
        }
    }

    fn is_due(&self) -> bool {
        self.round.as_ref().is_some_and(|round| round.due)
    }

    /// Whether the first TCP leg starts, and why.
    fn tcp_rule(&self) -> Option<Rule> {
        let round = self.round.as_ref()?;
        if !round.wanted || round.tcp || round.quic_ok || !self.may_start() {
            return None;
        }
        if round.target.is_none() {
            Some(Rule::RaceTcpOnly)
        } else if !self.runs_quic() {
            Some(Rule::RaceQuicFailed)
        } else if round.at_once {
            Some(Rule::RaceSuspect)
        } else {
            round.due.then_some(Rule::RaceDelay)
        }
    }

    /// Whether TCP legs may start beside QUIC, or instead of it.
    pub(super) fn is_beside(&self, round: &Round) -> bool {
        round.target.is_none() || round.due || round.at_once || round.tcp_ok || !self.runs_quic()
    }

    /// RACE-BROKEN
    fn judge(&mut self, out: &mut Outbox<Action>) {
        let none_left = !self.runs_quic() && !self.has_second_left();
        let Some(round) = &mut self.round else { return };
        let Some(target) = round.target else { return };
        let failed = none_left && !round.quic_ok && !round.spared;
        if failed && round.tcp_ok && !round.broken && round.network == self.network {
            round.broken = true;
            out.push(Action::Mark { target, mark: Mark::Broken });
        }
    }

    /// Nothing is under way any more.
    fn finish(&mut self, out: &mut Outbox<Action>) {
        let Some(round) = self.round.take() else { return };
        if round.wanted && !round.tcp_ok && !round.quic_ok {
            out.push(Action::GiveUp);
        }
    }

    fn runs_quic(&self) -> bool {
        let is_quic = |id: &LegId| self.legs.get(*id).is_some_and(|leg| leg.runner.is_quic());
        self.round.as_ref().is_some_and(|round| round.legs.iter().any(is_quic))
    }

    /// Whether the second family is there and was not tried.
    fn has_second_left(&self) -> bool {
        self.config.second_family
            && self.both_families
            && self.round.as_ref().is_some_and(|round| {
                let tried = round.second || round.quic_ok || round.failed_before || round.broken;
                round.target.is_some() && !tried
            })
    }

    fn may_start_second(&self) -> bool {
        let quiet = self.round.as_ref().is_none_or(|round| round.quiet);
        self.has_second_left() && !quiet && self.may_start()
    }

    fn may_start(&self) -> bool {
        !self.draining && !self.is_full()
    }

    fn start(&mut self, runner: Leg, rule: Rule, out: &mut Outbox<Action>) {
        let Some(round) = &mut self.round else { return };
        let target = round.target.filter(|_| runner.is_quic());
        let leg = self.legs.insert(Runner {
            runner,
            target: target.unwrap_or_default(),
            network: self.network,
            established: false,
        });
        round.legs.push(leg);
        round.tcp |= runner == Leg::Tcp;
        round.second |= runner == Leg::QuicFallback;
        out.push(Action::Start { leg, runner, target, rule });
    }

    /// Aborts those under way for which `which` holds, in the order of their start.
    fn abort(&mut self, which: impl Fn(Leg) -> bool, out: &mut Outbox<Action>) {
        let Some(round) = &mut self.round else { return };
        let legs = &mut self.legs;
        round.legs.retain(|id| {
            let goes = legs.get(*id).is_some_and(|leg| which(leg.runner));
            if goes {
                legs.remove(*id);
                out.push(Action::Abort(*id));
            }
            !goes
        });
    }
}
