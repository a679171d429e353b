//! A run as people read it: the case, then what happened in order, then how requests ended.

use regatta_core::Instant;
use regatta_core::record::Record;

use super::book::Entry;
use super::case::Case;
use crate::peer::Fate;
use crate::step::{Step, StepKind};

/// Tells a run; of steps those of the network and of servers.
pub(super) fn tell(
    case: &Case,
    steps: &[Step],
    records: &[(u64, Record)],
    requests: &[(Entry, Fate)],
) -> Vec<String> {
    let mut lines = about(case);
    let mut records = records.iter().peekable();
    for (number, step) in (0..).zip(steps) {
        while let Some((_, record)) = records.next_if(|(before, _)| *before <= number) {
            lines.push(record_line(record));
        }
        let kind = step.kind;
        if !matches!(kind, StepKind::Polled | StepKind::Spawned | StepKind::Ended) {
            lines.push(format!("{:>8} {step}", number));
        }
    }
    lines.extend(records.map(|(_, record)| record_line(record)));
    for (n, (entry, fate)) in requests.iter().enumerate() {
        let at = |at: Option<Instant>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let (begun, head, ended) = (at(entry.begun), at(entry.head), at(entry.ended));
        let result = &entry.result;
        lines.push(format!(
            "request {n}: {begun}, head {head}, ended {ended}: {result:?}, {fate:?}"
        ));
    }
    lines
}

fn record_line(record: &Record) -> String {
    let Record { at, kind, rule, from, to, a, b, value } = record;
    let id = |packed: &u64| format!("{}.{}", packed >> 32, *packed as u32);
    let (kind, rule) = (kind.name(), rule.name());
    format!("         {at} {kind} a={} b={} {rule} {from}>{to} {value}", id(a), id(b))
}

fn about(case: &Case) -> Vec<String> {
    let (profile, mode) = (case.profile.name(), case.mode);
    let mut lines = vec![format!("{mode:?} world, {profile} profile")];
    lines.push(format!("nat {}, on the spot {}, {:?}", case.nat, case.on_the_spot, case.stack));
    for (number, host) in case.hosts.iter().enumerate() {
        lines.push(format!("host {number}: {:?} away", host.delay));
        for (address, conduct) in &host.addresses {
            lines.push(format!("  {address}: {conduct:?}"));
        }
    }
    for (number, origin) in case.origins.iter().enumerate() {
        let (scheme, name) = (origin.scheme.as_str(), origin.name);
        let (addresses, dns) = (case.addresses(number), origin.dns);
        lines.push(format!("origin {number}: {scheme}://{name} at {addresses:?}, {dns:?}"));
    }
    lines.push(format!("client: {:?}", case.client));
    for (n, request) in case.requests.iter().enumerate() {
        lines.push(format!("request {n}: {request:?}"));
    }
    lines.extend(case.faults.iter().map(|fault| format!("fault: {fault:?}")));
    lines
}
