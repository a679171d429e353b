//! The runtime crate's conformance suite on both flavours of tokio.

use core::future::Future;

use regatta_runtime::conformance::Fact;
use regatta_tokio::Tokio;

use crate::dsl;

fn on_one_thread<F: Future<Output = Fact>>(fact: impl FnOnce(Tokio) -> F) -> Fact {
    let mut said = Ok(());
    dsl::run(async { said = fact(Tokio::new()).await });
    said
}

fn on_two_threads<F: Future<Output = Fact>>(fact: impl FnOnce(Tokio) -> F) -> Fact {
    let mut said = Ok(());
    dsl::run_on_two(async { said = fact(Tokio::new()).await });
    said
}

mod current_thread {
    regatta_runtime::conformance_tests!(super::on_one_thread);
}

mod multi_thread {
    regatta_runtime::conformance_tests!(super::on_two_threads);
}
