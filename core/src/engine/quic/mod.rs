//! QUIC by quinn-proto: datagrams in, datagrams and events out.
//!
//! An [`Endpoint`] belongs to one socket: a client's has one connection, a server's many. What came
//! is given to [`Endpoint::receive`]; after that, after [`Endpoint::handle_timeout`] and after any
//! change of a connection, [`Endpoint::poll_event`] is asked until it has nothing, then
//! [`Endpoint::poll_transmit`] likewise, and the timer is set to [`Endpoint::poll_timeout`].
//!
//! ```text
//! connect() or Accepted -> handshaking --Connected--> open --close()--> closing --> Drained
//!                               |                       |                  ^
//!                               +--------- Lost --------+------------------+
//! ```
//!
//! Streams are quinn-proto's own: HTTP/3 works on the [`quinn_proto::Connection`] that
//! [`Endpoint::connection`] lends it.
//!
//! Nothing here knows a clock or draws at random by itself: time comes in with the calls, seeds
//! come from TLS's [`Provider`](super::tls::Provider). Alone [`Congestion::Bbr`] does not keep to
//! that.

use core::fmt;
use core::net::SocketAddr;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use quinn_proto::{DatagramEvent, EcnCodepoint, Incoming, StreamEvent, VarInt};
use rustls::pki_types::CertificateDer;

pub use self::config::{ClientConfig, ServerConfig};
pub use self::credit::{Credit, ReceiveWindows};
pub use self::error::QuicError;
pub use self::ids::worker;
use self::log::Seen;
pub use self::options::{Congestion, Options, Retry, ServerOptions};
#[cfg(test)]
pub(in crate::engine) use self::session::Listening;
pub(in crate::engine) use self::session::idle_timeout;
pub use self::shapes::{Ecn, Received, Transmit};
use self::table::{Connection, Table};
use super::qlog::Sink;
use super::tls::{Certificate, Clock, TlsError, std_time};
use crate::id::QuicId;
use crate::time::{Duration, Instant};
use crate::types::{Cause, Protocol};

mod config;
mod credit;
mod error;
mod ids;
mod keys;
mod log;
mod options;
mod padding;
mod session;
mod shapes;
mod silence;
mod table;
#[cfg(test)]
mod tests;

/// Most answers that need no connection (Retry, version negotiation, refusals, resets) and wait
/// to be sent; the client asks again for what is lost.
const ANSWERS: usize = 64;
/// Most bytes of a transmit: what is to be cut up is one packet of IP before (65,535 with its
/// headers, and those of UDP).
const TRANSMIT: usize = 65_000;

/// No timer of a connection that has nothing to send is due sooner.
const TICK: Duration = Duration::from_micros(1);

/// Datagrams that came together lie in memory together, up to so many bytes: a stream's bytes that
/// nobody reads keep no more than that of their neighbours.
const TOGETHER: usize = 16 << 10;

/// One socket's QUIC.
pub struct Endpoint {
    quinn: quinn_proto::Endpoint,
    clock: Clock,
    role: Role,
    table: Table,
    answers: VecDeque<(Transmit, Vec<u8>)>,
    events: VecDeque<(QuicId, Event)>,
    /// The connection that the last datagrams were for, which is settled when they all are in.
    unsettled: Option<QuicId>,
    counts: Counts,
    /// Where connections' logs go.
    qlog: Option<Arc<dyn Sink>>,
}

enum Role {
    Client(Box<ClientConfig>),
    Server { limits: config::Limits, is_draining: bool },
}

/// What a connection did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Server: a client began. Its first event.
    Accepted {
        /// From where.
        remote: SocketAddr,
    },
    /// Server: the client resumes a session, and requests may come before its handshake is complete
    /// (0-RTT): whoever sends them may have recorded them.
    EarlyData,
    /// The handshake is complete.
    Connected,
    /// A stream, or the right to open some.
    Stream(StreamEvent),
    /// Application datagrams have come (RFC 9221).
    Datagrams,
    /// There is room for application datagrams again.
    DatagramRoom,
    /// Client: the server has not acknowledged anything for four probe timeouts, and for half a
    /// second at least. It may be heard again; this is told once.
    Mute,
    /// The connection is over, by the peer, the network or a fault.
    Lost(QuicError),
    /// Nothing is kept of it any more; its id is stale. The last event of every connection, also
    /// of one that this side closed.
    Drained,
}

/// What was agreed on in a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshake {
    /// By ALPN.
    pub protocol: Option<Protocol>,
    /// Server: the name that the client asked for.
    pub name: Option<String>,
    /// Client: the name of the cipher suite (RFC 8446 B.4).
    pub cipher_suite: Option<&'static str>,
    /// Client: the session goes on from an earlier one.
    pub is_resumed: bool,
    /// Client: the server's certificate and those that lead to its root, in DER.
    pub certificates: Vec<Vec<u8>>,
}

impl Handshake {
    /// The server's own certificate, for people.
    pub fn certificate(&self) -> Option<Certificate> {
        Certificate::parse(self.certificates.first()?)
    }
}

/// How many there are, and what was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections, those that are closing too.
    pub connections: usize,
    /// Of these, handshakes under way.
    pub handshakes: usize,
    /// Server: clients that were refused for a limit, or because it drains.
    pub refused: u64,
    /// Server: clients that were made to prove their address.
    pub retried: u64,
    /// Answers without a connection that were not sent because too many waited.
    pub unanswered: u64,
}

impl Endpoint {
    /// A client's endpoint. `may_fragment` says that its socket may send fragments, so that no
    /// path's MTU can be found by trying.
    pub fn client(config: &ClientConfig, may_fragment: bool) -> Result<Self, TlsError> {
        let quinn =
            quinn_proto::Endpoint::new(config.common.endpoint()?, None, !may_fragment, None);
        Ok(Self::new(quinn, &config.common, Role::Client(Box::new(config.clone()))))
    }

    /// A server's endpoint, as [`Endpoint::client`].
    pub fn server(config: &ServerConfig, may_fragment: bool) -> Result<Self, TlsError> {
        let server = Some(config.quinn.clone());
        let quinn =
            quinn_proto::Endpoint::new(config.common.endpoint()?, server, !may_fragment, None);
        let role = Role::Server { limits: config.limits, is_draining: false };
        Ok(Self::new(quinn, &config.common, role))
    }

    fn new(quinn: quinn_proto::Endpoint, common: &config::Common, role: Role) -> Self {
        Self {
            quinn,
            clock: common.clock.clone(),
            role,
            table: Table::default(),
            answers: VecDeque::new(),
            events: VecDeque::new(),
            unsettled: None,
            counts: Counts::default(),
            qlog: common.qlog.clone(),
        }
    }

    /// Client: begins a handshake with the server `name` at `remote`; a name is a DNS name or an
    /// IP literal without brackets. Servers cannot.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        name: &str,
    ) -> Result<QuicId, QuicError> {
        let Role::Client(config) = &self.role else {
            return Err(QuicError::plain(Cause::ShutDown));
        };
        self.clock.set(now);
        // A trailing dot marks a name as absolute; certificates and SNI have none (RFC 6066 3).
        let name = name.strip_suffix('.').unwrap_or(name);
        // Only a log asks what the server is called at first.
        let first = self.qlog.is_some().then(|| config.common.first_id());
        let config = match first {
            Some(first) => ClientConfig::calling(&config.quinn, first),
            None => config.quinn.clone(),
        };
        let (handle, quinn) = self
            .quinn
            .connect(std_time::std(now), config, remote, name)
            .map_err(|error| QuicError::from(&error))?;
        let diary = first.and_then(|first| self.diary(now, &first, quinn.local_ip(), remote));
        let id = self.table.insert(Connection::new(handle, quinn, None, diary).listen());
        self.settle(id);
        self.table.wake(id);
        Ok(id)
    }

    /// Takes in one datagram.
    pub fn receive(&mut self, now: Instant, from: &Received, datagram: &[u8]) {
        self.take(now, from, BytesMut::from(datagram));
    }

    /// Takes in datagrams that came together (UDP GRO), each `stride` bytes long; the last may be
    /// shorter.
    pub fn receive_all(&mut self, now: Instant, from: &Received, datagrams: &[u8], stride: usize) {
        let stride = stride.max(1);
        for together in datagrams.chunks((TOGETHER / stride).max(1) * stride) {
            let mut together = BytesMut::from(together);
            while together.len() > stride {
                let datagram = together.split_to(stride);
                self.take(now, from, datagram);
            }
            self.take(now, from, together);
        }
    }

    fn take(&mut self, now: Instant, from: &Received, datagram: BytesMut) {
        self.clock.set(now);
        let mut answer = Vec::new();
        let seen = self.qlog.is_some().then(|| Seen::new(&datagram));
        let event = self.quinn.handle(
            std_time::std(now),
            from.source,
            from.destination,
            from.ecn.map(EcnCodepoint::from),
            datagram,
            &mut answer,
        );
        match event {
            None => {}
            Some(DatagramEvent::Response(transmit)) => self.answer(transmit, answer),
            Some(DatagramEvent::NewConnection(incoming)) => self.admit(now, incoming, seen),
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                let Some(id) = self.table.of_handle(handle) else { return };
                if self.unsettled != Some(id) {
                    self.settle_last();
                    self.unsettled = Some(id);
                }
                if let Some(connection) = self.table.get_mut(id) {
                    if let (Some(diary), Some(seen)) = (&mut connection.diary, seen) {
                        diary.received(now, seen);
                    }
                    connection.quinn.handle_event(event);
                }
            }
        }
    }

    /// Settles the connection that the last datagrams were for.
    fn settle_last(&mut self) {
        if let Some(id) = self.unsettled.take() {
            self.settle(id);
            self.table.wake(id);
        }
    }

    /// When [`Endpoint::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.table.earliest()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.settle_last();
        self.clock.set(now);
        // Each once: what is due again wants to send something in between.
        let mut due = Vec::new();
        while let Some(id) = self.table.pop_due(now) {
            due.push(id);
        }
        for id in due {
            let Some(connection) = self.table.get_mut(id) else { continue };
            if let Some(diary) = &mut connection.diary {
                diary.at(now);
            }
            connection.quinn.handle_timeout(std_time::std(now));
            if connection.deadline.is_some_and(|at| at <= now) {
                connection.deadline = None;
                self.lose(now, id);
            } else if connection.is_mute(now) {
                self.events.push_back((id, Event::Mute));
            }
            self.settle(id);
            self.table.wake(id);
        }
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<(QuicId, Event)> {
        self.settle_last();
        self.events.pop_front()
    }

    /// Whether no event waits to be polled.
    pub fn is_settled(&self) -> bool {
        self.unsettled.is_none() && self.events.is_empty()
    }

    /// Writes what is to be sent next into `buffer`, whose old contents are dropped: at most
    /// `max_segments` datagrams of one size, and no more than a system cuts up in one call.
    /// Connections take turns.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        max_segments: usize,
        buffer: &mut Vec<u8>,
    ) -> Option<Transmit> {
        self.settle_last();
        buffer.clear();
        if let Some((transmit, contents)) = self.answers.pop_front() {
            *buffer = contents;
            return Some(transmit);
        }
        self.clock.set(now);
        while let Some(id) = self.table.next_ready() {
            let Some(connection) = self.table.get_mut(id) else { continue };
            let at = std_time::std(now);
            let fit = TRANSMIT / usize::from(connection.quinn.current_mtu());
            let segments = max_segments.min(fit).max(1);
            if let Some(sent) = connection.quinn.poll_transmit(at, segments, buffer) {
                if let Some(diary) = &mut connection.diary {
                    diary.sent(now, buffer, sent.segment_size);
                }
                self.table.wake(id);
                return Some(sent.into());
            }
            connection.sent(now);
            // Its pacer may wait for less time than a clock shows, and would for ever where the
            // clock stands still while there is something to do.
            self.settle_from(id, now + TICK);
        }
        None
    }

    /// Client: goes on from another local address, as the socket now has one (RFC 9000 9). The
    /// path's congestion and MTU are found out anew.
    pub fn migrate(&mut self, now: Instant) {
        self.settle_last();
        let at = std_time::std(now);
        let all: Vec<QuicId> = self.table.ids().collect();
        for id in all {
            if let Some(connection) = self.table.get_mut(id) {
                connection.quinn.local_address_changed();
                connection.quinn.path_changed(at);
                self.settle(id);
                self.table.wake(id);
            }
        }
    }

    /// A connection to read, write or change; it is asked what it has to send afterwards. `None`
    /// when it is drained.
    pub fn connection(&mut self, id: QuicId) -> Option<&mut quinn_proto::Connection> {
        self.settle_last();
        self.table.wake(id);
        Some(&mut self.table.get_mut(id)?.quinn)
    }

    /// How much the peer may send on all streams of a connection before it is read. Less is taken
    /// back only as bytes are read.
    pub fn set_receive_window(&mut self, id: QuicId, bytes: u64) {
        if let Some(connection) = self.connection(id) {
            connection.set_receive_window(VarInt::from_u64(bytes).unwrap_or(VarInt::MAX));
        }
    }

    /// Client: whether early data may be sent, or was: whether the server took it, which is known
    /// when the handshake is complete. What it did not take it has not seen, and the streams that
    /// were opened for it are no more (RFC 9001 4.6.2).
    pub fn early_data(&self, id: QuicId) -> Option<bool> {
        let quinn = &self.table.get(id)?.quinn;
        quinn.has_0rtt().then(|| quinn.accepted_0rtt())
    }

    /// What was agreed on, once the handshake is complete.
    pub fn handshake(&self, id: QuicId) -> Option<Handshake> {
        let session = self.table.get(id)?.quinn.crypto_session();
        let data = session.handshake_data()?;
        let session::Agreed { data, hello, .. } = *data.downcast::<session::Agreed>().ok()?;
        let h3 = super::tls::alpn_name(Protocol::Http3);
        let identity = session.peer_identity();
        let chain = identity.and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
        Some(Handshake {
            protocol: (data.protocol.as_deref() == Some(h3)).then_some(Protocol::Http3),
            name: data.server_name,
            cipher_suite: hello.and_then(|hello| hello.cipher_suite),
            is_resumed: hello.is_some_and(|hello| hello.is_resumed),
            certificates: chain.into_iter().flat_map(|all| *all).map(|der| der.to_vec()).collect(),
        })
    }

    /// Closes a connection with a code of HTTP/3's and words for whoever debugs the peer.
    pub fn close(&mut self, now: Instant, id: QuicId, code: u32, reason: Bytes) {
        self.settle_last();
        let Some(connection) = self.table.get_mut(id) else { return };
        if let Some(diary) = connection.diary.as_mut().filter(|_| !connection.is_over) {
            diary.close(now, code);
        }
        connection.is_over = true;
        connection.quinn.close(std_time::std(now), VarInt::from_u32(code), reason);
        self.settle(id);
        self.table.wake(id);
    }

    /// Server: refuses whoever comes from now on.
    pub const fn drain(&mut self) {
        if let Role::Server { is_draining, .. } = &mut self.role {
            *is_draining = true;
        }
    }

    /// How many there are.
    pub fn counts(&self) -> Counts {
        Counts { connections: self.table.len(), handshakes: self.table.handshakes(), ..self.counts }
    }

    /// Decides about a client's first packet, at once: so nothing of it waits anywhere.
    fn admit(&mut self, now: Instant, incoming: Incoming, seen: Option<Seen>) {
        self.settle_last();
        let Role::Server { limits, is_draining } = self.role else {
            return self.quinn.ignore(incoming);
        };
        let (all, handshakes) = (self.table.len(), self.table.handshakes());
        let mut answer = Vec::new();
        if is_draining || all >= limits.connections || handshakes >= limits.handshakes {
            self.counts.refused += 1;
            let transmit = self.quinn.refuse(incoming, &mut answer);
            return self.answer(transmit, answer);
        }
        let must_retry = match limits.retry {
            Retry::Never => false,
            Retry::Always => true,
            Retry::Above(most) => handshakes > most as usize,
        };
        if must_retry && !incoming.remote_address_validated() && incoming.may_retry() {
            self.counts.retried += 1;
            if let Ok(transmit) = self.quinn.retry(incoming, &mut answer) {
                self.answer(transmit, answer);
            }
            return;
        }
        let remote = incoming.remote_address();
        let first = seen.is_some().then(|| *incoming.orig_dst_cid());
        match self.quinn.accept(incoming, std_time::std(now), &mut answer, None) {
            Ok((handle, quinn)) => {
                let mut diary =
                    first.and_then(|first| self.diary(now, &first, quinn.local_ip(), remote));
                if let (Some(diary), Some(seen)) = (&mut diary, seen) {
                    diary.received(now, seen);
                }
                let deadline = Some(now + limits.handshake_timeout);
                let id = self.table.insert(Connection::new(handle, quinn, deadline, diary));
                self.events.push_back((id, Event::Accepted { remote }));
                self.settle(id);
                self.table.wake(id);
            }
            Err(error) => {
                if let Some(transmit) = error.response {
                    self.answer(transmit, answer);
                }
            }
        }
    }

    fn answer(&mut self, transmit: quinn_proto::Transmit, mut contents: Vec<u8>) {
        if self.answers.len() >= ANSWERS {
            self.counts.unanswered += 1;
            return;
        }
        contents.truncate(transmit.size);
        self.answers.push_back((transmit.into(), contents));
    }

    /// A handshake took too long.
    fn lose(&mut self, now: Instant, id: QuicId) {
        let Some(connection) = self.table.get_mut(id) else { return };
        if core::mem::replace(&mut connection.is_over, true) {
            return;
        }
        connection.quinn.close(std_time::std(now), VarInt::from_u32(0), Bytes::new());
        let lost = Event::Lost(QuicError::plain(Cause::ConnectTimeout));
        if let Some(diary) = &connection.diary {
            diary.event(&lost);
        }
        self.events.push_back((id, lost));
    }

    /// Carries what endpoint and connection have for each other, takes its events and its timer.
    fn settle(&mut self, id: QuicId) {
        self.settle_from(id, Instant::EPOCH);
    }

    /// The same, where its timer is not due before `least`.
    fn settle_from(&mut self, id: QuicId, least: Instant) {
        let Some(connection) = self.table.get_mut(id) else { return };
        connection.heard();
        let mut has_news = false;
        while let Some(event) = connection.quinn.poll_endpoint_events() {
            if let Some(event) = self.quinn.handle_event(connection.handle, event) {
                connection.quinn.handle_event(event);
                has_news = true;
            }
        }
        if connection.begins_early() {
            self.events.push_back((id, Event::EarlyData));
        }
        while let Some(event) = connection.quinn.poll() {
            if let Some(event) = connection.translate(event) {
                if let Some(diary) = &connection.diary {
                    diary.event(&event);
                }
                self.events.push_back((id, event));
            }
        }
        let at = connection.quinn.poll_timeout().map(|at| std_time::ours(at).max(least));
        let is_drained = connection.quinn.is_drained();
        if let Some(diary) = &mut connection.diary {
            diary.path(&connection.quinn);
            if is_drained {
                diary.event(&Event::Drained);
            }
        }
        self.table.settled(id, at);
        if is_drained {
            self.table.remove(id);
            self.events.push_back((id, Event::Drained));
        } else if has_news {
            self.table.wake(id);
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
