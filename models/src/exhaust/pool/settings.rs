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

const fn streams(streams: u32) -> Limit {
    Limit::Concurrent(streams)
}

/// Two connections, and nothing that most users would not have.
fn plain(name: &'static str, requests: u8, faults: u8) -> Setting {
    let mut config = SoloConfig { http1_alone: true, ..SoloConfig::default() };
    config.limits.max_connections = Some(2);
    config.pool.connect_timeout = TICK * 2;
    config.pool.idle_timeout = Some(TICK * 3);
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

fn with_http2(name: &'static str, requests: u8, faults: u8) -> Setting {
    let mut setting = plain(name, requests, faults);
    setting.config.http1_alone = false;
    setting.config.pool.assumed_streams = NonZeroU32::MIN;
    setting.handshakes = vec![http2(1), http2(2)];
    setting.limits = vec![streams(1), streams(0)];
    setting
}

/// Every world of a size.
pub(crate) fn all(size: Size) -> Vec<Setting> {
    let (requests, faults) = match size {
        Size::Small => (3, 1),
        Size::Medium => (3, 2),
        Size::Large => (4, 2),
    };
    vec![plain("http1", requests, faults), with_http2("http2", requests, faults)]
}
