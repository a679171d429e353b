//! A UDP socket that is counted, and whose remote may be elsewhere than it was asked for.

use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io::{self, IoSliceMut};

use super::Held;
use crate::datagrams::{Datagrams, Received, Transmit};

/// A socket of the runtime's, and where it was asked to go instead.
pub(in crate::conformance) struct Socket<D> {
    pub(super) inner: D,
    pub(super) road: Road,
}

/// Where datagrams go.
#[derive(Clone, Copy)]
pub(super) enum Road {
    /// Where they are sent.
    Straight,
    /// What is sent to the first goes to the second, and what comes from there is the first's.
    Detour { asked: SocketAddr, real: SocketAddr },
    /// Nowhere, and nothing comes.
    Nowhere,
}

impl<D: Datagrams> Datagrams for Held<Socket<D>> {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        received: &mut [Received],
    ) -> Poll<io::Result<usize>> {
        let Socket { inner, road } = &mut self.inner;
        let count = match road {
            Road::Nowhere => return Poll::Pending,
            _ => core::task::ready!(inner.poll_receive(cx, buffers, received))?,
        };
        if let Road::Detour { asked, real } = *road {
            for one in received.iter_mut().take(count).filter(|one| one.source == real) {
                one.source = asked;
            }
        }
        Poll::Ready(Ok(count))
    }

    fn try_send(&mut self, transmit: &Transmit<'_>) -> io::Result<()> {
        let Socket { inner, road } = &mut self.inner;
        match *road {
            Road::Nowhere => Ok(()),
            Road::Detour { asked, real } if transmit.destination == asked => {
                inner.try_send(&Transmit { destination: real, ..*transmit })
            }
            _ => inner.try_send(transmit),
        }
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.inner.poll_writable(cx)
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.inner.inner.local_address()
    }

    fn max_segments(&self) -> usize {
        self.inner.inner.max_segments()
    }

    fn max_received_segments(&self) -> usize {
        self.inner.inner.max_received_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.inner.may_fragment()
    }
}
