//! A profile whose connections lead to a proxy first.

use super::*;
use crate::upstream::config::Profile;

const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// What becomes of the second attempt when the first one's TCP is up.
fn aborted_at_progress(profile: Profile) -> usize {
    let mut rig = Rig::new(|config| config.profiles = vec![profile]);
    let (_, actions) = rig.request(&key(Scheme::Https, "far.test"));
    let host = hosts(&actions)[0];
    let addresses = vec![ADDRESS, OTHER];
    let mut actions = rig.event(Event::Resolved { host, addresses });
    actions.extend(rig.event(Event::ResolveFinished { host, failed: None }));
    let (first, _) = attempts(&actions)[0];
    assert_eq!(attempts(&rig.pass(300)).len(), 1);
    let actions = rig.event(Event::AttemptProgress(first));
    actions.iter().filter(|action| matches!(action, Action::AbortAttempt(_))).count()
}

#[test]
fn tcp_to_a_proxy_wins_the_race_for_it() {
    // Two tunnels would ask a slow origin twice.
    let via = Some(Origin { scheme: Scheme::Http, host: "proxy.test".into(), port: 3128 });
    assert_eq!(aborted_at_progress(Profile { via, ..Profile::default() }), 1);
    assert_eq!(aborted_at_progress(Profile::default()), 0);
}
