//! Spans and events of the `tracing` crate: what a client's and a server's requests look like to
//! whoever collects traces. Without the feature `tracing` nothing of it is there.
//!
//! Names of fields are those of OpenTelemetry's conventions for HTTP, where these have a name.
//! Collectors are code of strangers: nothing here is called while a lock is held.

#[cfg(feature = "tracing")]
mod client;
#[cfg(feature = "tracing")]
mod server;
#[cfg(not(feature = "tracing"))]
mod silent;

#[cfg(feature = "tracing")]
pub(crate) use client::{RequestSpan, hears_connections, tell_connection};
#[cfg(all(feature = "tracing", feature = "http3"))]
pub(crate) use server::port_lost;
#[cfg(feature = "tracing")]
pub(crate) use server::{ServerSpan, closed, served};
#[cfg(all(not(feature = "tracing"), feature = "http3"))]
pub(crate) use silent::port_lost;
#[cfg(not(feature = "tracing"))]
pub(crate) use silent::{
    RequestSpan, ServerSpan, closed, hears_connections, served, tell_connection,
};

/// `network.protocol.version`, as OpenTelemetry writes it.
#[cfg(feature = "tracing")]
const fn version(protocol: regatta_core::types::Protocol) -> &'static str {
    use regatta_core::types::Protocol;
    match protocol {
        Protocol::Http1 => "1.1",
        Protocol::Http2 => "2",
        Protocol::Http3 => "3",
    }
}
