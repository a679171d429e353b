//! How byte streams end: in halves, at once, and by a reset.
//!
//! A reset is what Linux makes of it: bytes that came before it can still be read, then it is
//! told once, and from then on a read says the end.

use core::future::{Future as _, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};

use super::io::{both, finish, listen, pair, pause, read, read_exactly, read_to_end, write_all};
use super::{Fact, ensure};
use crate::runtime::{Address, Listener as _, Runtime, Stream};

/// More than any buffer takes.
const MOST: usize = 256 << 20;

fn told(error: io::Error) -> String {
    error.to_string()
}

/// Both ends of a connection of which the far one has bytes that it has not read.
async fn unread<R: Runtime>(runtime: &R) -> Result<(R::Stream, R::Stream), String> {
    let (mut near, mut far) = pair(runtime).await?;
    write_all(&mut near, b"unread").await.map_err(told)?;
    read_exactly(&mut far, 1).await.map_err(told)?;
    // The others may come later than the first.
    pause(runtime, Duration::from_millis(2)).await;
    Ok((near, far))
}

/// Writes until nothing more is taken; how much was.
async fn fill<S: Stream>(stream: &mut S) -> Result<usize, String> {
    let chunk = vec![0; 64 << 10];
    let slices = [IoSlice::new(&chunk)];
    let mut written = 0;
    while let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(stream.poll_write(cx, &slices))).await {
        written += done.map_err(told)?;
        ensure!(written < MOST, "{written} bytes were taken and nobody reads");
    }
    Ok(written)
}

fn is_reset(what: &str, done: io::Result<usize>) -> Fact {
    match done {
        Ok(count) => Err(format!("{what} expected ConnectionReset, came {count} bytes")),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(format!("{what} expected ConnectionReset, came {error}")),
    }
}

fn is_broken(what: &str, done: io::Result<()>) -> Fact {
    match done {
        Ok(()) => Err(format!("{what} went well")),
        Err(error) => {
            let kind = error.kind();
            ensure!(
                matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
                "{what} expected BrokenPipe or ConnectionReset, came {error}"
            );
            Ok(())
        }
    }
}

/// The accepting end may be done first, and still listen.
pub async fn accepted_half_may_close_first<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    write_all(&mut far, b"hello").await.map_err(told)?;
    finish(&mut far).await.map_err(told)?;
    let hello = read_to_end(&mut near).await.map_err(told)?;
    for _ in 0..10 {
        write_all(&mut near, b"on and ").await.map_err(told)?;
        read_exactly(&mut far, 7).await.map_err(told)?;
    }
    write_all(&mut near, b"on").await.map_err(told)?;
    finish(&mut near).await.map_err(told)?;
    let rest = read_to_end(&mut far).await.map_err(told)?;
    ensure!(hello == b"hello" && rest == b"on", "came {hello:?} and {rest:?}");
    Ok(())
}

/// Both ends may be done at the same time, and each reads what the other had said.
pub async fn both_ends_close_at_once<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    write_all(&mut near, b"from near").await.map_err(told)?;
    write_all(&mut far, b"from far").await.map_err(told)?;
    let (one, other) = both(finish(&mut near), finish(&mut far)).await;
    one.and(other).map_err(told)?;
    let (one, other) = both(read_to_end(&mut near), read_to_end(&mut far)).await;
    let (one, other) = (one.map_err(told)?, other.map_err(told)?);
    ensure!(one == b"from far" && other == b"from near", "came {one:?} and {other:?}");
    Ok(())
}

/// Being done twice is being done.
pub async fn finishing_twice_is_finishing<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    write_all(&mut near, b"once").await.map_err(told)?;
    finish(&mut near).await.map_err(told)?;
    finish(&mut near).await.map_err(|error| format!("the second time: {error}"))?;
    let all = read_to_end(&mut far).await.map_err(told)?;
    ensure!(all == b"once", "came {all:?}");
    Ok(())
}

/// Who is done cannot write.
pub async fn writing_after_finishing_fails<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    finish(&mut near).await.map_err(told)?;
    match write_all(&mut near, b"more").await {
        Ok(()) => return Err("a write after the end went well".to_owned()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => return Err(format!("expected BrokenPipe, came {error}")),
    }
    let all = read_to_end(&mut far).await.map_err(told)?;
    ensure!(all.is_empty(), "{all:?} came after the end");
    Ok(())
}

/// Who drops a stream with bytes unread resets it; the peer is told once, then of the end.
pub async fn dropping_unread_bytes_resets<R: Runtime>(runtime: R) -> Fact {
    let (mut near, far) = unread(&runtime).await?;
    drop(far);
    is_reset("the first read", read(&mut near, &mut [0; 8]).await)?;
    for _ in 0..2 {
        let count = read(&mut near, &mut [0; 8]).await;
        let count = count.map_err(|error| format!("after a reset, expected the end: {error}"))?;
        ensure!(count == 0, "{count} bytes came after a reset");
    }
    is_broken("a write after a reset", write_all(&mut near, b"more").await)
}

/// What had come before a reset is not lost by it.
pub async fn bytes_before_a_reset_are_read<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = unread(&runtime).await?;
    write_all(&mut far, b"last words").await.map_err(told)?;
    pause(&runtime, Duration::from_millis(2)).await;
    drop(far);
    pause(&runtime, Duration::from_millis(2)).await;
    let all = read_exactly(&mut near, 10).await.map_err(told)?;
    ensure!(all == b"last words", "came {all:?}");
    is_reset("the read after them", read(&mut near, &mut [0; 8]).await)
}

/// A reader that waits is woken by a reset.
pub async fn reset_wakes_the_reader<R: Runtime>(runtime: R) -> Fact {
    let (mut near, far) = unread(&runtime).await?;
    let mut buffer = [0; 8];
    let mut waiting = pin!(read(&mut near, &mut buffer));
    let first = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_ready())).await;
    ensure!(!first, "nothing was written, and a read ended");
    let drops = async {
        pause(&runtime, Duration::from_millis(2)).await;
        drop(far);
    };
    let (done, ()) = both(waiting, drops).await;
    is_reset("a read that waited", done)
}

/// A writer that waits for room is woken when its peer is gone.
pub async fn reset_wakes_the_writer<R: Runtime>(runtime: R) -> Fact {
    let (mut near, far) = pair(&runtime).await?;
    fill(&mut near).await?;
    let drops = async {
        pause(&runtime, Duration::from_millis(2)).await;
        drop(far);
    };
    // Buffers may grow meanwhile, and take some more.
    let writes = async {
        let chunk = vec![0; 64 << 10];
        for _ in 0..MOST / chunk.len() {
            write_all(&mut near, &chunk).await?;
        }
        Ok(())
    };
    let (done, ()) = both(writes, drops).await;
    is_broken("a write that waited", done)
}

/// After the peer's end a read says the end, also when the peer has reset since.
pub async fn end_outlives_a_reset<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    finish(&mut far).await.map_err(told)?;
    let all = read_to_end(&mut near).await.map_err(told)?;
    ensure!(all.is_empty(), "{all:?} came and nothing was written");
    drop(far);
    let mut failed = false;
    for _ in 0..1_000 {
        if let Err(error) = write_all(&mut near, b"anybody?").await {
            is_broken("a write to nobody", Err(error))?;
            failed = true;
            break;
        }
        pause(&runtime, Duration::from_millis(1)).await;
    }
    ensure!(failed, "1,000 writes to a stream whose peer is gone went well");
    let count = read(&mut near, &mut [0; 8]).await;
    let count = count.map_err(|error| format!("expected the end again, came {error}"))?;
    ensure!(count == 0, "{count} bytes came after the end");
    Ok(())
}

/// With both directions full neither end is stuck: each reads what the other had written.
pub async fn both_directions_can_be_full<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    let (there, back) = (fill(&mut near).await?, fill(&mut far).await?);
    let (at_far, at_near) =
        both(read_exactly(&mut far, there), read_exactly(&mut near, back)).await;
    at_far.and(at_near).map_err(told)?;
    write_all(&mut near, b"there").await.map_err(told)?;
    write_all(&mut far, b"back").await.map_err(told)?;
    let (at_far, at_near) = both(read_exactly(&mut far, 5), read_exactly(&mut near, 4)).await;
    let (at_far, at_near) = (at_far.map_err(told)?, at_near.map_err(told)?);
    ensure!(at_far == b"there" && at_near == b"back", "came {at_far:?} and {at_near:?}");
    Ok(())
}

/// Connecting does not wait for `poll_accept`; what was said before it is there.
pub async fn connections_wait_to_be_accepted<R: Runtime>(runtime: R) -> Fact {
    const COUNT: u8 = 16;
    let (mut listener, at) = listen(&runtime).await?;
    let mut near = Vec::new();
    for n in 0..COUNT {
        let mut stream = runtime.connect(Address::Ip(at)).await.map_err(told)?;
        write_all(&mut stream, &[n]).await.map_err(told)?;
        near.push(stream);
    }
    let mut said = Vec::new();
    for _ in 0..COUNT {
        let (mut far, _) = poll_fn(|cx| listener.poll_accept(cx)).await.map_err(told)?;
        said.extend(read_exactly(&mut far, 1).await.map_err(told)?);
    }
    ensure!(said == (0..COUNT).collect::<Vec<_>>(), "{COUNT} streams said {said:?}");
    Ok(())
}

/// Connections that nobody has accepted are reset when their listener is dropped.
pub async fn dropped_listener_resets_who_waits<R: Runtime>(runtime: R) -> Fact {
    let (listener, at) = listen(&runtime).await?;
    let mut near = runtime.connect(Address::Ip(at)).await.map_err(told)?;
    drop(listener);
    is_reset("who was not accepted", read(&mut near, &mut [0; 8]).await)
}

/// A port can be listened on again at once, also while a connection lives that came by it.
pub async fn dropped_listeners_port_is_free<R: Runtime>(runtime: R) -> Fact {
    let (mut listener, at) = listen(&runtime).await?;
    let connect = runtime.connect(Address::Ip(at));
    let (near, far) = both(connect, poll_fn(|cx| listener.poll_accept(cx))).await;
    let (_near, _far) = (near.map_err(told)?, far.map_err(told)?);
    drop(listener);
    let again = runtime.listen(Address::Ip(at)).await;
    let mut again = again.map_err(|error| format!("listening again: {error}"))?;
    let connect = runtime.connect(Address::Ip(at));
    let (near, far) = both(connect, poll_fn(|cx| again.poll_accept(cx))).await;
    near.map_err(told)?;
    far.map_err(told)?;
    Ok(())
}

/// A connect that is given up leaves the listener as it was.
pub async fn connect_can_be_dropped<R: Runtime>(runtime: R) -> Fact {
    let (mut listener, at) = listen(&runtime).await?;
    let mut given_up = Box::pin(runtime.connect(Address::Ip(at)));
    let done = poll_fn(|cx| Poll::Ready(given_up.as_mut().poll(cx))).await;
    drop((given_up, done));
    let mut near = runtime.connect(Address::Ip(at)).await.map_err(told)?;
    write_all(&mut near, b"me").await.map_err(told)?;
    // The one that was given up may be accepted first; it ends without a word.
    for _ in 0..2 {
        let (mut far, _) = poll_fn(|cx| listener.poll_accept(cx)).await.map_err(told)?;
        if let Ok(said) = read_exactly(&mut far, 2).await {
            ensure!(said == b"me", "came {said:?}");
            return Ok(());
        }
    }
    Err("two streams were accepted, and none of them is the one that was kept".to_owned())
}
