//! Tries again, and how long they wait. Every wait is a whole second, so there are few lines.

use crate::curl::lab::{Lab, row};

#[test]
fn retries() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("--retry 2 {o}/raw/flaky"),
        row("--retry 2 -f {o}/raw/flaky"),
        row("--retry 1 -o out {o}/raw/flaky"),
        row("--retry 2 --retry-delay 1 {o}/raw/later"),
        row("--retry 0 {o}/raw/flaky"),
        row("--retry 1 {o}/raw/torn"),
        row("--retry 1 --retry-all-errors -o out {o}/raw/torn"),
        row("--retry 1 {closed}/"),
        row("--retry 1 --retry-connrefused {closed}/"),
        row("--retry 1 {o}/status/404"),
        row("--retry 1 {o}/status/503"),
        row("--retry 1 -f {o}/status/504 -w '%{http_code} %{exitcode}'"),
        row("--retry 1 -m 0.3 {o}/delay/60000"),
        row("--retry x {o}/bytes/1"),
    ]);
}
