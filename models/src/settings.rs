//! Draws the settings of pools and circuit breakers: each is tiny, the default or huge, and
//! tiny often, so that limits are reached.

use core::num::NonZeroU32;

use regatta_core::{Duration, eyeballs, limits, pool};

use crate::tape::Tape;

/// More than any other time here, and far from the end of time.
pub(crate) const HUGE: Duration = Duration::from_secs(1_000_000);

pub(crate) fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("at least 1")
}

pub(crate) const fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

pub(crate) fn breakers(tape: &mut Tape) -> limits::Config {
    let mut config = limits::Config::default();
    if tape.one_in("tight", 2) {
        let few = [Some(1_024), Some(1), Some(2), Some(3), Some(0), None];
        config.max_connections = tape.pick("max connections", &few);
        config.max_pending_requests = tape.pick("max pending", &few);
        config.max_requests = tape.pick("max requests", &few);
        config.max_retries = tape.pick("max retries", &few);
        config.max_connection_pools = tape.pick("max pools", &[None, Some(1), Some(0)]);
    }
    config
}

pub(crate) fn pool(tape: &mut Tape) -> pool::Config {
    let mut config = pool::Config::default();
    config.connect_timeout = tape.pick("connect", &[ms(5_000), ms(1), ms(400), HUGE]);
    config.idle_timeout = tape.pick("idle", &[Some(ms(60_000)), Some(ms(0)), Some(ms(300)), None]);
    config.max_connection_duration =
        tape.pick("duration", &[None, None, None, Some(ms(700)), Some(ms(0))]);
    config.max_requests_per_connection =
        tape.pick("carries", &[None, None, Some(count(1)), Some(count(2)), Some(count(5))]);
    config.max_concurrent_streams = count(tape.pick("streams", &[1_024, 1_024, 1, 2]));
    config.assumed_streams = count(tape.pick("assumed", &[100, 1, 2]));
    config.preconnect_permille =
        tape.pick("preconnect", &[1_000, 1_000, 1_500, 3_000, 0, u32::MAX]);
    (config.max_resends, config.max_unprocessed_resends) =
        tape.pick("resends", &[(1, 1), (0, 2), (2, 0)]);
    config.probe_after_idle = tape.pick("probe", &[None, None, Some(ms(0)), Some(ms(100))]);
    config.drain_timeout = tape.pick("drain", &[None, Some(ms(200)), Some(ms(0))]);
    config
}

pub(crate) fn race(tape: &mut Tape) -> eyeballs::Config {
    let mut config = eyeballs::Config::default();
    config.attempt_delay = tape.pick("delay", &[ms(300), ms(10), HUGE]);
    config.resolution_delay = tape.pick("wait", &[ms(50), ms(0), HUGE]);
    config.success =
        tape.pick("success", &[eyeballs::Success::Handshake, eyeballs::Success::Transport]);
    config.max_attempts = tape.pick("attempts", &[12, 1, 2]);
    config.max_parallel = tape.pick("parallel", &[4, 1]);
    if config.max_attempts == 2 {
        config.max_addresses = 1;
    }
    config
}
