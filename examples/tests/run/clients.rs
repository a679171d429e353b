//! What every client of the examples does alike, whatever it runs on.

use super::nginx::{BIG, Nginx};
use super::origin::{Origin, Trust};
use super::peers::hyper;
use super::program::{dead_port, run, run_trusting, tells};
use regatta_core::types::Protocol;

const CLIENTS: [&str; 5] =
    ["tokio_client", "tower_stack", "async_std_client", "smol_client", "custom_runtime"];

#[test]
fn a_url_is_got_from_a_server_of_others() {
    let url = format!("{}/big", hyper());
    for client in CLIENTS {
        let out = run(client, &[&url]).well();
        assert!(out.starts_with(&format!("GET {url}: 200 OK")), "{client}: {out}");
        assert!(out.contains("3145728 bytes"), "{client}: {out}");
    }
}

/// Over TLS, where ALPN chooses HTTP/2.
#[test]
fn a_url_is_got_from_nginx() {
    let trust = Trust::new();
    let Some(nginx) = Nginx::start(&trust) else { return };
    let url = format!("https://localhost:{}/big", nginx.tls);
    for client in CLIENTS {
        let out = run_trusting(&trust.ca(), client, &[&url]).well();
        assert!(out.starts_with(&format!("GET {url}: 200 OK")), "{client}: {out}");
        assert!(out.contains(&format!("{BIG} bytes")), "{client}: {out}");
        assert!(tells(&out, "1 connections spoke HTTP/2"), "{client}: {out}");
    }
}

/// Each failure is one sentence that says what happened where.
#[test]
fn failures_are_one_sentence() {
    let busy = format!("{}/busy", hyper());
    let dead = format!("http://127.0.0.1:{}", dead_port());
    let origin = Origin::tls(&Trust::new(), &[Protocol::Http1]);
    let unknown = format!("https://localhost:{}", origin.port());
    let all = [
        (busy.as_str(), format!("{busy} answered 503 Service Unavailable")),
        (dead.as_str(), format!("cannot connect to {dead}: connection refused, nobody listens")),
        (
            unknown.as_str(),
            format!("cannot connect to {unknown}: TLS failed, the certificate's issuer is not"),
        ),
        (
            "example.org",
            "the request cannot be sent: the URI example.org is not absolute".to_owned(),
        ),
    ];
    for client in CLIENTS {
        for (url, expected) in &all {
            let said = run(client, &[url]).failed();
            assert!(said.starts_with(expected), "{client}: {said}");
        }
    }
}
