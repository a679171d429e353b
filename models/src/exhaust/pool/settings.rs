//! The worlds of the pool: each is small, and each has a limit or a clock of its own.

use core::num::NonZeroU32;

use regatta_core::Duration;
use regatta_core::pool::SoloConfig;
use regatta_core::types::{Limit, MethodClass, Protocol};

use super::super::Size;
use super::TICK;

/// What one world is made of.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) config: SoloConfig,
    pub(crate) requests: u8,
    /// How many things may go wrong.
    pub(crate) faults: u8,
    pub(crate) methods: Vec<MethodClass>,
    /// In what time a request must be over.
    pub(crate) deadlines: Vec<Option<Duration>>,
    /// What a connection may turn out to be.
    pub(crate) handshakes: Vec<(Protocol, Limit)>,
    /// What HTTP/2's SETTINGS may say later.
    pub(crate) limits: Vec<Limit>,
}

const HTTP1: (Protocol, Limit) = (Protocol::Http1, Limit::Concurrent(1));

const fn http2(streams: u32) -> (Protocol, Limit) {
    (Protocol::Http2, Limit::Concurrent(streams))
}

fn at_most(number: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(number)
}

/// Two connections of HTTP/1, and nothing that most users would not have.
fn plain(name: &'static str, requests: u8, faults: u8) -> Setting {
    let mut config = SoloConfig { http1_alone: true, ..SoloConfig::default() };
    config.limits.max_connections = Some(2);
    config.pool.connect_timeout = TICK * 2;
    config.pool.idle_timeout = Some(TICK * 3);
    // How long each was silent would tell more states apart, in which nothing is done otherwise.
    config.pool.probe_after_idle = None;
    // One more than others allow leads nowhere new and makes the world far greater.
    config.pool.max_unprocessed_resends = 1;
    Setting {
        name,
        config,
        requests,
        faults,
        methods: vec![MethodClass::Safe],
        deadlines: vec![None],
        handshakes: vec![HTTP1],
        limits: vec![],
    }
}

/// Two connections of HTTP/2, whose limits rise and fall.
fn multiplexed(name: &'static str, requests: u8, faults: u8) -> Setting {
    let mut setting = plain(name, requests, faults);
    setting.config.http1_alone = false;
    setting.config.pool.assumed_streams = NonZeroU32::MIN;
    setting.handshakes = vec![http2(2)];
    setting.limits = vec![Limit::Concurrent(1), Limit::Concurrent(0)];
    setting
}

/// Every world of a size. In small ones one thing goes wrong, in medium ones two.
pub(crate) fn all(size: Size) -> Vec<Setting> {
    match size {
        Size::Small => worlds(2, 3, 1),
        Size::Medium => worlds(3, 3, 2),
        Size::Large => worlds(3, 4, 2),
    }
}

/// Those with much to choose from have `few` requests, the others `some`.
fn worlds(few: u8, some: u8, faults: u8) -> Vec<Setting> {
    let mut ending = plain("deadlines and drain timeout", few, faults);
    ending.deadlines = vec![None, Some(TICK)];
    ending.config.pool.drain_timeout = Some(TICK);

    let mut again = plain("methods, resends and max_retries", few, faults);
    again.methods = vec![MethodClass::Safe, MethodClass::Other];
    again.config.pool.max_resends = 2;
    again.config.pool.max_unprocessed_resends = 2;
    again.config.limits.max_retries = Some(1);

    let mut worn = multiplexed("max_requests_per_connection and age", some, faults);
    worn.config.pool.max_requests_per_connection = at_most(2);
    worn.config.pool.max_connection_duration = Some(TICK * 2);
    worn.limits = vec![];

    let mut probing = multiplexed("probes", few, faults);
    probing.config.pool.probe_after_idle = Some(TICK);
    probing.limits = vec![];

    let mut burst = multiplexed("bursts of one", some, faults);
    burst.config.burst = 1;
    burst.config.pool.idle_timeout = None;

    let mut eager = multiplexed("preconnect, any protocol", few, faults);
    eager.config.pool.preconnect_permille = 2_000;
    eager.handshakes = vec![http2(1), HTTP1];
    eager.limits = vec![];

    let mut tight = plain("tight breakers and sockets", some, faults);
    tight.config.limits.max_connections = Some(1);
    tight.config.limits.max_pending_requests = Some(1);
    tight.config.limits.max_requests = Some(1);
    tight.config.max_sockets = 1;

    let mut http3 = multiplexed("HTTP/3 and MAX_STREAMS", few, faults);
    http3.handshakes = vec![(Protocol::Http3, Limit::Total(1))];
    http3.limits = vec![Limit::Total(4)];

    vec![
        plain("HTTP/1", some, faults),
        multiplexed("HTTP/2", few, faults),
        ending,
        again,
        worn,
        probing,
        burst,
        eager,
        tight,
        http3,
    ]
}
