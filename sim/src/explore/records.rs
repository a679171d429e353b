//! Worlds in which origins have HTTPS records (RFC 9460) and clients ask for them: right, late,
//! missing, wrong, failing and changing ones.
//!
//! It is drawn behind everything else, and only where the seed says so: a tape that is older than
//! this means what it meant.

use core::time::Duration;

use regatta_core::types::Scheme;

use super::case::{Case, Dice};
use super::grid::{ELSEWHERE, LIAR};
use crate::net::names::{Record, Reply, Service};

/// What a sweep must have seen of HTTPS records: what was answered, and what came of it.
pub(super) const HTTPS_RECORDS: [&str; 20] = [
    "right",
    "missing",
    "other protocols",
    "dead port",
    "elsewhere",
    "liar",
    "alias",
    "aliases in a circle",
    "no such service",
    "demands what nobody knows",
    "malformed",
    "no such name",
    "failure",
    "silence",
    "changing",
    "lying hints",
    "HTTP/3 learnt from DNS",
    "TCP held back",
    "held back, then QUIC",
    "held back, then TCP",
];

/// What the resolver says of a name's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlan {
    /// Which of the first of [`HTTPS_RECORDS`].
    kind: usize,
    /// From the question to the answer.
    delay: Duration,
    /// How long it holds, where that is said.
    ttl: Option<Duration>,
}

/// Whether the world of this seed has HTTPS records: half of those in which QUIC and TCP race.
pub(super) const fn is_drawn(seed: u64) -> bool {
    seed & 8 == 8
}

/// Draws what a world with HTTPS records has more.
pub(super) fn draw(dice: &mut Dice<'_>, case: &mut Case) {
    case.client.https_records = dice.tape.draw("asks for records", 8) > 0;
    // Who knows something is not told more.
    if dice.tape.draw("knows nothing", 4) > 0 {
        case.client.known.clear();
    }
    for number in 0..case.origins.len() {
        if case.origins[number].scheme == Scheme::Https {
            let plan = RecordPlan::draw(dice);
            case.records.push((case.origins[number].name, plan));
        }
    }
    for name in [ELSEWHERE, LIAR] {
        let plan = RecordPlan::draw(dice);
        case.records.push((name, plan));
    }
}

impl RecordPlan {
    fn draw(dice: &mut Dice<'_>) -> Self {
        let weights = [8, 2, 1, 2, 2, 2, 3, 1, 1, 1, 1, 1, 1, 1, 2, 2];
        let kind = dice.weighted("record", &weights);
        let delay = match dice.weighted("record's delay", &[4, 3, 2, 1]) {
            0 => Duration::ZERO,
            1 => dice.millis("record's delay", 50),
            2 => dice.millis("record's delay", 300),
            _ => dice.millis("record's delay", 4_000),
        };
        let ttl = dice.usual("ttl", &[None, Some(Duration::ZERO), Some(Duration::from_secs(5))]);
        Self { kind, delay, ttl }
    }

    /// What it is called in a summary.
    pub(super) const fn name(&self) -> &'static str {
        HTTPS_RECORDS[self.kind]
    }

    /// As the resolver has it, of this name.
    pub(super) fn record(&self, name: &str) -> Record {
        let record = match self.name() {
            "changing" => Record::by_turns(vec![right(), Reply::Services(Vec::new()), dead_port()]),
            _ => Record::new(self.reply(name)),
        };
        let record = record.delay(self.delay);
        match self.ttl {
            Some(ttl) => record.ttl(ttl),
            None => record,
        }
    }

    fn reply(&self, name: &str) -> Reply {
        match self.name() {
            "right" => right(),
            "other protocols" => service(|service| {
                service.alpn = vec!["h2".to_owned(), "h3-29".to_owned()];
            }),
            "dead port" => dead_port(),
            "elsewhere" => service(|service| service.target = Some(ELSEWHERE.to_owned())),
            "liar" => service(|service| service.target = Some(LIAR.to_owned())),
            // Nobody is there. They are read and not used.
            "lying hints" => service(|service| {
                service.hints =
                    vec![[192, 0, 2, 9].into(), [0x2001, 0xdb8, 9, 0, 0, 0, 0, 9].into()];
            }),
            "alias" => alias(Some(ELSEWHERE)),
            "aliases in a circle" => alias(Some(name)),
            "no such service" => alias(None),
            // `mandatory` names `ech`, which is there.
            "demands what nobody knows" => Reply::Data(vec![
                b"\0\x01\0\0\0\0\x02\0\x05\0\x01\0\x03\x02h3\0\x05\0\x01x".to_vec(),
            ]),
            "malformed" => Reply::Data(vec![b"\0\x01\0\0\x01\0\x09\x02h3".to_vec()]),
            "no such name" => Reply::NoSuchName,
            "failure" => Reply::Failure,
            "silence" => Reply::Silence,
            _ => Reply::Services(Vec::new()),
        }
    }
}

fn right() -> Reply {
    service(|_| {})
}

fn dead_port() -> Reply {
    service(|service| service.port = Some(9))
}

fn alias(target: Option<&str>) -> Reply {
    service(|service| {
        *service = Service::default();
        service.target = target.map(ToOwned::to_owned);
    })
}

fn service(change: impl FnOnce(&mut Service)) -> Reply {
    let mut service = Service::http3();
    change(&mut service);
    Reply::Services(vec![service])
}
