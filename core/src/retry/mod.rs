//! Whether a request whose try has failed, or was answered with a no, is tried again, and when.
//!
//! This is a caller's policy, above the pool: each try is a request of its own there, and what
//! provably reached nobody goes again below, by the pool's rules. A [`Retry`] decides for one
//! request; a [`Ledger`] remembers how many of all are being retried. Neither does anything by
//! itself: a driver asks when a try is over and carries the answer out.
//!
//! A try is followed by another when all of this holds, asked in this order, and the first "no"
//! is the verdict:
//!
//! 1. the policy covers what came of it ([`Why::NotCovered`]);
//! 2. the request may be repeated: idempotent, never connected, or the policy says any
//!    ([`Why::Method`]);
//! 3. its body can be sent again ([`Why::Body`]);
//! 4. it has retries left ([`Why::Spent`]);
//! 5. Retry-After is not longer than what the policy waits for ([`Why::RetryAfter`]);
//! 6. the time is not after the request's deadline ([`Why::Deadline`]);
//! 7. the budget of all requests has room ([`Why::Budget`]).

mod after;
mod ledger;
mod policy;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use after::retry_after;
pub use ledger::Ledger;
pub use policy::{Budget, Policy};

use crate::time::{Duration, Instant};
use crate::types::{BodyState, Cause, MethodClass, Refusal};

/// RFC 9110 15.5.20.
const MISDIRECTED: u16 = 421;

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream refused it, before the final response's head was there.
    Refused(Refusal),
    /// The final response's head.
    Answered {
        /// Its status.
        status: u16,
        /// Its Retry-After, from now on.
        retry_after: Option<Duration>,
    },
}

/// What happens after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another one, at this time.
    Again {
        /// When.
        at: Instant,
        /// The connection that answered must not get it.
        elsewhere: bool,
    },
    /// None: the caller gets what came.
    Stop(Why),
}

/// Why there is no other try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The policy does not cover what came: a success, most often.
    NotCovered,
    /// The request may have been acted on, and its method is not idempotent.
    Method,
    /// Its body cannot be sent a second time.
    Body,
    /// It has used its retries up.
    Spent,
    /// Retry-After is longer than the policy waits.
    RetryAfter,
    /// Its time limit would pass before.
    Deadline,
    /// Too many requests are being retried.
    Budget,
}

/// What a caller is told of a request's tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was tried again: this is what came of the last try.
    Retried {
        /// How often, beside the first try.
        retries: u32,
        /// Why not once more.
        why: Why,
    },
    /// This is what came of the only try.
    NotRetried {
        /// Why it was not tried again.
        why: Why,
    },
}

/// The tries of one request.
#[derive(Clone, Debug)]
pub struct Retry {
    policy: Arc<Policy>,
    method: MethodClass,
    deadline: Option<Instant>,
    retries: u32,
    redirected: bool,
    /// Counts in the ledger.
    holds: bool,
}

impl Retry {
    /// The first try of a request is under way; it must be over, all tries together, by
    /// `deadline`.
    pub const fn new(policy: Arc<Policy>, method: MethodClass, deadline: Option<Instant>) -> Self {
        Self { policy, method, deadline, retries: 0, redirected: false, holds: false }
    }

    /// Whether the policy covers what came: nothing needs to be asked where it does not.
    pub fn covers(&self, outcome: Outcome) -> bool {
        self.is_misdirected(outcome) || self.is_covered(outcome)
    }

    /// A try is over. `active` is how many requests wait or are under way in all.
    pub fn decide(
        &mut self,
        now: Instant,
        outcome: Outcome,
        body: BodyState,
        active: usize,
        ledger: &mut Ledger,
    ) -> Decision {
        if self.is_misdirected(outcome) {
            return match body {
                BodyState::Spent => Decision::Stop(Why::Body),
                _ => {
                    self.redirected = true;
                    Decision::Again { at: now, elsewhere: true }
                }
            };
        }
        if let Some(why) = self.objection(outcome, body) {
            return Decision::Stop(why);
        }
        let wait = match outcome {
            Outcome::Answered { retry_after: Some(after), .. } => {
                after.saturating_add(ledger.below(self.policy.base_delay))
            }
            _ => ledger.below(self.most_delay()),
        };
        let at = now + wait;
        if self.deadline.is_some_and(|deadline| at >= deadline) {
            return Decision::Stop(Why::Deadline);
        }
        if !self.holds {
            if !ledger.take(active) {
                return Decision::Stop(Why::Budget);
            }
            self.holds = true;
        }
        self.retries += 1;
        Decision::Again { at, elsewhere: false }
    }

    /// The try that was decided on last is not made after all: the body was lost meanwhile. What
    /// the caller is told.
    pub fn unmade(&mut self, elsewhere: bool) -> Verdict {
        if elsewhere {
            self.redirected = false;
        } else {
            self.retries = self.retries.saturating_sub(1);
        }
        self.verdict(Why::Body)
    }

    /// The request is over, one way or another.
    pub fn end(&mut self, ledger: &mut Ledger) {
        if core::mem::take(&mut self.holds) {
            ledger.give();
        }
    }

    /// Whether [`Retry::end`] has anything to say.
    pub const fn holds(&self) -> bool {
        self.holds
    }

    /// What the caller is told when nothing more is tried.
    pub fn verdict(&self, why: Why) -> Verdict {
        match self.retries + u32::from(self.redirected) {
            0 => Verdict::NotRetried { why },
            retries => Verdict::Retried { retries, why },
        }
    }

    fn is_misdirected(&self, outcome: Outcome) -> bool {
        let said = matches!(outcome, Outcome::Answered { status: MISDIRECTED, .. });
        said && self.policy.on_misdirected
            && !self.redirected
            && self.method != MethodClass::Connect
    }

    fn is_covered(&self, outcome: Outcome) -> bool {
        let policy = &self.policy;
        policy.retries > 0
            && match outcome {
                // A proxy's no to CONNECT is as transient as an origin's to a request.
                Outcome::Refused(Refusal::ConnectFailed(Cause::TunnelRefused(status))) => {
                    policy.on_connect_failure && policy.statuses.contains(&status)
                }
                Outcome::Refused(Refusal::ConnectFailed(_)) => policy.on_connect_failure,
                Outcome::Refused(Refusal::StreamFailed(cause)) => policy.on_reset && broke(cause),
                Outcome::Refused(_) => false,
                Outcome::Answered { status, .. } => policy.statuses.contains(&status),
            }
    }

    fn objection(&self, outcome: Outcome, body: BodyState) -> Option<Why> {
        let unsent = matches!(outcome, Outcome::Refused(Refusal::ConnectFailed(_)));
        if !self.is_covered(outcome) {
            Some(Why::NotCovered)
        } else if !unsent && !self.method.is_idempotent() && !self.policy.any_method {
            Some(Why::Method)
        } else if body == BodyState::Spent {
            Some(Why::Body)
        } else if self.retries >= self.policy.retries {
            Some(Why::Spent)
        } else if let Outcome::Answered { retry_after: Some(after), .. } = outcome
            && after > self.policy.max_retry_after
        {
            Some(Why::RetryAfter)
        } else {
            None
        }
    }

    /// The bound of the next random delay.
    fn most_delay(&self) -> Duration {
        let doublings = (self.retries + 1).min(31);
        let most = self.policy.base_delay.saturating_mul((1 << doublings) - 1);
        most.min(self.policy.max_delay)
    }
}

/// Whether a stream ended so because somebody broke it off, not because of what was said.
const fn broke(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::ConnectionReset
            | Cause::Closed
            | Cause::Incomplete
            | Cause::StreamReset(_)
            | Cause::GoAway(_)
            | Cause::Quic(_)
            | Cause::KeepAliveTimeout
            | Cause::Os(_)
    )
}
