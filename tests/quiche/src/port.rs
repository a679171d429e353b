//! A UDP socket for connections of quiche, with GSO and GRO by quinn-udp.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Most datagrams that leave together.
const SEGMENTS: usize = 10;
/// The longest datagram that is sent.
pub(crate) const DATAGRAM: usize = 1_350;

/// A socket that is read and written without waiting.
pub(crate) struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    pub(crate) local: SocketAddr,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Port {
    pub(crate) fn bind(at: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind(at)?;
        let state = UdpSocketState::new((&socket).into())?;
        let local = socket.local_addr()?;
        let outgoing = vec![0; SEGMENTS * DATAGRAM];
        Ok(Self { socket, state, local, incoming: vec![0; 65_536], outgoing })
    }

    /// Sends what the connection has.
    pub(crate) fn send(&mut self, quic: &mut quiche::Connection) -> io::Result<()> {
        let most = self.state.max_gso_segments().min(SEGMENTS);
        loop {
            let (mut filled, mut segment, mut to) = (0, 0, None);
            for _ in 0..most {
                let room =
                    &mut self.outgoing[filled..][..if segment == 0 { DATAGRAM } else { segment }];
                let Ok((length, info)) = quic.send(room) else { break };
                filled += length;
                to = to.or(Some(info.to));
                if segment == 0 {
                    segment = length;
                } else if length < segment {
                    break;
                }
            }
            let Some(destination) = to else { return Ok(()) };
            let contents = &self.outgoing[..filled];
            let segment_size = (filled > segment).then_some(segment);
            let transmit =
                Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
            // What there is no room for is lost, as others are.
            self.state.try_send((&self.socket).into(), &transmit)?;
        }
    }

    /// Hands over every datagram that has come, and who sent it.
    pub(crate) fn receive(
        &mut self,
        mut take: impl FnMut(&mut [u8], SocketAddr),
    ) -> io::Result<()> {
        loop {
            let mut meta = [RecvMeta::default()];
            let mut buffers = [IoSliceMut::new(&mut self.incoming)];
            match self.state.recv((&self.socket).into(), &mut buffers, &mut meta) {
                Ok(_) => {
                    let [RecvMeta { len, stride, addr, .. }] = meta;
                    for datagram in self.incoming[..len].chunks_mut(stride.max(1)) {
                        take(datagram, addr);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until something has come, and no longer than this.
    pub(crate) fn wait(&self, most: Duration) -> io::Result<()> {
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        let most = Timespec { tv_sec: 0, tv_nsec: most.subsec_nanos().into() };
        poll(&mut polled, Some(&most))?;
        Ok(())
    }
}
