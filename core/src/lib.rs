//! regatta-core: the decisions and protocols of an HTTP upstream, without sockets, clock,
//! threads or async runtime.
//!
//! *Machines* ([`eyeballs`], [`race`], [`pool`], [`upstream`]) decide: events in, actions out,
//! deadlines.
//! *Ledgers* ([`limits`], [`retry`], [`altsvc`]) remember and answer. *Engines* ([`engine`]) speak
//! a protocol: bytes in, bytes and events out. A driver carries out the actions and moves the
//! bytes.
//!
//! A driver of a few lines: a request asks, a name is looked up, a connection is made, and the
//! request is given to it.
//!
//! ```
//! use regatta_core::id::{ClusterId, ProfileId};
//! use regatta_core::types::{Key, Limit, MethodClass, Origin, Priority, Protocol, Scheme};
//! use regatta_core::upstream::{Action, Config, Event, Upstream};
//! use regatta_core::Instant;
//!
//! let mut upstream = Upstream::new(Config::default());
//! let origin = Origin { scheme: Scheme::Http, host: "example.org".into(), port: 80 };
//! let key = Key {
//!     cluster: ClusterId::new(0, 0),
//!     origin,
//!     profile: ProfileId(0),
//!     priority: Priority::Default,
//! };
//! let at = Instant::from_millis;
//! let request = upstream.request(at(0), &key, MethodClass::Safe, None);
//!
//! let Some(Action::Resolve { host, .. }) = upstream.poll_action() else { panic!() };
//! let addresses = vec!["192.0.2.1".parse().unwrap()];
//! upstream.handle_event(at(20), Event::Resolved { host, addresses });
//! upstream.handle_event(at(20), Event::ResolveFinished { host, failed: None });
//!
//! let Some(Action::Connect { attempt, connection, .. }) = upstream.poll_action() else {
//!     panic!()
//! };
//! let limit = Limit::Concurrent(1);
//! let connected = Event::Connected { attempt, protocol: Protocol::Http1, limit };
//! upstream.handle_event(at(50), connected);
//!
//! assert_eq!(upstream.poll_action(), Some(Action::Assign { request, connection }));
//! ```
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

pub mod altsvc;
pub mod arena;
pub mod basic;
#[cfg(all(
    any(feature = "http1", feature = "http2"),
    any(feature = "ring", feature = "aws-lc-rs")
))]
pub mod carrier;
mod codes;
pub mod dns;
pub mod downstream;
pub mod engine;
pub mod eyeballs;
#[cfg(test)]
mod harvest;
pub mod id;
pub mod journal;
pub mod limits;
mod list;
pub mod machine;
mod origins;
pub mod pool;
pub mod proxies;
pub mod race;
pub mod record;
pub mod retry;
pub mod rng;
pub mod time;
pub mod timers;
pub mod types;
pub mod upstream;
mod words;

pub use machine::{Machine, Outbox};
pub use time::{Duration, Instant};

/// The embedding guide's examples are true.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
struct Embedding;
