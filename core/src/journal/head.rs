//! The settings at the head of a journal: everything that decides, and nothing else.

use super::error::Wrong;
use super::text::{Fields, Part};
use crate::upstream::{Cluster, Config, Profile, Protocols};
use crate::{eyeballs, limits, pool, race};

/// Writes the lines of `config`.
pub(super) fn write(config: &Config, out: &mut String) {
    let Config {
        seed,
        clusters,
        profiles,
        max_sockets,
        max_handshakes,
        max_pools,
        pool_idle_timeout,
        address_lifetime,
        burst,
        alternatives,
        // How many records are kept decides nothing.
        records: _,
    } = config;
    out.push_str("upstream");
    (clusters.len() as u64).put("clusters", out);
    (profiles.len() as u64).put("profiles", out);
    seed.put("seed", out);
    max_sockets.put("max_sockets", out);
    max_handshakes.put("max_handshakes", out);
    max_pools.put("max_pools", out);
    pool_idle_timeout.put("pool_idle_timeout", out);
    address_lifetime.put("address_lifetime", out);
    burst.put("burst", out);
    out.push('\n');
    for cluster in clusters {
        // Its name is for people, and decides nothing.
        let Cluster { name: _, limits, limits_high, pool, eyeballs, race: _ } = cluster;
        line("limits", limits, out);
        line("limits-high", limits_high, out);
        line("pool", pool, out);
        line("eyeballs", eyeballs, out);
    }
    for profile in profiles {
        line("profile", profile, out);
    }
    // Without such a profile they decide nothing.
    if profiles.iter().any(races) {
        line("alternatives", alternatives, out);
        for cluster in clusters {
            line("race", &cluster.race, out);
        }
    }
}

/// Whether its connections are raced for by QUIC and TCP.
fn races(profile: &Profile) -> bool {
    profile.protocols == Protocols::AutoHttp3
}

fn line(word: &str, part: &impl Part, out: &mut String) {
    out.push_str(word);
    part.put(word, out);
    out.push('\n');
}

/// Reads them, line by line.
#[derive(Debug)]
pub(super) struct Head {
    config: Config,
    clusters: u64,
    profiles: u64,
    next: Next,
}

/// Which line comes next.
#[derive(Debug)]
enum Next {
    Upstream,
    Limits,
    LimitsHigh(limits::Config),
    Pool(limits::Config, limits::Config),
    Eyeballs(Box<(limits::Config, limits::Config, pool::Config)>),
    Profile,
    Alternatives,
    /// Of the cluster of this number.
    Race(usize),
    Nothing,
}

impl Head {
    pub(super) fn new() -> Self {
        let config =
            Config { clusters: Vec::new(), profiles: Vec::new(), records: 0, ..Config::default() };
        Self { config, clusters: 0, profiles: 0, next: Next::Upstream }
    }

    /// Takes a line in; gives the settings with the last one.
    pub(super) fn line(&mut self, text: &str) -> Result<Option<Config>, Wrong> {
        let (word, fields) = Fields::of(text);
        self.next = match core::mem::replace(&mut self.next, Next::Nothing) {
            Next::Upstream => {
                self.upstream(word, fields)?;
                self.after_cluster()
            }
            Next::Limits => Next::LimitsHigh(part("limits", word, fields)?),
            Next::LimitsHigh(limits) => Next::Pool(limits, part("limits-high", word, fields)?),
            Next::Pool(limits, high) => {
                Next::Eyeballs(Box::new((limits, high, part("pool", word, fields)?)))
            }
            Next::Eyeballs(parts) => {
                let (limits, limits_high, pool) = *parts;
                let eyeballs: eyeballs::Config = part("eyeballs", word, fields)?;
                let name = String::new();
                let race = race::Config::default();
                let cluster = Cluster { name, limits, limits_high, pool, eyeballs, race };
                self.config.clusters.push(cluster);
                self.after_cluster()
            }
            Next::Profile => {
                let profile: Profile = part("profile", word, fields)?;
                self.config.profiles.push(profile);
                self.after_profile()
            }
            Next::Alternatives => {
                self.config.alternatives = part("alternatives", word, fields)?;
                self.before_race(0)
            }
            Next::Race(at) => {
                if let Some(cluster) = self.config.clusters.get_mut(at) {
                    cluster.race = part("race", word, fields)?;
                }
                self.before_race(at + 1)
            }
            Next::Nothing => Next::Nothing,
        };
        let is_whole = matches!(self.next, Next::Nothing);
        Ok(is_whole.then(|| core::mem::take(&mut self.config)))
    }

    fn upstream(&mut self, word: &str, mut fields: Fields<'_>) -> Result<(), Wrong> {
        must_be("upstream", word)?;
        self.clusters = Part::take("clusters", &mut fields)?;
        self.profiles = Part::take("profiles", &mut fields)?;
        self.config.seed = Part::take("seed", &mut fields)?;
        self.config.max_sockets = Part::take("max_sockets", &mut fields)?;
        self.config.max_handshakes = Part::take("max_handshakes", &mut fields)?;
        self.config.max_pools = Part::take("max_pools", &mut fields)?;
        self.config.pool_idle_timeout = Part::take("pool_idle_timeout", &mut fields)?;
        self.config.address_lifetime = Part::take("address_lifetime", &mut fields)?;
        self.config.burst = Part::take("burst", &mut fields)?;
        fields.end()
    }

    fn after_cluster(&self) -> Next {
        let is_last = self.config.clusters.len() as u64 >= self.clusters;
        if is_last { self.after_profile() } else { Next::Limits }
    }

    fn after_profile(&self) -> Next {
        if (self.config.profiles.len() as u64) < self.profiles {
            Next::Profile
        } else if self.config.profiles.iter().any(races) {
            Next::Alternatives
        } else {
            Next::Nothing
        }
    }

    fn before_race(&self, at: usize) -> Next {
        if at < self.config.clusters.len() { Next::Race(at) } else { Next::Nothing }
    }
}

fn part<T: Part>(name: &'static str, word: &str, mut fields: Fields<'_>) -> Result<T, Wrong> {
    must_be(name, word)?;
    let part = T::take(name, &mut fields)?;
    fields.end()?;
    Ok(part)
}

fn must_be(name: &str, word: &str) -> Result<(), Wrong> {
    if word == name {
        return Ok(());
    }
    Err(Wrong::line(format!("the settings of {name}"), word))
}
