//! What a connection tells its qlog.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use quinn_proto::ConnectionError;

use super::{Endpoint, Event, Role};
use crate::engine::qlog::{Json, Log, Side, packets};
use crate::id::QuicId;
use crate::time::Instant;

/// What was told of a path last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Told {
    rtt: core::time::Duration,
    window: u64,
    mtu: u16,
    lost: u64,
}

/// One connection's log.
#[derive(Debug)]
pub(super) struct Diary {
    log: Log,
    told: Told,
}

impl Diary {
    /// Begins it with who speaks to whom.
    pub(super) fn new(log: Log, local: Option<IpAddr>, remote: SocketAddr) -> Box<Self> {
        log.event("connectivity:connection_started", |data| {
            let (version, any) = match remote {
                SocketAddr::V4(_) => ("v4", IpAddr::from(Ipv4Addr::UNSPECIFIED)),
                SocketAddr::V6(_) => ("v6", IpAddr::from(Ipv6Addr::UNSPECIFIED)),
            };
            data.text("ip_version", version);
            data.text("src_ip", &local.unwrap_or(any).to_string());
            data.text("dst_ip", &remote.ip().to_string());
            data.text("protocol", "QUIC");
            data.number("dst_port", remote.port().into());
        });
        Box::new(Self { log, told: Told::default() })
    }

    /// The log, for the layers above.
    pub(super) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Datagrams have come, or go out: their lengths, and what is seen of their packets.
    fn datagrams(&mut self, now: Instant, names: [&str; 2], lengths: &[usize], packets: Vec<Json>) {
        self.log.at(now);
        let [datagrams, packet] = names;
        self.log.event(datagrams, |data| {
            data.number("count", lengths.len() as u64);
            data.objects(
                "raw",
                lengths.iter().map(|length| {
                    let mut raw = Json::default();
                    raw.number("length", *length as u64);
                    raw
                }),
            );
        });
        for described in packets {
            self.log.event(packet, |data| *data = described);
        }
    }

    /// A datagram has come.
    pub(super) fn received(&mut self, now: Instant, seen: Seen) {
        let names = ["transport:datagrams_received", "transport:packet_received"];
        self.datagrams(now, names, &[seen.length], seen.packets);
    }

    /// Datagrams of `stride` bytes go out; the last may be shorter.
    pub(super) fn sent(&mut self, now: Instant, datagrams: &[u8], stride: Option<usize>) {
        let names = ["transport:datagrams_sent", "transport:packet_sent"];
        let each = datagrams.chunks(stride.unwrap_or(datagrams.len()).max(1));
        let lengths: Vec<usize> = each.clone().map(<[u8]>::len).collect();
        self.datagrams(now, names, &lengths, each.flat_map(packets::describe).collect());
    }

    /// What is told from here on happens at `now`.
    pub(super) const fn at(&mut self, now: Instant) {
        self.log.at(now);
    }

    /// What has changed of the path since it was told last.
    pub(super) fn path(&mut self, connection: &quinn_proto::Connection) {
        let path = connection.stats().path;
        let (rtt, window, mtu) = (path.rtt, path.cwnd, path.current_mtu);
        let new = Told { rtt, window, mtu, lost: path.lost_packets };
        let old = core::mem::replace(&mut self.told, new);
        if new == old {
            return;
        }
        for _ in old.lost..new.lost {
            self.log.event("recovery:packet_lost", |_| {});
        }
        if mtu != old.mtu {
            self.log.event("connectivity:mtu_updated", |data| {
                data.number("old", old.mtu.into());
                data.number("new", mtu.into());
            });
        }
        if rtt != old.rtt || window != old.window {
            self.log.event("recovery:metrics_updated", |data| {
                data.millis("smoothed_rtt", rtt);
                data.number("congestion_window", window);
            });
        }
    }

    fn state(&self, state: &str) {
        self.log.event("connectivity:connection_state_updated", |data| data.text("new", state));
    }

    /// What the endpoint tells of the connection.
    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.log.event("transport:alpn_information", |data| {
                    data.text("chosen_alpn", "h3");
                });
                self.state("handshake_completed");
            }
            Event::Lost(error) => self.log.event("connectivity:connection_closed", |data| {
                close(data, error.source.as_ref());
                data.text("reason", &error.to_string());
            }),
            Event::Drained => self.state("closed"),
            _ => {}
        }
    }

    /// This side closes it.
    pub(super) fn close(&mut self, now: Instant, code: u32) {
        self.log.at(now);
        self.log.event("connectivity:connection_closed", |data| {
            data.text("owner", "local");
            data.number("application_code", code.into());
            data.text("trigger", "application");
        });
    }
}

fn close(data: &mut Json, error: Option<&ConnectionError>) {
    let (owner, trigger) = match error {
        None => ("local", "handshake_timeout"),
        Some(ConnectionError::VersionMismatch) => ("remote", "version_mismatch"),
        Some(ConnectionError::Reset) => ("remote", "stateless_reset"),
        Some(ConnectionError::TimedOut) => ("local", "idle_timeout"),
        Some(ConnectionError::ConnectionClosed(close)) => {
            data.number("connection_code", close.error_code.into());
            ("remote", "error")
        }
        Some(ConnectionError::ApplicationClosed(close)) => {
            data.number("application_code", close.error_code.into_inner());
            ("remote", "application")
        }
        Some(ConnectionError::TransportError(error)) => {
            data.number("connection_code", error.code.into());
            ("local", "error")
        }
        Some(ConnectionError::LocallyClosed | ConnectionError::CidsExhausted) => ("local", "clean"),
    };
    data.text("owner", owner);
    data.text("trigger", trigger);
}

/// What is seen of a datagram that has come, until it is known whose it is.
#[derive(Debug)]
pub(super) struct Seen {
    length: usize,
    packets: Vec<Json>,
}

impl Seen {
    pub(super) fn new(datagram: &[u8]) -> Self {
        Self { length: datagram.len(), packets: packets::describe(datagram) }
    }
}

impl Endpoint {
    /// The log of a connection, where one is written; HTTP/3 writes into it too.
    pub fn qlog(&self, id: QuicId) -> Option<Log> {
        self.table.get(id)?.diary.as_ref().map(|diary| diary.log())
    }

    /// Begins the log of a connection whose client calls the server `id` at first.
    pub(super) fn diary(
        &self,
        now: Instant,
        id: &[u8],
        local: Option<IpAddr>,
        remote: SocketAddr,
    ) -> Option<Box<Diary>> {
        let sink = self.qlog.as_ref()?;
        let side = match self.role {
            Role::Client(_) => Side::Client,
            Role::Server { .. } => Side::Server,
        };
        let log = Log::new(sink, id, side, self.clock.unix(), now);
        Some(Diary::new(log, local, remote))
    }
}
