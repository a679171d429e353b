//! How far the transfers have come, for whoever looks at a terminal: one line, drawn again and
//! again. What stands in it is decided by [`meter`], which knows no terminal and no clock.

use std::io::{IsTerminal as _, stderr, stdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use self::meter::{Meter, Style};
use super::output::Destination;
use super::transfer::Transfer;
use crate::cli::output::OutputArgs;
use crate::say;

pub(crate) mod meter;
#[cfg(test)]
mod tests;

/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(200);

/// What all transfers have done, and what is left.
#[derive(Debug, Default)]
pub(crate) struct Board {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    gauges: Vec<Arc<Gauge>>,
    /// Transfers that have ended.
    done: usize,
    /// What their gauges said.
    past: (u64, u64),
}

/// What one transfer does now.
#[derive(Debug)]
pub(crate) struct Gauge {
    down: AtomicU64,
    /// How long the body is; all ones while nobody knows.
    down_of: AtomicU64,
    up: Arc<AtomicU64>,
    up_of: Option<u64>,
}

/// One moment of all transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) down: u64,
    /// All that will come, if that is known.
    pub(crate) down_of: Option<u64>,
    pub(crate) up: u64,
    pub(crate) up_of: Option<u64>,
    /// Transfers that have ended, of all that there are.
    pub(crate) done: usize,
    pub(crate) all: usize,
}

impl Gauge {
    /// So many bytes came.
    pub(crate) fn came(&self, count: u64) {
        self.down.fetch_add(count, Ordering::Relaxed);
    }

    /// The body is so long.
    pub(crate) fn expect(&self, length: u64) {
        self.down_of.store(length, Ordering::Relaxed);
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A try begins that sends what `up` counts.
    pub(crate) fn begin(&self, up: Arc<AtomicU64>, up_of: Option<u64>) -> Arc<Gauge> {
        let (down, down_of) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let gauge = Arc::new(Gauge { down, down_of, up, up_of });
        self.lock().gauges.push(Arc::clone(&gauge));
        gauge
    }

    /// The try has ended.
    pub(crate) fn end(&self, gauge: &Arc<Gauge>) {
        let mut state = self.lock();
        state.gauges.retain(|known| !Arc::ptr_eq(known, gauge));
        state.past.0 += gauge.down.load(Ordering::Relaxed);
        state.past.1 += gauge.up.load(Ordering::Relaxed);
    }

    /// A transfer has ended, after however many tries.
    pub(crate) fn done(&self) {
        self.lock().done += 1;
    }

    fn snapshot(&self, all: usize) -> Snapshot {
        let state = self.lock();
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let down: u64 = state.gauges.iter().map(|gauge| load(&gauge.down)).sum();
        let up: u64 = state.gauges.iter().map(|gauge| load(&gauge.up)).sum();
        // Of those that have not begun nobody knows how long they are.
        let begun = state.gauges.len() + state.done >= all;
        let known = |length: &u64| *length != u64::MAX;
        let of = state.gauges.iter().map(|gauge| Some(load(&gauge.down_of)).filter(known));
        let down_of = of.sum::<Option<u64>>().filter(|_| begun);
        let up_of = state.gauges.iter().map(|gauge| gauge.up_of).sum::<Option<u64>>();
        Snapshot {
            down: state.past.0 + down,
            down_of: down_of.map(|length| state.past.0 + length),
            up: state.past.1 + up,
            up_of: up_of.filter(|_| begun).map(|length| state.past.1 + length),
            done: state.done,
            all,
        }
    }
}

/// Whether a line may be drawn: somebody looks, nobody forbids it, and nothing else is written
/// to the same terminal.
fn style(options: &OutputArgs, transfers: &[Transfer]) -> Option<Style> {
    if options.silent || options.no_progress_meter || !stderr().is_terminal() {
        return None;
    }
    let shows = |transfer: &Transfer| {
        let args = &transfer.batch.args;
        !matches!(transfer.destination(), Ok(Destination::File(_)))
            || args.output.dump_header.as_deref() == Some("-")
    };
    if stdout().is_terminal() && transfers.iter().any(shows) {
        return None;
    }
    Some(if options.progress_bar { Style::Bar } else { Style::Meter })
}

/// The line, while it is drawn.
#[derive(Debug)]
pub(crate) struct Progress {
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Progress {
    /// Draws the line for these transfers until it is ended, if it may be drawn at all.
    pub(crate) fn start(board: &Arc<Board>, options: &OutputArgs, transfers: &[Transfer]) -> Self {
        let all = transfers.len();
        let task = style(options, transfers).map(|style| {
            let mut meter = Meter::new(style, columns());
            let board = Arc::clone(board);
            tokio::spawn(async move {
                let mut ticks = interval(EVERY);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let begun = ticks.tick().await;
                loop {
                    let at = ticks.tick().await.duration_since(begun);
                    if let Some(line) = meter.draw(at, &board.snapshot(all)) {
                        say::status(&line);
                    }
                }
            })
        });
        Self { task }
    }

    /// Leaves the terminal as it was.
    pub(crate) async fn end(self) {
        if let Some(task) = self.task {
            task.abort();
            let _ = task.await;
            say::end_status();
        }
    }
}

/// How wide the terminal is: curl asks the same variable first.
fn columns() -> usize {
    let named = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let asked = || rustix::termios::tcgetwinsize(stderr()).ok().map(|size| size.ws_col.into());
    named.or_else(asked).filter(|columns| *columns > 0).unwrap_or(79)
}
