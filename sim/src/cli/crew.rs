//! Seeds over threads: blocks of seeds, run as threads become free, taken in as they come.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// Runs `seeds` in blocks of `block` on `jobs` threads and gives each block's result to `take`,
/// on this thread, in the order of their ends: merging them must not depend on order.
pub(crate) fn over<T: Send>(
    seeds: &Range<u64>,
    block: u64,
    jobs: usize,
    run: impl Fn(Range<u64>) -> T + Sync,
    mut take: impl FnMut(T),
) {
    let next = AtomicU64::new(seeds.start);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (sender, next, run) = (sender.clone(), &next, &run);
            scope.spawn(move || {
                loop {
                    let start = next.fetch_add(block, Ordering::Relaxed);
                    if start >= seeds.end {
                        return;
                    }
                    let end = start.saturating_add(block).min(seeds.end);
                    if sender.send(run(start..end)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver.iter().for_each(&mut take);
    });
}

/// `A..B` of the command line: from A on, before B.
pub(crate) fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let wanted = || format!("`{text}` is no range of seeds; expected A..B, as 0..100000");
    let (start, end) = text.split_once("..").ok_or_else(wanted)?;
    let number = |text: &str| text.replace('_', "").parse::<u64>().map_err(|_| wanted());
    let range = number(start)?..number(end)?;
    if range.is_empty() { Err(wanted()) } else { Ok(range) }
}

/// How many threads where nobody says: one for each processor.
pub(crate) fn all_processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_is_run_once() {
        for (jobs, block) in [(1, 7), (3, 7), (4, 1_000), (0, 1)] {
            let mut ran = Vec::new();
            over(&(5..100), block, jobs, |seeds| seeds, |seeds| ran.extend(seeds));
            ran.sort_unstable();
            assert_eq!(ran, (5..100).collect::<Vec<_>>(), "{jobs} jobs, blocks of {block}");
        }
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(parse_seeds("1..100_000"), Ok(1..100_000));
        for wrong in ["", "1", "1..", "..9", "5..5", "9..1", "a..b", "1..2..3"] {
            let error = parse_seeds(wrong).unwrap_err();
            assert!(error.contains("expected A..B"), "{error}");
        }
    }
}
