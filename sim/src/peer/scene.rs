//! What all servers of a run share: the script, the log, and when the world is healed.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

use http::Method;

use super::plan::Answer;
use crate::watched::Watched;

/// One request as servers must know it.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its method.
    pub method: Method,
    /// Bytes of its body.
    pub upload: usize,
    /// How it is answered.
    pub answer: Answer,
    /// The name of its origin.
    pub origin: &'static str,
    /// Whether its client races QUIC against TCP.
    pub races: bool,
    /// Whether that may have found the way by HTTPS records, of which Alt-Used does not speak.
    pub asks_dns: bool,
}

/// What servers saw of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// How often a server has acted on it.
    pub processed: u32,
    /// How often its whole body came, and was right.
    pub complete: u32,
    /// How often an answer was begun.
    pub answered: u32,
    /// How often it came to a server whose certificate is not the origin's, or not valid.
    pub misled: u32,
    /// How often Alt-Used was what it must be.
    pub alt_used: u32,
    /// How often it was not.
    pub alt_misused: u32,
}

/// What all servers of a run share.
#[derive(Debug)]
pub struct Scene {
    scripts: Vec<Script>,
    on_the_spot: bool,
    http3: bool,
    elsewhere: Vec<(&'static str, Vec<IpAddr>)>,
    state: Watched<State>,
}

#[derive(Debug, Default)]
struct State {
    fates: Vec<Fate>,
    healed: BTreeSet<IpAddr>,
    stopped: bool,
    met: BTreeMap<(&'static str, &'static str), u64>,
    wrong: Option<String>,
    accepted: u64,
    /// What servers got: requests and bytes of their bodies.
    moved: u64,
}

impl Scene {
    /// A scene with these requests.
    pub fn new(scripts: Vec<Script>) -> Self {
        let state = State { fates: vec![Fate::default(); scripts.len()], ..State::default() };
        let elsewhere = Vec::new();
        Self { scripts, on_the_spot: false, http3: false, elsewhere, state: Watched::new(state) }
    }

    /// Answers are made on the spot: only their status and length are the scripts'.
    #[must_use]
    pub const fn on_the_spot(mut self, yes: bool) -> Self {
        self.on_the_spot = yes;
        self
    }

    /// Healed servers speak HTTP/3 too.
    #[must_use]
    pub const fn with_http3(mut self, yes: bool) -> Self {
        self.http3 = yes;
        self
    }

    /// Names that are no origin's, with their addresses: where alternatives may be.
    #[must_use]
    pub fn with_elsewhere(mut self, elsewhere: Vec<(&'static str, Vec<IpAddr>)>) -> Self {
        self.elsewhere = elsewhere;
        self
    }

    /// The name that is no origin's and has this address.
    pub fn elsewhere(&self, address: IpAddr) -> Option<&'static str> {
        let mut names = self.elsewhere.iter();
        names.find(|(_, addresses)| addresses.contains(&address)).map(|(name, _)| *name)
    }

    /// Whether healed servers speak HTTP/3 too.
    pub const fn has_http3(&self) -> bool {
        self.http3
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What is to be done with request `n`.
    pub fn script(&self, n: usize) -> Option<&Script> {
        self.scripts.get(n)
    }

    /// Whether how an answer comes is drawn when its request has come.
    pub const fn is_on_the_spot(&self) -> bool {
        self.on_the_spot
    }

    /// Notes something of a request.
    pub fn note(&self, n: usize, change: impl FnOnce(&mut Fate)) {
        let mut state = self.lock();
        state.moved += 1;
        if let Some(fate) = state.fates.get_mut(n) {
            change(fate);
        }
    }

    /// A server got so many bytes of a body.
    pub fn moves(&self, bytes: usize) {
        self.lock().moved += bytes as u64;
    }

    /// How much servers got so far; while it grows the run goes on.
    pub fn moved(&self) -> u64 {
        self.lock().moved
    }

    /// What servers saw of request `n`.
    pub fn fate(&self, n: usize) -> Fate {
        self.lock().fates.get(n).copied().unwrap_or_default()
    }

    /// Something that must be met sometimes was met.
    pub fn meet(&self, group: &'static str, item: &'static str) {
        *self.lock().met.entry((group, item)).or_insert(0) += 1;
    }

    /// What was met, and how often.
    pub fn met(&self) -> Vec<((&'static str, &'static str), u64)> {
        self.lock().met.iter().map(|(what, times)| (*what, *times)).collect()
    }

    /// A server saw what cannot be.
    pub fn complain(&self, text: String) {
        self.lock().wrong.get_or_insert(text);
    }

    /// The first thing that a server saw and that cannot be.
    pub fn complaint(&self) -> Option<String> {
        self.lock().wrong.clone()
    }

    /// A connection was accepted.
    pub fn accept(&self) {
        self.lock().accepted += 1;
    }

    /// How many connections were accepted.
    pub fn accepted(&self) -> u64 {
        self.lock().accepted
    }

    /// From now on an honest server listens at this address.
    pub fn heal(&self, address: IpAddr) {
        self.state.change(|state| {
            state.healed.insert(address);
        });
    }

    /// Whether an address was healed.
    pub fn is_healed(&self, address: IpAddr) -> bool {
        self.lock().healed.contains(&address)
    }

    /// The run is over: all servers end.
    pub fn stop(&self) {
        self.state.change(|state| state.stopped = true);
    }

    /// Whether the run is over.
    pub fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Ends when this address is healed or the run is over.
    pub async fn changed(&self, address: IpAddr) {
        self.state.until(|state| state.stopped || state.healed.contains(&address)).await;
    }

    /// Ends when the run is over.
    pub async fn over(&self) {
        self.state.until(|state| state.stopped).await;
    }
}
