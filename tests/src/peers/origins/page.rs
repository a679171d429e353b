//! docs/peers.md says what every peer shows, and why it does not show the rest.

use std::fs;
use std::path::Path;

use super::site::Way;
use super::{PEERS, PEERS3, Peer, facts, life};

/// Begins the part of the page that is made of the tables.
const MARK: &str = "<!-- made of tests/src/peers/origins; REGATTA_BLESS=1 writes it again -->\n";

#[test]
fn the_page_says_what_is_tested() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/peers.md");
    let page = fs::read_to_string(&file).unwrap();
    let parts: Vec<&str> = page.split(MARK).collect();
    let [before, _, between, _, after] = parts[..] else { panic!("the page has the mark 4 times") };
    let [tcp, quic] = [&PEERS, &PEERS3].map(|peers| tables(peers));
    let made = [before, &tcp, between, &quic, after].join(MARK);
    if std::env::var_os("REGATTA_BLESS").is_some() {
        fs::write(file, made).unwrap();
    } else {
        assert!(page == made, "docs/peers.md is old: REGATTA_BLESS=1 writes it again");
    }
}

/// The name of every fact that there is on one of these ways.
fn names(peers: &[&Peer]) -> Vec<&'static str> {
    let has = |on: fn(Way) -> bool| peers.iter().any(|peer| peer.ways.iter().any(|way| on(*way)));
    let facts = facts::TABLE.iter().map(|fact| (fact.name, fact.on));
    facts.chain(life::NAMES).filter(|(_, on)| has(*on)).map(|(name, _)| name).collect()
}

fn tables(peers: &[&Peer]) -> String {
    let heads: String = peers.iter().map(|peer| format!(" {} |", peer.name)).collect();
    let mut text = format!("\n| |{heads}\n| --- |{}\n", " --- |".repeat(peers.len()));
    for name in names(peers) {
        let cells =
            peers.iter().map(|peer| if peer.lacks(name).is_some() { " - |" } else { " yes |" });
        text += &format!("| {name} |{}\n", cells.collect::<String>());
    }
    text += "\n";
    for peer in peers {
        for (name, why) in peer.lacks {
            text += &format!("- {}, {name}: {why}.\n", peer.name);
        }
    }
    text + "\n"
}

#[test]
fn what_is_lacking_is_a_fact() {
    let all = [&PEERS, &PEERS3].map(|peers| (names(peers), peers));
    for (names, peer) in all.iter().flat_map(|(names, peers)| peers.map(|peer| (names, peer))) {
        for (name, _) in peer.lacks {
            assert!(names.contains(name), "{}: there is no fact called {name}", peer.name);
        }
    }
}
