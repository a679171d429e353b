//! UDP sockets: async-io waits, regatta-udp sends and receives.

use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io;
use std::net::UdpSocket;

use async_io::Async;
use regatta_udp::{UdpSockRef, Waiting};

use crate::sockets::poll_io;

/// A UDP socket.
pub type DatagramSocket = regatta_udp::DatagramSocket<Waiter>;

/// Binds a UDP socket.
pub(super) fn bind(local: SocketAddr, remote: Option<SocketAddr>) -> io::Result<DatagramSocket> {
    DatagramSocket::bind(local, remote, |socket| Async::new_nonblocking(socket).map(Waiter))
}

/// A UDP socket that async-io waits for.
#[derive(Debug)]
pub struct Waiter(Async<UdpSocket>);

impl Waiting for Waiter {
    fn poll_receive<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut(UdpSockRef<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        // A socket that failed counts as readable with async-io.
        poll_io(|| receive(self.0.get_ref().into()), || self.0.poll_readable(cx))
    }

    fn try_send(&self, send: impl FnOnce(UdpSockRef<'_>) -> io::Result<()>) -> io::Result<()> {
        send(self.0.get_ref().into())
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writable(cx)
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}
