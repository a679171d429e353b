//! regatta-runtime: the `Runtime` trait and the one driver over it.
//!
//! Tokio, async-std and the simulator run this same code. Decisions are `regatta-core`'s; this
//! crate moves bytes, wakes tasks and keeps the handles that people hold: [`Client`], [`Server`],
//! [`Body`], [`Tunnel`], [`Stats`], [`Timeline`].
//!
//! ```
//! use core::time::Duration;
//! use regatta_runtime::{Client, Error, Runtime};
//!
//! /// A client that gives up early, on whichever runtime it is handed.
//! fn impatient<R: Runtime>(runtime: R) -> Result<Client<R>, Error> {
//!     Client::builder(runtime)
//!         .connect_timeout(Duration::from_secs(1))
//!         .request_timeout(Some(Duration::from_secs(3)))
//!         .build()
//! }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod answer;
mod body;
mod budget;
mod builder;
mod by_origin;
mod client;
mod closing;
#[cfg(feature = "conformance")]
pub mod conformance;
mod datagrams;
#[cfg(feature = "dns")]
pub mod dns;
mod drive;
mod effects;
mod error;
mod exchange;
mod hooks;
#[cfg(feature = "http3")]
mod http_datagrams;
mod hub;
mod legs;
mod mail;
mod options;
mod recording;
mod response;
mod roads;
mod runtime;
mod server;
mod settings;
mod slots;
mod spans;
mod stats;
pub mod system;
mod timeline;
#[cfg(feature = "tower")]
mod tower;
mod trace;
mod tunnel;

pub use body::{Body, BoxError};
pub use builder::Builder;
pub use client::Client;
pub use closing::{Closed, Closing};
pub use datagrams::{Datagrams, Ecn, Received, Transmit};
pub use drive::gate::{Drained, Draining};
pub use error::{Error, Kind as ErrorKind};
pub use exchange::TimelineHandle;
pub use hooks::{
    ConnectionEvent, ConnectionFacts, DrainReason, Ended, Ending, RequestEvent, RequestFacts,
    ServerConnectionEvent, ServerConnectionFacts, ServerEnded, ServerRequestEvent,
    ServerRequestFacts,
};
#[cfg(feature = "http3")]
pub use http_datagrams::HttpDatagrams;
pub use options::{InformationalHook, RequestOptions};
pub use recording::Recording;
pub use response::ResponseFuture;
pub use runtime::{
    Address, Answer, Listener, Resolution, Runtime, ServicesAnswer, ServicesLookUp, Stream, Timer,
};
pub use server::{ConnectionHandle, Server, ServerBuilder, ServerHandle, Service};
pub use settings::{Profile, Roots};
pub use stats::{METRICS, Metric, MetricType, PROMETHEUS_CONTENT_TYPE, Stats};
#[cfg(feature = "system-roots")]
pub use system::system_roots;
pub use timeline::{
    AttemptOutcome, AttemptTrace, ConnectionTrace, EarlyOutcome, EarlyTrace, Span, Timeline,
    TlsTrace, TunnelTrace,
};
pub use tunnel::Tunnel;

pub use regatta_core;
#[cfg(feature = "http3")]
pub use regatta_core::engine::h3::{DatagramError, Priority as HttpPriority};
pub use regatta_core::engine::{EarlyData, Extended};
pub use regatta_core::proxies::{Bypass, Proxies, Proxy, ProxyError, Route, VariableError};
pub use regatta_core::retry::{Budget as RetryBudget, Policy as RetryPolicy, Verdict, Why};
