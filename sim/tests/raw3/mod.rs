//! One end of a QUIC connection whose streams a test writes by hand, on a simulated host.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSliceMut};

use bytes::Bytes;
use quinn_proto::{ConnectionError, Dir, ReadError, StreamEvent, StreamId, VarInt};
use regatta_core::Instant;
use regatta_core::engine::quic::{
    ClientConfig, Endpoint, Event, Options, QuicError, Received as From, ServerConfig,
    ServerOptions,
};
use regatta_core::engine::tls::{self, ClientOptions, Clock};
use regatta_core::id::QuicId;
use regatta_runtime::{Datagrams as _, Received, Runtime, Timer as _, Transmit};
use regatta_sim::{Host, tls as sim_tls};

/// Kinds of frames and streams.
pub const DATA: u64 = 0;
pub const HEADERS: u64 = 1;
pub const SETTINGS: u64 = 4;
pub const GOAWAY: u64 = 7;
pub const CONTROL: u8 = 0;
pub const ENCODER: u8 = 2;
pub const DECODER: u8 = 3;

/// What came on one stream.
#[derive(Debug, Default)]
pub struct Came {
    pub bytes: Vec<u8>,
    /// Its end, or the code of its reset.
    pub end: Option<Result<(), u64>>,
}

/// One end.
pub struct Peer {
    pub host: Host,
    pub socket: <Host as Runtime>::Datagrams,
    pub timer: Option<<Host as Runtime>::Timer>,
    pub endpoint: Endpoint,
    /// The connection that began last.
    pub id: Option<QuicId>,
    pub connected: bool,
    pub lost: Option<QuicError>,
    pub came: BTreeMap<StreamId, Came>,
    /// Streams that the other side has stopped, with their codes.
    pub stopped: Vec<(StreamId, u64)>,
    /// Reads nothing.
    pub is_deaf: bool,
}

impl Peer {
    /// A server that listens.
    pub async fn server(host: &Host, at: &str, options: &ServerOptions) -> Self {
        let at: SocketAddr = at.parse().unwrap();
        let mut tls = sim_tls::good();
        tls.provider = Some(host.tls_provider());
        let tls = tls::ServerConfig::new(&Clock::new(host.unix_at_epoch()), tls).unwrap();
        let config = ServerConfig::new(&tls, options).unwrap();
        let endpoint = Endpoint::server(&config, false).unwrap();
        Self::new(host, host.bind(at, None).await.unwrap(), endpoint)
    }

    /// A client that has begun to connect.
    pub async fn client(host: &Host, to: &str, options: &Options) -> Self {
        let mut tls = ClientOptions::default();
        tls.roots = vec![sim_tls::ROOT.to_vec()];
        tls.provider = Some(host.tls_provider());
        let tls = tls::ClientConfig::new(&Clock::new(host.unix_at_epoch()), tls).unwrap();
        let config = ClientConfig::new(&tls, options).unwrap();
        let endpoint = Endpoint::client(&config, false).unwrap();
        let any: SocketAddr = "0.0.0.0:0".parse().unwrap();
        let mut peer = Self::new(host, host.bind(any, None).await.unwrap(), endpoint);
        let to = to.parse().unwrap();
        peer.id = Some(peer.endpoint.connect(host.now(), to, "www.test").unwrap());
        peer
    }

    fn new(host: &Host, socket: <Host as Runtime>::Datagrams, endpoint: Endpoint) -> Self {
        Self {
            host: host.clone(),
            socket,
            timer: None,
            endpoint,
            id: None,
            connected: false,
            lost: None,
            came: BTreeMap::new(),
            stopped: Vec::new(),
            is_deaf: false,
        }
    }

    /// Lives for so long.
    pub async fn run(&mut self, time: Duration) {
        let end = self.host.now() + time;
        poll_fn(|cx| self.poll(cx, end, |_| false)).await;
    }

    /// Lives until something is so, at most a minute.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = self.host.now() + Duration::from_secs(60);
        poll_fn(|cx| self.poll(cx, end, &is_so)).await;
        assert!(
            is_so(self),
            "within a minute: {what}; lost: {:?}, came: {:?}",
            self.lost,
            self.came
        );
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        end: Instant,
        stop: impl Fn(&Self) -> bool,
    ) -> Poll<()> {
        loop {
            let now = self.host.now();
            let mut progress = self.receive(cx, now);
            if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
                self.endpoint.handle_timeout(now);
                progress = true;
            }
            while let Some((id, event)) = self.endpoint.poll_event() {
                self.on_event(id, event);
                progress = true;
            }
            progress |= self.read();
            progress |= self.transmit(now);
            if progress {
                continue;
            }
            if now >= end || stop(self) {
                return Poll::Ready(());
            }
            let at = self.endpoint.poll_timeout().map_or(end, |at| at.min(end));
            let mut timer = self.host.timer(at);
            let expired = timer.poll_expired(cx);
            self.timer = Some(timer);
            if expired.is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut buffer = vec![0; 2_000];
        let mut received = [Received::default()];
        let buffers = &mut [IoSliceMut::new(&mut buffer)];
        let Poll::Ready(read) = self.socket.poll_receive(cx, buffers, &mut received) else {
            return false;
        };
        if read.is_ok() {
            let [Received { source, destination, .. }] = received;
            let from = From { source, destination, ecn: None };
            let bytes = &buffer[..received[0].length];
            self.endpoint.receive(now, &from, bytes);
        }
        true
    }

    fn transmit(&mut self, now: Instant) -> bool {
        let mut buffer = Vec::new();
        let mut sent = false;
        while let Some(one) = self.endpoint.poll_transmit(now, 1, &mut buffer) {
            let transmit = Transmit::new(one.destination, &buffer);
            while let Err(error) = self.socket.try_send(&transmit) {
                if error.kind() != ErrorKind::WouldBlock {
                    break;
                }
            }
            sent = true;
        }
        sent
    }

    fn on_event(&mut self, id: QuicId, event: Event) {
        match event {
            Event::Accepted { .. } => {
                self.id = Some(id);
                (self.connected, self.lost) = (false, None);
                self.came.clear();
            }
            Event::Connected => self.connected = true,
            Event::Lost(error) => self.lost = Some(error),
            Event::Stream(StreamEvent::Stopped { id, error_code }) => {
                self.stopped.push((id, error_code.into_inner()));
            }
            _ => {}
        }
    }

    /// Reads what can be read.
    fn read(&mut self) -> bool {
        let Some(id) = self.id.filter(|_| !self.is_deaf) else { return false };
        let Some(connection) = self.endpoint.connection(id) else { return false };
        for dir in [Dir::Bi, Dir::Uni] {
            while let Some(stream) = connection.streams().accept(dir) {
                self.came.entry(stream).or_default();
            }
        }
        let mut progress = false;
        for (stream, came) in self.came.iter_mut().filter(|(_, came)| came.end.is_none()) {
            let mut recv = connection.recv_stream(*stream);
            let Ok(mut chunks) = recv.read(true) else { continue };
            loop {
                match chunks.next(usize::MAX) {
                    Ok(Some(chunk)) => came.bytes.extend_from_slice(&chunk.bytes),
                    Ok(None) => came.end = Some(Ok(())),
                    Err(ReadError::Reset(code)) => came.end = Some(Err(code.into_inner())),
                    Err(ReadError::Blocked) => break,
                }
                progress = true;
                if came.end.is_some() {
                    break;
                }
            }
            let _ = chunks.finalize();
        }
        progress
    }

    /// The connection.
    pub fn connection(&mut self) -> &mut quinn_proto::Connection {
        self.endpoint.connection(self.id.expect("a connection")).expect("it is there")
    }

    /// Opens a stream and says this.
    pub fn open(&mut self, dir: Dir, bytes: &[u8]) -> StreamId {
        let stream = self.connection().streams().open(dir).expect("the other side grants it");
        if dir == Dir::Bi {
            self.came.entry(stream).or_default();
        }
        self.say(stream, bytes);
        stream
    }

    /// Says this on a stream.
    pub fn say(&mut self, stream: StreamId, bytes: &[u8]) {
        let written = self.connection().send_stream(stream).write(bytes);
        assert_eq!(written, Ok(bytes.len()), "there is room");
    }

    /// Ends a stream.
    pub fn finish(&mut self, stream: StreamId) {
        self.connection().send_stream(stream).finish().unwrap();
    }

    /// Resets a stream.
    pub fn reset(&mut self, stream: StreamId, code: u64) {
        let code = VarInt::from_u64(code).unwrap();
        self.connection().send_stream(stream).reset(code).unwrap();
    }

    /// Closes the connection with a code of the application.
    pub fn close(&mut self, code: u32, reason: &'static str) {
        let now = self.host.now();
        let reason = Bytes::from_static(reason.as_bytes());
        self.endpoint.close(now, self.id.expect("a connection"), code, reason);
    }

    /// What came on the streams of one direction that the other side has opened.
    pub fn streams(&self, dir: Dir) -> impl Iterator<Item = (StreamId, &[u8])> {
        let all = self.came.iter().filter(move |(id, _)| id.dir() == dir);
        all.map(|(id, came)| (*id, &came.bytes[..]))
    }

    /// The frames of the other side's control stream, by kind.
    pub fn control(&self) -> Vec<(u64, Vec<u8>)> {
        let control = self.streams(Dir::Uni).find(|(_, bytes)| bytes.first() == Some(&CONTROL));
        control.map(|(_, bytes)| frames(&bytes[1..])).unwrap_or_default()
    }

    /// The frames that came on a stream.
    pub fn frames(&self, stream: StreamId) -> Vec<(u64, Vec<u8>)> {
        frames(&self.came[&stream].bytes)
    }

    /// The code with which the other side's HTTP/3 has closed the connection.
    pub fn closed(&self) -> Option<u64> {
        match &self.lost.as_ref()?.source {
            Some(ConnectionError::ApplicationClosed(close)) => Some(close.error_code.into_inner()),
            _ => None,
        }
    }
}

/// A variable-length integer (RFC 9000 16).
pub fn integer(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (0x4000 | value as u16).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (0x8000_0000 | value as u32).to_be_bytes().to_vec(),
        _ => (0xc000_0000_0000_0000 | value).to_be_bytes().to_vec(),
    }
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let length = 1 << (bytes.first()? >> 6);
    let (integer, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let whole = integer.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    Some(whole & (u64::MAX >> (66 - 8 * length as u32)))
}

/// A frame.
pub fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    [integer(kind), integer(payload.len() as u64), payload.to_vec()].concat()
}

/// All whole frames.
fn frames(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut all = Vec::new();
    while let (Some(kind), Some(length)) = (take(&mut bytes), take(&mut bytes)) {
        let Some((payload, rest)) = bytes.split_at_checked(length as usize) else { break };
        all.push((kind, payload.to_vec()));
        bytes = rest;
    }
    all
}

/// The beginning of a control stream, with these settings.
pub fn settings(all: &[(u64, u64)]) -> Vec<u8> {
    let payload = all.iter().flat_map(|(id, value)| [integer(*id), integer(*value)].concat());
    [vec![CONTROL], frame(SETTINGS, &payload.collect::<Vec<_>>())].concat()
}

/// GET or POST of `/` at www.test, in fields of the static table (RFC 9204 A).
pub fn request(is_post: bool) -> Vec<u8> {
    let method = if is_post { 0xd4 } else { 0xd1 };
    let section = [&[0, 0, method, 0xd7, 0xc1, 0x50, 8], &b"www.test"[..]].concat();
    frame(HEADERS, &section)
}

/// 200, in a field of the static table.
pub fn ok() -> Vec<u8> {
    frame(HEADERS, &[0, 0, 0xd9])
}
