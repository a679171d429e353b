//! Happy eyeballs, slowly: what RFC 8305 asks for, worked out again from the whole history after
//! every event, and compared with the machine action by action and deadline by deadline.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use regatta_core::eyeballs::{Action, Config, Event, Eyeballs, Failed, Failure, Family, Success};
use regatta_core::record::Rule;
use regatta_core::types::Cause;
use regatta_core::{Duration, Instant, Machine};

use crate::harness::{self, Input, Rest, Subject};
use crate::seen::{Exception, Expected, Seen, Tally, never};
use crate::settings::ms;
use crate::tape::Tape;

const PORT: u16 = 8_443;

/// So long ago, or at the beginning of time.
fn earlier(now: Instant, ago: Duration) -> Instant {
    let ago = u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX);
    Instant::from_nanos(now.as_nanos().saturating_sub(ago))
}

/// Every address that an answer may hold: all rows of the policy table, and twins that count as
/// one address.
fn addresses() -> Vec<IpAddr> {
    let texts = "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 ::ffff:192.0.2.1 10.0.0.1 127.0.0.1 \
                 169.254.7.7 ::1 fe80::1 fec0::1 fd00::1 2002::1 2001::1 3ffe::1 ::192.0.2.1";
    texts.split_whitespace().map(|text| text.parse().expect("an address")).collect()
}

/// What happened that moves the time of the next start.
#[derive(Clone, Copy, Debug)]
enum Step {
    Opened { rule: Rule },
    Started,
    Progress,
    Failed,
    JoinedLate { nothing_ran: bool },
}

#[derive(Clone, Copy, Debug)]
struct Try {
    address: IpAddr,
    started: Instant,
    ended: Option<(Instant, Cause)>,
}

/// The model, and the generator of its events.
#[derive(Clone, Debug)]
pub struct Race {
    config: Config,
    pool: Vec<IpAddr>,
    /// Every address that counts, as it came.
    answers: Vec<IpAddr>,
    first_answer: Option<Instant>,
    /// What the resolver said at its end.
    resolved: Option<Option<Cause>>,
    history: Vec<(Instant, Step)>,
    tries: Vec<Try>,
    /// The attempt that TCP alone has chosen.
    chosen: Option<u32>,
    finishes: usize,
    cancelled: bool,
    pub(crate) tally: Tally,
}

const ACTIONS: &str = "a race does what the model does";
const DEADLINE: &str = "a race waits until the model's deadline";
const END: &str = "the end of a race is told once";

/// What a sweep over races must have seen.
pub fn expected() -> Expected {
    let rules = Rule::ALL.iter().map(|rule| rule.name());
    let rules: Vec<_> = rules.filter(|name| name.starts_with("HE")).collect();
    Expected::default()
        .with("action", &["connect", "abort", "addresses dropped", "won", "lost"])
        .with("rule", &rules)
        .with("limit", &["max_parallel", "max_attempts", "max_addresses"])
        .with("race", &["transport alone has chosen", "cancelled", "answers came late"])
        .with("attempt failed by", &["refused", "unreachable", "connect_timeout", "cancelled"])
        .with("lookup failed by", &["name_not_found", "resolve_failed", "no_address"])
        .with_always(&harness::INVARIANTS)
        .with_always(&[ACTIONS, DEADLINE, END])
        .without(&NEVER)
}

const NEVER: [Exception; 2] = [
    never("rule", Rule::He2FirstWins.name(), "noted by the upstream when it is told who won"),
    never("rule", Rule::He3Progress.name(), "it puts a start off and starts nothing itself"),
];

impl Race {
    /// A race of this configuration that has not begun.
    pub(crate) fn of(config: Config) -> Self {
        Self {
            config,
            pool: addresses(),
            answers: vec![],
            first_answer: None,
            resolved: None,
            history: vec![],
            tries: vec![],
            chosen: None,
            finishes: 0,
            cancelled: false,
            tally: Tally::default(),
        }
    }

    /// Whether it was told how the race ended, or nobody wants to know.
    pub(crate) fn is_done(&self) -> bool {
        self.cancelled || self.finishes > 0
    }

    fn is_open(&self) -> bool {
        self.history.iter().any(|(_, step)| matches!(step, Step::Opened { .. }))
    }

    /// The attempts under way, by number.
    pub(crate) fn running(&self) -> Vec<u32> {
        if self.is_done() {
            return vec![];
        }
        let open = (0..).zip(&self.tries).filter(|(_, t)| t.ended.is_none());
        open.map(|(number, _)| number).collect()
    }

    fn has_late_answers(&self) -> bool {
        self.history.iter().any(|(_, step)| matches!(step, Step::JoinedLate { .. }))
    }

    fn has_first_family(&self) -> bool {
        self.answers.iter().any(|&a| family(a) == self.config.first_family)
    }

    /// When the next attempt may start, and by which rule: the whole history, from its beginning.
    fn next_start(&self) -> (Instant, Rule) {
        let delay = self.config.attempt_delay.max(Duration::from_millis(10));
        let mut next = (Instant::EPOCH, Rule::He2Sort);
        for &(at, step) in &self.history {
            next = match step {
                Step::Opened { rule } => (at, rule),
                Step::Started => (at + delay, Rule::He2AttemptDelay),
                Step::Progress => (at + delay, next.1),
                Step::Failed => (at, Rule::He2NextOnFailure),
                Step::JoinedLate { nothing_ran: true } => (at, Rule::He3LateAnswers),
                Step::JoinedLate { nothing_ran: false } => (next.0, Rule::He3LateAnswers),
            };
        }
        next
    }

    /// The address that goes next if one may.
    fn next_address(&self) -> Option<IpAddr> {
        let room = self.running().len() < self.config.max_parallel.max(1) as usize
            && self.tries.len() < self.config.max_attempts.max(1) as usize;
        if self.is_done() || self.chosen.is_some() || !self.is_open() || !room {
            return None;
        }
        let tried = |address| self.tries.iter().any(|t| t.address == address);
        in_order(&self.answers, &self.config).into_iter().find(|&address| !tried(address))
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_done() {
            return None;
        }
        if !self.is_open() {
            return self.first_answer.map(|at| at + self.config.resolution_delay);
        }
        self.next_address().map(|_| self.next_start().0)
    }

    /// What one event must lead to.
    fn expect(&mut self, now: Instant, input: &Input<Event>) -> Vec<Action> {
        let mut actions = vec![];
        if self.is_done() {
            return actions;
        }
        match input {
            Input::Timeout => {}
            Input::Event(Event::Resolved(addresses)) => {
                self.learn(now, addresses, now, &mut actions);
            }
            Input::Event(Event::Known { addresses, since }) => {
                self.learn(now, addresses, now.min(*since), &mut actions);
            }
            Input::Event(Event::ResolveFinished { failed }) => {
                self.resolved = self.resolved.or(Some(*failed));
            }
            Input::Event(Event::Progress(number)) => self.progress(now, *number, &mut actions),
            Input::Event(Event::Connected(number)) if self.running().contains(number) => {
                self.abort(now, Some(*number), &mut actions);
                actions.push(Action::Finish(Ok(*number)));
                self.finishes += 1;
            }
            Input::Event(Event::Failed { attempt, cause }) if self.running().contains(attempt) => {
                self.tries[*attempt as usize].ended = Some((now, *cause));
                self.history.push((now, Step::Failed));
            }
            Input::Event(Event::Cancelled) => {
                self.abort(now, None, &mut actions);
                self.cancelled = true;
            }
            Input::Event(_) => {}
        }
        self.open(now);
        self.start(now, &mut actions);
        self.give_up(&mut actions);
        actions
    }

    fn learn(
        &mut self,
        now: Instant,
        addresses: &[IpAddr],
        since: Instant,
        actions: &mut Vec<Action>,
    ) {
        let before = self.answers.len();
        let mut dropped = 0;
        for address in addresses.iter().map(IpAddr::to_canonical) {
            let alike = self.answers.iter().filter(|&&a| family(a) == family(address)).count();
            if self.answers.contains(&address) {
                continue;
            } else if alike < self.config.max_addresses.max(1) as usize {
                self.answers.push(address);
            } else {
                dropped += 1;
            }
        }
        if dropped > 0 {
            actions.push(Action::AddressesDropped(dropped));
        }
        if self.answers.len() > before {
            self.first_answer = self.first_answer.or(Some(since));
            if self.is_open() {
                let nothing_ran = self.running().is_empty();
                self.history.push((now, Step::JoinedLate { nothing_ran }));
            }
        }
    }

    fn progress(&mut self, now: Instant, number: u32, actions: &mut Vec<Action>) {
        if !self.running().contains(&number) {
            return;
        }
        if self.config.success == Success::Handshake {
            self.history.push((now, Step::Progress));
        } else if self.chosen.is_none() {
            self.abort(now, Some(number), actions);
            self.chosen = Some(number);
        }
    }

    fn abort(&mut self, now: Instant, kept: Option<u32>, actions: &mut Vec<Action>) {
        for number in self.running() {
            if Some(number) != kept {
                self.tries[number as usize].ended = Some((now, Cause::Cancelled));
                actions.push(Action::Abort(number));
            }
        }
    }

    fn open(&mut self, now: Instant) {
        let Some(first) = self.first_answer else { return };
        if self.is_done() || self.is_open() {
            return;
        }
        let asked = self.has_first_family() || self.resolved.is_some();
        if asked || now >= first + self.config.resolution_delay {
            let rule = if asked { Rule::He2Sort } else { Rule::He2ResolutionDelay };
            self.history.push((now, Step::Opened { rule }));
        }
    }

    fn start(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let (at, rule) = self.next_start();
        if let Some(address) = self.next_address()
            && at <= now
        {
            let attempt = u32::try_from(self.tries.len()).expect("few attempts");
            actions.push(Action::Connect {
                attempt,
                address: SocketAddr::new(address, PORT),
                rule,
            });
            self.tries.push(Try { address, started: now, ended: None });
            self.history.push((now, Step::Started));
        }
    }

    fn give_up(&mut self, actions: &mut Vec<Action>) {
        let spent = self.tries.len() >= self.config.max_attempts.max(1) as usize;
        let all_tried = self.tries.len() == self.answers.len() && self.resolved.is_some();
        let stuck = self.chosen.is_some();
        if self.is_done() || !self.running().is_empty() || !(spent || all_tried || stuck) {
            return;
        }
        let attempts = self.tries.iter().map(|t| {
            let (ended, cause) = t.ended.expect("nothing runs");
            let address = SocketAddr::new(t.address, PORT);
            Failed { address, started: t.started, ended, cause }
        });
        let attempts = attempts.collect();
        let failure = Failure { attempts, resolution: self.resolved.flatten() };
        actions.push(Action::Finish(Err(failure)));
        self.finishes += 1;
    }
}

impl Subject for Race {
    type Machine = Eyeballs;

    fn new(tape: &mut Tape) -> Self {
        let mut config = Config::default();
        config.attempt_delay = tape.pick("delay", &[ms(300), ms(1), ms(10), Duration::MAX]);
        config.resolution_delay = tape.pick("wait", &[ms(50), ms(0), Duration::MAX]);
        config.first_family = tape.pick("first", &[Family::V6, Family::V4]);
        config.first_family_count = tape.pick("count", &[1, 0, 2, u32::MAX]);
        config.success = tape.pick("success", &[Success::Handshake, Success::Transport]);
        config.max_addresses = tape.pick("addresses", &[32, 0, 1, 3]);
        config.max_parallel = tape.pick("parallel", &[4, 0, 1, 2, u32::MAX]);
        config.max_attempts = tape.pick("attempts", &[12, 0, 1, 3, u32::MAX]);
        Self::of(config)
    }

    fn machine(&self) -> Eyeballs {
        Eyeballs::new(&self.config, PORT)
    }

    fn event(&mut self, tape: &mut Tape, now: Instant) -> Event {
        let kind = tape.weighted("event", &[6, 6, 4, 2, 1, 1]);
        match kind {
            0 => {
                let count = tape.draw("answers", 6);
                let answer = (0..count).map(|_| tape.pick("address", &self.pool));
                let addresses = answer.collect();
                if !tape.one_in("known before", 4) {
                    return Event::Resolved(addresses);
                }
                let ago = tape.pick("known for", &[ms(20), ms(0), ms(50), ms(1_000)]);
                Event::Known { addresses, since: earlier(now, ago) }
            }
            1 => {
                let causes = [Cause::Refused, Cause::Unreachable, Cause::ConnectTimeout];
                Event::Failed { attempt: self.number(tape), cause: tape.pick("cause", &causes) }
            }
            2 => Event::Progress(self.number(tape)),
            3 => {
                let said = [None, Some(Cause::NameNotFound), Some(Cause::ResolveFailed)];
                Event::ResolveFinished { failed: tape.pick("said", &said) }
            }
            4 => Event::Connected(self.number(tape)),
            _ => Event::Cancelled,
        }
    }

    fn observe(
        &mut self,
        now: Instant,
        input: &Input<Event>,
        actions: &[Action],
        machine: &Eyeballs,
    ) {
        let expected = self.expect(now, input);
        assert_eq!(actions, expected, "{input:?} at {now:?} must lead to the second");
        self.tally.held(ACTIONS);
        assert_eq!(machine.poll_timeout(), self.deadline(), "deadline after {input:?} at {now:?}");
        self.tally.held(DEADLINE);
        assert_eq!(machine.is_done(), self.is_done(), "whether the race is over");
        assert_eq!(machine.running() as usize, self.running().len(), "attempts under way");
    }

    fn see(&self, _: &Input<Event>, actions: &[Action], machine: &mut Eyeballs, seen: &mut Seen) {
        for action in actions {
            let name = match action {
                Action::Connect { rule, .. } => {
                    seen.sometimes("rule", rule.name());
                    "connect"
                }
                Action::Abort(_) => "abort",
                Action::AddressesDropped(_) => {
                    seen.sometimes("limit", "max_addresses");
                    "addresses dropped"
                }
                Action::Finish(Ok(_)) => "won",
                Action::Finish(Err(failure)) => {
                    let causes = failure.attempts.iter().map(|attempt| attempt.cause);
                    seen.failure(causes, failure.resolution);
                    "lost"
                }
            };
            seen.sometimes("action", name);
        }
        let reached = [
            ("limit", "max_parallel", machine.running() >= self.config.max_parallel.max(1)),
            ("limit", "max_attempts", self.tries.len() >= self.config.max_attempts.max(1) as usize),
            ("race", "transport alone has chosen", self.chosen.is_some()),
            ("race", "cancelled", self.cancelled),
            ("race", "answers came late", self.has_late_answers()),
        ];
        for (group, item, _) in reached.into_iter().filter(|(_, _, is)| *is) {
            seen.sometimes(group, item);
        }
    }

    fn see_invariants(&self, seen: &mut Seen) {
        self.tally.tell(seen);
    }

    fn describe(&self) -> String {
        format!("{:#?}", self.config)
    }

    fn rest(&mut self, _now: Instant, _machine: &Eyeballs) -> Rest<Event> {
        if self.is_done() {
            Rest::Done
        } else if self.resolved.is_none() {
            Rest::Event(Event::ResolveFinished { failed: None })
        } else if let Some(&attempt) = self.running().first() {
            Rest::Event(Event::Failed { attempt, cause: Cause::Refused })
        } else {
            Rest::Work
        }
    }

    fn at_rest(&self, machine: &Eyeballs) {
        assert_eq!(machine.poll_timeout(), None, "a race that is over wants nothing");
        assert_eq!(self.finishes, usize::from(!self.cancelled), "the end is told once");
        self.tally.held(END);
    }

    fn actions_max(&self) -> usize {
        // Each running attempt aborted, one started, one drop told, one end.
        self.tries.len() + 3
    }
}

impl Race {
    /// Mostly an attempt under way, else one of the past, else one that never was.
    fn number(&self, tape: &mut Tape) -> u32 {
        let running = self.running();
        if running.is_empty() || tape.one_in("stale", 6) {
            tape.pick("number", &[0, 1, 2, 3, u32::MAX])
        } else {
            tape.pick("running", &running)
        }
    }
}

fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// RFC 6724 by taking the best of the rest again and again, then RFC 8305 by turns.
fn in_order(answers: &[IpAddr], config: &Config) -> Vec<IpAddr> {
    let mut rest = answers.to_vec();
    let mut sorted = vec![];
    while !rest.is_empty() {
        let mut best = 0;
        for index in 1..rest.len() {
            if is_better(rest[index], rest[best]) {
                best = index;
            }
        }
        sorted.push(rest.remove(best));
    }
    let mut ordered = vec![];
    let turn = config.first_family_count.clamp(1, 1_000);
    while !sorted.is_empty() {
        for place in 0..=turn {
            let is_first = place < turn;
            let wanted = |a: &IpAddr| (family(*a) == config.first_family) == is_first;
            if let Some(index) = sorted.iter().position(wanted) {
                ordered.push(sorted.remove(index));
            } else if is_first && sorted.is_empty() {
                break;
            }
        }
    }
    ordered
}

fn is_better(one: IpAddr, other: IpAddr) -> bool {
    let (mine, theirs) = (precedence(one), precedence(other));
    mine > theirs || mine == theirs && reach(one) < reach(other)
}

/// RFC 6724 2.1, all rows; the longest prefix that matches bit by bit tells.
fn precedence(address: IpAddr) -> u32 {
    let rows = [
        ("::1", 128, 50),
        ("::", 0, 40),
        ("::ffff:0:0", 96, 35),
        ("2002::", 16, 30),
        ("2001::", 32, 5),
        ("fc00::", 7, 3),
        ("::", 96, 1),
        ("fec0::", 10, 1),
        ("3ffe::", 16, 1),
    ];
    let bits = as_v6(address).to_bits();
    let matching = rows.iter().filter(|(prefix, length, _)| {
        let prefix: Ipv6Addr = prefix.parse().expect("a prefix");
        (0..*length).all(|bit| (bits ^ prefix.to_bits()) & (1 << (127 - bit)) == 0)
    });
    matching.max_by_key(|row| row.1).expect("::/0 matches everything").2
}

/// How far an address reaches: link, site, world (RFC 6724 3).
fn reach(address: IpAddr) -> u32 {
    let local = match address {
        IpAddr::V4(v4) => v4.octets()[..2] == [169, 254] || v4.octets()[0] == 127,
        IpAddr::V6(v6) => v6 == Ipv6Addr::LOCALHOST || v6.segments()[0] >> 6 == 0xfe80 >> 6,
    };
    let site = matches!(address, IpAddr::V6(v6) if v6.segments()[0] >> 6 == 0xfec0 >> 6);
    if local {
        1
    } else if site {
        2
    } else {
        3
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::to_ipv6_mapped(&v4),
        IpAddr::V6(v6) => v6,
    }
}

#[cfg(test)]
mod tests {
    use super::Race;
    use crate::testing::{regressions, tapes};

    #[test]
    fn machine_and_model_agree() {
        tapes::<Race>(40, 200);
    }

    #[test]
    fn tapes_that_once_failed() {
        regressions::<Race>(&[
            // A machine that never started the backup.
            &[
                0, 0, 0, 0, 0, 23, 33, 43, 0, 0, 20, 76, 0, 1, 2, 0, 0, 0, 45, 0, 106, 0, 0, 0, 0,
                0, 81, 0, 20, 0, 0,
            ],
            // One too many attempts at once.
            &[0, 0, 0, 0, 0, 0, 51, 3, 0, 0, 100, 2, 0, 1],
            // The resolution delay began again with each answer.
            &[
                0, 93, 138, 0, 0, 35, 0, 0, 0, 30, 40, 128, 99, 83, 0, 0, 30, 186, 0, 0, 0, 76, 0,
                60, 181, 113,
            ],
            // A loser was not aborted.
            &[
                59, 0, 43, 0, 0, 47, 14, 103, 0, 207, 0, 0, 30, 52, 0, 0, 0, 0, 20, 33, 38, 23, 8,
                0, 111, 15, 132, 18, 0, 0, 132, 0, 0, 165, 18,
            ],
            // Progress put nothing off.
            &[
                44, 0, 0, 0, 44, 0, 213, 63, 0, 0, 80, 5, 0, 0, 0, 1, 21, 0, 0, 0, 0, 41, 0, 0, 0,
                0, 0, 0, 0, 162, 0, 207, 0, 1, 15, 212, 0,
            ],
            // The race was given up before the answers ended.
            &[
                0, 0, 0, 0, 20, 0, 0, 13, 0, 0, 160, 205, 0, 0, 0, 162, 0, 0, 15, 6, 0, 0, 0, 0, 0,
                0, 0, 0, 0,
            ],
        ]);
    }
}
