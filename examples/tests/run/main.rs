//! Every example is run as a stranger would run it, against real sockets: what it prints and how
//! it ends.
#![cfg(test)]

mod async_io;
mod axum_forward;
mod clients;
mod custom_runtime;
mod eyeballs_only;
mod mio;
mod nginx;
mod origin;
mod peers;
mod pool_only;
mod program;
mod tokio_client;
mod tower_stack;
