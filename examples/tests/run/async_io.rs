//! The clients on async-std and smol.

use super::program::{run, tells};

#[test]
fn eight_requests_at_once_share_a_connection_on_async_std() {
    let out = run("async_std_client", &[]).well();
    for n in 1..=8 {
        let words = format!("/{n}: 200 OK, HTTP/2.0, 17 bytes\n");
        assert!(out.contains(&words), "no {words:?}:\n{out}");
    }
    assert!(tells(&out, "8 requests were completed"), "{out}");
    assert!(tells(&out, "1 connections were begun"), "{out}");
}

#[test]
fn a_request_is_given_up_on_smol() {
    let out = run("smol_client", &[]).well();
    assert_eq!(out.matches("/bytes: 200 OK, HTTP/1.1, 1048576 bytes in ").count(), 2, "{out}");
    assert!(out.contains("/never: given up after 100 ms\n"), "{out}");
    assert!(tells(&out, "1 requests were given up by their callers"), "{out}");
    // Over HTTP/1.1 the one that was given up took its connection with it.
    assert!(tells(&out, "2 connections were begun"), "{out}");
}
