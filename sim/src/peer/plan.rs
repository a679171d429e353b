//! What servers do, as data.

use core::num::NonZeroU32;
use core::time::Duration;

use regatta_core::downstream;
use regatta_core::engine::{Config as EngineConfig, quic};
use regatta_core::types::Protocol;

use crate::explore::Dice;
use crate::host::Host;

/// How one endpoint behaves.
#[derive(Clone, Debug)]
pub enum Conduct {
    /// The production server.
    Honest(Box<ServerPlan>),
    /// A script.
    Raw(RawKind),
}

/// The production server's settings and fate.
#[derive(Clone, Debug)]
pub struct ServerPlan {
    /// Limits of its engines.
    pub engine: EngineConfig,
    /// Its connections.
    pub downstream: downstream::Config,
    /// What ALPN accepts.
    pub alpn: Vec<Protocol>,
    /// Which certificate it shows.
    pub certificate: Certificate,
    /// When it drains, and for how long nobody listens then. The first may begin at once: it
    /// refuses, then accepts.
    pub rests: Vec<(Duration, Duration)>,
    /// How it speaks HTTP/3, if it does, where it speaks TLS.
    pub http3: Option<quic::ServerOptions>,
    /// It answers 425 (Too Early) to what comes in early data.
    pub finds_it_too_early: bool,
    /// What its answers say of where else it is.
    pub alt_svc: AltSvc,
}

/// What a server's answers say of where else it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AltSvc {
    /// What is true: that it speaks HTTP/3, where it does.
    Itself,
    /// Nothing.
    Nothing,
    /// These words, and what they are.
    Words(String, &'static str),
}

/// The stable names of all scripts.
pub(crate) const SCRIPTS: [&str; 11] = [
    "silent",
    "mute",
    "close-after",
    "reset-after",
    "half-answer",
    "slow-reader",
    "refuse-first-stream",
    "goaway-zero",
    "close-at-reuse",
    "unsolicited",
    "garbage",
];

/// The stable names of all deeds.
pub(crate) const DEEDS: [&str; 6] =
    ["drain", "streams-0", "streams-1", "streams-100", "flap", "vanish"];

/// A server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// A valid one.
    Good,
    /// One that has expired.
    Expired,
    /// One for another name.
    Stranger,
}

/// A scripted peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawKind {
    /// Accepts and reads, and never says a byte: TLS is swallowed as well.
    Silent,
    /// Shakes hands, reads, and never answers.
    Mute,
    /// Closes after so many bytes.
    CloseAfter(u32),
    /// Closes after so many bytes and leaves the rest unread, so that the peer hears a reset.
    ResetAfter(u32),
    /// Half of an answer, then the end.
    HalfAnswer,
    /// A few bytes at a time, and no answer.
    SlowReader,
    /// The first stream of every connection is refused, the others are answered.
    RefuseFirstStream,
    /// Every connection is ended by a GOAWAY that has processed nothing.
    GoAwayZero,
    /// Answers once and closes when the connection is used again.
    CloseAtReuse,
    /// Answers, and says more than was asked for.
    Unsolicited,
    /// Says what is not HTTP.
    Garbage,
}

impl RawKind {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Mute => "mute",
            Self::CloseAfter(_) => "close-after",
            Self::ResetAfter(_) => "reset-after",
            Self::HalfAnswer => "half-answer",
            Self::SlowReader => "slow-reader",
            Self::RefuseFirstStream => "refuse-first-stream",
            Self::GoAwayZero => "goaway-zero",
            Self::CloseAtReuse => "close-at-reuse",
            Self::Unsolicited => "unsolicited",
            Self::Garbage => "garbage",
        }
    }
}

/// How an honest server answers one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When it begins.
    pub start: Start,
    /// Its status.
    pub status: u16,
    /// Bytes of its body.
    pub bytes: usize,
    /// In chunks of this size with this pause between them; else in one.
    pub pace: Option<(usize, Duration)>,
    /// Whether trailers follow.
    pub trailers: bool,
    /// What becomes of the connection meanwhile.
    pub deed: Option<Deed>,
}

/// When an answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// When all of the request has come.
    AfterBody,
    /// At once; the request's body is not read.
    AtOnce,
    /// So long after all of the request has come.
    Late(Duration),
}

/// What a server does to the connection that a request came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Drains it.
    Drain,
    /// Grants so many streams, and a hundred again after a second.
    Streams(u32),
    /// Grants none, three, none, a hundred within 30 ms.
    Flap,
    /// Breaks off in the middle of the answer.
    Vanish,
}

impl Answer {
    /// The same status and length, given in a way that is drawn now.
    pub(super) fn on_the_spot(mut self, host: &Host) -> Self {
        let draw = |name, n| host.choices(|choices| choices.draw(name, n));
        self.start = match draw("start now", 4) {
            0 => Start::AfterBody,
            1 => Start::AtOnce,
            _ => Start::Late(Duration::from_millis(draw("late now", 1_500).into())),
        };
        let piece = 1 + (draw("chunk now", 8_000) as usize).max(self.bytes / 20);
        let pause = Duration::from_millis(draw("pause now", 50).into());
        self.pace = (draw("pace now", 2) == 1).then_some((piece, pause));
        self.trailers = draw("trailers now", 4) == 3;
        self.deed = match draw("deed now", 24) {
            18 => Some(Deed::Drain),
            19 => Some(Deed::Streams(0)),
            20 => Some(Deed::Streams(1)),
            21 => Some(Deed::Streams(100)),
            22 => Some(Deed::Flap),
            23 => Some(Deed::Vanish),
            _ => None,
        };
        self
    }
}

impl Deed {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Streams(0) => "streams-0",
            Self::Streams(1) => "streams-1",
            Self::Streams(_) => "streams-100",
            Self::Flap => "flap",
            Self::Vanish => "vanish",
        }
    }
}

impl Default for ServerPlan {
    fn default() -> Self {
        Self {
            engine: EngineConfig::default(),
            downstream: downstream::Config::default(),
            alpn: vec![Protocol::Http2, Protocol::Http1],
            certificate: Certificate::Good,
            rests: Vec::new(),
            http3: None,
            finds_it_too_early: false,
            alt_svc: AltSvc::Itself,
        }
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn some(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number.saturating_sub(1))
}

impl Conduct {
    pub(crate) fn draw(dice: &mut Dice<'_>) -> Self {
        // One in five new connections comes to nothing (Cloudflare, 2024-09).
        if dice.odd("raw server", 200_000, 3) {
            Self::Raw(RawKind::draw(dice))
        } else {
            Self::Honest(Box::new(ServerPlan::draw(dice)))
        }
    }
}

impl RawKind {
    fn draw(dice: &mut Dice<'_>) -> Self {
        match dice.tape.draw("script", 11) {
            0 => Self::Silent,
            1 => Self::Mute,
            2 => Self::CloseAfter(dice.tape.draw("close after", 3_000)),
            3 => Self::ResetAfter(dice.tape.draw("reset after", 3_000)),
            4 => Self::HalfAnswer,
            5 => Self::SlowReader,
            6 => Self::RefuseFirstStream,
            7 => Self::GoAwayZero,
            8 => Self::CloseAtReuse,
            9 => Self::Unsolicited,
            _ => Self::Garbage,
        }
    }
}

impl ServerPlan {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let mut plan = Self::default();
        let engine = &mut plan.engine;
        engine.max_concurrent_streams =
            dice.usual("server's streams", &[some(100), some(1), some(2)]);
        engine.idle_timeout = dice.usual("server's idle", &[Some(ms(60_000)), Some(ms(30)), None]);
        engine.head_timeout = dice.usual("head timeout", &[ms(60_000), ms(300)]);
        engine.stream_window = dice.usual("server's window", &[1 << 20, 1 << 10]);
        engine.stream_buffer = dice.usual("server's buffer", &[64 << 10, 1 << 10]);
        engine.keep_alive_interval = dice.usual("server's PING", &[None, Some(ms(2_000))]);
        let down = &mut plan.downstream;
        down.max_connections = dice.usual("server's connections", &[16_384, 1, 2]);
        down.drain_timeout = dice.usual("server's drain", &[Some(ms(600_000)), Some(ms(20)), None]);
        let (h1, h2) = (Protocol::Http1, Protocol::Http2);
        plan.alpn = dice.usual("alpn", &[vec![h2, h1], vec![h1], vec![h2]]);
        let certificates = [Certificate::Good, Certificate::Expired, Certificate::Stranger];
        plan.certificate = match dice.odd("bad certificate", 10_000, 8) {
            true => dice.tape.pick("certificate", &certificates),
            false => Certificate::Good,
        };
        if dice.odd("rests", 100_000, 3) {
            for _ in 0..=dice.tape.draw("rests", 3) {
                plan.rests.push((dice.millis("rest", 3_000), dice.millis("rest's length", 2_000)));
            }
        }
        plan
    }
}
