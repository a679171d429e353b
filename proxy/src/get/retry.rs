//! `--retry`: which failures may pass, and how long to wait for it.

use std::time::Duration;

use regatta_core::Instant;

use super::exit_code::Exit;
use crate::cli::LoadArgs;

/// The first wait; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(600);

/// What one try came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try {
    /// The failure, if it failed.
    pub(crate) exit: Option<Exit>,
    /// Nobody listened.
    pub(crate) refused: bool,
    /// The last response's status.
    pub(crate) status: Option<u16>,
    /// Its Retry-After.
    pub(crate) retry_after: Option<Duration>,
}

/// The tries of one transfer.
#[derive(Debug)]
pub(crate) struct Tries {
    left: u32,
    wait: Duration,
    grows: bool,
    begun: Instant,
    longest: Option<Duration>,
    all_errors: bool,
    refused: bool,
}

impl Tries {
    pub(crate) fn new(args: &LoadArgs, now: Instant) -> Self {
        let seconds = |seconds: u32| (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        let delay = seconds(args.retry_delay);
        Self {
            left: args.retry,
            wait: delay.unwrap_or(FIRST),
            grows: delay.is_none(),
            begun: now,
            longest: seconds(args.retry_max_time),
            all_errors: args.retry_all_errors,
            refused: args.retry_connrefused,
        }
    }

    /// How many tries are left.
    pub(crate) fn left(&self) -> u32 {
        self.left
    }

    /// How long to wait before the next try; `None` when there is none.
    pub(crate) fn next(&mut self, now: Instant, last: Try) -> Option<Duration> {
        let passed = now.saturating_since(self.begun);
        if self.left == 0 || self.longest.is_some_and(|longest| passed >= longest) {
            return None;
        }
        let by_status = matches!(last.exit, None | Some(Exit::Status)) && may_pass(last.status);
        let by_failure = match last.exit {
            Some(Exit::Timeout | Exit::CouldNotResolve) => true,
            Some(Exit::CouldNotConnect) if last.refused => self.refused || self.all_errors,
            Some(_) => self.all_errors,
            None => false,
        };
        if !by_status && !by_failure {
            return None;
        }
        let mut wait = self.wait;
        if by_status && let Some(asked) = last.retry_after {
            wait = wait.max(asked);
            if self.longest.is_some_and(|longest| passed.saturating_add(wait) > longest) {
                return None;
            }
        }
        self.left -= 1;
        if self.grows {
            self.wait = (self.wait * 2).min(LONGEST);
        }
        Some(wait)
    }
}

/// Statuses that another try may cure.
fn may_pass(status: Option<u16>) -> bool {
    matches!(status, Some(408 | 429 | 500 | 502 | 503 | 504))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::EPOCH;

    fn tries(line: &str) -> Tries {
        Tries::new(&crate::cli::tests::get(&format!("{line} a")).unwrap().load, NOW)
    }

    fn failed(exit: Exit) -> Try {
        Try { exit: Some(exit), refused: false, status: None, retry_after: None }
    }

    fn answered(status: u16) -> Try {
        Try { exit: None, refused: false, status: Some(status), retry_after: None }
    }

    #[test]
    fn waits_double_up_to_ten_minutes() {
        let mut tries = tries("--retry 20");
        let waits: Vec<u64> = std::iter::from_fn(|| tries.next(NOW, answered(503)))
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits[..6], [1, 2, 4, 8, 16, 32]);
        assert_eq!((waits.len(), waits[19]), (20, 600));
    }

    #[test]
    fn a_delay_stays_and_a_server_may_ask_for_more() {
        let mut tries = tries("--retry 3 --retry-delay 2");
        let asks =
            |seconds| Try { retry_after: Some(Duration::from_secs(seconds)), ..answered(429) };
        assert_eq!(tries.next(NOW, answered(500)), Some(Duration::from_secs(2)));
        assert_eq!(tries.next(NOW, asks(1)), Some(Duration::from_secs(2)));
        assert_eq!(tries.next(NOW, asks(9)), Some(Duration::from_secs(9)));
        assert_eq!(tries.next(NOW, answered(500)), None);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let again = |line: &str, last| tries(line).next(NOW, last).is_some();
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(again("--retry 1", answered(status)), "{status}");
        }
        for status in [200, 301, 400, 404, 501, 505] {
            assert!(!again("--retry 1", answered(status)), "{status}");
        }
        assert!(!again("", answered(503)));
        assert!(again("--retry 1", failed(Exit::Timeout)));
        assert!(again("--retry 1", failed(Exit::CouldNotResolve)));
        assert!(!again("--retry 1", failed(Exit::Partial)));
        assert!(again("--retry 1 --retry-all-errors", failed(Exit::Partial)));
        let refused = Try { refused: true, ..failed(Exit::CouldNotConnect) };
        assert!(!again("--retry 1", refused));
        assert!(again("--retry 1 --retry-connrefused", refused));
        let failed_by_status = Try { exit: Some(Exit::Status), ..answered(503) };
        assert!(again("--retry 1", failed_by_status));
    }

    #[test]
    fn no_try_begins_after_the_longest_time() {
        let mut tries = tries("--retry 9 --retry-max-time 5");
        let later = NOW + Duration::from_secs(4);
        assert!(tries.next(later, answered(503)).is_some());
        for seconds in [9, u64::MAX] {
            let retry_after = Some(Duration::from_secs(seconds));
            assert_eq!(tries.next(later, Try { retry_after, ..answered(503) }), None);
        }
        assert_eq!(tries.next(NOW + Duration::from_secs(5), answered(503)), None);
    }
}
