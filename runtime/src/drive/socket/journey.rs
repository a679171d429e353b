//! How a client's connection goes on when its host's address has changed (RFC 9000 9): a new
//! socket, and its peer is shown the new path.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;

use regatta_core::Instant;

use super::client::bind;
use super::port::Port;
use crate::runtime::Runtime;

/// How long a socket that finds no way is left as it is before another is tried: three times the
/// round trip that is assumed where none is known (RFC 9002 6.2.2: 333 ms).
const PAUSE: Duration = Duration::from_secs(1);

/// Moves of one connection.
pub(super) struct Journey<R: Runtime> {
    remote: SocketAddr,
    /// The socket to come.
    next: Option<Next<R>>,
    /// When one was wanted last.
    tried: Option<Instant>,
}

type Next<R> = Pin<Box<dyn Future<Output = io::Result<<R as Runtime>::Datagrams>> + Send>>;

impl<R: Runtime> Journey<R> {
    pub(super) const fn new(remote: SocketAddr) -> Self {
        Self { remote, next: None, tried: None }
    }

    /// Goes on with another socket where that is wanted, or where the last one found no way;
    /// whether it has. Where there is none to be had the last one stays: the network may be back.
    pub(super) fn poll(
        &mut self,
        runtime: &R,
        port: &mut Port<R::Datagrams>,
        wanted: bool,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> bool {
        let may_again = self.tried.is_none_or(|at| at + PAUSE <= now);
        if wanted || (port.take_stranded() && may_again) {
            self.tried = Some(now);
            let (runtime, remote) = (runtime.clone(), self.remote);
            self.next = Some(Box::pin(async move { bind(&runtime, remote).await }));
        }
        let Some(next) = &mut self.next else { return false };
        let Poll::Ready(bound) = next.as_mut().poll(cx) else { return false };
        self.next = None;
        let Ok(socket) = bound else { return false };
        port.replace(socket);
        port.endpoint.migrate(now);
        true
    }
}
