//! Scripted peers over loopback TCP: what they say and expect is written down byte by byte
//! ([`Line`], HTTP/1; [`Secret`], under TLS) or frame by frame ([`Frames`], HTTP/2).

use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use tokio::net::{TcpListener, TcpStream};

mod frame;
mod frames;
mod hpack;
mod line;
mod secret;

pub(crate) use frame::{Frame, code, data, go_away, headers, reset, setting, settings};
pub(crate) use frames::Frames;
pub(crate) use line::Line;
pub(crate) use secret::{Secret, clock};

/// How long a test may take before it counts as hung; a machine under load is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Runs a test on tokio's `current_thread` flavour.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    run_for(PATIENCE, test)
}

/// As [`run`], with another patience.
pub(crate) fn run_for<T>(patience: Duration, test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(patiently(patience, test))
}

/// Runs a test on tokio's `multi_thread` flavour with two workers.
pub(crate) fn run_on_two<T>(test: impl Future<Output = T>) -> T {
    run_on_two_for(PATIENCE, test)
}

/// As [`run_on_two`], with another patience.
pub(crate) fn run_on_two_for<T>(patience: Duration, test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(patiently(patience, test))
}

/// Runs a test with async-io, whose tasks have the threads of their executor.
pub(crate) fn run_on_async_io<T>(patience: Duration, test: impl Future<Output = T>) -> T {
    let (mut test, mut late) = (pin!(test), pin!(async_io::Timer::after(patience)));
    async_io::block_on(poll_fn(|cx| match test.as_mut().poll(cx) {
        Poll::Pending if late.as_mut().poll(cx).is_ready() => panic!("the test hangs"),
        said => said,
    }))
}

async fn patiently<T>(patience: Duration, test: impl Future<Output = T>) -> T {
    tokio::time::timeout(patience, test).await.expect("the test hangs")
}

/// A scripted origin that listens on a port of its own.
#[derive(Debug)]
pub(crate) struct Peer {
    listener: TcpListener,
}

impl Peer {
    pub(crate) async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The URL of `path` there.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub(crate) async fn accept(&self) -> TcpStream {
        let (socket, _) = self.listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        socket
    }

    /// The next connection, as HTTP/1.
    pub(crate) async fn line(&self) -> Line {
        Line::new(self.accept().await)
    }

    /// The next connection, as HTTP/2: its preface is read and answered.
    pub(crate) async fn frames(&self) -> Frames {
        self.frames_with(&[]).await
    }

    /// As [`Peer::frames`], with these SETTINGS.
    pub(crate) async fn frames_with(&self, values: &[(u16, u32)]) -> Frames {
        Frames::server(self.accept().await, values).await
    }
}
