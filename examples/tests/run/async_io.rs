//! The clients on async-std and smol.

use super::program::run;

#[test]
fn eight_requests_at_once_share_a_connection_on_async_std() {
    let out = run("async_std_client", &[]).well();
    for n in 1..=8 {
        let words = format!("/{n}: 200 OK, HTTP/2.0, 17 bytes\n");
        assert!(out.contains(&words), "no {words:?}:\n{out}");
    }
    assert!(out.contains("\nupstream_rq_completed: 8\n"), "{out}");
    assert!(out.contains("\nupstream_cx_total: 1\n"), "{out}");
}

#[test]
fn a_request_is_given_up_on_smol() {
    let out = run("smol_client", &[]).well();
    assert_eq!(out.matches("/bytes: 200 OK, HTTP/1.1, 1048576 bytes in ").count(), 2, "{out}");
    assert!(out.contains("/never: given up after 100 ms\n"), "{out}");
    assert!(out.contains("\nupstream_rq_cancelled: 1\n"), "{out}");
    // Over HTTP/1.1 the one that was given up took its connection with it.
    assert!(out.contains("\nupstream_cx_total: 2\n"), "{out}");
}
