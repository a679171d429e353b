//! What one call leaves for later: deadlines that are armed, and work that the budget cut off.

use core::num::NonZeroU32;

use super::*;

#[test]
fn a_deadline_of_a_pool_that_had_none_is_kept() {
    let mut rig = Rig::new(|config| {
        config.clusters[0].pool.idle_timeout = Some(Duration::from_millis(100));
    });
    let (connection, request) = rig.up(&http(), Protocol::Http1, 1);
    assert_eq!(rig.pass(200), []);
    assert_eq!(rig.complete(request), [Action::Finished { request, outcome: Outcome::Complete }]);
    assert_eq!(rig.up.poll_timeout(), Some(Instant::from_millis(300)));
    assert_eq!(rig.pass(99), []);
    assert_eq!(rig.pass(1), [Action::Shutdown(connection)]);
}

#[test]
fn what_the_budget_cut_off_in_a_request_that_is_served_at_once_is_not_forgotten() {
    let mut rig = Rig::new(|config| {
        config.clusters[0].pool.preconnect_permille = 3_000;
        config.clusters[0].pool.assumed_streams = NonZeroU32::MIN;
        config.burst = NonZeroU32::MIN;
    });
    let key = https();
    let (_, actions) = rig.request(&key);
    let mut actions = rig.resolve(&actions);
    actions.extend(rig.pass(0));
    let all = attempts(&actions);
    assert_eq!(all.len(), 3, "one for each call: {actions:?}");
    for (attempt, _) in all {
        rig.connected(attempt, Protocol::Http2, 1);
        rig.pass(0);
    }
    // One is on its way and two have room; with the next one six are wanted.
    let (request, actions) = rig.request(&key);
    assert!(matches!(actions[..], [Action::Assign { request: r, .. }] if r == request));
    assert_eq!(rig.up.poll_timeout(), Some(rig.at()), "the rest is due at once");
    assert!(!attempts(&rig.pass(0)).is_empty(), "and done then");
}
