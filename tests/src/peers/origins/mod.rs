//! Other people's servers as origins of `regatta get`. What must hold is one table
//! ([`facts::TABLE`]), run against every peer in every way that it can be reached; what a peer
//! cannot do is named beside its configuration, with the reason ([`Peer::lacks`]).

/// The tests of a peer; each starts its own, so that they run beside one another.
macro_rules! tests_of {
    ($name:ident, $peer:path) => {
        mod $name {
            use super::super::{facts, life};
            use super::*;

            #[test]
            fn serves() {
                facts::hold(&$peer);
            }

            #[test]
            fn keeps_its_limits() {
                life::keeps_its_limits(&$peer);
            }

            #[test]
            fn dies_in_the_middle() {
                life::dies_in_the_middle(&$peer);
            }

            #[test]
            fn closes_idle_connections() {
                life::closes_idle_connections(&$peer);
            }

            #[test]
            fn reloads_under_load() {
                life::reloads_under_load(&$peer);
            }

            #[test]
            fn ends_what_is_under_way() {
                life::ends_what_is_under_way(&$peer);
            }
        }
    };
}

mod aioquic;
mod apache;
mod caddy;
mod envoy;
mod facts;
mod haproxy;
mod life;
mod nghttpd;
mod nghttpx;
mod nginx;
mod page;
mod qpack;
mod site;

use std::path::Path;
use std::process::Command;

use site::{Served, Settings, Site, Way};

/// A command, and the ports that it then listens on.
type Start = (Command, Vec<u16>);

/// A program that serves HTTP, and how it is told to.
struct Peer {
    name: &'static str,
    /// What is looked for in PATH.
    program: &'static str,
    /// Another program that it cannot do without.
    behind: Option<&'static str>,
    ways: &'static [Way],
    /// Names of facts that it cannot show, and why.
    lacks: &'static [(&'static str, &'static str)],
    /// Writes its configuration and says how it is started.
    commands: fn(&Path, &Site, &Settings) -> Vec<Start>,
    /// Makes it take these new settings while it serves.
    reload: fn(&Path, &Served, &Settings),
    /// The signal that lets it finish what is under way, then end.
    stop: &'static str,
    /// The one that ends it at once, whatever is under way, and all processes that it has.
    end: &'static str,
}

impl Peer {
    /// Whether it shows this fact; if not, says why.
    fn shows(&self, fact: &str) -> bool {
        let lacks = self.lacks(fact);
        if let Some(why) = lacks {
            println!("left out: {}: {fact}: {why}", self.name);
        }
        lacks.is_none()
    }

    /// Why it does not show this fact.
    fn lacks(&self, fact: &str) -> Option<&'static str> {
        self.lacks.iter().find(|(name, _)| *name == fact).map(|(_, why)| *why)
    }
}

/// Every peer over HTTP/3.
const PEERS3: [&Peer; 6] =
    [&nginx::HTTP3, &haproxy::HTTP3, &envoy::HTTP3, &caddy::HTTP3, &nghttpx::PEER, &aioquic::PEER];

/// Every peer over TCP.
const PEERS: [&Peer; 6] =
    [&nginx::PEER, &apache::PEER, &haproxy::PEER, &envoy::PEER, &caddy::PEER, &nghttpd::PEER];
