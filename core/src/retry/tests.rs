use super::*;
use crate::types::{Phase, ProtocolFault};

const NONE: Option<Instant> = None;

fn retry(policy: Policy, method: MethodClass) -> Retry {
    Retry::new(Arc::new(policy), method, NONE)
}

fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None }
}

fn asks(status: u16, seconds: u64) -> Outcome {
    Outcome::Answered { status, retry_after: Some(Duration::from_secs(seconds)) }
}

fn unlimited() -> Ledger {
    Ledger::new(None, 7)
}

/// What is decided of the first try: whether there is another, or why not.
fn first(policy: Policy, method: MethodClass, outcome: Outcome, body: BodyState) -> Option<Why> {
    let mut retry = retry(policy, method);
    match retry.decide(Instant::EPOCH, outcome, body, 1, &mut unlimited()) {
        Decision::Again { .. } => None,
        Decision::Stop(why) => Some(why),
    }
}

type Row = (Policy, MethodClass, Outcome, BodyState, Option<Why>);

fn hold<const N: usize>(rows: [Row; N]) {
    for (policy, method, outcome, body, expected) in rows {
        let told = format!("{method:?} {outcome:?} {body:?} by {policy:?}");
        assert_eq!(first(policy, method, outcome, body), expected, "{told}");
    }
}

fn on() -> Policy {
    Policy::retries(2)
}

fn any() -> Policy {
    Policy { any_method: true, ..on() }
}

fn but(change: fn(&mut Policy)) -> Policy {
    let mut policy = on();
    change(&mut policy);
    policy
}

fn tunnel(status: u16) -> Outcome {
    Outcome::Refused(Refusal::ConnectFailed(Cause::TunnelRefused(status)))
}

/// A caller need not ask where nothing of what came is covered, nor end what holds nothing.
#[test]
fn who_need_not_be_asked() {
    let covers = |policy, outcome| retry(policy, MethodClass::Safe).covers(outcome);
    assert!(covers(on(), answered(503)) && covers(Policy::default(), answered(421)));
    assert!(!covers(on(), answered(200)) && !covers(Policy::default(), answered(503)));

    let (mut ledger, mut retry) = (unlimited(), retry(on(), MethodClass::Safe));
    assert!(!retry.holds());
    retry.decide(Instant::EPOCH, answered(503), BodyState::Untouched, 1, &mut ledger);
    assert!(retry.holds());
    retry.end(&mut ledger);
    assert!(!retry.holds());
}

#[test]
fn statuses_that_are_tried_again() {
    use BodyState::{Replayable, Spent, Untouched};
    use MethodClass::{Connect, Idempotent, Other, Safe};
    let connect = Outcome::Refused(Refusal::ConnectFailed(Cause::Refused));
    hold([
        // Off by default, but for what was misdirected.
        (Policy::default(), Safe, answered(503), Untouched, Some(Why::NotCovered)),
        (Policy::default(), Safe, connect, Untouched, Some(Why::NotCovered)),
        (Policy::default(), Other, answered(421), Replayable, None),
        (Policy::default(), Other, answered(421), Spent, Some(Why::Body)),
        (Policy::default(), Connect, answered(421), Untouched, Some(Why::NotCovered)),
        (
            but(|policy| policy.on_misdirected = false),
            Safe,
            answered(421),
            Untouched,
            Some(Why::NotCovered),
        ),
        // What a proxy says to CONNECT is a failure to connect, and a status.
        (on(), Safe, tunnel(503), Untouched, None),
        (on(), Safe, tunnel(403), Untouched, Some(Why::NotCovered)),
        (
            but(|policy| policy.on_connect_failure = false),
            Safe,
            tunnel(503),
            Untouched,
            Some(Why::NotCovered),
        ),
        // Statuses.
        (on(), Safe, answered(200), Untouched, Some(Why::NotCovered)),
        (on(), Safe, answered(500), Untouched, Some(Why::NotCovered)),
        (on(), Safe, answered(429), Untouched, None),
        (on(), Safe, answered(502), Untouched, None),
        (on(), Safe, answered(503), Untouched, None),
        (on(), Idempotent, answered(504), Replayable, None),
        (on(), Idempotent, answered(504), Spent, Some(Why::Body)),
        (on(), Other, answered(503), Untouched, Some(Why::Method)),
        (on(), Connect, answered(503), Untouched, Some(Why::Method)),
        (any(), Other, answered(503), Replayable, None),
        (any(), Other, answered(503), Spent, Some(Why::Body)),
        (
            but(|policy| policy.statuses.clear()),
            Safe,
            answered(503),
            Untouched,
            Some(Why::NotCovered),
        ),
    ]);
}

#[test]
fn failures_that_are_tried_again() {
    use BodyState::Untouched;
    use MethodClass::{Other, Safe};
    let connect = Outcome::Refused(Refusal::ConnectFailed(Cause::Refused));
    let reset = Outcome::Refused(Refusal::StreamFailed(Cause::ConnectionReset));
    let fault = Cause::Protocol(ProtocolFault::Field);
    let lies = Outcome::Refused(Refusal::StreamFailed(fault));
    hold([
        // Failures. What was never sent may go again whatever the method.
        (on(), Other, connect, Untouched, None),
        (
            but(|policy| policy.on_connect_failure = false),
            Safe,
            connect,
            Untouched,
            Some(Why::NotCovered),
        ),
        (on(), Safe, reset, Untouched, None),
        (on(), Other, reset, Untouched, Some(Why::Method)),
        (any(), Other, reset, Untouched, None),
        (but(|policy| policy.on_reset = false), Safe, reset, Untouched, Some(Why::NotCovered)),
        (on(), Safe, lies, Untouched, Some(Why::NotCovered)),
        // Our own limits are no reason to come again.
        (on(), Safe, Outcome::Refused(Refusal::PendingOverflow), Untouched, Some(Why::NotCovered)),
        (on(), Safe, Outcome::Refused(Refusal::Draining), Untouched, Some(Why::NotCovered)),
        (
            on(),
            Safe,
            Outcome::Refused(Refusal::Deadline(Phase::Answering)),
            Untouched,
            Some(Why::NotCovered),
        ),
        // Retry-After, 10 s at most.
        (on(), Safe, asks(429, 10), Untouched, None),
        (on(), Safe, asks(503, 11), Untouched, Some(Why::RetryAfter)),
    ]);
}

#[test]
fn only_so_often_and_the_verdict_says_so() {
    let (mut ledger, mut retry) = (unlimited(), retry(Policy::retries(2), MethodClass::Safe));
    let mut decide = |retry: &mut Retry| {
        retry.decide(Instant::EPOCH, answered(503), BodyState::Untouched, 1, &mut ledger)
    };
    assert_eq!(retry.verdict(Why::Budget), Verdict::NotRetried { why: Why::Budget });
    assert!(matches!(decide(&mut retry), Decision::Again { elsewhere: false, .. }));
    assert!(matches!(decide(&mut retry), Decision::Again { elsewhere: false, .. }));
    assert_eq!(decide(&mut retry), Decision::Stop(Why::Spent));
    assert_eq!(retry.verdict(Why::Spent), Verdict::Retried { retries: 2, why: Why::Spent });
}

#[test]
fn a_misdirected_request_goes_elsewhere_at_once_and_once() {
    let (mut ledger, mut retry) = (unlimited(), retry(Policy::default(), MethodClass::Other));
    let now = Instant::from_millis(5);
    let mut decide = || retry.decide(now, answered(421), BodyState::Untouched, 1, &mut ledger);
    assert_eq!(decide(), Decision::Again { at: now, elsewhere: true });
    assert_eq!(decide(), Decision::Stop(Why::NotCovered));
    let verdict = Verdict::Retried { retries: 1, why: Why::NotCovered };
    assert_eq!(retry.verdict(Why::NotCovered), verdict);
    assert_eq!(ledger.retrying(), 0, "it is nobody's load twice");
}

#[test]
fn delays_double_up_to_their_bound_and_are_random_below_it() {
    let bounds = [25, 75, 175, 250, 250];
    let mut longest = [Duration::ZERO; 5];
    let mut shortest = [Duration::MAX; 5];
    for seed in 0..400 {
        let (mut ledger, mut retry) =
            (Ledger::new(None, seed), retry(Policy::retries(5), MethodClass::Safe));
        for n in 0..bounds.len() {
            let (outcome, body) = (answered(503), BodyState::Untouched);
            let decided = retry.decide(Instant::EPOCH, outcome, body, 1, &mut ledger);
            let Decision::Again { at, .. } = decided else { panic!("{decided:?}") };
            let wait = at.saturating_since(Instant::EPOCH);
            longest[n] = longest[n].max(wait);
            shortest[n] = shortest[n].min(wait);
        }
    }
    for (n, bound) in bounds.into_iter().enumerate() {
        let bound = Duration::from_millis(bound);
        assert!(longest[n] < bound && longest[n] > bound * 9 / 10, "{n}: {:?}", longest[n]);
        assert!(shortest[n] < bound / 10, "{n}: {:?}", shortest[n]);
    }
}

#[test]
fn the_same_seed_is_the_same_delays() {
    let run = |seed| {
        let (mut ledger, mut retry) =
            (Ledger::new(None, seed), retry(Policy::retries(4), MethodClass::Safe));
        let decide =
            || retry.decide(Instant::EPOCH, answered(503), BodyState::Untouched, 1, &mut ledger);
        core::iter::repeat_with(decide).take(5).collect::<Vec<_>>()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn retry_after_is_waited_for_and_no_less() {
    let (mut ledger, mut retry) = (unlimited(), retry(Policy::retries(1), MethodClass::Safe));
    let now = Instant::from_millis(1_000);
    let decided = retry.decide(now, asks(429, 3), BodyState::Untouched, 1, &mut ledger);
    let Decision::Again { at, .. } = decided else { panic!("{decided:?}") };
    assert!(at >= Instant::from_millis(4_000) && at < Instant::from_millis(4_025), "{at:?}");
}

#[test]
fn the_deadline_covers_all_tries() {
    // With Retry-After of 3 s, at second 1: what is left must be more than that.
    for (deadline, expected) in
        [(3_999, Some(Why::Deadline)), (4_000, Some(Why::Deadline)), (4_025, None)]
    {
        let deadline = Some(Instant::from_millis(deadline));
        let mut retry = Retry::new(Arc::new(Policy::retries(1)), MethodClass::Safe, deadline);
        let now = Instant::from_millis(1_000);
        let mut ledger = unlimited();
        let decided = retry.decide(now, asks(503, 3), BodyState::Untouched, 1, &mut ledger);
        match (decided, expected) {
            (Decision::Stop(why), Some(expected)) => assert_eq!(why, expected),
            (Decision::Again { .. }, None) => {}
            other => panic!("{deadline:?}: {other:?}"),
        }
        assert_eq!(ledger.retrying(), usize::from(expected.is_none()));
    }
}

#[test]
fn the_budget_is_a_share_of_what_is_active_and_three_at_least() {
    let rows = [(0, 3), (1, 3), (15, 3), (19, 3), (20, 4), (24, 4), (25, 5), (100, 20)];
    for (active, most) in rows {
        let mut ledger = Ledger::new(Some(Budget::default()), 0);
        let mut all = Vec::new();
        for n in 0..=most {
            let mut one = retry(Policy::retries(1), MethodClass::Safe);
            let decided = one.decide(
                Instant::EPOCH,
                answered(503),
                BodyState::Untouched,
                active,
                &mut ledger,
            );
            let over = decided == Decision::Stop(Why::Budget);
            assert_eq!(over, n == most, "{n} of {active}");
            all.push(one);
        }
        assert_eq!(ledger.retrying(), most);
        assert_eq!(ledger.counts(), (most as u64, 1));
        // What has ended makes room, once.
        all[0].end(&mut ledger);
        all[0].end(&mut ledger);
        assert_eq!(ledger.retrying(), most - 1);
        assert!(ledger.may(active));
    }
}

#[test]
fn a_request_counts_once_however_often_it_is_tried() {
    let mut ledger = Ledger::new(Some(Budget { percent: 0, min_concurrency: 1 }), 0);
    let mut retry = retry(Policy::retries(3), MethodClass::Safe);
    for _ in 0..3 {
        let decided =
            retry.decide(Instant::EPOCH, answered(503), BodyState::Untouched, 0, &mut ledger);
        assert!(matches!(decided, Decision::Again { .. }), "{decided:?}");
    }
    assert_eq!(ledger.retrying(), 1);
}
