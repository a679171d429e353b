//! A host's UDP sockets as [`Datagrams`].

use core::fmt;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io::{self, IoSliceMut};
use std::sync::Arc;

use regatta_runtime::{Datagrams, Received, Transmit};

use crate::executor::Shared;
use crate::net::udp;

/// A simulated UDP socket.
pub struct UdpSocket {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bound: udp::Bound,
}

impl Datagrams for UdpSocket {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        received: &mut [Received],
    ) -> Poll<io::Result<usize>> {
        udp::poll_receive(&mut self.shared.world(), self.bound, cx, buffers, received)
    }

    fn try_send(&mut self, transmit: &Transmit<'_>) -> io::Result<()> {
        udp::try_send(&mut self.shared.world(), self.bound, transmit)
    }

    fn poll_writable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.bound.local())
    }

    fn max_segments(&self) -> usize {
        udp::max_segments(&self.shared.world(), self.bound)
    }

    fn max_received_segments(&self) -> usize {
        1
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        udp::close(&mut self.shared.world(), self.bound);
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UdpSocket").field(&self.bound).finish()
    }
}
