//! A stub resolver over a runtime's own sockets, for what getaddrinfo does not tell: HTTPS records
//! (RFC 9460). Core says what is asked, of whom, for how long, and what an answer means
//! ([`regatta_core::dns`]); here bytes are moved.

use core::future::{Future, poll_fn};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::pin::pin;
use core::task::Poll;
use std::io::{self, IoSlice, IoSliceMut};
use std::path::Path;

use regatta_core::dns::{Answer as Found, Heard, Lookup, RecordType, Servers, Turn};
use regatta_core::types::Cause;

use crate::datagrams::{Datagrams as _, Received, Transmit};
use crate::runtime::{Address, Answer, Runtime, ServicesAnswer, ServicesLookUp, Stream, Timer};
use crate::system::LookUp;

/// The longest answer over UDP that is read; more than is asked for.
const DATAGRAM_MAX: usize = 4_096;

/// Asks name servers over a runtime's sockets.
#[derive(Clone, Debug)]
pub struct Stub<R> {
    runtime: R,
    servers: Servers,
}

impl<R: Runtime> Stub<R> {
    /// Asks these.
    pub const fn new(runtime: R, servers: Servers) -> Self {
        Self { runtime, servers }
    }

    /// Asks those that `/etc/resolv.conf` names; where it cannot be read, the one on this machine.
    pub fn of_system(runtime: R) -> Self {
        Self::of_file(runtime, Path::new("/etc/resolv.conf"))
    }

    /// As above, of another file.
    pub fn of_file(runtime: R, file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Self::new(runtime, Servers::parse(&text))
    }

    /// Looks the records of one type up. A name that no message can carry does not exist.
    pub async fn look_up(&self, name: &str, kind: RecordType) -> Result<Found, Cause> {
        let mut id = [0; 2];
        if !self.runtime.tls_provider().fill_random(&mut id) {
            return Err(Cause::ResolveFailed);
        }
        let id = u16::from_be_bytes(id);
        let lookup = Lookup::new(&self.servers, id, name, kind);
        let mut lookup = lookup.ok_or(Cause::NameNotFound)?;
        while let Some(turn) = lookup.turn() {
            let timer = self.runtime.timer(self.runtime.now() + turn.patience);
            let heard = match turn.over_tcp {
                true => within(timer, self.over_tcp(turn, &mut lookup)).await,
                false => within(timer, self.over_udp(turn, &mut lookup)).await,
            };
            match heard {
                Some(Ok(Heard::Answer(answer))) => return Ok(answer),
                Some(Ok(Heard::NoSuchName { .. })) => return Err(Cause::NameNotFound),
                // Cut off, failed, out of reach, or silent: the next turn.
                _ => {}
            }
        }
        Err(Cause::ResolveFailed)
    }

    /// As [`Runtime::resolve_services`].
    pub fn services(&self, name: &str) -> ServicesLookUp {
        let (stub, name) = (self.clone(), name.to_owned());
        Box::pin(async move {
            let found = stub.look_up(&name, RecordType::Https).await?;
            Ok(ServicesAnswer { owner: found.owner, records: found.https, ttl: found.ttl })
        })
    }

    /// The addresses of a name, of both families at once, IPv6 first; as
    /// [`look_up`](crate::system::look_up), but without the system's file of hosts.
    pub fn addresses(&self, name: &str) -> LookUp {
        let (stub, name) = (self.clone(), name.to_owned());
        Box::pin(async move {
            let six = stub.look_up(&name, RecordType::Aaaa);
            let four = stub.look_up(&name, RecordType::A);
            let both = both(six, four).await;
            let mut answer = Answer { addresses: Vec::new(), ttl: None };
            let mut failed = None;
            for one in both {
                match one {
                    Ok(found) if !found.addresses.is_empty() => {
                        answer.addresses.extend(found.addresses);
                        answer.ttl = answer.ttl.into_iter().chain(found.ttl).min();
                    }
                    Ok(_) => {}
                    Err(cause) => failed = failed.max(Some(cause == Cause::NameNotFound)),
                }
            }
            match (answer.addresses.is_empty(), failed) {
                (false, _) => Ok(answer),
                (true, Some(true)) => Err(Cause::NameNotFound),
                (true, Some(false)) => Err(Cause::ResolveFailed),
                (true, None) => Err(Cause::NoAddress),
            }
        })
    }

    async fn over_udp(&self, turn: Turn, lookup: &mut Lookup) -> io::Result<Heard> {
        let any: IpAddr = match turn.server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // A port of its own for each question: nobody guesses it together with the id.
        let mut socket = self.runtime.bind(SocketAddr::new(any, 0), Some(turn.server)).await?;
        let transmit = Transmit::new(turn.server, lookup.message());
        loop {
            match socket.try_send(&transmit) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll_fn(|cx| socket.poll_writable(cx)).await?;
                }
                sent => break sent?,
            }
        }
        let mut buffer = vec![0; DATAGRAM_MAX * socket.max_received_segments().max(1)];
        loop {
            let mut received = [Received::default()];
            let came = poll_fn(|cx| {
                socket.poll_receive(cx, &mut [IoSliceMut::new(&mut buffer)], &mut received)
            });
            came.await?;
            for datagram in received[0].datagrams(&buffer) {
                match lookup.hear(datagram) {
                    Heard::Nothing => {}
                    heard => return Ok(heard),
                }
            }
        }
    }

    async fn over_tcp(&self, turn: Turn, lookup: &mut Lookup) -> io::Result<Heard> {
        let mut stream = self.runtime.connect(Address::Ip(turn.server)).await?;
        let length = u16::try_from(lookup.message().len()).unwrap_or(u16::MAX);
        let message = [&length.to_be_bytes()[..], lookup.message()].concat();
        let mut rest = &message[..];
        while !rest.is_empty() {
            let sent = poll_fn(|cx| stream.poll_write(cx, &[IoSlice::new(rest)])).await?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        let mut length = [0; 2];
        read(&mut stream, &mut length).await?;
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        read(&mut stream, &mut answer).await?;
        Ok(lookup.hear(&answer))
    }
}

/// Reads until `all` is full.
async fn read<S: Stream>(stream: &mut S, all: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = all.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match poll_fn(|cx| stream.poll_read(cx, rest)).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            many => filled += many,
        }
    }
    Ok(())
}

/// What a future comes to, unless the timer expires before.
async fn within<T>(mut timer: impl Timer, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => timer.poll_expired(cx).map(|()| None),
    })
    .await
}

/// Both, side by side.
async fn both<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> [T; 2] {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let mut done = [None, None];
    poll_fn(|cx| {
        let [first, second] = &mut done;
        if first.is_none()
            && let Poll::Ready(came) = one.as_mut().poll(cx)
        {
            *first = Some(came);
        }
        if second.is_none()
            && let Poll::Ready(came) = other.as_mut().poll(cx)
        {
            *second = Some(came);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready([first, second]),
            undone => {
                done = [undone.0, undone.1];
                Poll::Pending
            }
        }
    })
    .await
}
