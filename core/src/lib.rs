//! regatta-core: the decisions and protocols of an HTTP upstream, without sockets, clock,
//! threads or async runtime.
//!
//! *Machines* ([`eyeballs`], [`pool`], [`upstream`]) decide: events in, actions out, deadlines.
//! *Ledgers* ([`limits`]) remember and answer. *Engines* ([`engine`]) speak a protocol: bytes in,
//! bytes and events out. A driver carries out the actions and moves the bytes.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::std_instead_of_core
    )
)]

pub mod arena;
pub mod downstream;
pub mod engine;
pub mod eyeballs;
pub mod id;
pub mod limits;
mod list;
pub mod machine;
pub mod pool;
pub mod record;
pub mod rng;
pub mod time;
pub mod timers;
pub mod types;
pub mod upstream;

pub use machine::{Machine, Outbox};
pub use time::{Duration, Instant};
