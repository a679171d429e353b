//! What one request may ask for beside what it says.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use http::Response;
use regatta_core::id::ProfileId;
use regatta_core::retry::Policy;
use regatta_core::types::{Origin, Priority};

/// Hears interim (1xx) responses.
pub type InformationalHook = Arc<dyn Fn(&Response<()>) + Send + Sync>;

/// What a request may say beside its head, by its extensions:
/// `Request::get(url).extension(RequestOptions::default().with_timeout(timeout))`.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct RequestOptions {
    /// How long it may take in all, resends included, until its body has ended. Default the
    /// client's.
    pub timeout: Option<Duration>,
    /// Which settings of TLS and protocols hold. Default the first.
    pub profile: ProfileId,
    /// Which circuit breakers hold.
    pub priority: Priority,
    /// Where to connect instead of the URI's own origin: as a CONNECT of the caller's needs it.
    /// The client's own proxies are not asked then.
    pub to: Option<Origin>,
    /// What is tried again, and how often. Default the client's.
    pub retry: Option<Arc<Policy>>,
    /// Hears every interim (1xx) response, in the caller's task.
    pub on_informational: Option<InformationalHook>,
}

impl RequestOptions {
    /// The same with this much time in all.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same with this policy of retries.
    #[must_use]
    pub fn with_retry(mut self, policy: Policy) -> Self {
        self.retry = Some(Arc::new(policy));
        self
    }
}

impl fmt::Debug for RequestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestOptions")
            .field("timeout", &self.timeout)
            .field("profile", &self.profile)
            .field("priority", &self.priority)
            .field("to", &self.to)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
