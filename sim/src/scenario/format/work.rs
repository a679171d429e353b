//! What is asked for.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::scenario::units::{Bytes, Range, Rate, Time};

/// `[load.NAME]`: requests of one kind.
///
/// With `users` it is a closed loop, in which each user asks again when it has been answered;
/// with `rate` an open one, in which requests come whatever happens to those before. With
/// neither, all come at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Where to, as the beginning of a URL, and how often beside the others.
    pub origins: BTreeMap<String, u32>,
    /// When it begins.
    #[serde(default)]
    pub start: Time,
    /// How many requests.
    pub requests: Option<u32>,
    /// How long it goes on asking.
    pub lasts: Option<Time>,
    /// Requests in a second.
    pub rate: Option<f64>,
    /// How those of a rate are spread.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// How many users.
    pub users: Option<u32>,
    /// How long a user waits between an answer and its next request.
    #[serde(default)]
    pub think: Range<Time>,
    /// Methods, and how often each beside the others.
    #[serde(default = "get")]
    pub methods: BTreeMap<String, u32>,
    /// Bytes of a request's body.
    #[serde(default)]
    pub up: Range<Bytes>,
    /// Bytes of an answer's body.
    #[serde(default)]
    pub down: Range<Bytes>,
    /// How long a request may take in all.
    pub deadline: Option<Time>,
    /// How fast an answer's body is read; as fast as it comes.
    pub read_rate: Option<Rate>,
}

/// How the requests of an open loop are spread.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Fixed,
    /// Independent of each other: the distances are exponential.
    Poisson,
}

/// `[expect]`: what must hold of every run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Conditions that hold.
    #[serde(default)]
    pub holds: Vec<crate::scenario::expect::Condition>,
    /// Conditions that are a goal and do not hold yet. One that holds belongs above.
    #[serde(default)]
    pub unmet: Vec<crate::scenario::expect::Condition>,
}

fn get() -> BTreeMap<String, u32> {
    BTreeMap::from([("GET".to_owned(), 1)])
}
