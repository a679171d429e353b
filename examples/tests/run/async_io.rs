//! The clients on async-std and smol.

use super::peers::hyper;
use super::program::{dead_port, run};

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

#[test]
fn a_url_is_got_from_a_server_of_others() {
    let url = format!("{}/big", hyper());
    for example in ["async_std_client", "smol_client"] {
        let out = run(example, &[&url]).well();
        let expected = format!("GET {url}: 200 OK, HTTP/1.1, 3145728 bytes");
        assert!(out.starts_with(&expected), "{example}: {out}");
    }
}

#[test]
fn failures_are_one_sentence() {
    let (busy, dead) = (format!("{}/busy", hyper()), format!("http://127.0.0.1:{}", dead_port()));
    for example in ["async_std_client", "smol_client"] {
        let said = run(example, &[&busy]).failed();
        assert_eq!(said, format!("{busy} answered 503 Service Unavailable"), "{example}");
        let said = run(example, &[&dead]).failed();
        let expected = format!("cannot connect to {dead}: connection refused");
        assert!(said.starts_with(&expected), "{example}: {said}");
    }
}
