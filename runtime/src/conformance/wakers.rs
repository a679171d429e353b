//! Whom a runtime wakes: the task that asked last, once, without being asked again.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use super::io::{both, finish, listen, pair, pause, read_to_end, write_all};
use super::scene::patiently;
use super::signals::Flag;
use super::{Fact, ensure};
use crate::runtime::{Address, Listener as _, Runtime, Stream as _, Timer as _};

const SHORT: Duration = Duration::from_millis(5);
/// So late that nobody was woken, whatever the machine is busy with.
const LATE: Duration = Duration::from_secs(10);

fn told(error: io::Error) -> String {
    error.to_string()
}

/// A context in which somebody asks who goes away then.
fn passer_by() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// A timer that was asked once wakes its task, which need not ask again.
pub async fn timer_wakes_without_being_asked_again<R: Runtime>(runtime: R) -> Fact {
    let at = runtime.now() + SHORT;
    let mut timer = runtime.timer(at);
    let mut asked = false;
    let woken = poll_fn(|cx| {
        if !core::mem::replace(&mut asked, true) {
            return timer.poll_expired(cx).map(|()| Ok(()));
        }
        let now = runtime.now();
        // A task may be polled though nothing woke it.
        if now < at { Poll::Pending } else { Poll::Ready(Ok(())) }
    });
    patiently(&runtime, "the wake of a timer", woken).await?;
    ensure!(runtime.now() < at + LATE, "a timer that had expired woke nobody");
    Ok(())
}

/// Of two tasks that asked a timer the later one is woken.
pub async fn timer_wakes_who_asked_last<R: Runtime>(runtime: R) -> Fact {
    let mut timer = runtime.timer(runtime.now() + SHORT);
    let early = timer.poll_expired(&mut passer_by()).is_ready();
    ensure!(!early, "{SHORT:?} were over at once");
    let woken = async {
        poll_fn(|cx| timer.poll_expired(cx)).await;
        Ok(())
    };
    patiently(&runtime, "the wake of who asked last", woken).await
}

/// Of two tasks that asked a stream for bytes the later one is woken.
pub async fn reader_that_asked_last_is_woken<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    let early = near.poll_read(&mut passer_by(), &mut [0; 8]).is_ready();
    ensure!(!early, "nothing was sent, and something was read");
    let asked = Flag::default();
    let reads = async {
        let mut buffer = [0; 8];
        poll_fn(|cx| {
            let read = near.poll_read(cx, &mut buffer);
            asked.raise();
            read
        })
        .await
        .map_err(told)
    };
    let writes = async {
        asked.raised().await;
        pause(&runtime, SHORT).await;
        write_all(&mut far, b"x").await.map_err(told)
    };
    let (read, written) = both(patiently(&runtime, "the reader's wake", reads), writes).await;
    written?;
    let count = read?;
    ensure!(count == 1, "one byte was sent and {count} were read");
    Ok(())
}

/// Of two tasks that asked a listener the later one is woken.
pub async fn listener_wakes_who_asked_last<R: Runtime>(runtime: R) -> Fact {
    let (mut listener, at) = listen(&runtime).await?;
    let early = listener.poll_accept(&mut passer_by()).is_ready();
    ensure!(!early, "nobody has connected, and somebody was accepted");
    let accepts = async {
        poll_fn(|cx| listener.poll_accept(cx)).await.map_err(told)?;
        Ok(())
    };
    let connects = async {
        pause(&runtime, SHORT).await;
        runtime.connect(Address::Ip(at)).await.map_err(told)
    };
    let (accepted, connected) =
        both(patiently(&runtime, "the listener's wake", accepts), connects).await;
    connected?;
    accepted
}

/// One task may wait to read and to write at once, and is woken for either.
pub async fn reader_and_writer_are_both_woken<R: Runtime>(runtime: R) -> Fact {
    const MOST: usize = 256 << 20;
    let (mut near, mut far) = pair(&runtime).await?;
    let full = Flag::default();
    let is_full = full.clone();
    // Writes until nothing more is taken, hears a byte then, and has room again after that.
    let near_end = async move {
        let chunk = vec![0; 64 << 10];
        let (mut written, mut heard) = (0, false);
        poll_fn(|cx| {
            loop {
                if !heard && let Poll::Ready(read) = near.poll_read(cx, &mut [0; 8]) {
                    read.map_err(told)?;
                    heard = true;
                }
                match near.poll_write(cx, &[IoSlice::new(&chunk)]) {
                    Poll::Ready(done) => written += done.map_err(told)?,
                    Poll::Pending => {
                        is_full.raise();
                        return Poll::Pending;
                    }
                }
                if heard || written > MOST {
                    return Poll::Ready(Ok::<_, String>(()));
                }
            }
        })
        .await?;
        drop(near);
        ensure!(written <= MOST, "{written} bytes were taken and nobody reads");
        Ok(written)
    };
    let far_end = async {
        full.raised().await;
        write_all(&mut far, b"x").await.map_err(told)?;
        pause(&runtime, SHORT).await;
        read_to_end(&mut far).await.map_err(told)
    };
    let ends = async {
        let (written, came) = both(near_end, far_end).await;
        Ok((written?, came?.len()))
    };
    let (written, came) = patiently(&runtime, "one of two wakes", ends).await?;
    ensure!(written == came, "{written} bytes were written and {came} came");
    Ok(())
}

/// Where there are Unix sockets, they carry bytes and halves end by themselves.
pub async fn unix_sockets_carry_bytes<R: Runtime>(runtime: R) -> Fact {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("regatta-{}-{number}.socket", std::process::id());
    let path = RemovedAtTheEnd(std::env::temp_dir().join(name));
    let at = Address::Unix(Arc::from(path.0.as_path()));
    let mut listener = match runtime.listen(at.clone()).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
        Err(error) => return Err(format!("listening at {}: {error}", path.0.display())),
        Ok(listener) => listener,
    };
    let accept = poll_fn(|cx| listener.poll_accept(cx));
    let (near, far) = both(runtime.connect(at), accept).await;
    let (mut near, (mut far, peer)) = (near.map_err(told)?, far.map_err(told)?);
    ensure!(peer.is_none(), "a Unix socket's peer is said to be at {peer:?}");
    write_all(&mut near, b"question").await.map_err(told)?;
    finish(&mut near).await.map_err(told)?;
    let question = read_to_end(&mut far).await.map_err(told)?;
    write_all(&mut far, b"answer").await.map_err(told)?;
    drop(far);
    let answer = read_to_end(&mut near).await.map_err(told)?;
    ensure!(question == b"question" && answer == b"answer", "came {question:?} and {answer:?}");
    let address: io::Result<SocketAddr> = listener.local_address();
    ensure!(address.is_err(), "a Unix socket is said to be at {address:?}");
    Ok(())
}

struct RemovedAtTheEnd(PathBuf);

impl Drop for RemovedAtTheEnd {
    fn drop(&mut self) {
        // It is not there where there are no Unix sockets.
        let _ = std::fs::remove_file(&self.0);
    }
}
