//! The pool's decisions in plain words, as its records tell them: `-v`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regatta_core::Instant;
use regatta_core::id::ConnectionId;
use regatta_core::record::{Kind, Record, Rule, pack};
use regatta_core::types::Protocol;
use regatta_tokio::Timeline;

/// What was read of a client's records so far.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// By which rule a connection was made.
    made: BTreeMap<u64, Rule>,
    /// Which request was given to a connection, and when.
    assigned: BTreeMap<(u64, Instant), u64>,
    /// By which rules a request was sent again.
    resent: BTreeMap<u64, Vec<Rule>>,
}

impl Decisions {
    /// Takes in what is new.
    pub(crate) fn read(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            match record.kind {
                Kind::ConnectionMade => {
                    self.made.insert(record.a, record.rule);
                }
                Kind::Assigned => {
                    self.assigned.insert((record.b, record.at), record.a);
                }
                Kind::Resent => self.resent.entry(record.a).or_default().push(record.rule),
                _ => {}
            }
        }
    }

    /// Why the request came to its connection, and why it was sent more than once.
    pub(crate) fn explain(&self, timeline: &Timeline) -> String {
        let mut text = String::new();
        let (Some(used), Some(assigned)) = (&timeline.connection, timeline.assigned) else {
            return text;
        };
        let id = used.connection;
        if used.reused {
            let waited = assigned.saturating_since(timeline.requested);
            if waited.as_millis() > 0 {
                let millis = waited.as_secs_f64() * 1e3;
                let _ = writeln!(text, "* Waited {millis:.1} ms: all connections were busy");
            }
            let why = match used.protocol {
                Protocol::Http1 => "it was free",
                _ => "it had room for another stream",
            };
            let _ = writeln!(text, "* Reused {id:?}: {why}");
        } else if let Some(why) = self.made.get(&pack(id)).and_then(|rule| new_because(*rule)) {
            let _ = writeln!(text, "* New connection {id:?}: {why}");
        }
        for rule in self.resends(id, assigned) {
            let _ = writeln!(text, "* Sent again by itself: {}", again_because(*rule));
        }
        text
    }

    fn resends(&self, connection: ConnectionId, assigned: Instant) -> &[Rule] {
        let request = self.assigned.get(&(pack(connection), assigned));
        request.and_then(|request| self.resent.get(request)).map_or(&[], Vec::as_slice)
    }
}

const fn new_because(rule: Rule) -> Option<&'static str> {
    match rule {
        Rule::FirstConnection => Some("there was none to this origin"),
        Rule::Demand => Some("all others were busy"),
        Rule::Preconnect => Some("made ahead of need"),
        _ => None,
    }
}

const fn again_because(rule: Rule) -> &'static str {
    match rule {
        Rule::ResendUnsent => "nothing of it had been sent",
        Rule::ResendUnprocessed => "the server said that it did not process it",
        Rule::ResendIdempotent => "its connection broke, and the method may be repeated",
        Rule::ResendEarly => "it went in early data, and that came to nothing",
        _ => "the pool wanted it so",
    }
}

#[cfg(test)]
mod tests {
    use regatta_core::id::RequestId;
    use regatta_tokio::ConnectionTrace;

    use super::*;

    fn record(kind: Kind, rule: Rule, a: u64, b: u64, at: Instant) -> Record {
        Record { at, kind, rule, from: 0, to: 0, a, b, value: 0 }
    }

    fn timeline(slot: u32, protocol: Protocol, reused: bool, waited: u64) -> Timeline {
        let mut timeline = Timeline::default();
        timeline.assigned = Some(Instant::from_millis(waited));
        timeline.connection = Some(ConnectionTrace {
            connection: ConnectionId::new(slot, 0),
            address: "192.0.2.1:80".parse().unwrap(),
            protocol,
            established: Instant::EPOCH,
            reused,
            tls: None,
        });
        timeline
    }

    #[test]
    fn decisions_are_told_as_the_rules_say() {
        let mut decisions = Decisions::default();
        let c = |slot| pack(ConnectionId::new(slot, 0));
        let (now, request) = (Instant::from_millis(7), pack(RequestId::new(3, 1)));
        decisions.read([
            record(Kind::ConnectionMade, Rule::FirstConnection, c(0), 0, now),
            record(Kind::ConnectionMade, Rule::Demand, c(1), 0, now),
            record(Kind::Resent, Rule::ResendIdempotent, request, 0, now),
            record(Kind::Assigned, Rule::None, request, c(1), now),
        ]);
        for (timeline, lines) in [
            (
                timeline(0, Protocol::Http1, false, 1),
                "* New connection c0.0: there was none to this origin\n",
            ),
            (
                timeline(1, Protocol::Http2, false, 7),
                "* New connection c1.0: all others were busy\n* Sent again by itself: its \
                 connection broke, and the method may be repeated\n",
            ),
            (timeline(0, Protocol::Http1, true, 0), "* Reused c0.0: it was free\n"),
            (
                timeline(0, Protocol::Http2, true, 3),
                "* Waited 3.0 ms: all connections were busy\n* Reused c0.0: it had room for \
                 another stream\n",
            ),
            (Timeline::default(), ""),
        ] {
            assert_eq!(decisions.explain(&timeline), lines);
        }
    }
}
