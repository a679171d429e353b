//! docs/peers.md says what every peer shows, and why it does not show the rest.

use std::fs;
use std::path::Path;

use super::{PEERS, facts, life};

/// Begins the part of the page that is made of the tables.
const MARK: &str = "<!-- made of tests/src/peers/origins; REGATTA_BLESS=1 writes it again -->\n";

#[test]
fn the_page_says_what_is_tested() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/peers.md");
    let page = fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(MARK).expect("the page has the mark");
    let (_, after) = rest.split_once(MARK).expect("the page has the mark twice");
    let made = format!("{before}{MARK}{}{MARK}{after}", tables());
    if std::env::var_os("REGATTA_BLESS").is_some() {
        fs::write(file, made).unwrap();
    } else {
        assert!(page == made, "docs/peers.md is old: REGATTA_BLESS=1 writes it again");
    }
}

/// Every fact's name.
fn names() -> Vec<&'static str> {
    facts::TABLE.iter().map(|fact| fact.name).chain(life::NAMES).collect()
}

fn tables() -> String {
    let heads: String = PEERS.iter().map(|peer| format!(" {} |", peer.name)).collect();
    let mut text = format!("\n| |{heads}\n| --- |{}\n", " --- |".repeat(PEERS.len()));
    for name in names() {
        let cells =
            PEERS.iter().map(|peer| if peer.lacks(name).is_some() { " - |" } else { " yes |" });
        text += &format!("| {name} |{}\n", cells.collect::<String>());
    }
    text += "\n";
    for peer in PEERS {
        for (name, why) in peer.lacks {
            text += &format!("- {}, {name}: {why}.\n", peer.name);
        }
    }
    text + "\n"
}

#[test]
fn what_is_lacking_is_a_fact() {
    let names = names();
    for peer in PEERS {
        for (name, _) in peer.lacks {
            assert!(names.contains(name), "{}: there is no fact called {name}", peer.name);
        }
    }
}
