//! The pool's decisions: request, assigned, ended on a ready connection.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use regatta_core::Instant;
use regatta_core::id::{ClusterId, ProfileId};
use regatta_core::rng::Rng;
use regatta_core::time::Duration;
use regatta_core::types::{
    BodyState, Key, Limit, MethodClass, Origin, Outcome, Priority, Protocol, RetrySafe, Scheme,
    Timing,
};
use regatta_core::upstream::{Action, Config, Event, Upstream};

use crate::measure::{Cost, cost, median, table};
#[cfg(hyper_pool)]
use crate::peer::{Peer, Sharing};

const RUNS: usize = 7;
const OPERATIONS: u64 = 200_000;
const STEP: Duration = Duration::from_micros(1);

/// How many origins have a ready connection, and which of them are asked for.
#[derive(Clone, Copy)]
struct Case {
    origins: u32,
    access: Access,
}

#[derive(Clone, Copy, PartialEq)]
enum Access {
    /// One origin over and over.
    Hot,
    /// So many origins by turns: what is remembered of the last one never fits.
    Turns(u32),
    /// Any, drawn evenly.
    Uniform,
}

const CASES: [Case; 7] = [
    Case { origins: 1, access: Access::Hot },
    Case { origins: 1_000, access: Access::Hot },
    Case { origins: 100_000, access: Access::Hot },
    Case { origins: 100_000, access: Access::Turns(2) },
    Case { origins: 100_000, access: Access::Turns(100) },
    Case { origins: 1_000, access: Access::Uniform },
    Case { origins: 100_000, access: Access::Uniform },
];

impl Case {
    /// Which origins to ask for, in order; drawn beforehand, so that drawing is not measured.
    fn order(self) -> Vec<u32> {
        let mut rng = Rng::new(1);
        let draw = |n: u64| match self.access {
            Access::Hot => self.origins / 2,
            Access::Turns(many) => self.origins / 2 + (n % u64::from(many)) as u32,
            Access::Uniform => rng.below(u64::from(self.origins)) as u32,
        };
        (0..OPERATIONS).map(draw).collect()
    }

    fn label(self) -> String {
        match self.access {
            Access::Hot => format!("one hot among {}", self.origins),
            Access::Turns(many) => format!("{many} by turns among {}", self.origins),
            Access::Uniform => format!("uniform over {}", self.origins),
        }
    }
}

/// Names as services have them.
pub(crate) fn host(index: u32) -> String {
    format!("service-{index}.region.example.com")
}

/// An upstream with one ready connection per origin.
struct Ours {
    upstream: Upstream,
    keys: Vec<Key>,
    now: Instant,
}

impl Ours {
    fn new(origins: u32, protocol: Protocol) -> Self {
        let mut config = Config::default();
        config.max_sockets = 2 * origins + 16;
        config.max_pools = 2 * origins + 16;
        for cluster in &mut config.clusters {
            cluster.limits.max_connections = None;
            cluster.pool.connect_timeout = Duration::from_secs(60);
        }
        let key = |index| Key {
            cluster: ClusterId::new(0, 0),
            origin: Origin { scheme: Scheme::Https, host: host(index).into(), port: 443 },
            profile: ProfileId(0),
            priority: Priority::Default,
        };
        let keys: Vec<Key> = (0..origins).map(key).collect();
        let mut ours = Self { upstream: Upstream::new(config), keys, now: Instant::EPOCH };
        for index in 0..origins as usize {
            ours.connect(index, protocol);
        }
        ours
    }

    /// A first request, with all that must happen before it is assigned, and its end.
    fn connect(&mut self, index: usize, protocol: Protocol) {
        let (now, key) = (self.now, &self.keys[index]);
        let upstream = &mut self.upstream;
        upstream.request(now, key, MethodClass::Safe, None);
        while let Some(action) = upstream.poll_action() {
            match action {
                Action::Resolve { host, .. } => {
                    let addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
                    upstream.handle_event(now, Event::Resolved { host, addresses });
                    upstream.handle_event(now, Event::ResolveFinished { host, failed: None });
                }
                Action::Connect { attempt, .. } => {
                    let streams = if protocol == Protocol::Http1 { 1 } else { 100 };
                    let limit = Limit::Concurrent(streams);
                    upstream.handle_event(now, Event::Connected { attempt, protocol, limit });
                }
                Action::Assign { request, connection } => {
                    upstream.handle_event(now, ended(now, connection, request));
                }
                Action::Finished { .. } => {}
                other => panic!("unexpected while connecting: {other:?}"),
            }
        }
    }

    fn measure(&mut self, order: &[u32], deadline: Option<Duration>) -> Cost {
        cost(order.len() as u64, || {
            for index in order {
                self.now = self.now + STEP;
                let key = &self.keys[*index as usize];
                let deadline = deadline.map(|after| self.now + after);
                self.upstream.request(self.now, key, MethodClass::Safe, deadline);
                let Some(Action::Assign { request, connection }) = self.upstream.poll_action()
                else {
                    panic!("a ready connection gets the request at once")
                };
                self.upstream.handle_event(self.now, ended(self.now, connection, request));
                while let Some(action) = self.upstream.poll_action() {
                    assert!(matches!(action, Action::Finished { .. }), "{action:?}");
                }
                black_box(self.upstream.poll_timeout());
            }
        })
    }
}

fn ended(
    now: Instant,
    connection: regatta_core::id::ConnectionId,
    request: regatta_core::id::RequestId,
) -> Event {
    Event::StreamEnded {
        connection,
        request,
        outcome: Outcome::Complete,
        retry: RetrySafe::Answered,
        body: BodyState::Untouched,
        timing: Timing { opened: Some(now), first_byte: Some(now), ended: now },
    }
}

/// One protocol in one case: both pools, their runs by turns.
fn rows(case: Case) -> Vec<Vec<String>> {
    let order = case.order();
    let minute = Some(Duration::from_secs(60));
    let mut rows = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut ours = Ours::new(case.origins, protocol);
        #[cfg(hyper_pool)]
        let peer = Peer::new(
            case.origins,
            if protocol == Protocol::Http1 { Sharing::Exclusive } else { Sharing::Shared },
        );
        let mut runs: [Vec<Cost>; 3] = Default::default();
        for _ in 0..RUNS {
            runs[0].push(ours.measure(&order, None));
            runs[1].push(ours.measure(&order, minute));
            #[cfg(hyper_pool)]
            runs[2].push(peer.measure(&order));
        }
        ours.upstream.check();
        rows.push(row(case, protocol, runs.map(median)));
    }
    rows
}

/// Prints the table.
pub(crate) fn run() {
    let rows: Vec<_> = CASES.into_iter().flat_map(rows).collect();
    table(
        "Pool",
        &format!(
            "Nanoseconds of thread CPU time and calls of the allocator, from a request through its \
             `Assign` on a ready connection to its end, with one ready connection per origin. \
             regatta: `Upstream::request`, both `poll_action`s, `StreamEnded`, `poll_timeout`; all \
             limits, timers and records included. hyper-util: the source of its legacy client's \
             own pool with its key `(Scheme, Authority)` and a connection that is always open: \
             checkout, polled once, and return by drop. Both keep the keys that they are asked \
             with, so that names are compared with themselves. Median of {RUNS} runs of \
             {OPERATIONS}, those of both pools by turns."
        ),
        &[
            "origins",
            "protocol",
            "regatta",
            "allocations",
            "with a deadline",
            "allocations",
            "hyper-util",
            "allocations",
            "hyper-util / regatta",
        ],
        &rows,
    );
}

fn row(case: Case, protocol: Protocol, costs: [Cost; 3]) -> Vec<String> {
    let [ours, deadline, peer] = costs;
    let ratio = match peer.nanos {
        0.0 => "left out".to_owned(),
        nanos => format!("{:.1}", nanos / ours.nanos),
    };
    let mut row = vec![case.label(), protocol.to_string()];
    for cost in [ours, deadline, peer] {
        row.push(format!("{:.0}", cost.nanos));
        row.push(format!("{:.2}", cost.allocations));
    }
    row.push(ratio);
    row
}
