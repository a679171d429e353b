//! The network's rules as tables, seen through a host's own sockets.

mod faults;
mod flows;
mod handshake;
mod links;
mod names;
mod pcap;
mod udp;

use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;

use regatta_core::Instant;
use regatta_runtime::{Address, Listener as _, Runtime as _, Stream as _};

use crate::net::link::Link;
use crate::{Host, Listening, Net, Socket};

const CLIENT: &str = "192.0.2.9";
const SERVER: &str = "192.0.2.1";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address(text), port)
}

/// A client and a server of one address each.
struct Pair {
    net: Net,
    client: Host,
    server: Host,
}

impl Pair {
    fn new(link: Link) -> Self {
        Self::seeded(1, link)
    }

    fn seeded(seed: u64, link: Link) -> Self {
        let net = Net::seeded(seed);
        let client = net.host("client", [address(CLIENT)]);
        let server = net.host("server", [address(SERVER)]);
        net.link(&client, &server, link);
        Self { net, client, server }
    }

    fn now_ms(&self) -> u64 {
        self.net.now().as_nanos() / 1_000_000
    }

    async fn listen(&self) -> Listening {
        self.server.listen(Address::Ip(at(SERVER, 80))).await.unwrap()
    }

    async fn connect(&self) -> io::Result<Socket> {
        self.client.connect(Address::Ip(at(SERVER, 80))).await
    }

    /// A connection, both ends of it.
    async fn connected(&self) -> (Socket, Socket, Listening) {
        let mut listening = self.listen().await;
        let near = self.connect().await.unwrap();
        let (far, _) = poll_fn(|cx| listening.poll_accept(cx)).await.unwrap();
        (near, far, listening)
    }

    fn millis(&self, at: Instant) -> u64 {
        at.saturating_since(Instant::EPOCH).as_millis() as u64
    }
}

async fn write(socket: &mut Socket, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| socket.poll_write(cx, &[io::IoSlice::new(bytes)])).await
}

async fn write_all(socket: &mut Socket, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = write(socket, bytes).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

async fn read(socket: &mut Socket) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 65_536];
    let count = poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await?;
    buffer.truncate(count);
    Ok(buffer)
}

async fn read_to_end(socket: &mut Socket) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let some = read(socket).await?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some);
    }
}

async fn finish(socket: &mut Socket) -> io::Result<()> {
    poll_fn(|cx| socket.poll_shutdown(cx)).await
}

/// Bytes by which each place is known.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
