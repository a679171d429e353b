//! What the line says: percent, bytes, speed, time left; or a bar.

use std::collections::VecDeque;
use std::time::Duration;

use super::Snapshot;

/// How long a transfer must last before anything is drawn.
const PATIENCE: Duration = Duration::from_millis(500);

/// The speed is that of so many seconds (curl's own).
const WINDOW: Duration = Duration::from_secs(5);

/// How it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Numbers.
    Meter,
    /// `-#`.
    Bar,
}

/// Draws lines.
#[derive(Debug)]
pub(crate) struct Meter {
    style: Style,
    columns: usize,
    /// When so many bytes had passed, oldest first.
    samples: VecDeque<(Duration, u64)>,
}

impl Meter {
    pub(crate) fn new(style: Style, columns: usize) -> Self {
        Self { style, columns, samples: VecDeque::new() }
    }

    /// The line after `at`, if it is time for one. It leaves the last column free, where a
    /// terminal would begin another line.
    pub(crate) fn draw(&mut self, at: Duration, now: &Snapshot) -> Option<String> {
        let speed = self.speed(at, now.down + now.up);
        if at < PATIENCE || now.done == now.all {
            return None;
        }
        let line = match (self.style, progress(now)) {
            (Style::Bar, Some((passed, of))) => self.bar(passed, of),
            _ => meter(at, now, speed),
        };
        Some(line.chars().take(self.columns.saturating_sub(1)).collect())
    }

    fn speed(&mut self, at: Duration, passed: u64) -> u64 {
        self.samples.push_back((at, passed));
        while self.samples.get(1).is_some_and(|(then, _)| at.saturating_sub(*then) >= WINDOW) {
            self.samples.pop_front();
        }
        let (then, before) = self.samples.front().copied().unwrap_or((at, passed));
        let millis = u64::try_from(at.saturating_sub(then).as_millis()).unwrap_or(u64::MAX);
        passed.saturating_sub(before).saturating_mul(1_000) / millis.max(1)
    }

    fn bar(&self, passed: u64, of: u64) -> String {
        let room = self.columns.saturating_sub(" 100.0%".len() + 1) as u64;
        let filled = share(passed, of, room);
        let mille = share(passed, of, 1_000);
        let bar = "#".repeat(usize::try_from(filled).unwrap_or(0));
        let width = usize::try_from(room).unwrap_or(0);
        format!("{bar:<width$} {:>3}.{}%", mille / 10, mille % 10)
    }
}

/// So much of `whole` as `passed` is of `of`.
fn share(passed: u64, of: u64, whole: u64) -> u64 {
    let share = u128::from(passed.min(of)) * u128::from(whole) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(whole)
}

/// What counts: the body that comes, or the one that goes while nothing has come.
fn progress(now: &Snapshot) -> Option<(u64, u64)> {
    match (now.down_of, now.up_of) {
        (Some(of), _) if of > 0 => Some((now.down, of)),
        (_, Some(of)) if of > 0 && now.down == 0 => Some((now.up, of)),
        _ => None,
    }
}

fn meter(at: Duration, now: &Snapshot, speed: u64) -> String {
    let mut parts = Vec::new();
    if now.all > 1 {
        parts.push(format!("{} of {} done", now.done, now.all));
    }
    let known = progress(now);
    if let Some((passed, of)) = known {
        parts.push(format!("{:>3}%", share(passed, of, 100)));
    }
    if now.up > 0 && (now.down == 0 || now.up_of.is_some_and(|of| of > 0)) {
        parts.push(format!("{} sent", bytes(now.up)));
    }
    if now.down > 0 || now.up == 0 {
        parts.push(match now.down_of {
            Some(of) if of > 0 => format!("{} of {}", bytes(now.down), bytes(of)),
            _ => bytes(now.down),
        });
    }
    parts.push(format!("{}/s", bytes(speed)));
    parts.push(match known.map(|(passed, of)| of.saturating_sub(passed)) {
        Some(left) if speed > 0 => format!("{} left", clock(left.div_ceil(speed))),
        _ => clock(at.as_secs()),
    });
    parts.join("  ")
}

/// Bytes for people, in 1024s.
fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10 / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
}

/// `0:07`, `12:00`, `3:00:00`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}
