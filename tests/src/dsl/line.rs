//! One connection, as the bytes of HTTP/1.

use core::net::SocketAddr;
use core::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A peer's end of a connection; text in, text out.
#[derive(Debug)]
pub(crate) struct Line {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) const fn new(socket: TcpStream) -> Self {
        Self { socket, buffer: Vec::new() }
    }

    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self::new(socket)
    }

    /// Reads one head, its empty line included.
    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Reads up to and with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.buffer.windows(end.len()).position(|part| part == end.as_bytes());
            if let Some(at) = found {
                return self.take(at + end.len());
            }
            let more = self.read_more().await;
            assert!(more, "the connection ended before {end:?}: {:?}", self.text());
        }
    }

    /// Reads exactly what is expected, or panics with what came instead.
    pub(crate) async fn recv(&mut self, expected: &str) {
        while self.buffer.len() < expected.len() {
            let more = self.read_more().await;
            assert!(more, "expected {expected:?} and the connection ended: {:?}", self.text());
        }
        assert_eq!(self.take(expected.len()), expected);
    }

    /// Reads `n` bytes.
    pub(crate) async fn bytes(&mut self, n: usize) -> Vec<u8> {
        while self.buffer.len() < n {
            assert!(self.read_more().await, "the connection ended after {}", self.buffer.len());
        }
        self.buffer.drain(..n).collect()
    }

    /// Reads until the other side's FIN (or reset) and returns what came before it.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read_more().await {}
        self.take(self.buffer.len())
    }

    /// As [`Line::rest`], saying `text` every so often until then.
    pub(crate) async fn rest_while_dribbling(&mut self, text: &str, pause: Duration) -> String {
        loop {
            match tokio::time::timeout(pause, self.read_more()).await {
                Ok(true) => {}
                Ok(false) => return self.take(self.buffer.len()),
                Err(_) => self.send(text).await,
            }
        }
    }

    /// Says something; a peer that has gone away does not matter.
    pub(crate) async fn send(&mut self, text: &str) {
        let _ = self.socket.write_all(text.as_bytes()).await;
    }

    /// Half-closes.
    pub(crate) async fn finish(&mut self) {
        let _ = self.socket.shutdown().await;
    }

    /// Ends the connection by a reset instead of a FIN.
    pub(crate) fn reset(self) {
        self.socket.set_zero_linger().unwrap();
    }

    /// Reads what comes; false at the end.
    pub(crate) async fn read_more(&mut self) -> bool {
        self.socket.read_buf(&mut self.buffer).await.is_ok_and(|count| count > 0)
    }

    fn take(&mut self, n: usize) -> String {
        let bytes: Vec<u8> = self.buffer.drain(..n).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}
