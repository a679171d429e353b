//! A firewall for datagrams: a port that passes them on to an origin, or swallows them.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use tokio::net::UdpSocket;
use tokio::task::{JoinHandle, JoinSet};

/// The longest datagram that QUIC sends over loopback.
const LONGEST: usize = 65_536;

/// The gate, which is gone when it is dropped.
pub(crate) struct Gate {
    /// Where clients find it.
    pub(crate) port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The origin's port.
    to: AtomicU16,
    is_shut: AtomicBool,
}

impl Gate {
    /// Opens one on a free port of 127.0.0.1, which leads nowhere yet.
    pub(crate) async fn open() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (port, state) = (socket.local_addr()?.port(), Arc::<State>::default());
        let task = tokio::spawn(pass(Arc::new(socket), Arc::clone(&state)));
        Ok(Self { port, state, task })
    }

    /// From now on it leads to this port.
    pub(crate) fn lead_to(&self, port: u16) {
        self.state.to.store(port, Ordering::Relaxed);
    }

    /// From now on it swallows what comes, in both directions, or no more.
    pub(crate) fn shut(&self, is_shut: bool) {
        self.state.is_shut.store(is_shut, Ordering::Relaxed);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes datagrams on, each client's by a socket of its own.
async fn pass(outer: Arc<UdpSocket>, state: Arc<State>) {
    let mut inner: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    // They end with this task.
    let mut backwards = JoinSet::new();
    let mut buffer = vec![0; LONGEST];
    loop {
        // An error tells of a client that has gone.
        let Ok((length, client)) = outer.recv_from(&mut buffer).await else { continue };
        if state.is_shut.load(Ordering::Relaxed) {
            continue;
        }
        let socket = match inner.get(&client) {
            Some(socket) => Arc::clone(socket),
            None => {
                let Ok(socket) = towards(state.to.load(Ordering::Relaxed)).await else { continue };
                let (outer, state) = (Arc::clone(&outer), Arc::clone(&state));
                backwards.spawn(pass_back(Arc::clone(&socket), outer, client, state));
                inner.insert(client, Arc::clone(&socket));
                socket
            }
        };
        let _ = socket.send(&buffer[..length]).await;
    }
}

async fn towards(port: u16) -> io::Result<Arc<UdpSocket>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect((Ipv4Addr::LOCALHOST, port)).await?;
    Ok(Arc::new(socket))
}

async fn pass_back(
    inner: Arc<UdpSocket>,
    outer: Arc<UdpSocket>,
    client: SocketAddr,
    state: Arc<State>,
) {
    let mut buffer = vec![0; LONGEST];
    while let Ok(length) = inner.recv(&mut buffer).await {
        if !state.is_shut.load(Ordering::Relaxed) {
            let _ = outer.send_to(&buffer[..length], client).await;
        }
    }
}
