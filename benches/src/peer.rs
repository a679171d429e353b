//! hyper-util's legacy pool, timed by itself.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::measure::{Cost, cost};
use crate::pool::host;

#[allow(warnings, clippy::all, clippy::pedantic, reason = "another project's source")]
mod hyper {
    include!(concat!(env!("OUT_DIR"), "/hyper_pool.rs"));
}

use self::hyper::pool::{Config, Pool, Poolable, Reservation, Ver};

/// Whether requests share a connection.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Sharing {
    /// HTTP/1.
    Exclusive,
    /// HTTP/2.
    Shared,
}

/// A connection that is always open.
struct Connection(Sharing);

impl Poolable for Connection {
    fn is_open(&self) -> bool {
        true
    }

    fn reserve(self) -> Reservation<Self> {
        match self.0 {
            Sharing::Exclusive => Reservation::Unique(self),
            Sharing::Shared => Reservation::Shared(Self(self.0), self),
        }
    }

    fn can_share(&self) -> bool {
        self.0 == Sharing::Shared
    }
}

/// The pool with one ready connection per origin.
pub(crate) struct Peer {
    pool: Pool<Connection, (Scheme, Authority)>,
    keys: Vec<(Scheme, Authority)>,
}

impl Peer {
    pub(crate) fn new(origins: u32, sharing: Sharing) -> Self {
        // The legacy client's defaults: 90 s idle, no limit, the standard library's clock.
        let idle_timeout = Some(Duration::from_secs(90));
        let config = Config { idle_timeout, max_idle_per_host: usize::MAX };
        let pool = Pool::new(config, TokioExecutor::new(), None::<TokioTimer>);
        let key = |index| {
            let authority = Authority::try_from(host(index)).expect("an authority");
            (Scheme::HTTPS, authority)
        };
        let keys: Vec<_> = (0..origins).map(key).collect();
        let version = if sharing == Sharing::Shared { Ver::Http2 } else { Ver::Auto };
        for key in &keys {
            let connecting = pool.connecting(key, version).expect("the first one");
            drop(pool.pooled(connecting, Connection(sharing)));
        }
        Self { pool, keys }
    }

    pub(crate) fn measure(&self, order: &[u32]) -> Cost {
        let mut context = Context::from_waker(Waker::noop());
        cost(order.len() as u64, || {
            for index in order {
                let key = self.keys[*index as usize].clone();
                let checkout = pin!(self.pool.checkout(key));
                match checkout.poll(&mut context) {
                    Poll::Ready(Ok(pooled)) => drop(black_box(pooled)),
                    _ => panic!("a ready connection is handed out at once"),
                }
            }
        })
    }
}
