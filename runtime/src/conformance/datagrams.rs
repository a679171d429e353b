//! UDP sockets.

use core::future::{Future as _, poll_fn};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, IoSliceMut};

use super::io::{ANY, both, listen, pause};
use super::{Fact, ensure};
use crate::datagrams::{Datagrams, Ecn, Received, Transmit};
use crate::runtime::{Address, Runtime};

/// The longest payload over IPv4: 65,535 less an IP header of 20 bytes and a UDP header of 8.
const LONGEST: usize = 65_507;
/// A payload that fits every path (RFC 9000 14).
const USUAL: usize = 1_200;
const ANY_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);
const EVERYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

fn told(error: io::Error) -> String {
    error.to_string()
}

/// A socket on loopback, and where it is.
async fn socket<R: Runtime>(runtime: &R) -> Result<(R::Datagrams, SocketAddr), String> {
    let socket = runtime.bind(ANY, None).await.map_err(told)?;
    let at = socket.local_address().map_err(told)?;
    Ok((socket, at))
}

/// A socket that is connected to `remote`; `None` where the system cannot.
/// An address at which nobody is.
pub(super) async fn closed_port<R: Runtime>(runtime: &R) -> Result<SocketAddr, String> {
    socket(runtime).await.map(|(_dropped, at)| at)
}

async fn connected<R: Runtime>(
    runtime: &R,
    local: SocketAddr,
    remote: SocketAddr,
) -> Result<Option<(R::Datagrams, SocketAddr)>, String> {
    match runtime.bind(local, Some(remote)).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(told(error)),
        Ok(socket) => {
            let at = socket.local_address().map_err(told)?;
            Ok(Some((socket, at)))
        }
    }
}

async fn send<D: Datagrams>(socket: &mut D, transmit: &Transmit<'_>) -> io::Result<()> {
    loop {
        match socket.try_send(transmit) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            done => return done,
        }
        poll_fn(|cx| socket.poll_writable(cx)).await?;
    }
}

/// What comes next, of one sender: its description and its datagrams.
async fn receive<D: Datagrams>(socket: &mut D) -> io::Result<(Received, Vec<Vec<u8>>)> {
    let mut buffer = vec![0; 1 << 16];
    let mut received = [Received::default()];
    let buffers = &mut [IoSliceMut::new(&mut buffer)];
    poll_fn(|cx| socket.poll_receive(cx, buffers, &mut received)).await?;
    let [received] = received;
    let datagrams = received.datagrams(&buffer).map(<[u8]>::to_vec).collect();
    Ok((received, datagrams))
}

/// The next `count` datagrams, however they come together.
async fn receive_many<D: Datagrams>(socket: &mut D, count: usize) -> io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(receive(socket).await?.1);
    }
    Ok(all)
}

/// Bytes by which a place in a datagram is known, other ones for each `seed`.
fn pattern(seed: u32, length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n ^ seed).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

fn lengths(datagrams: &[Vec<u8>]) -> Vec<usize> {
    datagrams.iter().map(Vec::len).collect()
}

/// Each datagram comes whole and by itself, an empty and the longest one too.
pub async fn datagrams_keep_their_boundaries<R: Runtime>(runtime: R) -> Fact {
    let ((mut near, _), (mut far, at)) = (socket(&runtime).await?, socket(&runtime).await?);
    let sent: Vec<_> =
        [1, 0, USUAL, 2, 9_000, LONGEST].iter().map(|&n| pattern(n as u32, n)).collect();
    for datagram in &sent {
        send(&mut near, &Transmit::new(at, datagram)).await.map_err(told)?;
    }
    let came = receive_many(&mut far, sent.len()).await.map_err(told)?;
    ensure!(came == sent, "lengths {:?} were sent and {:?} came", lengths(&sent), lengths(&came));
    Ok(())
}

/// A socket that waits is woken by what comes, with its sender's address, and an answer to
/// that arrives.
pub async fn datagram_says_who_sent_it<R: Runtime>(runtime: R) -> Fact {
    let ((mut near, from), (mut far, at)) = (socket(&runtime).await?, socket(&runtime).await?);
    let asked = async {
        pause(&runtime, Duration::from_millis(2)).await;
        send(&mut near, &Transmit::new(at, b"question")).await
    };
    let (asked, heard) = both(asked, receive(&mut far)).await;
    asked.map_err(told)?;
    let (received, _) = heard.map_err(told)?;
    ensure!(received.source == from, "{from} sent and {} is said to have", received.source);
    send(&mut far, &Transmit::new(received.source, b"answer")).await.map_err(told)?;
    let (received, answer) = receive(&mut near).await.map_err(told)?;
    ensure!(received.source == at, "{at} answered and {} is said to have", received.source);
    ensure!(answer == [b"answer"], "came {answer:?}");
    Ok(())
}

/// A socket on all addresses can answer from the one that was asked.
pub async fn answer_comes_from_the_address_that_was_asked<R: Runtime>(runtime: R) -> Fact {
    let mut server = runtime.bind(EVERYWHERE, None).await.map_err(told)?;
    let port = server.local_address().map_err(told)?.port();
    let at = SocketAddr::new(ANY.ip(), port);
    let (mut client, _) = socket(&runtime).await?;
    send(&mut client, &Transmit::new(at, b"question")).await.map_err(told)?;
    let (received, _) = receive(&mut server).await.map_err(told)?;
    let asked = received.destination;
    ensure!(
        asked.is_none_or(|asked| asked == at.ip()),
        "{} was asked and {asked:?} is said to have been",
        at.ip()
    );
    let answer = Transmit { source: asked, ..Transmit::new(received.source, b"answer") };
    send(&mut server, &answer).await.map_err(told)?;
    let (received, _) = receive(&mut client).await.map_err(told)?;
    ensure!(received.source == at, "{at} was asked and {} answered", received.source);
    Ok(())
}

/// A connected socket hears its remote and nobody else.
pub async fn connected_socket_hears_only_its_remote<R: Runtime>(runtime: R) -> Fact {
    let ((mut remote, at), (mut other, _)) = (socket(&runtime).await?, socket(&runtime).await?);
    let Some((mut near, from)) = connected(&runtime, EVERYWHERE, at).await? else { return Ok(()) };
    ensure!(from.ip() == at.ip(), "a socket that is connected to {at} says that it is at {from}");
    send(&mut other, &Transmit::new(from, b"from another")).await.map_err(told)?;
    send(&mut near, &Transmit::new(at, b"question")).await.map_err(told)?;
    let (received, _) = receive(&mut remote).await.map_err(told)?;
    ensure!(received.source == from, "{from} sent and {} is said to have", received.source);
    send(&mut remote, &Transmit::new(from, b"answer")).await.map_err(told)?;
    let (received, came) = receive(&mut near).await.map_err(told)?;
    ensure!(came == [b"answer"], "a socket that is connected to {at} heard {came:?}");
    ensure!(received.source == at, "{at} answered and {} is said to have", received.source);
    Ok(())
}

/// A connected socket hears that nobody is at its port, and works when somebody is.
pub async fn connected_socket_hears_of_a_closed_port<R: Runtime>(runtime: R) -> Fact {
    let (remote, at) = socket(&runtime).await?;
    let Some((mut near, _)) = connected(&runtime, ANY, at).await? else { return Ok(()) };
    drop(remote);
    for _ in 0..2 {
        send(&mut near, &Transmit::new(at, b"anybody?")).await.map_err(told)?;
        match receive(&mut near).await {
            Ok((_, came)) => return Err(format!("nobody is at {at} and {came:?} came")),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(format!("expected ConnectionRefused, came {error}")),
        }
    }
    let mut remote = runtime.bind(at, None).await.map_err(told)?;
    send(&mut near, &Transmit::new(at, b"and now?")).await.map_err(told)?;
    let (_, came) = receive(&mut remote).await.map_err(told)?;
    ensure!(came == [b"and now?"], "came {came:?}");
    Ok(())
}

/// A refusal that nobody has received is told to who sends next.
pub async fn send_tells_an_earlier_refusal<R: Runtime>(runtime: R) -> Fact {
    let (remote, at) = socket(&runtime).await?;
    let Some((mut near, _)) = connected(&runtime, ANY, at).await? else { return Ok(()) };
    drop(remote);
    for _ in 0..1_000 {
        match send(&mut near, &Transmit::new(at, b"anybody?")).await {
            Ok(()) => pause(&runtime, Duration::from_millis(1)).await,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(()),
            Err(error) => return Err(format!("expected ConnectionRefused, came {error}")),
        }
    }
    Err(format!("nobody is at {at} and a thousand datagrams went there"))
}

/// A socket that is not connected hears nothing of closed ports, and goes on.
pub async fn unconnected_socket_hears_of_no_closed_port<R: Runtime>(runtime: R) -> Fact {
    let (gone, closed) = socket(&runtime).await?;
    drop(gone);
    let ((mut near, from), (mut far, at)) = (socket(&runtime).await?, socket(&runtime).await?);
    for _ in 0..2 {
        send(&mut near, &Transmit::new(closed, b"anybody?")).await.map_err(told)?;
        send(&mut near, &Transmit::new(at, b"question")).await.map_err(told)?;
        receive(&mut far).await.map_err(told)?;
        send(&mut far, &Transmit::new(from, b"answer")).await.map_err(told)?;
        let (_, came) = receive(&mut near).await.map_err(told)?;
        ensure!(came == [b"answer"], "came {came:?}");
    }
    Ok(())
}

/// A transmit of segments becomes as many datagrams, the last of them shorter.
pub async fn segments_are_datagrams<R: Runtime>(runtime: R) -> Fact {
    let ((mut near, _), (mut far, at)) = (socket(&runtime).await?, socket(&runtime).await?);
    let contents = pattern(7, 3 * USUAL + 5);
    let segment_size = Some(USUAL);
    let transmit = Transmit { segment_size, ..Transmit::new(at, &contents) };
    let done = send(&mut near, &transmit).await;
    let cut: Vec<_> = contents.chunks(USUAL).map(<[u8]>::to_vec).collect();
    // A network card that cannot do it is found out by the first try.
    if near.max_segments() < transmit.segments() {
        ensure!(done.is_err(), "a transmit of more than max_segments went well");
        for datagram in &cut {
            send(&mut near, &Transmit::new(at, datagram)).await.map_err(told)?;
        }
    } else {
        done.map_err(told)?;
    }
    let came = receive_many(&mut far, cut.len()).await.map_err(told)?;
    ensure!(came == cut, "lengths {:?} were sent and {:?} came", lengths(&cut), lengths(&came));
    // A size that cuts nothing is none.
    let whole = Transmit { segment_size, ..Transmit::new(at, b"short") };
    send(&mut near, &whole).await.map_err(told)?;
    let (_, came) = receive(&mut far).await.map_err(told)?;
    ensure!(came == [b"short"], "came {came:?}");
    Ok(())
}

/// What can never be sent says so, and leaves the socket as it was.
pub async fn impossible_transmits_are_invalid<R: Runtime>(runtime: R) -> Fact {
    let ((mut near, _), (mut far, at)) = (socket(&runtime).await?, socket(&runtime).await?);
    let segments = near.max_segments();
    let long = pattern(1, LONGEST + 1);
    let other_family = SocketAddr::new(ANY_V6.ip(), at.port());
    let usual = Transmit::new(at, b"usual");
    let all = [
        ("a datagram of 65,508 bytes", Transmit { contents: &long, ..usual }),
        ("segments of no bytes", Transmit { segment_size: Some(0), ..usual }),
        (
            "more segments than max_segments",
            Transmit {
                contents: long.get(..=segments).unwrap_or(&long),
                segment_size: Some(1),
                ..usual
            },
        ),
        ("an IPv6 destination over IPv4", Transmit { destination: other_family, ..usual }),
        ("an IPv6 source over IPv4", Transmit { source: Some(other_family.ip()), ..usual }),
        ("port 0", Transmit { destination: SocketAddr::new(at.ip(), 0), ..usual }),
    ];
    for (what, transmit) in &all {
        invalid(what, send(&mut near, transmit).await)?;
    }
    let nothing = poll_fn(|cx| near.poll_receive(cx, &mut [], &mut [])).await;
    invalid("a receive into no buffer", nothing.map(|_| ()))?;
    ensure!(near.max_segments() == segments, "max_segments was {segments} and is no longer");
    send(&mut near, &Transmit { ecn: Some(Ecn::Ect0), ..usual }).await.map_err(told)?;
    let (received, came) = receive(&mut far).await.map_err(told)?;
    ensure!(came == [b"usual"], "what cannot be sent came: lengths {:?}", lengths(&came));
    ensure!(received.ecn == Some(Ecn::Ect0), "after them the ECN mark is {:?}", received.ecn);
    let Some((mut bound, _)) = connected(&runtime, ANY, at).await? else { return Ok(()) };
    let (_other, elsewhere) = socket(&runtime).await?;
    let done = send(&mut bound, &Transmit { destination: elsewhere, ..usual }).await;
    invalid("a transmit to another than the remote", done)
}

/// A connected socket tells once that a datagram is too long, to who sends it, and goes on.
pub async fn too_long_datagram_is_told_once<R: Runtime>(runtime: R) -> Fact {
    let (mut far, at) = socket(&runtime).await?;
    let Some((mut near, from)) = connected(&runtime, ANY, at).await? else { return Ok(()) };
    let long = pattern(1, LONGEST + 1);
    for sends_first in [true, false] {
        invalid("a datagram of 65,508 bytes", send(&mut near, &Transmit::new(at, &long)).await)?;
        pause(&runtime, Duration::from_millis(2)).await;
        if sends_first {
            send(&mut near, &Transmit::new(at, b"usual")).await.map_err(told)?;
            let (_, came) = receive(&mut far).await.map_err(told)?;
            ensure!(came == [b"usual"], "came {came:?}");
        }
        send(&mut far, &Transmit::new(from, b"answer")).await.map_err(told)?;
        let (_, came) = receive(&mut near).await.map_err(told)?;
        ensure!(came == [b"answer"], "came {came:?}");
    }
    Ok(())
}

fn invalid(what: &str, done: io::Result<()>) -> Fact {
    match done {
        Ok(()) => Err(format!("{what} went well")),
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        Err(error) => Err(format!("expected InvalidInput of {what}, came {error}")),
    }
}

/// ECN marks arrive as they were sent.
pub async fn ecn_marks_are_carried<R: Runtime>(runtime: R) -> Fact {
    let ((mut near, _), (mut far, at)) = (socket(&runtime).await?, socket(&runtime).await?);
    for ecn in [Some(Ecn::Ect0), None, Some(Ecn::Ect1), Some(Ecn::Ce), None] {
        send(&mut near, &Transmit { ecn, ..Transmit::new(at, b"marked") }).await.map_err(told)?;
        let (received, _) = receive(&mut far).await.map_err(told)?;
        ensure!(received.ecn == ecn, "the mark {ecn:?} was sent and {:?} came", received.ecn);
    }
    Ok(())
}

/// Of many datagrams at once some may be lost, but none comes twice, cut or changed.
pub async fn burst_is_neither_changed_nor_doubled<R: Runtime>(runtime: R) -> Fact {
    const COUNT: u32 = 500;
    let ((mut near, _), (mut far, at)) = (socket(&runtime).await?, socket(&runtime).await?);
    let length = |n: u32| 4 + (n as usize * 37) % USUAL;
    let datagram = |n: u32| [n.to_be_bytes().to_vec(), pattern(n, length(n) - 4)].concat();
    for n in 0..COUNT {
        send(&mut near, &Transmit::new(at, &datagram(n))).await.map_err(told)?;
    }
    let mut seen = BTreeSet::new();
    let mut buffers = vec![vec![0; 1 << 16]; 8];
    let mut received = [Received::default(); 8];
    // The end may be lost too; it is said until it was heard.
    loop {
        send(&mut near, &Transmit::new(at, b"end")).await.map_err(told)?;
        let mut timer = pin!(pause(&runtime, Duration::from_millis(5)));
        let mut slices: Vec<_> = buffers.iter_mut().map(|one| IoSliceMut::new(one)).collect();
        let count = poll_fn(|cx| match far.poll_receive(cx, &mut slices, &mut received) {
            Poll::Pending => timer.as_mut().poll(cx).map(|()| Ok(0)),
            done => done,
        });
        let count = count.await.map_err(told)?;
        for (received, buffer) in received.iter().zip(&buffers).take(count) {
            for came in received.datagrams(buffer) {
                if came == b"end" {
                    ensure!(!seen.is_empty(), "of {COUNT} datagrams none came");
                    return Ok(());
                }
                let head = came.first_chunk().map(|head| u32::from_be_bytes(*head));
                let n = head.filter(|&n| n < COUNT && came == datagram(n));
                let n = n.ok_or("a datagram came that nobody sent")?;
                ensure!(seen.insert(n), "datagram {n} came twice");
            }
        }
    }
}

/// Binding to port 0 picks a port and says which.
pub async fn bound_port_zero_becomes_a_port<R: Runtime>(runtime: R) -> Fact {
    let ((_one, first), (_two, second)) = (socket(&runtime).await?, socket(&runtime).await?);
    ensure!(first.port() != 0, "a socket says that it is bound to port 0");
    ensure!(first != second, "two sockets say that both are bound to {first}");
    Ok(())
}

/// A port that a socket has is in use, until the socket is dropped. TCP's ports are others.
pub async fn bound_port_is_in_use_until_the_drop<R: Runtime>(runtime: R) -> Fact {
    let (_listener, at) = listen(&runtime).await?;
    let first = runtime.bind(at, None).await;
    let first = first.map_err(|error| format!("binding to a port of TCP's: {error}"))?;
    match runtime.bind(at, None).await {
        Ok(_) => return Err(format!("two sockets have {at}")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {}
        Err(error) => return Err(format!("expected AddrInUse, came {error}")),
    }
    drop(first);
    runtime.bind(at, None).await.map_err(|error| format!("binding again: {error}"))?;
    Ok(())
}

/// What is on its way to a socket that is dropped harms nobody.
pub async fn dropped_socket_forgets_what_came<R: Runtime>(runtime: R) -> Fact {
    let ((mut near, _), (far, at)) = (socket(&runtime).await?, socket(&runtime).await?);
    send(&mut near, &Transmit::new(at, b"to the first")).await.map_err(told)?;
    drop(far);
    let mut far = runtime.bind(at, None).await.map_err(told)?;
    // In a network where this takes time, it may still come to the second.
    send(&mut near, &Transmit::new(at, b"to the second")).await.map_err(told)?;
    let all = [b"to the first".as_slice(), b"to the second"];
    loop {
        let (_, came) = receive(&mut far).await.map_err(told)?;
        let known = came.iter().all(|one| all.contains(&one.as_slice()));
        ensure!(known, "came {came:?}");
        if came.last().is_some_and(|one| one == b"to the second") {
            return Ok(());
        }
    }
}

/// All that holds over IPv6 too, where the host has it.
pub async fn datagrams_over_ipv6<R: Runtime>(runtime: R) -> Fact {
    // A host that has no IPv6 has none for TCP either.
    if runtime.listen(Address::Ip(ANY_V6)).await.is_err() {
        return Ok(());
    }
    let mut near = runtime.bind(ANY_V6, None).await.map_err(told)?;
    let mut far = runtime.bind(ANY_V6, None).await.map_err(told)?;
    let from = near.local_address().map_err(told)?;
    let at = far.local_address().map_err(told)?;
    for (n, ecn) in [None, Some(Ecn::Ect0), Some(Ecn::Ce)].into_iter().enumerate() {
        let sent = pattern(n as u32, n * USUAL);
        send(&mut near, &Transmit { ecn, ..Transmit::new(at, &sent) }).await.map_err(told)?;
        let (received, came) = receive(&mut far).await.map_err(told)?;
        ensure!(came == [sent], "{} bytes were sent and {:?} came", n * USUAL, lengths(&came));
        ensure!(received.source == from, "{from} sent and {} is said to have", received.source);
        ensure!(received.ecn == ecn, "the mark {ecn:?} was sent and {:?} came", received.ecn);
        ensure!(
            received.destination.is_none_or(|destination| destination == at.ip()),
            "sent to {at}, and {:?} is said to be the destination",
            received.destination
        );
    }
    let over = Transmit { destination: ANY, ..Transmit::new(at, b"over") };
    let done = send(&mut near, &over).await;
    invalid("an IPv4 destination over IPv6", done)
}
