//! A client's engine and a server's, and a network between them that the tape moves by hand.
//!
//! The oracle is conservation: what one side has said is what the other hears, in order and
//! whole; each stream ends once on each side; a request of which the client is told that it was
//! not sent, or not processed, was never heard by a server. In a world without faults every
//! exchange becomes whole. On a wire that is damaged what is heard may be anything, and only the
//! promises of each engine by itself are left.

mod drawn;
mod exchange;
mod moves;
mod rest;
mod side;
mod speaker;

use regatta_core::engine::quic::Options;
use regatta_core::engine::{Config, Engine, h1, h2};
use regatta_core::types::RetrySafe;
use regatta_core::{Duration, Instant};
use regatta_models::tape::Tape;

use crate::cuts::NOW;
use crate::quic::ends;
use exchange::Exchange;
use side::Side;
use speaker::Speaker;

/// Most moves that are drawn.
const MOVES_MAX: usize = 2_000;
/// Most requests of one run.
const EXCHANGES_MAX: usize = 40;

/// HTTP/1 against itself.
pub fn http1(bytes: &[u8]) {
    let mut tape = Tape::new(bytes).listed();
    let config = config(&mut tape);
    let client = Engine::H1(Box::new(h1::H1::client(&config, NOW)));
    let server = Engine::H1(Box::new(h1::H1::server(&config, NOW)));
    let (client, server) = (Speaker::Bytes(client), Speaker::Bytes(server));
    World::new(&mut tape, client, server, config).run(&mut tape);
}

/// HTTP/2 against itself.
pub fn http2(bytes: &[u8]) {
    let mut tape = Tape::new(bytes).listed();
    let config = config(&mut tape);
    let client = Engine::H2(Box::new(h2::H2::client(&config, NOW)));
    let server = Engine::H2(Box::new(h2::H2::server(&config, NOW)));
    let (client, server) = (Speaker::Bytes(client), Speaker::Bytes(server));
    World::new(&mut tape, client, server, config).run(&mut tape);
}

/// HTTP/3 against itself, over QUIC: what is under way are datagrams, which are lost, late and
/// doubled, so that each stream comes in other pieces and at another time than the others.
pub fn http3(bytes: &[u8]) {
    let mut tape = Tape::new(bytes).listed();
    let mut config = config(&mut tape);
    config.stream_buffer = tape.pick("buffer", &[64 << 10, 200, 2_000]);
    config.stream_window = config.stream_buffer;
    config.stream_window_max = config.stream_buffer;
    (config.qpack_table, config.qpack_blocked) =
        tape.pick("table", &[(0, 0), (4_096, 16), (200, 1), (4_096, 0)]);
    config.linger_timeout = Duration::from_secs(1_000_000);
    let mut options = Options::default();
    options.idle_timeout = None;
    options.bidirectional_streams = config.max_concurrent_streams.get();
    options.stream_window = tape.pick("QUIC's window", &[1_250_000, 1_000, 30]);
    options.connection_window = tape.pick("QUIC's windows", &[16 << 20, 3_000]);
    let mut now = NOW;
    let (client, server) = ends(&mut now, &options, Some(&config), Some(&config));
    let (client, server) = (Speaker::Quic(Box::new(client)), Speaker::Quic(Box::new(server)));
    let mut world = World::new(&mut tape, client, server, config);
    (world.now, world.damages) = (now, false);
    world.listen();
    world.run(&mut tape);
}

/// Windows and limits tiny or usual, times out of the way.
fn config(tape: &mut Tape) -> Config {
    let far = Duration::from_secs(1_000_000);
    let few = |tape: &mut Tape, name, choices: &[u32]| {
        let number = tape.pick(name, choices);
        core::num::NonZeroU32::new(number).unwrap_or(core::num::NonZeroU32::MIN)
    };
    let mut config = Config::default();
    config.stream_buffer = tape.pick("stream buffer", &[64 << 10, 1, 100]);
    config.stream_window = tape.pick("stream window", &[1 << 20, 10, 100, 65_535]);
    // Twice is enough to see a window grow.
    config.stream_window_max = 2 * config.stream_window;
    config.connection_window = tape.pick("connection window", &[16 << 20, 65_535, 100_000]);
    config.max_concurrent_streams = few(tape, "concurrent", &[100, 1, 2]);
    config.initial_streams = few(tape, "initial", &[100, 1]);
    config.max_frame_size = tape.pick("frame", &[16 << 10, 20_000]);
    config.expect_timeout = tape.pick("expect", &[Duration::from_millis(50), far]);
    config.head_timeout = far;
    config.idle_timeout = None;
    config
}

/// Both ends, the bytes under way, and what was said and heard.
#[derive(Debug)]
struct World {
    client: Side,
    server: Side,
    config: Config,
    exchanges: Vec<Exchange>,
    now: Instant,
    /// How many events were told.
    heard: usize,
    /// Bytes may be damaged on their way.
    damages: bool,
    /// Somebody may give up, or the transport end.
    faults: bool,
    is_http1: bool,
    is_quic: bool,
    /// `REGATTA_TRACE` is set: every draw and event is printed.
    trace: bool,
}

impl World {
    fn new(tape: &mut Tape, client: Speaker, server: Speaker, config: Config) -> Self {
        let is_http1 = matches!(client, Speaker::Bytes(Engine::H1(_)));
        let is_quic = matches!(client, Speaker::Quic(_));
        let kind = tape.weighted("world", &[3, 3, 1]);
        Self {
            client: Side::new(client),
            server: Side::new(server),
            config,
            exchanges: Vec::new(),
            now: NOW,
            heard: 0,
            damages: kind == 2,
            faults: kind > 0,
            is_http1,
            is_quic,
            trace: std::env::var_os("REGATTA_TRACE").is_some(),
        }
    }

    fn run(mut self, tape: &mut Tape) {
        for _ in 0..MOVES_MAX {
            if tape.is_used_up() {
                break;
            }
            let before = tape.drawn().len();
            self.step(tape);
            if self.trace {
                let drawn = tape.drawn().get(before..).unwrap_or_default();
                let words = drawn.iter().map(|draw| format!(" {} {}", draw.name, draw.value));
                eprintln!("{:?}{}", self.now, words.collect::<String>());
            }
            self.listen();
        }
        self.rest();
        self.judge();
        self.end();
    }

    fn judge(&self) {
        if self.damages {
            return;
        }
        let mut early = false;
        for exchange in &self.exchanges {
            // Before its SETTINGS are known a server refuses what is too much.
            let refused = exchange.client_end == exchange::End::Reset(RetrySafe::Unprocessed)
                && self.config.initial_streams > self.config.max_concurrent_streams;
            // HTTP/1 may close behind an answer that came early, when the next was asked already.
            let closed = self.is_http1 && early;
            exchange.judge(!self.faults && !refused && !closed, self.is_http1);
            early |= exchange.early;
        }
    }
}
