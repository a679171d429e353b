//! Byte streams and listeners.

use core::future::poll_fn;
use core::task::Poll;
use std::io::{ErrorKind, IoSlice};

use super::io::{both, finish, listen, pair, read, read_exactly, read_to_end, write_all};
use super::{Fact, ensure};
use crate::runtime::{Address, Listener as _, Runtime, Stream as _};

fn told(error: std::io::Error) -> String {
    error.to_string()
}

/// Listening on port 0 picks a port and says which.
pub async fn port_zero_becomes_a_port<R: Runtime>(runtime: R) -> Fact {
    let (_one, first) = listen(&runtime).await?;
    let (_two, second) = listen(&runtime).await?;
    ensure!(first.port() != 0, "a listener says that it listens on port 0");
    ensure!(first != second, "two listeners say that both listen at {first}");
    Ok(())
}

/// An address that somebody listens on is in use.
pub async fn listening_twice_fails<R: Runtime>(runtime: R) -> Fact {
    let (_listener, at) = listen(&runtime).await?;
    match runtime.listen(Address::Ip(at)).await {
        Ok(_) => Err(format!("two listeners have {at}")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(()),
        Err(error) => Err(format!("expected AddrInUse, came {error}")),
    }
}

/// An accepted stream comes with the address of who connected.
pub async fn accept_tells_the_peers_address<R: Runtime>(runtime: R) -> Fact {
    let (mut listener, at) = listen(&runtime).await?;
    let connect = runtime.connect(Address::Ip(at));
    let (near, far) = both(connect, poll_fn(|cx| listener.poll_accept(cx))).await;
    near.map_err(told)?;
    let (_, peer) = far.map_err(told)?;
    let peer = peer.ok_or("no address came with an accepted TCP stream")?;
    ensure!(peer.ip() == at.ip() && peer.port() != 0, "expected an address of {at}, came {peer}");
    Ok(())
}

/// What one end writes the other reads.
pub async fn bytes_go_both_ways<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    write_all(&mut near, b"there").await.map_err(told)?;
    let there = read_exactly(&mut far, 5).await.map_err(told)?;
    write_all(&mut far, b"and back").await.map_err(told)?;
    let back = read_exactly(&mut near, 8).await.map_err(told)?;
    ensure!(there == b"there" && back == b"and back", "came {there:?} and {back:?}");
    Ok(())
}

/// A write of several slices takes them in their order, empty ones too.
pub async fn slices_are_written_in_order<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    let slices = [b"a".as_slice(), b"", b"bc", b"def"].map(IoSlice::new);
    let written = poll_fn(|cx| near.poll_write(cx, &slices)).await.map_err(told)?;
    finish(&mut near).await.map_err(told)?;
    let all = read_to_end(&mut far).await.map_err(told)?;
    ensure!(
        written > 0 && b"abcdef".get(..written) == Some(all.as_slice()),
        "{written} bytes were written and {all:?} came"
    );
    Ok(())
}

/// Four megabytes written as the socket takes them come whole and in order.
pub async fn megabytes_arrive_whole_and_in_order<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    let sent: Vec<u8> =
        (0..4_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (wrote, all) = both(
        async {
            write_all(&mut near, &sent).await?;
            finish(&mut near).await
        },
        read_to_end(&mut far),
    )
    .await;
    wrote.map_err(told)?;
    let all = all.map_err(told)?;
    ensure!(all.len() == sent.len(), "{} bytes were sent, {} came", sent.len(), all.len());
    ensure!(all == sent, "the bytes came changed or out of order");
    Ok(())
}

/// Without a reader a write ends up waiting, and goes on when somebody reads.
pub async fn write_waits_for_the_reader<R: Runtime>(runtime: R) -> Fact {
    /// More than loopback holds.
    const MOST: usize = 256 << 20;
    let (mut near, mut far) = pair(&runtime).await?;
    let chunk = vec![7; 256 << 10];
    let mut written = 0;
    loop {
        let slices = [IoSlice::new(&chunk)];
        match poll_fn(|cx| Poll::Ready(near.poll_write(cx, &slices))).await {
            Poll::Ready(done) => written += done.map_err(told)?,
            Poll::Pending => break,
        }
        ensure!(written < MOST, "{written} bytes were taken and nobody reads");
    }
    let (wrote, read) = both(write_all(&mut near, b"!"), read_exactly(&mut far, written + 1)).await;
    wrote.map_err(told)?;
    ensure!(read.map_err(told)?.last() == Some(&b'!'), "what was written last did not come last");
    Ok(())
}

/// One end may say that it is done and still listen.
pub async fn each_half_closes_by_itself<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    write_all(&mut near, b"question").await.map_err(told)?;
    finish(&mut near).await.map_err(told)?;
    let question = read_to_end(&mut far).await.map_err(told)?;
    write_all(&mut far, b"answer").await.map_err(told)?;
    finish(&mut far).await.map_err(told)?;
    let answer = read_to_end(&mut near).await.map_err(told)?;
    ensure!(question == b"question" && answer == b"answer", "came {question:?} and {answer:?}");
    Ok(())
}

/// After the end a read says the end again.
pub async fn end_is_told_again<R: Runtime>(runtime: R) -> Fact {
    let (near, mut far) = pair(&runtime).await?;
    drop(near);
    for _ in 0..3 {
        let count = read(&mut far, &mut [0; 8]).await.map_err(told)?;
        ensure!(count == 0, "{count} bytes came after the end");
    }
    Ok(())
}

/// A stream that is dropped ends for its peer, after what was written.
pub async fn dropped_stream_is_the_end<R: Runtime>(runtime: R) -> Fact {
    let (mut near, mut far) = pair(&runtime).await?;
    write_all(&mut near, b"last words").await.map_err(told)?;
    drop(near);
    let all = read_to_end(&mut far).await.map_err(told)?;
    ensure!(all == b"last words", "came {all:?}");
    Ok(())
}

/// Writing to a peer that is gone fails sooner or later, and does not wait for ever.
pub async fn writing_to_nobody_fails<R: Runtime>(runtime: R) -> Fact {
    let (mut near, far) = pair(&runtime).await?;
    drop(far);
    let chunk = vec![0; 64 << 10];
    for _ in 0..10_000 {
        if let Err(error) = write_all(&mut near, &chunk).await {
            let kind = error.kind();
            ensure!(
                matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
                "expected BrokenPipe or ConnectionReset, came {error}"
            );
            return Ok(());
        }
    }
    Err("10,000 writes to a stream whose peer is gone went well".to_owned())
}

/// Connecting to a port that nobody listens on says so.
pub async fn refused_port_says_so<R: Runtime>(runtime: R) -> Fact {
    let (listener, at) = listen(&runtime).await?;
    drop(listener);
    refused(&runtime, at).await
}

/// A listener that is dropped accepts nothing more.
pub async fn dropped_listener_refuses<R: Runtime>(runtime: R) -> Fact {
    let (mut listener, at) = listen(&runtime).await?;
    let connect = runtime.connect(Address::Ip(at));
    let (near, far) = both(connect, poll_fn(|cx| listener.poll_accept(cx))).await;
    let (mut near, (mut far, _)) = (near.map_err(told)?, far.map_err(told)?);
    drop(listener);
    refused(&runtime, at).await?;
    // What was accepted before lives on.
    write_all(&mut near, b"still").await.map_err(told)?;
    let still = read_exactly(&mut far, 5).await.map_err(told)?;
    ensure!(still == b"still", "came {still:?}");
    Ok(())
}

async fn refused<R: Runtime>(runtime: &R, at: core::net::SocketAddr) -> Fact {
    match runtime.connect(Address::Ip(at)).await {
        Ok(_) => Err(format!("nobody listens at {at} and connecting went well")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(format!("expected ConnectionRefused, came {error}")),
    }
}
