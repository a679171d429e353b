//! The client under tower's layers.

use super::peers::hyper;
use super::program::{dead_port, run};

/// Two busy answers and one that never comes are gone over; four are too many.
#[test]
fn the_layers_try_again_and_give_up() {
    let out = run("tower_stack", &[]).well();
    let answers = "\
        /busy-twice: 200 OK, b\"here you are\"\n\
        /asleep-once: 200 OK, b\"here you are\"\n\
        /always-busy: 503 Service Unavailable, b\"try later\"\n\
        /never: no try was in time\n";
    assert!(out.starts_with(answers), "{out}");
    // 3 + 2 + 4 + 4, each a request of its own to the client.
    assert!(out.contains("\nupstream_rq: 13\n"), "{out}");
}

#[test]
fn a_url_is_got_from_a_server_of_others() {
    let url = format!("{}/hello", hyper());
    let out = run("tower_stack", &[&url]).well();
    assert!(out.starts_with(&format!("GET {url}: 200 OK, 16 bytes\n")), "{out}");
}

#[test]
fn failures_are_one_sentence() {
    let busy = format!("{}/busy", hyper());
    let said = run("tower_stack", &[&busy]);
    assert_eq!(said.failed(), format!("{busy} answered 503 Service Unavailable"));
    let dead = format!("http://127.0.0.1:{}", dead_port());
    let said = run("tower_stack", &[&dead]).failed();
    assert!(said.starts_with(&format!("cannot connect to {dead}: connection refused")), "{said}");
}
