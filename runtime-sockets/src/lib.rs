//! regatta-sockets: the sockets of an operating system for every runtime that can wait for one.
//!
//! TCP and Unix domain sockets are std's, none of which blocks; UDP sockets are quinn-udp's. What
//! must be known of them is known here once. A runtime is a [`Reactor`], says what it waits by
//! ([`Watched`]), and has a [`Socket`], a [`ListeningSocket`] and a [`DatagramSocket`].
#![forbid(unsafe_code)]

use core::fmt::Debug;
use core::task::{Context, Poll, ready};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

mod datagrams;
mod edges;
mod streams;

pub use datagrams::{DatagramSocket, bind};
pub use edges::Edges;
pub use streams::{ListeningSocket, Socket, connect, listen};

/// What a runtime waits for sockets by.
pub trait Reactor: Clone + Send + Sync + Unpin + 'static {
    /// A socket that it waits for.
    type Watched<S: Source>: Watched<S>;

    /// Takes `socket`, which does not block, and waits for it from now on.
    fn watch<S: Source>(&self, socket: S) -> io::Result<Self::Watched<S>>;
}

/// One of std's sockets, or a descriptor of one, and nothing else: it keeps its descriptor for as
/// long as it lives.
pub trait Source: sealed::Socket + AsFd + AsRawFd + Debug + Send + Sync + Unpin + 'static {
    /// Whether it may fail and go on: who waits to read it waits for errors too, which do not
    /// make it readable.
    const FAILS: bool = false;
    /// The one side that somebody waits for; `None` is both. News of the other wake nobody, and a
    /// runtime that can do without them spares itself to hear of them.
    const SIDE: Option<Side> = None;
}

impl Source for TcpStream {}

impl Source for TcpListener {}

impl Source for UnixStream {}

impl Source for UnixListener {}

impl Source for UdpSocket {
    /// That nobody is at the port of a connected socket.
    const FAILS: bool = true;
    /// There is news of its room each time that a datagram has left.
    const SIDE: Option<Side> = Some(Side::Read);
}

/// Another descriptor of a UDP socket that had no room for a datagram.
impl Source for OwnedFd {
    const SIDE: Option<Side> = Some(Side::Write);
}

mod sealed {
    use super::{OwnedFd, TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};

    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Socket {}

    impl Socket for TcpStream {}
    impl Socket for TcpListener {}
    impl Socket for UnixStream {}
    impl Socket for UnixListener {}
    impl Socket for UdpSocket {}
    impl Socket for OwnedFd {}
}

/// What somebody waits to do with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// To receive or to accept, or to hear of an error where the socket [`Source::FAILS`].
    Read,
    /// To send, or to be connected.
    Write,
}

/// A socket that a runtime waits for.
pub trait Watched<S>: Send + Unpin + 'static {
    /// The socket.
    fn socket(&self) -> &S;

    /// Calls `call`, unless it is known that it will say `WouldBlock`. Who waits by edges notes
    /// here that it said so, and must not miss what the system says meanwhile: of a stream also
    /// that its peer has ended, which is told together with the last bytes and not again.
    fn try_io<T>(&self, side: Side, call: impl FnMut(&S) -> io::Result<T>) -> io::Result<T>;

    /// Whether [`try_io`](Self::try_io) is worth a try; else the task is woken when it is.
    fn poll_ready(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<()>>;

    /// Calls until something else than `WouldBlock` is said, and sleeps meanwhile.
    fn poll_io<T>(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        mut call: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match self.try_io(side, &mut call) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_ready(cx, side))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}
