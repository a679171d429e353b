//! One workload on every runtime: 10,000 requests over HTTP/1.1 and HTTP/2, in plain text and
//! with TLS, with everything that goes wrong on the way. What comes of a request follows from its
//! number alone, so that all runtimes must agree on it.

mod asking;
mod origin;
mod plan;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;

use regatta_async_std::{AsyncStd, Smol};
use regatta_runtime::Runtime;
use regatta_sim::Net;
use regatta_tokio::Tokio;
use tokio::sync::mpsc;

use self::asking::Asking;
use self::origin::Origins;
use crate::dsl;
use crate::trust::Authority;

/// Requests side by side.
const WORKERS: usize = 32;

/// What came of each request, by its number.
type Outcomes = BTreeMap<u32, String>;

/// Asks the first `requests` numbers and says what came of each.
async fn outcomes<R: Runtime>(runtime: R, requests: u32) -> Outcomes {
    let authority = Authority::new();
    let mut all = Outcomes::new();
    for round in plan::rounds(requests) {
        let origins = Origins::start(&runtime, &authority).await;
        let asking = Arc::new(Asking::new(&runtime, &origins, &authority.roots()));
        let (busy, gated, late) = plan::parts(round);
        let busy = side_by_side(&runtime, &asking, busy.collect(), WORKERS);
        drain(busy, &mut all).await;

        let arrived: Vec<_> = gated.clone().map(|n| asking.arrived(n)).collect();
        let width = gated.len();
        let gated = side_by_side(&runtime, &asking, gated.collect(), width);
        for arrived in arrived {
            // One that failed does not arrive.
            arrived.await.ok();
        }
        origins.drain();
        asking.drain();
        all.insert(late, asking.ask(late).await);
        origins.open();
        drain(gated, &mut all).await;
        for n in origins.meeting.repeated() {
            all.entry(n).or_default().push_str(", came more than once");
        }
        drop(asking);
        origins.ended().await;
    }
    all
}

/// Asks these numbers in so many tasks.
fn side_by_side<R: Runtime>(
    runtime: &R,
    asking: &Arc<Asking<R>>,
    numbers: Vec<u32>,
    workers: usize,
) -> mpsc::UnboundedReceiver<(u32, String)> {
    let (send, came) = mpsc::unbounded_channel();
    for worker in 0..workers {
        let mine: Vec<u32> = numbers.iter().skip(worker).step_by(workers).copied().collect();
        let (asking, send) = (Arc::clone(asking), send.clone());
        runtime.spawn(async move {
            for n in mine {
                let said = asking.ask(n).await;
                send.send((n, said)).ok();
            }
        });
    }
    came
}

async fn drain(mut came: mpsc::UnboundedReceiver<(u32, String)>, all: &mut Outcomes) {
    while let Some((n, said)) = came.recv().await {
        all.insert(n, said);
    }
}

/// How long one runtime may take beside the others; it is seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(300);

fn on_one_thread(requests: u32) -> Outcomes {
    dsl::run_for(PATIENCE, async { outcomes(Tokio::new(), requests).await })
}

fn on_two_threads(requests: u32) -> Outcomes {
    dsl::run_on_two_for(PATIENCE, async { outcomes(Tokio::new(), requests).await })
}

fn on_async_std(requests: u32) -> Outcomes {
    dsl::run_on_async_io(PATIENCE, outcomes(AsyncStd::new(), requests))
}

fn on_smol(requests: u32) -> Outcomes {
    dsl::run_on_async_io(PATIENCE, outcomes(Smol::new(), requests))
}

fn on_a_simulated_host(requests: u32) -> Outcomes {
    let net = Net::seeded(1);
    let host = net.host("host", ["192.0.2.1".parse().unwrap()]);
    net.run(outcomes(host, requests)).unwrap()
}

/// Asks so many numbers on a runtime.
type Run = fn(u32) -> Outcomes;

/// Every runtime by its name.
const RUNTIMES: [(&str, Run); 5] = [
    ("tokio, current_thread", on_one_thread),
    ("tokio, multi_thread", on_two_threads),
    ("async-std", on_async_std),
    ("smol", on_smol),
    ("the simulator", on_a_simulated_host),
];

/// What differs from what was expected, a line each.
fn differences(name: &str, came: &Outcomes, expected: &Outcomes) -> Vec<String> {
    let mut found = Vec::new();
    for (n, wanted) in expected {
        let said = came.get(n).map_or("nothing", String::as_str);
        if said != wanted {
            let what = plan::of(*n);
            found.push(format!("{name}: request {n}, {what:?}: expected {wanted}; came {said}"));
        }
    }
    let unasked = came.keys().filter(|n| !expected.contains_key(n));
    found.extend(unasked.map(|n| format!("{name}: request {n} was not asked")));
    found
}

#[test]
fn every_runtime_gives_the_same_outcomes() {
    let expected: Outcomes = (0..plan::REQUESTS).map(|n| (n, plan::expected(n))).collect();
    let found: Vec<String> = thread::scope(|scope| {
        let expected = &expected;
        let run = |(name, run): (&'static str, Run)| {
            scope.spawn(move || differences(name, &run(plan::REQUESTS), expected))
        };
        let runs = RUNTIMES.map(run);
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    let first = found.iter().take(40).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} outcomes differ:\n{first}", found.len());
}

#[test]
fn a_difference_is_named() {
    let numbers = 0..plan::ROUND;
    let expected: Outcomes = numbers.map(|n| (n, plan::expected(n))).collect();
    let mut came = expected.clone();
    assert_eq!(differences("it", &came, &expected), [""; 0]);
    came.insert(7, "something else".to_owned());
    came.remove(&8);
    came.insert(plan::ROUND, String::new());
    let found = differences("it", &came, &expected);
    let ends = ["came something else", "came nothing", "request 1000 was not asked"];
    assert_eq!(found.len(), ends.len(), "{found:?}");
    for (said, end) in found.iter().zip(ends) {
        assert!(said.starts_with("it: request ") && said.ends_with(end), "{said}");
    }
}

#[test]
fn every_deed_is_done_over_every_lane() {
    let all = (0..plan::REQUESTS).map(|n| {
        let (lane, deed) = plan::of(n);
        // Without lengths.
        let name = format!("{deed:?}");
        let name = name.split(|letter: char| letter.is_ascii_digit()).next().unwrap();
        (format!("{lane:?}"), name.to_owned())
    });
    let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
    all.for_each(|what| *seen.entry(what).or_default() += 1);
    let deeds: BTreeSet<&str> = seen.keys().map(|(_, deed)| deed.as_str()).collect();
    assert_eq!((deeds.len(), seen.len()), (23, 23 * 4), "{seen:#?}");
}
