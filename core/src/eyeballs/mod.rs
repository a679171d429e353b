//! Happy eyeballs: the addresses of one host in, attempts out (RFC 8305 for TCP).
//!
//! It decides in which order the addresses are tried, when the next attempt starts beside those
//! under way, and which one wins. It leaves the connect timeout and ids to its owner: an attempt
//! is known here by its number, 0 for the first one started, 1 for the second. Its owner maps
//! numbers to [`AttemptId`]s and makes the caller's error by [`Failure::into_all_failed`].
//!
//! ```text
//!              addresses, and the first family came,
//!              or resolution ended, or its delay passed         TCP up, Success::Transport
//! Gathering ------------------------------------------> Racing ---------------------------> Chosen
//!     |                                                   |                                   |
//!     +--- ended without address, or cancelled --> Done <-+-- connected, all failed, cancelled-+
//! ```
//!
//! - HE2-SORT: RFC 6724 order, families interleaved (RFC 8305 section 4).
//! - HE2-RESOLUTION-DELAY: without an address of the first family the race waits for one, at
//!   most `resolution_delay` from the first address on (section 3), whoever waited for it.
//! - HE2-NEXT-ON-FAILURE, HE2-ATTEMPT-DELAY: the next address starts when an attempt failed, at
//!   once, or when none has started for `attempt_delay` (section 5). Starting one never ends
//!   another.
//! - HE3-10: with [`Success::Handshake`] progress of any attempt puts the next one off by another
//!   delay, so that TCP without TLS progress does not hold the race up for longer than that.
//! - HE3-14: late answers join; all addresses are sorted again and those started are skipped.
//! - HE2-FIRST-WINS: the first success wins and the others are aborted (section 5).
//! - All failed and resolution ended: one [`Failure`] lists every attempt.
//!
//! Events for unknown, failed or aborted attempts, and any event after the end, do nothing.

mod config;
mod order;
#[cfg(feature = "verify")]
mod snapshot;
#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

pub use config::{Config, Family, Success};
#[cfg(feature = "verify")]
pub use snapshot::Snapshot;

use crate::id::AttemptId;
use crate::machine::{Machine, Outbox};
use crate::record::Rule;
use crate::time::{Duration, Instant};
use crate::types::{AllFailed, Cause, FailedAttempt};

/// The least attempt delay (RFC 8305 section 5: MUST NOT be less).
const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(10);

/// What happened outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Some addresses came; more may follow. Those known already are ignored. An IP literal
    /// comes as an answer of one address.
    Resolved(Vec<IpAddr>),
    /// Addresses that had come before this race was told of them, and more may follow: the
    /// resolution delay is counted from there.
    Known {
        /// Those.
        addresses: Vec<IpAddr>,
        /// When the first of them came.
        since: Instant,
    },
    /// The resolver has nothing more to say; the first one counts.
    ResolveFinished {
        /// Why it failed, where it did.
        failed: Option<Cause>,
    },
    /// TCP is up, or TLS has moved, on this attempt.
    Progress(u32),
    /// This attempt's handshakes are all done.
    Connected(u32),
    /// This attempt failed.
    Failed {
        /// Its number.
        attempt: u32,
        /// Why.
        cause: Cause,
    },
    /// Nobody needs the host any more: everything under way is aborted.
    Cancelled,
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an attempt; it ends with `Connected` or `Failed`, or is aborted.
    Connect {
        /// Its number: how many were started before it.
        attempt: u32,
        /// Where to.
        address: SocketAddr,
        /// Why now.
        rule: Rule,
    },
    /// Give an attempt up; nothing more is expected of it.
    Abort(u32),
    /// So many addresses were over `max_addresses` and are forgotten.
    AddressesDropped(u32),
    /// The end, told once unless cancelled: the winner's number, or all that failed.
    Finish(Result<u32, Failure>),
}

/// The one error of a race that nobody won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Every attempt, in order of start: the index is its number.
    pub attempts: Vec<Failed>,
    /// What the resolver said, where it failed.
    pub resolution: Option<Cause>,
}

/// One attempt that did not win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Where it went.
    pub address: SocketAddr,
    /// When it began.
    pub started: Instant,
    /// When it ended.
    pub ended: Instant,
    /// Why; [`Cause::Cancelled`] when it was aborted.
    pub cause: Cause,
}

impl Failure {
    /// Makes the error that callers see; `id` tells each attempt's id by its number.
    pub fn into_all_failed(self, mut id: impl FnMut(u32) -> AttemptId) -> AllFailed {
        let attempts = (0..).zip(self.attempts).map(|(number, failed)| FailedAttempt {
            attempt: id(number),
            address: failed.address,
            started: failed.started,
            ended: failed.ended,
            cause: failed.cause,
        });
        AllFailed { attempts: attempts.collect(), resolution: self.resolution }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has started. The time limit stands once there is an address.
    Gathering { until: Option<Instant> },
    /// Attempts are, or were, under way.
    Racing,
    /// This attempt's TCP is up and that decided it; its TLS is under way.
    Chosen(u32),
    /// Told how it ended.
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    address: SocketAddr,
    started: Instant,
    /// When and why it ended; `None` under way, and for the winner.
    ended: Option<(Instant, Cause)>,
}

/// The race between the addresses of one host.
#[derive(Clone, Debug)]
pub struct Eyeballs {
    config: Config,
    port: u16,
    phase: Phase,
    /// Every address that counts, as it came, at most `max_addresses` of each family.
    answers: Vec<IpAddr>,
    /// Those not started, in order.
    waiting: VecDeque<IpAddr>,
    /// By number.
    attempts: Vec<Attempt>,
    /// How many attempts have not ended.
    running: u32,
    /// The next attempt does not start before this.
    earliest: Instant,
    /// Why the next attempt will start.
    rule: Rule,
    resolution: Resolution,
    /// The family of the first attempt is that of all.
    one_family: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    UnderWay,
    Ended { failed: Option<Cause> },
}

impl Eyeballs {
    /// Makes a race to `port` of a host whose addresses are still to come.
    pub fn new(config: &Config, port: u16) -> Self {
        let mut config = config.clone();
        config.attempt_delay = config.attempt_delay.max(ATTEMPT_DELAY_MIN);
        for least_one in
            [&mut config.max_addresses, &mut config.max_parallel, &mut config.max_attempts]
        {
            *least_one = (*least_one).max(1);
        }
        Self {
            config,
            port,
            phase: Phase::Gathering { until: None },
            answers: Vec::new(),
            waiting: VecDeque::new(),
            attempts: Vec::new(),
            running: 0,
            earliest: Instant::EPOCH,
            rule: Rule::He2Sort,
            resolution: Resolution::UnderWay,
            one_family: false,
        }
    }

    /// Tries no address of another family than the first attempt's: somebody else races for it.
    pub(crate) const fn keep_to_one_family(&mut self) {
        self.one_family = true;
    }

    /// Passes over what the family of the first attempt rules out.
    fn pass_over(&mut self) {
        if self.one_family
            && let Some(first) = self.attempts.first()
        {
            let family = order::family(first.address.ip());
            self.waiting.retain(|address| order::family(*address) == family);
            self.answers.retain(|address| order::family(*address) == family);
        }
    }

    /// Whether it was told how the race ended, or the race was cancelled.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// How many attempts are under way.
    pub const fn running(&self) -> u32 {
        self.running
    }

    fn on_resolved(
        &mut self,
        now: Instant,
        addresses: Vec<IpAddr>,
        since: Instant,
        out: &mut Outbox<Action>,
    ) {
        let mut dropped = 0;
        let known = self.answers.len();
        for address in addresses {
            // A mapped IPv4 address is the same destination as the address itself.
            let address = address.to_canonical();
            if self.answers.contains(&address) {
                continue;
            }
            let family = order::family(address);
            let same = self.answers.iter().filter(|&&a| order::family(a) == family).count();
            if same < self.config.max_addresses as usize {
                self.answers.push(address);
            } else {
                dropped += 1;
            }
        }
        if dropped > 0 {
            out.push(Action::AddressesDropped(dropped));
        }
        if self.answers.len() == known {
            return;
        }
        // HE2-SORT, HE3-14: the whole list is sorted again, what has started is skipped.
        let mut waiting = order::order(&self.answers, &self.config);
        waiting.retain(|&address| !self.attempts.iter().any(|a| a.address.ip() == address));
        self.waiting = waiting;
        self.pass_over();
        match &mut self.phase {
            Phase::Gathering { until: until @ None } => {
                *until = Some(since.min(now) + self.config.resolution_delay);
            }
            Phase::Racing => {
                self.rule = Rule::He3LateAnswers;
                // With nothing under way there is nothing to wait for.
                if self.running == 0 {
                    self.earliest = now;
                }
            }
            _ => {}
        }
    }

    fn on_resolve_finished(&mut self, failed: Option<Cause>) {
        if self.resolution == Resolution::UnderWay {
            self.resolution = Resolution::Ended { failed };
        }
    }

    fn on_progress(&mut self, now: Instant, number: u32, out: &mut Outbox<Action>) {
        if !self.is_running(number) {
            return;
        }
        match self.config.success {
            Success::Transport if self.phase == Phase::Racing => {
                self.abort_all_but(now, Some(number), out);
                self.phase = Phase::Chosen(number);
            }
            Success::Transport => {}
            // HE3-10
            Success::Handshake => {
                self.earliest = now + self.config.attempt_delay;
            }
        }
    }

    fn on_connected(&mut self, now: Instant, number: u32, out: &mut Outbox<Action>) {
        if !self.is_running(number) {
            return;
        }
        // HE2-FIRST-WINS
        self.abort_all_but(now, Some(number), out);
        self.running = 0;
        self.phase = Phase::Done;
        out.push(Action::Finish(Ok(number)));
    }

    fn on_failed(&mut self, now: Instant, number: u32, cause: Cause) {
        if !self.is_running(number) {
            return;
        }
        self.end(now, number, cause);
        // HE2-NEXT-ON-FAILURE
        self.earliest = now;
        self.rule = Rule::He2NextOnFailure;
    }

    fn on_cancelled(&mut self, now: Instant, out: &mut Outbox<Action>) {
        self.abort_all_but(now, None, out);
        self.phase = Phase::Done;
    }

    /// Does what is due: leaves the gathering, starts the next attempt, tells the end.
    fn advance(&mut self, now: Instant, out: &mut Outbox<Action>) {
        if let Phase::Gathering { until: Some(until) } = self.phase {
            let family = self.config.first_family;
            let has_first = self.answers.iter().any(|&a| order::family(a) == family);
            let ended = self.resolution != Resolution::UnderWay;
            // HE2-RESOLUTION-DELAY
            if has_first || ended || now >= until {
                let waited = !has_first && !ended;
                self.rule = if waited { Rule::He2ResolutionDelay } else { Rule::He2Sort };
                self.phase = Phase::Racing;
                self.earliest = now;
            }
        }
        if self.may_start() && now >= self.earliest {
            self.start(now, out);
        }
        if self.is_hopeless() {
            self.phase = Phase::Done;
            out.push(Action::Finish(Err(self.failure())));
        }
    }

    fn may_start(&self) -> bool {
        self.phase == Phase::Racing
            && !self.waiting.is_empty()
            && self.running < self.config.max_parallel
            && !self.is_used_up()
    }

    fn start(&mut self, now: Instant, out: &mut Outbox<Action>) {
        let Some(address) = self.waiting.pop_front() else { return };
        let address = SocketAddr::new(address, self.port);
        let Ok(attempt) = u32::try_from(self.attempts.len()) else { return };
        self.attempts.push(Attempt { address, started: now, ended: None });
        self.running += 1;
        self.pass_over();
        out.push(Action::Connect { attempt, address, rule: self.rule });
        // HE2-ATTEMPT-DELAY
        self.earliest = now + self.config.attempt_delay;
        self.rule = Rule::He2AttemptDelay;
    }

    /// Whether the race has made all the attempts that it may.
    fn is_used_up(&self) -> bool {
        self.attempts.len() >= self.config.max_attempts as usize
    }

    fn is_hopeless(&self) -> bool {
        let ended = self.resolution != Resolution::UnderWay;
        match self.phase {
            Phase::Gathering { until } => until.is_none() && ended,
            Phase::Racing => {
                self.running == 0 && (self.is_used_up() || self.waiting.is_empty() && ended)
            }
            Phase::Chosen(_) => self.running == 0,
            Phase::Done => false,
        }
    }

    fn failure(&self) -> Failure {
        let attempts = self.attempts.iter().filter_map(|attempt| {
            let (ended, cause) = attempt.ended?;
            Some(Failed { address: attempt.address, started: attempt.started, ended, cause })
        });
        let resolution = match self.resolution {
            Resolution::UnderWay => None,
            Resolution::Ended { failed } => failed,
        };
        Failure { attempts: attempts.collect(), resolution }
    }

    fn is_running(&self, number: u32) -> bool {
        self.phase != Phase::Done
            && self.attempts.get(number as usize).is_some_and(|a| a.ended.is_none())
    }

    fn end(&mut self, now: Instant, number: u32, cause: Cause) {
        if let Some(attempt) = self.attempts.get_mut(number as usize) {
            attempt.ended = Some((now, cause));
            self.running -= 1;
        }
    }

    fn abort_all_but(&mut self, now: Instant, kept: Option<u32>, out: &mut Outbox<Action>) {
        for (number, _) in (0..).zip(0..self.attempts.len()) {
            if Some(number) != kept && self.is_running(number) {
                self.end(now, number, Cause::Cancelled);
                out.push(Action::Abort(number));
            }
        }
    }
}

impl Machine for Eyeballs {
    type Event = Event;
    type Action = Action;

    fn handle_event(&mut self, now: Instant, event: Event, out: &mut Outbox<Action>) {
        if self.is_done() {
            return;
        }
        match event {
            Event::Resolved(addresses) => self.on_resolved(now, addresses, now, out),
            Event::Known { addresses, since } => self.on_resolved(now, addresses, since, out),
            Event::ResolveFinished { failed } => self.on_resolve_finished(failed),
            Event::Progress(number) => self.on_progress(now, number, out),
            Event::Connected(number) => self.on_connected(now, number, out),
            Event::Failed { attempt, cause } => self.on_failed(now, attempt, cause),
            Event::Cancelled => self.on_cancelled(now, out),
        }
        self.advance(now, out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Action>) {
        self.advance(now, out);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Gathering { until } => until,
            Phase::Racing if self.may_start() => Some(self.earliest),
            _ => None,
        }
    }

    fn check(&self) {
        let most = self.config.max_addresses as usize;
        for family in [Family::V4, Family::V6] {
            let known = self.answers.iter().filter(|&&a| order::family(a) == family).count();
            assert!(known <= most, "{known} addresses of {family:?} are over {most}");
        }
        let tried = |address| self.attempts.iter().filter(|a| a.address.ip() == address).count();
        let waits = |address| self.waiting.iter().filter(|&&a| a == address).count();
        for &address in &self.answers {
            assert_eq!(tried(address) + waits(address), 1, "{address} must wait or be tried, once");
        }
        let places = self.waiting.len() + self.attempts.len();
        assert_eq!(places, self.answers.len(), "an address waits or is tried that nobody gave");
        assert!(self.attempts.len() <= self.config.max_attempts as usize, "too many attempts");
        assert!(self.running <= self.config.max_parallel, "too many attempts at once");
        let open = self.attempts.iter().filter(|a| a.ended.is_none()).count();
        match self.phase {
            Phase::Gathering { .. } => assert_eq!(places, self.waiting.len(), "it has started"),
            Phase::Racing => assert_eq!(open, self.running as usize, "attempts under way"),
            Phase::Chosen(number) => {
                assert!(open == 1 && self.running == 1 && self.is_running(number), "one is left");
            }
            Phase::Done => assert!(open <= 1 && self.running == 0, "attempts outlive the race"),
        }
    }
}
