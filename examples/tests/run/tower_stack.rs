//! The client under tower's layers.

use super::program::run;

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
    assert!(out.contains("13 requests were made\n"), "{out}");
}
