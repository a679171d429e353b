//! One connection under TLS, whose end a test decides: with a goodbye or without.

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use regatta_core::Instant;
use regatta_core::engine::Output;
use regatta_core::engine::tls::{Clock, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The clock by which certificates are checked: time begins now.
pub(crate) fn clock() -> Clock {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Clock::new(now)
}

/// A peer's end of a connection; text in, text out.
#[derive(Debug)]
pub(crate) struct Secret {
    socket: TcpStream,
    tls: Tls,
    /// To be said, once the handshake is done.
    plain: Output,
    heard: BytesMut,
}

impl Secret {
    pub(crate) fn new(socket: TcpStream, tls: Tls) -> Self {
        Self { socket, tls, plain: Output::new(), heard: BytesMut::new() }
    }

    /// Reads up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.heard.windows(end.len()).position(|part| part == end.as_bytes());
            if let Some(at) = found {
                let taken = self.heard.split_to(at + end.len());
                return String::from_utf8_lossy(&taken).into_owned();
            }
            assert!(self.turn().await, "the connection ended before {end:?}");
        }
    }

    /// Says something.
    pub(crate) async fn send(&mut self, text: &str) {
        self.plain.push(Bytes::copy_from_slice(text.as_bytes()));
        self.flush().await;
    }

    /// Says goodbye; without it what follows is an end that anyone could have made.
    pub(crate) async fn close(&mut self) {
        self.tls.close();
        self.flush().await;
    }

    /// Ends this side of the transport.
    pub(crate) async fn finish(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    /// Reads to the end of the transport. Whether the peer has said goodbye before it.
    pub(crate) async fn ends_with_goodbye(&mut self) -> bool {
        while self.turn().await {}
        self.tls.is_peer_closed()
    }

    /// Writes what is to be written and reads once; false at the end of the transport.
    async fn turn(&mut self) -> bool {
        self.flush().await;
        let mut bytes = BytesMut::with_capacity(16 << 10);
        if self.socket.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
            self.tls.receive(Instant::EPOCH, &bytes, &mut self.heard).unwrap();
            return true;
        }
        false
    }

    async fn flush(&mut self) {
        let mut out = Output::new();
        self.tls.send(Instant::EPOCH, &mut self.plain, &mut out);
        while let Some(bytes) = out.pop() {
            self.socket.write_all(&bytes).await.unwrap();
        }
    }
}
