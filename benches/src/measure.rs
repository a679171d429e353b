//! The instruments: thread CPU time, a counting allocator, medians and tables.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Display;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, counted for each thread.
pub(crate) struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written without; it only counts")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(live: i64) {
    CALLS.set(CALLS.get() + 1);
    LIVE.set(LIVE.get() + live);
}

/// Heap bytes that this thread has taken and not given back.
pub(crate) fn live_bytes() -> i64 {
    LIVE.get()
}

/// CPU time of this thread.
pub(crate) fn cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// CPU time of all threads of this process.
pub(crate) fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of the thread or process whose `schedstat` this is.
pub(crate) fn scheduled(path: &str) -> Duration {
    let text = std::fs::read_to_string(path).expect("the kernel's statistics of a thread");
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds"))
}

/// What one operation cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// CPU time of this thread, in nanoseconds.
    pub(crate) nanos: f64,
    /// Calls of the allocator.
    pub(crate) allocations: f64,
}

/// Where a measurement began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    calls: u64,
    cpu: Duration,
}

/// Begins to measure.
pub(crate) fn begin() -> Start {
    Start { calls: CALLS.get(), cpu: cpu() }
}

impl Start {
    /// What each of `operations` cost since then.
    pub(crate) fn cost(self, operations: u64) -> Cost {
        let (end, n) = (cpu(), operations as f64);
        Cost {
            nanos: (end - self.cpu).as_nanos() as f64 / n,
            allocations: (CALLS.get() - self.calls) as f64 / n,
        }
    }
}

/// Measures `work`, which does `operations` of them.
pub(crate) fn cost(operations: u64, work: impl FnOnce()) -> Cost {
    let start = begin();
    work();
    start.cost(operations)
}

/// The cost of the middle run by time.
pub(crate) fn median(mut runs: Vec<Cost>) -> Cost {
    runs.sort_by(|a, b| a.nanos.total_cmp(&b.nanos));
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}

/// Prints a title, what was measured, and rows under a head, as Markdown.
pub(crate) fn table(title: &str, what: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n## {title}\n\n{what}\n");
    print_row(head);
    print_row(&vec!["---"; head.len()]);
    rows.iter().for_each(|row| print_row(row));
}

fn print_row(cells: &[impl Display]) {
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    println!("| {} |", cells.join(" | "));
}
