//! Settings of the circuit breakers.

/// Circuit breakers of one cluster and priority (Envoy's `circuit_breakers.thresholds`).
/// Exact; `None` is unlimited.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Connections, connecting ones included. A pool that has none may always make one.
    /// Default 1,024 (Envoy's `max_connections`).
    pub max_connections: Option<u32>,
    /// Requests that wait for a connection. Default 1,024 (Envoy's `max_pending_requests`).
    pub max_pending_requests: Option<u32>,
    /// Requests on a connection. Default 1,024 (Envoy's `max_requests`).
    pub max_requests: Option<u32>,
    /// Resends under way of requests that may have been acted on. What was proven unsent or
    /// unprocessed is not counted: a drain loses nothing. Default 3 (Envoy's `max_retries`).
    pub max_retries: Option<u32>,
    /// Pools with a connection or a waiting request. Default unlimited (Envoy's
    /// `max_connection_pools`).
    pub max_connection_pools: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: Some(1_024),
            max_pending_requests: Some(1_024),
            max_requests: Some(1_024),
            max_retries: Some(3),
            max_connection_pools: None,
        }
    }
}
