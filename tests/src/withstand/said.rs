//! What `regatta get` says of the faults: one sentence and curl's exit code for each, then the
//! next URL is served, and little memory was used.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;

use regatta_runtime::{Listener as _, Runtime as _};
use regatta_tokio::Tokio;
use tokio::process::Command;

use super::fault::{Comes, Fault, Way, serve};
use super::{http1, http2};
use crate::dsl::run_for;
use crate::peers::program::regatta;
use crate::serve::ANY;

/// How long all faults of a test may take; a program is started for each.
const PATIENCE: Duration = Duration::from_secs(150);

/// More than a fault may cost, in KiB, beside what good answers cost.
const MOST: u64 = 8 << 10;

/// The most memory that a process has held so far, in KiB (Linux; 0 elsewhere).
pub(super) fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

/// What came of every URL, and the most memory held when the last was asked for, in KiB.
async fn asked(fault: &Fault) -> (Vec<String>, u64) {
    let runtime = Tokio::new();
    let listener = runtime.listen(ANY.into()).await.unwrap();
    let url = format!("http://{}/", listener.local_address().unwrap());
    let mut command = Command::new(regatta());
    command.args(["get", "-sS", "-w", "%{exitcode} %{errormsg}\\n"]).kill_on_drop(true);
    command.args(if fault.way == Way::Http2 { &["--http2-prior-knowledge"][..] } else { &[] });
    command.args(if fault.posts { &["-d", "x"][..] } else { &[] });
    if let Some(limit) = fault.limit {
        command.args(["-m", &limit.as_secs().to_string()]);
    }
    for _ in 0..fault.before + 2 {
        command.args(["-o", "/dev/null", &url]);
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let (most, process) = (Arc::new(AtomicU64::new(0)), child.id().unwrap());
    let note = Arc::clone(&most);
    let serving = tokio::spawn(serve(runtime, listener, fault.clone(), move || {
        note.fetch_max(most_memory(process), Ordering::Relaxed);
    }));
    let output = child.wait_with_output().await.unwrap();
    serving.abort();
    let said = String::from_utf8(output.stdout).unwrap();
    let said = said.lines().map(|line| line.trim().replace(url.trim_end_matches('/'), "{o}"));
    (said.collect(), most.load(Ordering::Relaxed))
}

fn all(faults: Vec<Fault>) {
    // Built before the clock runs.
    regatta();
    run_for(PATIENCE, async {
        let quiet = Fault::new(Way::Http1, "nothing", Vec::new(), Comes::Well);
        let (said, base) = asked(&Fault { bad: 0, ..quiet }).await;
        assert_eq!(said, ["0", "0"]);
        let mut wrong = Vec::new();
        for fault in faults {
            let (said, most) = asked(&fault).await;
            let name = format!("{:?}, {}", fault.way, fault.name);
            let expected = match fault.comes {
                Comes::Well => "0".to_owned(),
                Comes::Fails(code, says) => format!("{code} {{o}}: {says}"),
            };
            let before = vec!["0".to_owned(); fault.before as usize];
            let expected = [before, vec![expected, "0".to_owned()]].concat();
            if said != expected {
                wrong.push(format!("{name}: expected {expected:?}, came {said:?}"));
            }
            let grown = most.saturating_sub(base);
            println!("{name}: {most} KiB at most, {grown} more than without it");
            assert!(grown < MOST, "{name} costs {grown} KiB");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn http1_faults() {
    all(http1::faults());
}

#[test]
fn http2_faults() {
    all(http2::faults());
}

#[test]
fn silences() {
    all([http1::silences(), http2::silences()].concat());
}
