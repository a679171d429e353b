//! The ledger of alternatives with up to a million origins, and a decision of the race.

use std::hint::black_box;

use regatta_core::altsvc::{Config, Heard, Ledger, Source, parse};
use regatta_core::race::{self, Event, Health, Offer, Race, Target};
use regatta_core::rng::Rng;
use regatta_core::types::{Origin, Protocol, Scheme};
use regatta_core::{Instant, Machine as _, Outbox};

use crate::measure::{cost, live_bytes, median, table};
use crate::pool::host;

const RUNS: usize = 7;
const OPERATIONS: u64 = 200_000;
const FIELD: &[u8] = br#"h3=":443"; ma=86400"#;

/// Prints the tables.
pub(crate) fn run() {
    let rows: Vec<Vec<String>> = [1_000, 100_000, 1_000_000].into_iter().map(row).collect();
    table(
        "Alternatives",
        &format!(
            "One alternative for each origin, heard from a field. Bytes: what the ledger holds of \
             the heap for each, the origin's name included. Learn: read the field and keep it. \
             Lookup: `best`, and with `used` that the origin goes to the front, any origin drawn \
             evenly. Nanoseconds of thread CPU time; lookups are the median of {RUNS} runs of \
             {OPERATIONS}."
        ),
        &["origins", "bytes per origin", "learn", "lookup", "lookup and used"],
        &rows,
    );
    table(
        "Race",
        &format!(
            "QUIC first, TCP after the delay, QUIC wins, closed: four calls and `poll_timeout`. \
             Median of {RUNS} runs of {OPERATIONS}."
        ),
        &["nanoseconds a race", "allocations"],
        &[race_row()],
    );
}

fn origin(index: u32) -> Origin {
    Origin { scheme: Scheme::Https, host: host(index).into(), port: 443 }
}

fn row(origins: u32) -> Vec<String> {
    let now = Instant::from_millis(1_000);
    let before = live_bytes();
    let mut config = Config::default();
    config.max_origins = origins;
    let mut ledger = Ledger::new(config);
    let learn = cost(origins.into(), || {
        for index in 0..origins {
            let field = parse([FIELD], 4_096).expect("an alternative");
            let kept = ledger.learn(now, &origin(index), &field.said, Heard::from(Source::Field));
            assert_eq!(kept, Ok(1));
        }
    });
    let bytes = (live_bytes() - before) as f64 / f64::from(origins);
    // Names of their own: those in the ledger are not warm for having been compared.
    let mut rng = Rng::new(1);
    let asked: Vec<Origin> =
        (0..OPERATIONS).map(|_| origin(rng.below(origins.into()) as u32)).collect();
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        runs[0].push(cost(OPERATIONS, || {
            for origin in &asked {
                assert!(black_box(ledger.best(now, origin, Protocol::Http3)).is_some());
            }
        }));
        runs[1].push(cost(OPERATIONS, || {
            for origin in &asked {
                assert!(black_box(ledger.best(now, origin, Protocol::Http3)).is_some());
                ledger.used(now, origin);
            }
        }));
    }
    let [best, used] = runs.map(median);
    vec![
        origins.to_string(),
        format!("{bytes:.0}"),
        format!("{:.0}", learn.nanos),
        format!("{:.0}", best.nanos),
        format!("{:.0}", used.nanos),
    ]
}

fn race_row() -> Vec<String> {
    let (mut race, mut out) = (Race::new(&race::Config::default()), Outbox::new());
    let quic = Some(Offer { target: Target(0), health: Health::Confirmed });
    let mut now = Instant::EPOCH;
    let mut once = || {
        race.handle_event(now, Event::Wanted { quic, rtt: None }, &mut out);
        let Some(race::Action::Start { leg, .. }) = out.pop() else { panic!("QUIC first") };
        now = black_box(race.poll_timeout()).expect("a delay");
        race.handle_timeout(now, &mut out);
        race.handle_event(now, Event::Connected(leg), &mut out);
        race.handle_event(now, Event::Closed { leg, silent: false }, &mut out);
        while out.pop().is_some() {}
    };
    let run = |_| cost(OPERATIONS, || (0..OPERATIONS).for_each(|_| once()));
    let all = median((0..RUNS).map(run).collect());
    vec![format!("{:.0}", all.nanos), format!("{:.2}", all.allocations)]
}
