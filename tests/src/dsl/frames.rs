//! One connection, as the frames of HTTP/2.

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::frame::{Frame, ping, settings};

/// What every client says first (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A peer's end of a connection. SETTINGS and PING are acknowledged by themselves;
/// WINDOW_UPDATE is summed up in [`Frames::credit`].
#[derive(Debug)]
pub(crate) struct Frames {
    socket: TcpStream,
    buffer: Vec<u8>,
    seen: VecDeque<Frame>,
    credit: BTreeMap<u32, u64>,
    /// The peer's settings as they are now, and the order in which they came.
    settings: BTreeMap<u16, u32>,
    news: VecDeque<u16>,
    /// How many of our SETTINGS and PINGs were acknowledged.
    acknowledged: u32,
    pongs: u32,
    is_silent: bool,
}

impl Frames {
    const fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
            seen: VecDeque::new(),
            credit: BTreeMap::new(),
            settings: BTreeMap::new(),
            news: VecDeque::new(),
            acknowledged: 0,
            pongs: 0,
            is_silent: false,
        }
    }

    /// The server's end: reads the preface, sends these SETTINGS.
    pub(crate) async fn server(socket: TcpStream, values: &[(u16, u32)]) -> Self {
        let mut peer = Self::new(socket);
        let mut preface = vec![0; PREFACE.len()];
        peer.socket.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, PREFACE, "not an HTTP/2 preface");
        peer.send(settings(values)).await;
        peer
    }

    /// A client's end: sends the preface and empty SETTINGS.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[]).await
    }

    /// As [`Frames::connect`], with these SETTINGS.
    pub(crate) async fn connect_with(address: SocketAddr, values: &[(u16, u32)]) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut peer = Self::new(socket);
        peer.socket.write_all(PREFACE).await.unwrap();
        peer.send(settings(values)).await;
        peer
    }

    /// Sends one frame; a peer that has gone away does not matter.
    pub(crate) async fn send(&mut self, frame: Frame) {
        self.send_all(&[frame]).await;
    }

    /// Sends frames in one write.
    pub(crate) async fn send_all(&mut self, frames: &[Frame]) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        let _ = self.socket.write_all(&bytes).await;
    }

    /// Sends these bytes; false when the peer has gone away.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).await.is_ok()
    }

    /// The next frame that means something; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        while self.seen.is_empty() {
            if !self.read().await {
                return None;
            }
        }
        self.seen.pop_front()
    }

    /// Reads one frame; false at the end of the connection.
    async fn read(&mut self) -> bool {
        loop {
            if let Some((frame, length)) = Frame::parse(&self.buffer) {
                self.buffer.drain(..length);
                self.sort(frame).await;
                return true;
            }
            let read = self.socket.read_buf(&mut self.buffer).await;
            if !read.is_ok_and(|count| count > 0) {
                return false;
            }
        }
    }

    /// Answers what wants an answer, keeps what means something.
    async fn sort(&mut self, frame: Frame) {
        match frame {
            Frame::Settings { ack: true, .. } => self.acknowledged += 1,
            Frame::Settings { values, .. } => {
                self.news.extend(values.iter().map(|(id, _)| *id));
                self.settings.extend(values);
                self.send(Frame::Settings { ack: true, values: Vec::new() }).await;
            }
            Frame::Ping { ack: false, payload } if self.is_silent => {
                self.seen.push_back(Frame::Ping { ack: false, payload });
            }
            Frame::Ping { ack: false, payload } => {
                self.send(Frame::Ping { ack: true, payload }).await;
            }
            Frame::Ping { .. } => self.pongs += 1,
            Frame::WindowUpdate { stream, n } => {
                *self.credit.entry(stream).or_default() += u64::from(n);
            }
            Frame::Other { .. } => {}
            frame => self.seen.push_back(frame),
        }
    }

    /// From now on PING is not answered, and is a frame like others.
    pub(crate) const fn fall_silent(&mut self) {
        self.is_silent = true;
    }

    /// The next frame is this one.
    pub(crate) async fn recv(&mut self, expected: Frame) -> Frame {
        let Some(frame) = self.next().await else {
            panic!("expected {expected:?} and the connection ended");
        };
        assert!(frame.is_like(&expected), "expected {expected:?}, came {frame:?}");
        frame
    }

    /// The rest of a stream's DATA up to its end; GOAWAY may come between.
    pub(crate) async fn recv_body(&mut self, wanted: u32) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            match self.next().await {
                Some(Frame::Data { stream, data, end }) if stream == wanted => {
                    body.extend(data);
                    if end {
                        return body;
                    }
                }
                Some(Frame::GoAway { .. }) => {}
                other => panic!("expected DATA of {wanted}, came {other:?}"),
            }
        }
    }

    /// Waits until the peer has acknowledged `n` SETTINGS of ours.
    pub(crate) async fn recv_settings_acks(&mut self, n: u32) {
        while self.acknowledged < n {
            assert!(self.read().await, "the connection ended before SETTINGS were acknowledged");
        }
    }

    /// Sends PING and waits for its answer: what was sent before has been seen by then.
    pub(crate) async fn round_trip(&mut self) {
        let wanted = self.pongs + 1;
        self.send(ping([7; 8])).await;
        while self.pongs < wanted {
            assert!(self.read().await, "the connection ended before PING was answered");
        }
    }

    /// Waits for the next setting that the peer names, and says which it is.
    pub(crate) async fn next_setting(&mut self) -> u16 {
        loop {
            if let Some(id) = self.news.pop_front() {
                return id;
            }
            assert!(self.read().await, "the connection ended before SETTINGS came");
        }
    }

    /// What the peer's setting is now.
    pub(crate) fn setting(&self, id: u16) -> Option<u32> {
        self.settings.get(&id).copied()
    }

    /// Whether a frame came that nobody has taken yet.
    pub(crate) fn has_news(&self) -> bool {
        !self.seen.is_empty()
    }

    /// The connection ends without another frame but GOAWAY.
    pub(crate) async fn recv_end(&mut self) {
        while let Some(frame) = self.next().await {
            assert!(matches!(frame, Frame::GoAway { .. }), "expected the end, came {frame:?}");
        }
    }

    /// How much window was granted to us by WINDOW_UPDATE so far.
    pub(crate) fn credit(&self, stream: u32) -> u64 {
        self.credit.get(&stream).copied().unwrap_or_default()
    }
}
