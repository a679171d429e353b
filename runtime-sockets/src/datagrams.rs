//! UDP sockets: quinn-udp sends and receives, with GSO, GRO and ECN.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll, ready};
use std::io::{self, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, OwnedFd};

use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, UdpSocketState};
use regatta_runtime::{Datagrams, Ecn, Received, Transmit};

use crate::{Reactor, Side, Watched};

/// Whether a read that brings fewer datagrams than there was room for has brought all: elsewhere
/// quinn-udp reads one at a time.
const READS_ALL: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A UDP socket.
pub struct DatagramSocket<R: Reactor> {
    reactor: R,
    socket: R::Watched<UdpSocket>,
    /// Says when there is room again, where there was none.
    room: Option<R::Watched<OwnedFd>>,
    state: UdpSocketState,
    remote: Option<SocketAddr>,
    is_ipv4: bool,
    /// Written over by each call.
    scratch: Box<[RecvMeta; BATCH_SIZE]>,
}

/// Binds a socket as [`Runtime::bind`](regatta_runtime::Runtime::bind) says.
pub fn bind<R: Reactor>(
    reactor: &R,
    local: SocketAddr,
    remote: Option<SocketAddr>,
) -> io::Result<DatagramSocket<R>> {
    // quinn-udp names the destination with every datagram; only these take that on a
    // connected socket.
    if remote.is_some() && !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let socket = UdpSocket::bind(local)?;
    socket.set_nonblocking(true)?;
    if let Some(remote) = remote {
        socket.connect(remote)?;
    }
    let state = UdpSocketState::new((&socket).into())?;
    let scratch = Box::new([RecvMeta::default(); BATCH_SIZE]);
    let socket = reactor.watch(socket)?;
    let (reactor, is_ipv4) = (reactor.clone(), local.is_ipv4());
    Ok(DatagramSocket { reactor, socket, room: None, state, remote, is_ipv4, scratch })
}

impl<R: Reactor> DatagramSocket<R> {
    /// What can never be sent. The kernel says EINVAL to it, and quinn-udp takes that for a
    /// network card that lacks GSO and a kernel that lacks ECN, and stops using both.
    fn check(&self, transmit: &Transmit<'_>) -> Result<(), &'static str> {
        let is_ours = |address: IpAddr| address.is_ipv4() == self.is_ipv4;
        let segments = transmit.segments();
        if self.remote.is_some_and(|remote| remote != transmit.destination) {
            return Err("a connected socket sends only to its remote");
        }
        if transmit.destination.port() == 0 {
            return Err("port 0 is nobody's");
        }
        if !is_ours(transmit.destination.ip()) || !transmit.source.is_none_or(is_ours) {
            return Err("the address is not of the socket's family");
        }
        if segments == 0 || segments > self.state.max_gso_segments() {
            return Err("the socket cannot cut a transmit into so many segments");
        }
        Ok(())
    }
}

impl<R: Reactor> fmt::Debug for DatagramSocket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatagramSocket").field(self.socket.socket()).finish()
    }
}

impl<R: Reactor> Datagrams for DatagramSocket<R> {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        received: &mut [Received],
    ) -> Poll<io::Result<usize>> {
        let count = buffers.len().min(received.len()).min(BATCH_SIZE);
        let buffers = buffers.get_mut(..count).unwrap_or_default();
        if buffers.is_empty() {
            return Poll::Ready(Err(invalid("nothing was given to receive into")));
        }
        let Self { socket, state, scratch, .. } = self;
        loop {
            let mut last = None;
            let receive = |socket: &UdpSocket| {
                let read = match last {
                    None => state.recv(socket.into(), buffers, &mut scratch[..])?,
                    Some(_) => return Err(io::ErrorKind::WouldBlock.into()),
                };
                // The next try would block, and a runtime that is told so need not make it.
                if READS_ALL && read < count {
                    last = Some(read);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(read)
            };
            match (socket.try_io(Side::Read, receive), last) {
                (_, Some(count)) | (Ok(count), None) => {
                    for (place, meta) in received.iter_mut().zip(scratch.iter().take(count)) {
                        *place = seen(meta);
                    }
                    return Poll::Ready(Ok(count));
                }
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(socket.poll_ready(cx, Side::Read))?;
                }
                (Err(error), None) if error.kind() == io::ErrorKind::Interrupted => {}
                // A datagram that was sent is too long for the path (ICMP): a loss like others.
                (Err(error), None) if quinn_udp::is_msg_size_err(&error) => {}
                (Err(error), None) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn try_send(&mut self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.check(transmit).map_err(invalid)?;
        let sent = quinn_udp::Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.map(codepoint),
            contents: transmit.contents,
            segment_size: transmit.segment_size,
            src_ip: transmit.source,
        };
        // There nearly always is room: who finds none waits for it.
        let send = || self.state.try_send(self.socket.socket().into(), &sent);
        let mut done = send();
        if matches!(&done, Err(error) if quinn_udp::is_msg_size_err(error)) {
            // On a connected socket this may have been said of an earlier datagram.
            done = send();
        }
        done.map_err(|error| match quinn_udp::is_msg_size_err(&error) {
            true => invalid(error),
            false => error,
        })
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let room = match &mut self.room {
            Some(room) => room,
            none => {
                let descriptor = self.socket.socket().as_fd().try_clone_to_owned()?;
                none.insert(self.reactor.watch(descriptor)?)
            }
        };
        ready!(room.poll_ready(cx, Side::Write))?;
        self.room = None;
        Poll::Ready(Ok(()))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.socket().local_addr()
    }

    fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_received_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

fn invalid(why: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn seen(meta: &RecvMeta) -> Received {
    let ecn = meta.ecn.map(|codepoint| match codepoint {
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
        EcnCodepoint::Ce => Ecn::Ce,
    });
    Received {
        source: meta.addr,
        length: meta.len,
        stride: meta.stride,
        ecn,
        destination: meta.dst_ip,
    }
}

const fn codepoint(ecn: Ecn) -> EcnCodepoint {
    match ecn {
        Ecn::Ect0 => EcnCodepoint::Ect0,
        Ecn::Ect1 => EcnCodepoint::Ect1,
        Ecn::Ce => EcnCodepoint::Ce,
    }
}
