//! A host of a net as a [`Runtime`].

use core::fmt;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::engine::tls::Provider;
use regatta_runtime::{Address, Listener, Runtime, ServicesLookUp, Stream, Timer};

use crate::choice::Choices;
use crate::datagrams::UdpSocket;
use crate::executor::Shared;
use crate::net::lookup::{self, Lookup};
use crate::net::{HostId, tcp, udp};
use crate::tls;

/// The first of January 2026: what every run's wall clock says at its epoch.
pub(crate) const UNIX_AT_EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// One host: a runtime whose sockets, names and clock are the net's.
#[derive(Clone)]
pub struct Host {
    pub(crate) shared: Arc<Shared>,
    id: HostId,
}

impl Host {
    pub(crate) const fn new(shared: Arc<Shared>, id: HostId) -> Self {
        Self { shared, id }
    }

    /// Which one it is.
    pub const fn id(&self) -> HostId {
        self.id
    }

    /// Looks at the net's choices.
    pub(crate) fn choices<T>(&self, look: impl FnOnce(&mut Choices) -> T) -> T {
        look(&mut self.shared.world().choices)
    }

    /// Waits.
    pub async fn sleep(&self, time: Duration) {
        if !time.is_zero() {
            let mut timer = self.timer(self.now() + time);
            poll_fn(|cx| timer.poll_expired(cx)).await;
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.id).finish()
    }
}

impl Runtime for Host {
    type Stream = Socket;
    type Listener = Listening;
    type Datagrams = UdpSocket;
    type Timer = SimTimer;
    type Resolution = Lookup;

    fn now(&self) -> Instant {
        self.shared.now()
    }

    fn unix_at_epoch(&self) -> Duration {
        UNIX_AT_EPOCH
    }

    fn seed(&self) -> u64 {
        self.shared.seed
    }

    fn tls_provider(&self) -> Provider {
        tls::provider()
    }

    fn timer(&self, at: Instant) -> SimTimer {
        let mut world = self.shared.world();
        let slot = world.timers.make();
        world.arm(slot, at);
        drop(world);
        SimTimer { shared: Arc::clone(&self.shared), slot }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.spawn(Box::pin(task));
    }

    async fn connect(&self, to: Address) -> io::Result<Socket> {
        let end = tcp::connect(&mut self.shared.world(), self.id, internet(to)?)?;
        let socket = Socket { shared: Arc::clone(&self.shared), end };
        poll_fn(|cx| tcp::poll_connected(&mut self.shared.world(), end, cx)).await?;
        Ok(socket)
    }

    async fn listen(&self, at: Address) -> io::Result<Listening> {
        let listener = tcp::listen(&mut self.shared.world(), self.id, internet(at)?)?;
        Ok(Listening { shared: Arc::clone(&self.shared), listener })
    }

    async fn bind(&self, local: SocketAddr, remote: Option<SocketAddr>) -> io::Result<UdpSocket> {
        let bound = udp::bind(&mut self.shared.world(), self.id, local, remote)?;
        Ok(UdpSocket { shared: Arc::clone(&self.shared), bound })
    }

    fn resolve(&self, name: &str) -> Lookup {
        Lookup::new(self, name)
    }

    fn resolve_services(&self, name: &str) -> Option<ServicesLookUp> {
        Some(lookup::services(self, name))
    }
}

fn internet(address: Address) -> io::Result<SocketAddr> {
    match address {
        Address::Ip(address) => Ok(address),
        Address::Unix(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "no Unix sockets here")),
    }
}

/// One end of a simulated TCP connection.
pub struct Socket {
    shared: Arc<Shared>,
    end: tcp::End,
}

impl Stream for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        tcp::poll_read(&mut self.shared.world(), self.end, cx, buffer)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        tcp::poll_write(&mut self.shared.world(), self.end, cx, slices)
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(tcp::shut_down(&mut self.shared.world(), self.end))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        tcp::close(&mut self.shared.world(), self.end);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.end).finish()
    }
}

/// A simulated listening socket.
pub struct Listening {
    shared: Arc<Shared>,
    listener: tcp::ListenerId,
}

impl Listener for Listening {
    type Stream = Socket;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Socket, Option<SocketAddr>)>> {
        let accepted = tcp::poll_accept(&mut self.shared.world(), self.listener, cx);
        accepted
            .map(|(end, peer)| Ok((Socket { shared: Arc::clone(&self.shared), end }, Some(peer))))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(tcp::local_address(self.listener))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        tcp::stop_listening(&mut self.shared.world(), self.listener);
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening").field(&self.listener).finish()
    }
}

/// A timer of virtual time.
pub struct SimTimer {
    shared: Arc<Shared>,
    slot: usize,
}

impl Timer for SimTimer {
    fn reset(&mut self, at: Instant) {
        self.shared.world().arm(self.slot, at);
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.shared.world().timers.poll(self.slot, cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        self.shared.world().drop_timer(self.slot);
    }
}

impl fmt::Debug for SimTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimTimer").field(&self.slot).finish()
    }
}
