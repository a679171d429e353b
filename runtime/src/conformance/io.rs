//! The few futures that the facts are written with.

use core::future::{Future, poll_fn};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, IoSlice};

use crate::runtime::{Address, Listener as _, Runtime, Stream, Timer as _};

/// A free port on loopback.
pub(super) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Listens on a free port; where that is.
pub(super) async fn listen<R: Runtime>(runtime: &R) -> Result<(R::Listener, SocketAddr), String> {
    let listener = runtime.listen(Address::Ip(ANY)).await.map_err(|error| error.to_string())?;
    let at = listener.local_address().map_err(|error| error.to_string())?;
    Ok((listener, at))
}

/// Both ends of a new connection, the connecting one first.
pub(super) async fn pair<R: Runtime>(runtime: &R) -> Result<(R::Stream, R::Stream), String> {
    let (mut listener, at) = listen(runtime).await?;
    let (near, far) =
        both(runtime.connect(Address::Ip(at)), poll_fn(|cx| listener.poll_accept(cx))).await;
    let near = near.map_err(|error| format!("connect: {error}"))?;
    let (far, _) = far.map_err(|error| format!("accept: {error}"))?;
    Ok((near, far))
}

pub(super) async fn read<S: Stream>(stream: &mut S, buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buffer)).await
}

pub(super) async fn write_all<S: Stream>(stream: &mut S, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|cx| stream.poll_write(cx, &[IoSlice::new(bytes)])).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Reads until the peer's FIN.
pub(super) async fn read_to_end<S: Stream>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = read(stream, &mut buffer).await?;
        if count == 0 {
            return Ok(all);
        }
        all.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
}

/// Reads exactly so many bytes.
pub(super) async fn read_exactly<S: Stream>(stream: &mut S, n: usize) -> io::Result<Vec<u8>> {
    let mut all = vec![0; n];
    let mut filled = 0;
    while filled < n {
        let rest = all.get_mut(filled..).unwrap_or_default();
        match read(stream, rest).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(all)
}

pub(super) async fn finish<S: Stream>(stream: &mut S) -> io::Result<()> {
    poll_fn(|cx| stream.poll_shutdown(cx)).await
}

/// Runs two futures side by side.
pub(super) async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_done, mut b_done) = (None, None);
    poll_fn(|cx| {
        if a_done.is_none()
            && let Poll::Ready(done) = a.as_mut().poll(cx)
        {
            a_done = Some(done);
        }
        if b_done.is_none()
            && let Poll::Ready(done) = b.as_mut().poll(cx)
        {
            b_done = Some(done);
        }
        match (a_done.take(), b_done.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (a_done, b_done) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// Runs two futures until one of them ends, and drops both.
pub(super) async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        if one.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        other.as_mut().poll(cx)
    })
    .await;
}

/// Runs futures side by side; what each of them said, in their order.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut under_way: Vec<_> =
        futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut ended = true;
        for (future, done) in &mut under_way {
            if done.is_none()
                && let Poll::Ready(said) = future.as_mut().poll(cx)
            {
                *done = Some(said);
            }
            ended &= done.is_some();
        }
        if ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    under_way.into_iter().filter_map(|(_, done)| done).collect()
}

/// Waits so long.
pub(super) async fn pause<R: Runtime>(runtime: &R, length: Duration) {
    let mut timer = runtime.timer(runtime.now() + length);
    poll_fn(|cx| timer.poll_expired(cx)).await;
}
