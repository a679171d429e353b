//! Tables that read like the rules.

mod field;
mod file;
mod frame;
mod heard;
mod https;
mod ledger;

use super::{Alternative, Heard, Ledger, Said, Source};
use crate::time::Instant;
use crate::types::{Origin, Protocol, Scheme};

const fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn origin(host: &str) -> Origin {
    Origin { scheme: Scheme::Https, host: host.into(), port: 443 }
}

/// What a field says.
fn said(field: &str) -> Said {
    super::parse([field.as_bytes()], 4_096).unwrap().said
}

fn learn(ledger: &mut Ledger, seconds: u64, host: &str, field: &str, source: Source) -> u32 {
    ledger.learn(at(seconds), &origin(host), &said(field), Heard::from(source)).unwrap()
}

/// What is offered, in order, with its state where it has one.
fn shown(ledger: &Ledger, seconds: u64, host: &str) -> String {
    ledger.check();
    let origin = origin(host);
    let known = ledger.known(at(seconds), &origin).map(|known| match known.state {
        super::State::Unknown => known.alternative.to_string(),
        state => format!("{} {state:?}", known.alternative),
    });
    known.collect::<Vec<_>>().join(", ")
}

fn h3(host: &str, port: u16) -> Alternative {
    let host = (!host.is_empty()).then(|| host.into());
    Alternative { protocol: Protocol::Http3, host, port }
}
