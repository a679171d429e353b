//! A relay of datagrams that counts their bytes: what a connection cost on the wire.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::serve::ANY;

/// One client's datagrams, to a server and back.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    bytes: Arc<[AtomicU64; 2]>,
    server: SocketAddr,
    rebind: mpsc::UnboundedSender<UdpSocket>,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let (near, far) = (UdpSocket::bind(ANY).await.unwrap(), towards(server).await);
        let address = near.local_addr().unwrap();
        let bytes = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let (rebind, rebound) = mpsc::unbounded_channel();
        let task = tokio::spawn(carry(near, far, rebound, bytes.clone()));
        Self { address, bytes, server, rebind, task }
    }

    /// From now on the client's datagrams come from another port, and those to the last one are
    /// lost: as behind a NAT that has forgotten it.
    pub(crate) async fn rebind(&self) {
        self.rebind.send(towards(self.server).await).unwrap();
    }

    /// Bytes that went up.
    pub(crate) fn up(&self) -> u64 {
        self.bytes[0].load(Ordering::Relaxed)
    }

    /// Bytes that came down.
    pub(crate) fn down(&self) -> u64 {
        self.bytes[1].load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn towards(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(ANY).await.unwrap();
    socket.connect(server).await.unwrap();
    socket
}

async fn carry(
    near: UdpSocket,
    mut far: UdpSocket,
    mut rebound: mpsc::UnboundedReceiver<UdpSocket>,
    bytes: Arc<[AtomicU64; 2]>,
) {
    let (mut up, mut down) = ([0; 2_048], [0; 2_048]);
    let mut client = None;
    loop {
        // What cannot be passed on is lost, as datagrams may be.
        tokio::select! {
            Some(next) = rebound.recv() => far = next,
            Ok((n, from)) = near.recv_from(&mut up) => {
                client = Some(from);
                bytes[0].fetch_add(n as u64, Ordering::Relaxed);
                let _lost = far.send(&up[..n]).await;
            }
            Ok(n) = far.recv(&mut down) => {
                bytes[1].fetch_add(n as u64, Ordering::Relaxed);
                if let Some(client) = client {
                    let _lost = near.send_to(&down[..n], client).await;
                }
            }
            else => return,
        }
    }
}
