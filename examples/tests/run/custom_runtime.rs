//! The runtime of one file: what it prints, and that it keeps every promise of a runtime.

use core::future::Future;

use regatta_runtime::conformance::Fact;

use super::program::{run, tells};

/// The example itself, without its `main`.
#[path = "../../custom_runtime.rs"]
#[expect(dead_code, reason = "only the runtime is used here, not what the example shows of it")]
mod example;

fn on_its_loop<F: Future<Output = Fact>>(fact: impl Fn(example::Loop) -> F) -> Fact {
    example::run(fact).map_err(|error| error.to_string())?
}

mod conformance {
    regatta_runtime::conformance_tests!(super::on_its_loop);
}

#[test]
fn two_requests_share_a_connection() {
    let out = run("custom_runtime", &[]).well();
    assert_eq!(out.matches("/: 200 OK, 19 bytes\n").count(), 2, "{out}");
    assert!(tells(&out, "2 requests were completed"), "{out}");
    assert!(tells(&out, "1 connections were begun"), "{out}");
}
