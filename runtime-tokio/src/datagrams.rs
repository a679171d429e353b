//! UDP sockets: tokio waits, regatta-udp sends and receives.

use core::fmt;
use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;

use regatta_udp::{UdpSockRef, Waiting};
use tokio::io::{Interest, Ready};
use tokio::net::UdpSocket;

/// A UDP socket.
pub type DatagramSocket = regatta_udp::DatagramSocket<Waiter>;

/// Binds a UDP socket: not before it is awaited, because then tokio is running.
pub(super) async fn bind(
    local: SocketAddr,
    remote: Option<SocketAddr>,
) -> io::Result<DatagramSocket> {
    DatagramSocket::bind(local, remote, |socket| {
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let failure = remote.map(|_| Failure::of(&socket));
        Ok(Waiter { socket, failure })
    })
}

/// A UDP socket that tokio waits for.
pub struct Waiter {
    socket: Arc<UdpSocket>,
    /// Of a connected socket.
    failure: Option<Failure>,
}

impl Waiter {
    /// Waits for a datagram or, on a connected socket, for an error; which of them it is.
    fn poll_receivable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Interest>> {
        let readable = self.socket.poll_recv_ready(cx)?;
        if readable.is_pending()
            && let Some(failure) = &mut self.failure
        {
            ready!(failure.0.as_mut().poll(cx))?;
            *failure = Failure::of(&self.socket);
            return Poll::Ready(Ok(Interest::ERROR));
        }
        readable.map(|()| Ok(Interest::READABLE))
    }
}

impl Waiting for Waiter {
    fn poll_receive<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut(UdpSockRef<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let interest = ready!(self.poll_receivable(cx))?;
            match self.socket.try_io(interest, || receive((&*self.socket).into())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn try_send(&self, send: impl FnOnce(UdpSockRef<'_>) -> io::Result<()>) -> io::Result<()> {
        self.socket.try_io(Interest::WRITABLE, || send((&*self.socket).into()))
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_send_ready(cx)
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waiter").field(&self.socket).finish()
    }
}

/// Waits for an error of a socket, which does not make it readable: tokio would sleep.
struct Failure(Pin<Box<dyn Future<Output = io::Result<Ready>> + Send>>);

impl Failure {
    fn of(socket: &Arc<UdpSocket>) -> Self {
        let socket = Arc::clone(socket);
        Self(Box::pin(async move { socket.ready(Interest::ERROR).await }))
    }
}
