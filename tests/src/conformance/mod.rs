//! The runtime crate's conformance suite on both flavours of tokio and on async-io with both its
//! executors, over the system's loopback, and on simulated hosts.
//!
//! What holds on the one holds on the others: that is what the simulator's network is compared
//! with.

mod datagram_scripts;
mod scripts;

use core::future::Future;
use core::time::Duration;

use regatta_async_std::{AsyncStd, Smol};
use regatta_models::tape::Tape;
use regatta_runtime::conformance::Fact;
use regatta_sim::choice::Choices;
use regatta_sim::{Host, Net};
use regatta_tokio::Tokio;

use crate::dsl;

/// Nets in which the legal but rare happens; exchanges, which are long, have enough of it in few.
const RARE: u64 = 16;
const RARE_EXCHANGES: u64 = 2;

/// For a fact in all ways, each of which says sooner what hangs in it.
const PATIENCE: Duration = Duration::from_secs(240);

fn on_one_thread<F: Future<Output = Fact>>(fact: impl Fn(Tokio) -> F) -> Fact {
    dsl::run_for(PATIENCE, async { fact(Tokio::new()).await })
}

fn on_two_threads<F: Future<Output = Fact>>(fact: impl Fn(Tokio) -> F) -> Fact {
    dsl::run_on_two_for(PATIENCE, async { fact(Tokio::new()).await })
}

fn on_async_std<F: Future<Output = Fact>>(fact: impl Fn(AsyncStd) -> F) -> Fact {
    dsl::run_on_async_io(PATIENCE, fact(AsyncStd::new()))
}

fn on_smol<F: Future<Output = Fact>>(fact: impl Fn(Smol) -> F) -> Fact {
    dsl::run_on_async_io(PATIENCE, fact(Smol::new()))
}

fn on_a_host<F: Future<Output = Fact>>(fact: impl Fn(Host) -> F) -> Fact {
    run(&Net::seeded(1), fact)
}

fn on_a_host_of_rare_luck<F: Future<Output = Fact>>(fact: impl Fn(Host) -> F) -> Fact {
    on_hosts_of_rare_luck(RARE, fact)
}

fn on_few_hosts_of_rare_luck<F: Future<Output = Fact>>(fact: impl Fn(Host) -> F) -> Fact {
    on_hosts_of_rare_luck(RARE_EXCHANGES, fact)
}

fn on_hosts_of_rare_luck<F: Future<Output = Fact>>(seeds: u64, fact: impl Fn(Host) -> F) -> Fact {
    for seed in 0..seeds {
        let net = Net::new(Choices::new(Tape::seeded(seed)), seed);
        run(&net, &fact).map_err(|sentence| format!("seed {seed}: {sentence}"))?;
    }
    Ok(())
}

fn run<F: Future<Output = Fact>>(net: &Net, fact: impl Fn(Host) -> F) -> Fact {
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap());
    let host = net.host("host", addresses);
    net.run(fact(host)).map_err(|stuck| stuck.to_string())?
}

mod current_thread {
    regatta_runtime::conformance_tests!(super::on_one_thread);
}

mod multi_thread {
    regatta_runtime::conformance_tests!(super::on_two_threads);
}

mod async_std {
    regatta_runtime::conformance_tests!(super::on_async_std);
}

mod smol {
    regatta_runtime::conformance_tests!(super::on_smol);
}

mod simulated {
    regatta_runtime::conformance_tests!(super::on_a_host);
}

mod simulated_rarely {
    regatta_runtime::conformance_tests!(super::on_a_host_of_rare_luck, basics);
    regatta_runtime::conformance_tests!(super::on_a_host_of_rare_luck, datagrams);
    regatta_runtime::conformance_tests!(super::on_few_hosts_of_rare_luck, exchanges);
}
