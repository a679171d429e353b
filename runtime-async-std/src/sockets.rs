//! TCP and Unix sockets.

use core::net::SocketAddr;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

use async_io::Async;
use regatta_runtime::{Address, Listener, Stream};

pub(super) async fn connect(to: Address) -> io::Result<Socket> {
    match to {
        Address::Ip(address) => {
            let socket = Async::<TcpStream>::connect(address).await?;
            socket.get_ref().set_nodelay(true)?;
            Ok(Socket::Tcp(socket))
        }
        Address::Unix(path) => Ok(Socket::Unix(Async::<UnixStream>::connect(path).await?)),
    }
}

pub(super) fn listen(at: Address) -> io::Result<ListeningSocket> {
    match at {
        Address::Ip(at) => Ok(ListeningSocket::Tcp(Async::<TcpListener>::bind(at)?)),
        Address::Unix(at) => Ok(ListeningSocket::Unix(Async::<UnixListener>::bind(at)?)),
    }
}

/// A TCP or Unix socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP, without Nagle's delay.
    Tcp(Async<TcpStream>),
    /// A Unix domain socket.
    Unix(Async<UnixStream>),
}

impl Stream for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => {
                poll_io(|| socket.get_ref().read(buffer), || socket.poll_readable(cx))
            }
            Self::Unix(socket) => {
                poll_io(|| socket.get_ref().read(buffer), || socket.poll_readable(cx))
            }
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => {
                poll_io(|| socket.get_ref().write_vectored(slices), || socket.poll_writable(cx))
            }
            Self::Unix(socket) => {
                poll_io(|| socket.get_ref().write_vectored(slices), || socket.poll_writable(cx))
            }
        }
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = match self {
            Self::Tcp(socket) => socket.get_ref().shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.get_ref().shutdown(Shutdown::Write),
        };
        // What a peer has reset is finished.
        Poll::Ready(done.or_else(|error| match error.kind() {
            io::ErrorKind::NotConnected => Ok(()),
            _ => Err(error),
        }))
    }
}

/// A listening TCP or Unix socket.
#[derive(Debug)]
pub enum ListeningSocket {
    /// TCP.
    Tcp(Async<TcpListener>),
    /// A Unix domain socket.
    Unix(Async<UnixListener>),
}

impl Listener for ListeningSocket {
    type Stream = Socket;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Socket, Option<SocketAddr>)>> {
        match self {
            Self::Tcp(listener) => {
                let (socket, peer) =
                    ready!(poll_io(|| listener.get_ref().accept(), || listener.poll_readable(cx)))?;
                // It fails on a connection that has been reset already, as its first read will.
                let _ = socket.set_nodelay(true);
                Poll::Ready(Ok((Socket::Tcp(Async::new(socket)?), Some(peer))))
            }
            Self::Unix(listener) => {
                let (socket, _) =
                    ready!(poll_io(|| listener.get_ref().accept(), || listener.poll_readable(cx)))?;
                Poll::Ready(Ok((Socket::Unix(Async::new(socket)?), None)))
            }
        }
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.get_ref().local_addr(),
            Self::Unix(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }
}

/// Calls until something else than `WouldBlock` is said, and sleeps meanwhile.
pub(super) fn poll_io<T>(
    mut call: impl FnMut() -> io::Result<T>,
    mut poll_ready: impl FnMut() -> Poll<io::Result<()>>,
) -> Poll<io::Result<T>> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(poll_ready())?,
            done => return Poll::Ready(done),
        }
    }
}
