//! TCP and Unix sockets.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};

use regatta_runtime::{Address, Listener, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

pub(super) async fn connect(to: Address) -> io::Result<Socket> {
    match to {
        Address::Ip(address) => {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            Ok(Socket::Tcp(socket))
        }
        Address::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?)),
    }
}

pub(super) async fn listen(at: Address) -> io::Result<ListeningSocket> {
    match at {
        Address::Ip(address) => Ok(ListeningSocket::Tcp(TcpListener::bind(address).await?)),
        Address::Unix(path) => Ok(ListeningSocket::Unix(UnixListener::bind(path)?)),
    }
}

/// A TCP or Unix socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP, without Nagle's delay.
    Tcp(TcpStream),
    /// A Unix domain socket.
    Unix(UnixStream),
}

impl Stream for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buffer);
        let done = match self {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, &mut read),
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, &mut read),
        };
        done.map_ok(|()| read.filled().len())
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

/// A listening TCP or Unix socket.
#[derive(Debug)]
pub enum ListeningSocket {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix domain socket.
    Unix(UnixListener),
}

impl Listener for ListeningSocket {
    type Stream = Socket;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Socket, Option<SocketAddr>)>> {
        match self {
            Self::Tcp(listener) => listener.poll_accept(cx).map(|accepted| {
                let (socket, peer) = accepted?;
                // It fails on a connection that has been reset already, as its first read will.
                let _ = socket.set_nodelay(true);
                Ok((Socket::Tcp(socket), Some(peer)))
            }),
            Self::Unix(listener) => {
                listener.poll_accept(cx).map_ok(|(socket, _)| (Socket::Unix(socket), None))
            }
        }
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Unix(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }
}
