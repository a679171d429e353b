//! What spans of the `tracing` crate cost while nobody listens to any.

use core::hint::black_box;

use tracing::Level;

use crate::measure::{cost, median, table};

const RUNS: usize = 5;
const TIMES: u64 = 10_000_000;

/// Prints the table.
pub(crate) fn run() {
    let ask = || {
        for _ in 0..TIMES {
            black_box(tracing::enabled!(target: "regatta::client", Level::INFO));
        }
    };
    let cost = median((0..RUNS).map(|_| cost(TIMES, ask)).collect());
    table(
        "Spans",
        &format!(
            "With the feature `tracing` a request asks once whether anybody listens to its span, \
             and makes none where nobody does; so does each request of a server. What that \
             question costs in a program without a collector. Median of {RUNS} runs of {TIMES}."
        ),
        &["what", "nanoseconds", "allocations"],
        &[vec![
            "is anybody listening?".to_owned(),
            format!("{:.2}", cost.nanos),
            format!("{:.1}", cost.allocations),
        ]],
    );
}
