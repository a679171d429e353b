//! What a scenario's file may say.

pub mod policy;
pub mod service;
pub mod trouble;
pub mod work;
pub mod world;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::units::{Plain, Time};

/// A whole scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What it shows, in one line.
    pub about: String,
    /// The first seed.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Virtual time after which the run is over, whatever is still under way.
    pub duration: Time,
    /// Hosts by name.
    pub host: BTreeMap<String, world::Host>,
    /// Links by name.
    #[serde(default)]
    pub link: BTreeMap<String, world::Link>,
    /// The firewall between all hosts.
    #[serde(default)]
    pub rule: BTreeMap<String, world::Rule>,
    /// Names that can be looked up.
    #[serde(default)]
    pub dns: BTreeMap<String, world::Name>,
    /// What goes wrong, by name.
    #[serde(default)]
    pub fault: BTreeMap<String, trouble::Fault>,
    /// Servers by name.
    #[serde(default)]
    pub server: BTreeMap<String, service::Server>,
    /// Who asks.
    pub client: policy::Client,
    /// What is asked for, by name.
    pub load: BTreeMap<String, work::Load>,
    /// What must hold.
    #[serde(default)]
    pub expect: work::Expect,
    /// Fields and the values that each takes in turn.
    #[serde(default)]
    pub sweep: BTreeMap<String, Vec<Plain>>,
}

const fn seed() -> u64 {
    1
}
