//! The client on tokio.

use super::peers::hyper;
use super::program::{dead_port, run};

#[test]
fn the_tour_shows_an_answer_a_stream_a_time_limit_and_a_failure() {
    let out = run("tokio_client", &[]).well();
    let all = [
        "/hello: 200 OK, HTTP/1.1\n  on a connection that is new\n  16 bytes\n",
        "/echo: 200 OK\n  1000 lines were sent one by one, 8893 bytes came back\n",
        "the request's time limit passed while waiting for the complete response\n",
        "failed, as it should: cannot connect to http://localhost:",
        "upstream_rq: 4\n",
        "upstream_rq_completed: 2\n",
        "upstream_rq_timeout: 1\n",
        "upstream_cx_connect_fail: 1\n",
    ];
    for words in all {
        assert!(out.contains(words), "no {words:?}:\n{out}");
    }
}

#[test]
fn a_url_is_got_from_a_server_of_others() {
    let url = format!("{}/big", hyper());
    let out = run("tokio_client", &[&url]).well();
    assert!(out.starts_with(&format!("GET {url}: 200 OK, HTTP/1.1\n")), "{out}");
    assert!(out.contains("\n  3145728 bytes\n"), "{out}");
}

#[test]
fn failures_are_one_sentence() {
    let busy = format!("{}/busy", hyper());
    let said = run("tokio_client", &[&busy]);
    assert_eq!(said.failed(), format!("{busy} answered 503 Service Unavailable"));
    let dead = format!("http://127.0.0.1:{}", dead_port());
    let said = run("tokio_client", &[&dead]).failed();
    assert!(said.starts_with(&format!("cannot connect to {dead}: connection refused")), "{said}");
    let said = run("tokio_client", &["example.org"]).failed();
    assert_eq!(said, "the request cannot be sent: the URI example.org is not absolute");
}
