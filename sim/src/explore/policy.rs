//! The client's settings: each the default, or at an extreme.

use core::num::NonZeroU32;
use core::time::Duration;

use regatta_core::altsvc::Offer;
use regatta_core::engine::Config as EngineConfig;
use regatta_core::eyeballs::{self, Family, Success};
use regatta_core::upstream::{self, Protocols};
use regatta_core::{altsvc, limits, pool, race};

use super::case::Dice;

/// What a client is built from.
#[derive(Clone, Debug, Default)]
pub struct ClientPlan {
    /// Pools.
    pub pool: pool::Config,
    /// Circuit breakers.
    pub limits: limits::Config,
    /// The race.
    pub eyeballs: eyeballs::Config,
    /// The engines.
    pub engine: EngineConfig,
    /// Sockets and pools in all, lifetimes, the burst.
    pub whole: Whole,
    /// Which protocols each profile allows.
    pub protocols: [Protocols; 2],
    /// Whether requests may go in early data, with both profiles.
    pub early_data: bool,
    /// Whether HTTPS records are asked for, with both profiles.
    pub https_records: bool,
    /// Every request's time limit, unless it has its own.
    pub timeout: Option<Duration>,
    /// The race between QUIC and TCP.
    pub race: race::Config,
    /// What is remembered of alternatives.
    pub alternatives: altsvc::Config,
    /// What is known beforehand: of which origin, and what.
    pub known: Vec<(usize, Offer)>,
}

/// Settings of the upstream itself.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Most sockets.
    pub max_sockets: u32,
    /// Most connections that are established at once.
    pub max_handshakes: Option<NonZeroU32>,
    /// Most pools.
    pub max_pools: u32,
    /// How long an empty pool is kept.
    pub pool_idle_timeout: Duration,
    /// How long addresses hold.
    pub address_lifetime: Duration,
    /// How much one call does.
    pub burst: NonZeroU32,
}

impl Default for Whole {
    fn default() -> Self {
        let upstream::Config {
            max_sockets,
            max_handshakes,
            max_pools,
            pool_idle_timeout,
            address_lifetime,
            burst,
            ..
        } = upstream::Config::default();
        Self { max_sockets, max_handshakes, max_pools, pool_idle_timeout, address_lifetime, burst }
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn some(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number.saturating_sub(1))
}

impl ClientPlan {
    pub(crate) fn draw(dice: &mut Dice<'_>) -> Self {
        let protocols =
            [Protocols::Auto, Protocols::Http1, Protocols::Http2, Protocols::Http2PriorKnowledge];
        let mut plan = Self {
            pool: pool(dice),
            limits: limits(dice),
            eyeballs: eyeballs(dice),
            engine: engine(dice),
            whole: whole(dice),
            protocols: [
                dice.usual("protocols", &protocols),
                dice.tape.pick("other protocols", &protocols),
            ],
            early_data: false,
            https_records: false,
            timeout: None,
            race: race::Config::default(),
            alternatives: altsvc::Config::default(),
            known: Vec::new(),
        };
        // One draw for both: older tapes stay what they are.
        let many = plan.whole.max_handshakes;
        let (long, short) = (Some(ms(30_000)), Some(ms(300)));
        let times = [
            (None, many),
            (long, many),
            (short, many),
            (long, Some(some(1))),
            (short, Some(some(2))),
        ];
        (plan.timeout, plan.whole.max_handshakes) = dice.usual("timeout", &times);
        plan
    }
}

fn pool(dice: &mut Dice<'_>) -> pool::Config {
    let mut plan = pool::Config::default();
    plan.connect_timeout = dice.usual("connect timeout", &[ms(5_000), ms(150), ms(60_000)]);
    plan.idle_timeout = dice.usual("idle timeout", &[Some(ms(60_000)), Some(ms(20)), None]);
    plan.max_connection_duration =
        dice.usual("connection duration", &[None, Some(ms(100)), Some(ms(3_000))]);
    plan.max_requests_per_connection =
        dice.usual("requests per connection", &[None, Some(some(1)), Some(some(3))]);
    plan.max_concurrent_streams =
        dice.usual("concurrent streams", &[some(1_024), some(1), some(2)]);
    plan.assumed_streams = dice.usual("assumed streams", &[some(100), some(1), some(2)]);
    plan.preconnect_permille = dice.usual("preconnect", &[1_000, 1_500, 3_000]);
    (plan.max_resends, plan.max_unprocessed_resends) =
        dice.usual("resends", &[(1, 5), (0, 0), (5, 1)]);
    plan.probe_after_idle =
        dice.usual("probe", &[plan.probe_after_idle, Some(ms(1)), Some(ms(500))]);
    plan.drain_timeout = dice.usual("drain timeout", &[None, Some(ms(10)), Some(ms(5_000))]);
    plan
}

fn limits(dice: &mut Dice<'_>) -> limits::Config {
    let mut plan = limits::Config::default();
    plan.max_connections = dice.usual("max connections", &[Some(1_024), Some(1), Some(0), None]);
    plan.max_pending_requests =
        dice.usual("max pending", &[Some(1_024), Some(0), Some(1), Some(2), None]);
    plan.max_requests = dice.usual("max requests", &[Some(1_024), Some(1), Some(2), None]);
    plan.max_retries = dice.usual("max retries", &[Some(3), Some(0), Some(1), None]);
    plan.max_connection_pools = dice.usual("max pools", &[None, Some(1)]);
    plan
}

fn eyeballs(dice: &mut Dice<'_>) -> eyeballs::Config {
    let mut plan = eyeballs::Config::default();
    plan.attempt_delay = dice.usual("attempt delay", &[ms(300), ms(1), ms(2_000)]);
    plan.resolution_delay = dice.usual("resolution delay", &[ms(50), ms(0), ms(2_000)]);
    plan.first_family = dice.usual("first family", &[Family::V6, Family::V4]);
    plan.first_family_count = dice.usual("first family count", &[1, 2]);
    plan.success = dice.usual("success", &[Success::Handshake, Success::Transport]);
    plan.max_addresses = dice.usual("max addresses", &[32, 1]);
    plan.max_parallel = dice.usual("max parallel", &[4, 1, 2]);
    plan.max_attempts = dice.usual("max attempts", &[12, 1, 2]);
    plan
}

fn engine(dice: &mut Dice<'_>) -> EngineConfig {
    let mut plan = EngineConfig::default();
    plan.max_head_bytes = dice.usual("head bytes", &[32 << 10, 1 << 10]);
    plan.expect_timeout = dice.usual("expect timeout", &[ms(1_000), ms(5)]);
    plan.stream_buffer = dice.usual("stream buffer", &[64 << 10, 1 << 10]);
    plan.stream_window = dice.usual("stream window", &[1 << 20, 1 << 10, 64 << 10]);
    plan.connection_window = dice.usual("connection window", &[16 << 20, 64 << 10]);
    plan.initial_streams = dice.usual("initial streams", &[some(100), some(1)]);
    plan.keep_alive_interval = dice.usual("keep-alive", &[None, Some(ms(1_000))]);
    plan.keep_alive_timeout = dice.usual("keep-alive timeout", &[ms(10_000), ms(200)]);
    plan
}

fn whole(dice: &mut Dice<'_>) -> Whole {
    let plan = Whole::default();
    Whole {
        // Drawn with the time limit.
        max_handshakes: plan.max_handshakes,
        max_sockets: dice.usual("max sockets", &[plan.max_sockets, 1, 2, 3]),
        max_pools: dice.usual("pools", &[plan.max_pools, 1]),
        pool_idle_timeout: dice.usual("pool idle", &[plan.pool_idle_timeout, ms(10)]),
        address_lifetime: dice.usual("address lifetime", &[plan.address_lifetime, ms(50)]),
        burst: dice.usual("burst", &[plan.burst, some(1)]),
    }
}
