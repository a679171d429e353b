//! The end of a client, waited for.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use crate::hub::Hub;
use crate::runtime::Runtime;

/// What [`Client::close`](crate::Client::close) came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// How many requests its deadline cut off. 0 when all came to their own end.
    pub cut: u64,
}

/// Waits until a client that was closed has no request and no connection any more. It need not
/// be polled for the client to close.
#[must_use = "it says when the client is closed; the client closes without it as well"]
pub struct Closing<R: Runtime> {
    hub: Arc<Hub<R>>,
}

impl<R: Runtime> Closing<R> {
    pub(crate) const fn new(hub: Arc<Hub<R>>) -> Self {
        Self { hub }
    }
}

impl<R: Runtime> Future for Closing<R> {
    type Output = Closed;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Closed> {
        self.hub.poll_closed(cx).map(|cut| Closed { cut })
    }
}

impl<R: Runtime> fmt::Debug for Closing<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}
