//! Scenarios: a world, servers, a client's policy, a workload and what must come of it, written
//! in TOML. The repository's docs/scenarios.md has every field.

mod asking;
mod board;
mod build;
mod check;
mod document;
pub mod expect;
pub mod format;
mod logs;
pub mod metric;
mod nearest;
mod outcome;
mod plan;
mod serving;
mod troubles;
pub mod units;
mod zeros;

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::engine::qlog::Sink;

pub use document::{Mistake, Setting};
use format::File;
pub use outcome::{Asked, End, Outcome};

use crate::executor::{Net, Stuck};
use crate::net::pcap::Pcap;
use board::Board;
use document::Document;
use logs::Logs;
use plan::Plan;

/// A scenario that makes sense.
#[derive(Clone, Debug)]
pub struct Scenario {
    file: File,
    settings: Vec<Setting>,
    plan: Plan,
}

impl Scenario {
    /// Reads `text`, the content of the file `name`, with the fields of `settings` changed.
    pub fn read(name: &str, text: &str, settings: &[Setting]) -> Result<Self, Mistake> {
        let document = Document::parse(name, text, settings)?;
        let file = document.file()?;
        let checked = check::check(&file).and_then(|()| Plan::of(&file));
        let plan = checked.map_err(|(path, says)| document.mistake(&path, says))?;
        Ok(Self { file, settings: settings.to_vec(), plan })
    }

    /// What its file says.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// What was changed in it.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Runs it once with this seed.
    pub fn run(&self, seed: u64) -> Outcome {
        self.run_on(&Net::seeded(seed), seed)
    }

    /// What a packet analyser at the client sees of a run with this seed: a pcap file.
    pub fn pcap(&self, seed: u64) -> Vec<u8> {
        let (net, pcap) = (Net::seeded(seed), Pcap::new());
        let client = plan::host_of(&self.file, "client.host", &self.file.client.host);
        net.tap(pcap.tap(client.ok()));
        self.run_on(&net, seed);
        pcap.file()
    }

    /// The qlog of a run with this seed: by its name, the file of each QUIC connection of the
    /// client and the servers.
    pub fn qlog(&self, seed: u64) -> BTreeMap<String, String> {
        let logs = Logs::default();
        self.run_logged(&Net::seeded(seed), seed, Some(&logs.sink()));
        // Connections gave their last records away when the net was dropped.
        logs.take()
    }

    /// Runs it on a net that has nothing in it yet.
    pub fn run_on(&self, net: &Net, seed: u64) -> Outcome {
        self.run_logged(net, seed, None)
    }

    fn run_logged(&self, net: &Net, seed: u64, qlog: Option<&Arc<dyn Sink>>) -> Outcome {
        let hosts = build::world(net, &self.plan);
        let board = Board::default();
        let until = Instant::EPOCH + self.file.duration.0;
        let (mut client, mut failed) = (None, None);
        let ran = net.run_until(
            until,
            async {
                match build::start(&hosts, &self.file, &board, qlog, seed).await {
                    Ok(started) => client = Some(started),
                    Err(error) => failed = Some(error),
                }
                board.done().await;
            },
            || {},
        );
        let (digest, steps) = net.steps(|steps| (steps.digest(), steps.count()));
        Outcome {
            seed,
            loads: self.file.load.keys().cloned().collect(),
            asked: board.take(),
            counters: outcome::counters(client.map(|client| client.stats()).as_ref()),
            ended: net.now(),
            failed: failed.map(|error| error.to_string()).or_else(|| trouble(ran.err())),
            digest,
            steps,
        }
    }
}

/// What a run could not go on for; that its time was up is none.
fn trouble(stuck: Option<Stuck>) -> Option<String> {
    stuck.filter(|stuck| !matches!(stuck, Stuck::TimeIsUp { .. })).map(|stuck| stuck.to_string())
}

/// All combinations of the values of a sweep, the last field the fastest. One that is empty when
/// nothing is swept.
pub fn combinations(sweep: &[(String, Vec<String>)]) -> Vec<Vec<Setting>> {
    let mut all = vec![Vec::new()];
    for (path, values) in sweep {
        all = all
            .iter()
            .flat_map(|before: &Vec<Setting>| {
                values.iter().map(|value| {
                    let mut settings = before.clone();
                    settings.push((path.clone(), value.clone()));
                    settings
                })
            })
            .collect();
    }
    all
}

/// Virtual time in seconds, for people.
pub fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

#[cfg(test)]
mod tests;
