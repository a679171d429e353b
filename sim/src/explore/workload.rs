//! What is asked for and how it is answered: both are drawn up front, so that they shrink.

use core::time::Duration;

use http::Method;

use super::case::Dice;
use crate::peer::{Answer, Deed, Start};

/// One request.
#[derive(Clone, Debug)]
pub struct RequestPlan {
    /// When it is made, from the run's beginning.
    pub at: Duration,
    /// Which origin.
    pub origin: usize,
    /// Which profile of the client.
    pub profile: u16,
    /// Whether by the circuit breakers of high priority.
    pub high: bool,
    /// Its method.
    pub method: Method,
    /// Bytes of its body.
    pub upload: usize,
    /// In pieces of this size, with this pause between them; else in one.
    pub trickle: Option<(usize, Duration)>,
    /// Whether it waits for 100 (Continue).
    pub expect: bool,
    /// Its own time limit.
    pub timeout: Option<Duration>,
    /// When its caller gives up, from its beginning.
    pub cancel: Option<Duration>,
    /// How its caller reads the answer.
    pub reading: Reading,
    /// How an honest server answers it.
    pub answer: Answer,
}

/// How an answer's body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All of it, at once.
    Whole,
    /// All of it, with a pause after each frame.
    Slow(Duration),
    /// It is dropped after so many bytes.
    Part(usize),
}

const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::HEAD,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
];

/// Draws requests: bursts, pauses, half of them for one origin.
pub(crate) fn draw(dice: &mut Dice<'_>, origins: usize, most: u32) -> Vec<RequestPlan> {
    let count = 1 + dice.tape.draw("requests", most);
    let hot = dice.tape.draw("hot origin", origins as u32) as usize;
    let swarm = Swarm::draw(dice);
    let mut at = Duration::ZERO;
    (0..count).map(|_| request(dice, &swarm, origins, hot, &mut at)).collect()
}

/// Which of the less usual things happen in this run at all.
struct Swarm {
    features: [bool; 8],
}

const TRICKLE: usize = 0;
const EXPECT: usize = 1;
const TIMEOUT: usize = 2;
const CANCEL: usize = 3;
const READING: usize = 4;
const LATE: usize = 5;
const DEED: usize = 6;
const LARGE: usize = 7;

impl Swarm {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let bits = dice.tape.draw("features", 256);
        Self { features: core::array::from_fn(|n| bits >> n & 1 == 1) }
    }

    fn odd(&self, dice: &mut Dice<'_>, feature: usize, name: &'static str) -> bool {
        self.features[feature] && dice.odd(name, 200_000, 2)
    }
}

fn size(dice: &mut Dice<'_>, swarm: &Swarm, name: &'static str) -> usize {
    let most = if swarm.features[LARGE] { 5 } else { 3 };
    match dice.tape.draw(name, most) {
        0 => 0,
        1 => dice.tape.draw(name, 200) as usize,
        2 => dice.tape.draw(name, 5_000) as usize,
        3 => dice.tape.draw(name, 70_000) as usize,
        _ => 60_000 + dice.tape.draw(name, 200_000) as usize,
    }
}

fn request(
    dice: &mut Dice<'_>,
    swarm: &Swarm,
    origins: usize,
    hot: usize,
    at: &mut Duration,
) -> RequestPlan {
    *at += match dice.weighted("pause", &[5, 2, 2, 1]) {
        0 => Duration::ZERO,
        1 => dice.millis("pause", 20),
        2 => dice.millis("pause", 1_000),
        _ => dice.millis("pause", 20_000),
    };
    let origin = match dice.tape.draw("hot or cold", 2) {
        0 => hot,
        _ => dice.tape.draw("cold origin", origins as u32) as usize,
    };
    let method = dice.tape.pick("method", &METHODS);
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let upload = if has_body { size(dice, swarm, "upload") } else { 0 };
    let trickle =
        (upload > 0 && swarm.odd(dice, TRICKLE, "trickle")).then(|| pieces(dice, "piece", upload));
    RequestPlan {
        at: *at,
        origin,
        profile: dice.usual("profile", &[0, 1, 1, 1, 1, 1, 1, 2]),
        high: dice.odd("high priority", 50_000, 8),
        method,
        upload,
        trickle,
        expect: upload > 0 && swarm.odd(dice, EXPECT, "expect"),
        timeout: swarm
            .odd(dice, TIMEOUT, "own timeout")
            .then(|| Duration::from_millis(1) + dice.millis("own timeout", 2_000)),
        cancel: swarm.odd(dice, CANCEL, "cancel").then(|| dice.millis("cancel", 500)),
        reading: match swarm.odd(dice, READING, "reading") {
            false => Reading::Whole,
            true if dice.tape.draw("slow", 2) == 0 => Reading::Slow(dice.millis("slow", 200)),
            true => Reading::Part(dice.tape.draw("part", 20_000) as usize),
        },
        answer: answer(dice, swarm),
    }
}

/// The size of pieces and the pause between them: a few with pauses, or up to 2,000 without, so
/// that tasks spend their budget.
fn pieces(dice: &mut Dice<'_>, name: &'static str, size: usize) -> (usize, Duration) {
    let (most, pause) = match dice.tape.draw(name, 3) {
        0 => (2_000, Duration::ZERO),
        _ => (20, dice.millis(name, 50)),
    };
    let piece = if most == 20 { dice.tape.draw(name, 8_000) } else { dice.tape.draw(name, 100) };
    (1 + (piece as usize).max(size / most), pause)
}

fn answer(dice: &mut Dice<'_>, swarm: &Swarm) -> Answer {
    let start = match swarm.odd(dice, LATE, "late") {
        false => match dice.tape.draw("start", 2) {
            0 => Start::AfterBody,
            _ => Start::AtOnce,
        },
        true => Start::Late(dice.millis("late", 5_000)),
    };
    let bytes = size(dice, swarm, "download");
    let pace =
        (bytes > 0 && swarm.odd(dice, TRICKLE, "pace")).then(|| pieces(dice, "chunk", bytes));
    let deed = match swarm.odd(dice, DEED, "deed") {
        false => None,
        true => Some(match dice.tape.draw("deed", 6) {
            0 => Deed::Drain,
            1 => Deed::Streams(0),
            2 => Deed::Streams(1),
            3 => Deed::Streams(100),
            4 => Deed::Flap,
            _ => Deed::Vanish,
        }),
    };
    let status = dice.usual("status", &[200, 204, 304, 404, 503]);
    Answer { start, status, bytes, pace, deed, trailers: dice.odd("trailers", 50_000, 4) }
}
