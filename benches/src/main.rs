//! regatta beside its peers: ratios from one run on one machine, with what was measured.
//!
//! `cargo run --profile bench -p regatta-benches -- NAME`, where the name is one of pool, tls,
//! client, server, bulk, http3, qpack, runtimes, sim, idle, stream, spans, altsvc, all.

mod altsvc;
mod asker;
mod bulk;
mod client;
mod http3;
mod hyper_server;
mod idle;
mod measure;
mod origin;
#[cfg(hyper_pool)]
mod peer;
mod pool;
mod qpack;
mod runtimes;
mod secure;
mod server;
mod sim;
mod spans;
mod stream;
mod tls;

use std::process::ExitCode;

use measure::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let name = std::env::args().nth(1);
    let words: Vec<String> = std::env::args().skip(2).collect();
    match name.as_deref() {
        Some("pool") => pool::run(),
        Some("tls") => tls::run(),
        Some("client") => client::run(&words),
        Some("server") => server::run(&words),
        Some("bulk") => bulk::run(&words),
        Some("http3") => http3::run(&words),
        Some("qpack") => qpack::run(),
        Some("runtimes") => runtimes::run(),
        Some("sim") => sim::run(&words),
        Some("idle") => idle::run(&words),
        Some("spans") => spans::run(),
        Some("stream") => stream::run(&words),
        Some("altsvc") => altsvc::run(),
        Some("all") => {
            pool::run();
            tls::run();
            client::run(&[]);
            server::run(&[]);
            bulk::run(&[]);
            http3::run(&[]);
            qpack::run();
            runtimes::run();
            sim::run(&[]);
            idle::run(&[]);
            stream::run(&[]);
            spans::run();
            altsvc::run();
        }
        _ => {
            eprintln!(
                "usage: regatta-benches \
                 pool|tls|client|server|bulk|http3|qpack|runtimes|sim|idle|stream|spans|altsvc|all"
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
