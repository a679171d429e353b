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
    /// Two origins by turns: what is remembered of the last one never fits.
    Turns,
    /// Any, drawn evenly.
    Uniform,
}

const CASES: [Case; 5] = [
    Case { origins: 1, access: Access::Hot },
    Case { origins: 1_000, access: Access::Hot },
    Case { origins: 100_000, access: Access::Hot },
    Case { origins: 100_000, access: Access::Turns },
    Case { origins: 100_000, access: Access::Uniform },
];

impl Case {
    /// Which origins to ask for, in order; drawn beforehand, so that drawing is not measured.
    fn order(self) -> Vec<u32> {
        let mut rng = Rng::new(1);
        let draw = |n: u64| match self.access {
            Access::Hot => self.origins / 2,
            Access::Turns => self.origins / 2 + (n % 2) as u32,
            Access::Uniform => rng.below(u64::from(self.origins)) as u32,
        };
        (0..OPERATIONS).map(draw).collect()
    }

    fn label(self) -> String {
        match self.access {
            Access::Hot => format!("one hot among {}", self.origins),
            Access::Turns => format!("two by turns among {}", self.origins),
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

/// Prints the table.
pub(crate) fn run() {
    let minute = Some(Duration::from_secs(60));
    let mut rows = Vec::new();
    for case in CASES {
        let order = case.order();
        let mut h1 = Ours::new(case.origins, Protocol::Http1);
        let mut h2 = Ours::new(case.origins, Protocol::Http2);
        #[cfg(hyper_pool)]
        let peers = [Sharing::Exclusive, Sharing::Shared].map(|how| Peer::new(case.origins, how));
        let mut runs: [Vec<Cost>; 5] = Default::default();
        for _ in 0..RUNS {
            runs[0].push(h1.measure(&order, None));
            runs[1].push(h2.measure(&order, None));
            runs[2].push(h1.measure(&order, minute));
            #[cfg(hyper_pool)]
            for (runs, peer) in runs[3..].iter_mut().zip(&peers) {
                runs.push(peer.measure(&order));
            }
        }
        h1.upstream.check();
        rows.push(row(case, runs.map(median)));
    }
    table(
        "Pool",
        &format!(
            "Nanoseconds of thread CPU time and calls of the allocator, from a request through its \
             `Assign` on a ready connection to its end, with one ready connection per origin. \
             regatta: `Upstream::request`, both `poll_action`s, `StreamEnded`, `poll_timeout`; all \
             limits, timers and records included. hyper-util: the source of its legacy client's \
             own pool with its key `(Scheme, Authority)` and a connection that is always open: \
             checkout, polled once, and return by drop. Median of {RUNS} runs of {OPERATIONS}."
        ),
        &[
            "origins",
            "regatta, HTTP/1",
            "HTTP/2",
            "HTTP/1 with a deadline",
            "allocations",
            "hyper-util, HTTP/1",
            "HTTP/2",
            "allocations",
            "ratio, HTTP/1",
            "ratio, HTTP/2",
        ],
        &rows,
    );
}

fn row(case: Case, costs: [Cost; 5]) -> Vec<String> {
    let [h1, h2, deadline, peer_h1, peer_h2] = costs;
    let ratio = |peer: Cost, ours: Cost| match peer.nanos {
        0.0 => "left out".to_owned(),
        nanos => format!("{:.1}", nanos / ours.nanos),
    };
    vec![
        case.label(),
        format!("{:.0}", h1.nanos),
        format!("{:.0}", h2.nanos),
        format!("{:.0}", deadline.nanos),
        format!("{:.2}", h1.allocations.max(h2.allocations).max(deadline.allocations)),
        format!("{:.0}", peer_h1.nanos),
        format!("{:.0}", peer_h2.nanos),
        format!("{:.2}", peer_h1.allocations.max(peer_h2.allocations)),
        ratio(peer_h1, h1),
        ratio(peer_h2, h2),
    ]
}
