use super::*;

#[test]
fn each_breaker_opens_at_its_own_limit_and_closes_again() {
    let config = Config {
        max_connections: Some(1),
        max_pending_requests: Some(2),
        max_requests: Some(3),
        max_retries: Some(0),
        max_connection_pools: None,
    };
    for (what, most) in Resource::ALL.into_iter().zip([1, 2, 3, 0]) {
        let mut limits = Limits::new(&config);
        for _ in 0..most {
            assert!(limits.may(what), "{what:?} below {most}");
            limits.take(what);
        }
        assert!(!limits.may(what), "{what:?} at {most}");
        limits.take(what);
        assert_eq!(limits.used(what), most + 1, "a forced one is counted");
        limits.give(what);
        assert!(!limits.may(what));
        if most > 0 {
            limits.give(what);
            assert!(limits.may(what));
        }
        for other in Resource::ALL.into_iter().filter(|other| *other != what) {
            assert_eq!(limits.used(other), 0, "{other:?} is not {what:?}");
        }
    }
}

#[test]
fn none_is_unlimited() {
    let mut limits = Limits::new(&Config::default());
    for _ in 0..10_000 {
        limits.take(Resource::Pools);
    }
    assert!(limits.may(Resource::Pools));
}
