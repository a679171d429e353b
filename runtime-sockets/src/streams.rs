//! TCP and Unix sockets.

use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use regatta_runtime::{Address, Listener, Stream};
use socket2::{Domain, Protocol, SockAddr, Type};

use crate::{Reactor, Side, Source, Watched};

/// Most connections that wait to be accepted; as tokio's own listeners.
const BACKLOG: i32 = 1024;

/// A TCP or Unix socket.
pub enum Socket<R: Reactor> {
    /// TCP, without Nagle's delay.
    Tcp(R::Watched<TcpStream>),
    /// A Unix domain socket.
    Unix(R::Watched<UnixStream>),
}

impl<R: Reactor> Socket<R> {
    /// This side's address; a Unix socket has none.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(tcp) => tcp.socket().local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// The peer's address; a Unix socket has none.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(tcp) => tcp.socket().peer_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

/// Connects a socket as [`Runtime::connect`](regatta_runtime::Runtime::connect) says.
pub async fn connect<R: Reactor>(reactor: &R, to: Address) -> io::Result<Socket<R>> {
    match to {
        Address::Ip(to) => {
            let tcp = open(Domain::for_address(to), Some(Protocol::TCP))?;
            let tcp: R::Watched<TcpStream> = connected(reactor, tcp, &to.into()).await?;
            tcp.socket().set_nodelay(true)?;
            Ok(Socket::Tcp(tcp))
        }
        Address::Unix(path) => {
            let (unix, to) = (open(Domain::UNIX, None)?, SockAddr::unix(path)?);
            Ok(Socket::Unix(connected(reactor, unix, &to).await?))
        }
    }
}

/// A socket that does not block.
fn open(domain: Domain, protocol: Option<Protocol>) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(domain, Type::STREAM, protocol)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

async fn connected<R: Reactor, S: Source + From<OwnedFd>>(
    reactor: &R,
    socket: socket2::Socket,
    to: &SockAddr,
) -> io::Result<R::Watched<S>> {
    let is_done = match socket.connect(to) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => false,
        done => done.map(|()| true)?,
    };
    let mut watched = reactor.watch(S::from(socket.into()))?;
    if !is_done {
        poll_fn(|cx| watched.poll_ready(cx, Side::Write)).await?;
        let failed = socket2::SockRef::from(watched.socket()).take_error()?;
        failed.map_or(Ok(()), Err)?;
    }
    Ok(watched)
}

impl<R: Reactor> Stream for Socket<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => poll_read(tcp, cx, buffer),
            Self::Unix(unix) => poll_read(unix, cx, buffer),
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_io(cx, Side::Write, |tcp| write(tcp, slices)),
            Self::Unix(unix) => unix.poll_io(cx, Side::Write, |unix| write(unix, slices)),
        }
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = match self {
            Self::Tcp(tcp) => tcp.socket().shutdown(Shutdown::Write),
            Self::Unix(unix) => unix.socket().shutdown(Shutdown::Write),
        };
        // What a peer has reset is finished.
        Poll::Ready(done.or_else(|error| match error.kind() {
            io::ErrorKind::NotConnected => Ok(()),
            _ => Err(error),
        }))
    }
}

impl<R: Reactor> fmt::Debug for Socket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => f.debug_tuple("Tcp").field(tcp.socket()).finish(),
            Self::Unix(unix) => f.debug_tuple("Unix").field(unix.socket()).finish(),
        }
    }
}

fn poll_read<S: Source>(
    watched: &mut impl Watched<S>,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>>
where
    for<'a> &'a S: Read,
{
    let room = buffer.len();
    loop {
        let mut last = None;
        let read = |mut socket: &S| match socket.read(buffer)? {
            // Who gets less than there is room for has all of it: the next try would block, and
            // a runtime that is told so need not make it.
            count if 0 < count && count < room => {
                last = Some(count);
                Err(io::ErrorKind::WouldBlock.into())
            }
            count => Ok(count),
        };
        match (watched.try_io(Side::Read, read), last) {
            (_, Some(count)) => return Poll::Ready(Ok(count)),
            (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(watched.poll_ready(cx, Side::Read))?;
            }
            (Err(error), None) if error.kind() == io::ErrorKind::Interrupted => {}
            (done, None) => return Poll::Ready(done),
        }
    }
}

/// Writes once. The system takes one slice for less than a list of one.
fn write(mut socket: impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [one] => socket.write(one),
        all => socket.write_vectored(all),
    }
}

/// A listening TCP or Unix socket.
pub struct ListeningSocket<R: Reactor> {
    reactor: R,
    socket: Listening<R>,
}

enum Listening<R: Reactor> {
    Tcp(R::Watched<TcpListener>),
    Unix(R::Watched<UnixListener>),
}

/// Listens as [`Runtime::listen`](regatta_runtime::Runtime::listen) says.
pub fn listen<R: Reactor>(reactor: &R, at: Address) -> io::Result<ListeningSocket<R>> {
    let socket = match at {
        Address::Ip(at) => {
            let tcp = open(Domain::for_address(at), Some(Protocol::TCP))?;
            // Else connections of a listener that is gone would keep its port for minutes.
            tcp.set_reuse_address(true)?;
            tcp.bind(&at.into())?;
            tcp.listen(BACKLOG)?;
            Listening::Tcp(reactor.watch(OwnedFd::from(tcp).into())?)
        }
        Address::Unix(path) => {
            let unix = open(Domain::UNIX, None)?;
            unix.bind(&SockAddr::unix(path)?)?;
            unix.listen(BACKLOG)?;
            Listening::Unix(reactor.watch(OwnedFd::from(unix).into())?)
        }
    };
    Ok(ListeningSocket { reactor: reactor.clone(), socket })
}

impl<R: Reactor> Listener for ListeningSocket<R> {
    type Stream = Socket<R>;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Socket<R>, Option<SocketAddr>)>> {
        match &mut self.socket {
            Listening::Tcp(listener) => {
                let (tcp, peer) = ready!(listener.poll_io(cx, Side::Read, TcpListener::accept))?;
                tcp.set_nonblocking(true)?;
                // It fails on a connection that has been reset already, as its first read will.
                let _ = tcp.set_nodelay(true);
                Poll::Ready(Ok((Socket::Tcp(self.reactor.watch(tcp)?), Some(peer))))
            }
            Listening::Unix(listener) => {
                let (unix, _) = ready!(listener.poll_io(cx, Side::Read, UnixListener::accept))?;
                unix.set_nonblocking(true)?;
                Poll::Ready(Ok((Socket::Unix(self.reactor.watch(unix)?), None)))
            }
        }
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Listening::Tcp(listener) => listener.socket().local_addr(),
            Listening::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl<R: Reactor> fmt::Debug for ListeningSocket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Listening::Tcp(listener) => f.debug_tuple("Tcp").field(listener.socket()).finish(),
            Listening::Unix(listener) => f.debug_tuple("Unix").field(listener.socket()).finish(),
        }
    }
}
