//! The network as the command line wants it: `--unix-socket`, `--connect-to`, `-4` and `-6`, in
//! front of tokio's sockets.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regatta_core::Instant;
use regatta_core::dns::Servers;
use regatta_core::types::{Cause, Transport};
use regatta_runtime::Datagrams as _;
use regatta_tokio::dns::Stub;
use regatta_tokio::system::LookUp;
use regatta_tokio::{
    Address, Answer, DatagramSocket, ListeningSocket, Runtime, ServicesLookUp, Socket, Tokio,
    TokioTimer,
};

use crate::cli::WayArgs;
use crate::cli::value::ConnectTo;

/// Tokio, led elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    tokio: Tokio,
    plan: Arc<Plan>,
    notes: Arc<Mutex<Notes>>,
    /// Who is asked for HTTPS records, and instead of the system where that was said.
    names: Stub<Tokio>,
}

/// Where connections go instead.
#[derive(Debug)]
struct Plan {
    unix: Option<Arc<Path>>,
    connect_to: Vec<ConnectTo>,
    family: Option<Family>,
    /// The system's resolver is not asked.
    own_servers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// What is known of connections that were made.
#[derive(Debug, Default)]
struct Notes {
    /// Names that are led elsewhere, by the address that stands for them.
    names: BTreeMap<Ipv4Addr, String>,
    /// Both ends of the last connection by the address that it was asked for by.
    ends: BTreeMap<(Transport, SocketAddr), Ends>,
}

/// Both ends of a connection; a Unix socket's have no addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
}

/// A host and a port to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Goal {
    host: String,
    port: u16,
}

impl Wire {
    /// Tokio as `args` want it.
    pub(crate) fn new(args: &WayArgs) -> Self {
        let family = match args {
            WayArgs { ipv4: true, .. } => Some(Family::V4),
            WayArgs { ipv6: true, .. } => Some(Family::V6),
            _ => None,
        };
        let plan = Plan {
            unix: args.unix_socket.as_deref().map(Arc::from),
            connect_to: args.connect_to.clone(),
            family,
            own_servers: !args.dns_servers.is_empty(),
        };
        let tokio = Tokio::new();
        let names = match args.dns_servers.as_slice() {
            [] => Stub::of_system(tokio.clone()),
            own => Stub::new(tokio.clone(), Servers::of(own.iter().copied())),
        };
        Self { tokio, plan: Arc::new(plan), notes: Arc::default(), names }
    }

    /// Its clock and timers.
    pub(crate) const fn clock(&self) -> &Tokio {
        &self.tokio
    }

    /// Both ends of the last connection over `transport` that was asked for by `address`.
    pub(crate) fn ends(&self, transport: Transport, address: SocketAddr) -> Ends {
        self.lock().ends.get(&(transport, address)).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where `address` really leads; `None` when it leads there itself.
    fn goal(&self, address: SocketAddr) -> Option<Goal> {
        let stands_for = match address.ip() {
            IpAddr::V4(ip) => self.lock().names.get(&ip).cloned(),
            IpAddr::V6(_) => None,
        };
        let host = stands_for.unwrap_or_else(|| address.ip().to_string());
        let goal = Goal { host, port: address.port() };
        let rule = self.plan.connect_to.iter().find(|rule| {
            rule.host.as_ref().is_none_or(|host| *host == goal.host)
                && rule.port.is_none_or(|port| port == goal.port)
        });
        let goal = match rule {
            Some(rule) => Goal {
                host: rule.to_host.clone().unwrap_or(goal.host),
                port: rule.to_port.unwrap_or(goal.port),
            },
            None => goal,
        };
        let same = goal.host == address.ip().to_string() && goal.port == address.port();
        (!same).then_some(goal)
    }

    /// An address of 240.0.0.0/4, where nobody is, for a name that `--connect-to` may lead
    /// elsewhere: which port is asked for decides, and that is known later.
    fn stand_in(&self, name: &str) -> Option<IpAddr> {
        if !self.plan.leads_elsewhere(name) {
            return None;
        }
        let mut notes = self.lock();
        let next = u32::try_from(notes.names.len()).unwrap_or(0) + 1;
        let address = Ipv4Addr::from(0xf000_0000 + next);
        notes.names.insert(address, name.to_owned());
        Some(IpAddr::V4(address))
    }

    async fn reach(&self, goal: &Goal) -> io::Result<Socket> {
        let addresses = match goal.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.addresses(&goal.host).await.map_err(|cause| {
                io::Error::new(io::ErrorKind::NotFound, format!("{}: {cause}", goal.host))
            })?,
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses.into_iter().filter(|address| self.plan.allows(*address)) {
            match self.tokio.connect(Address::from((address, goal.port))).await {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Wire {
    /// What the resolver knows, of the family that is wanted.
    fn addresses(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Vec<IpAddr>, Cause>> + Send + use<> {
        let plan = Arc::clone(&self.plan);
        let found = match plan.own_servers {
            true => Some(self.names.addresses(name)),
            false => self.tokio.resolve(name),
        };
        async move {
            let answer = found.ok_or(Cause::ResolveFailed)?.await?;
            let allowed = answer.addresses.into_iter().filter(|address| plan.allows(*address));
            let addresses: Vec<IpAddr> = allowed.collect();
            if addresses.is_empty() { Err(Cause::NoAddress) } else { Ok(addresses) }
        }
    }
}

impl Plan {
    /// Whether `--connect-to` may lead connections for this name elsewhere.
    fn leads_elsewhere(&self, name: &str) -> bool {
        let concerns = |rule: &ConnectTo| {
            rule.host.as_ref().is_none_or(|host| host.eq_ignore_ascii_case(name))
        };
        self.connect_to.iter().any(concerns)
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.family.is_none_or(|family| family.has(address))
    }
}

fn not_asked_for() -> io::Error {
    let text = "the address is of the family that was not asked for";
    io::Error::new(io::ErrorKind::AddrNotAvailable, text)
}

impl Runtime for Wire {
    type Stream = Socket;
    type Listener = ListeningSocket;
    type Datagrams = DatagramSocket;
    type Timer = TokioTimer;
    type Resolution = Option<LookUp>;

    fn now(&self) -> Instant {
        self.tokio.now()
    }

    fn unix_at_epoch(&self) -> Duration {
        self.tokio.unix_at_epoch()
    }

    fn seed(&self) -> u64 {
        self.tokio.seed()
    }

    fn timer(&self, at: Instant) -> TokioTimer {
        self.tokio.timer(at)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tokio.spawn(task);
    }

    async fn connect(&self, to: Address) -> io::Result<Socket> {
        let Address::Ip(address) = to else { return self.tokio.connect(to).await };
        let socket = match (&self.plan.unix, self.goal(address)) {
            (Some(path), _) => self.tokio.connect(Address::Unix(Arc::clone(path))).await?,
            (None, Some(goal)) => self.reach(&goal).await?,
            (None, None) if !self.plan.allows(address.ip()) => {
                return Err(not_asked_for());
            }
            (None, None) => self.tokio.connect(to).await?,
        };
        let ends = Ends { local: socket.local_address(), remote: socket.peer_address() };
        self.lock().ends.insert((Transport::Tcp, address), ends);
        Ok(socket)
    }

    async fn listen(&self, at: Address) -> io::Result<ListeningSocket> {
        self.tokio.listen(at).await
    }

    async fn bind(&self, at: SocketAddr, to: Option<SocketAddr>) -> io::Result<DatagramSocket> {
        let Some(to) = to else { return self.tokio.bind(at, to).await };
        if self.plan.unix.is_some() || self.goal(to).is_some() {
            let text = "UDP goes neither to --unix-socket nor where --connect-to leads";
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
        }
        if !self.plan.allows(to.ip()) {
            return Err(not_asked_for());
        }
        let socket = self.tokio.bind(at, Some(to)).await?;
        let ends = Ends { local: socket.local_address().ok(), remote: Some(to) };
        self.lock().ends.insert((Transport::Quic, to), ends);
        Ok(socket)
    }

    fn resolve(&self, name: &str) -> Option<LookUp> {
        if self.plan.unix.is_some() {
            // The socket is known; its name is only said to the server.
            let addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
            return Some(Box::pin(async { Ok(Answer { addresses, ttl: None }) }));
        }
        if let Some(address) = self.stand_in(name) {
            let addresses = vec![address];
            return Some(Box::pin(async { Ok(Answer { addresses, ttl: None }) }));
        }
        let found = self.addresses(name);
        Some(Box::pin(async { Ok(Answer { addresses: found.await?, ttl: None }) }))
    }

    fn resolve_services(&self, name: &str) -> Option<ServicesLookUp> {
        // UDP would not go where connections are led.
        let led = self.plan.unix.is_some() || !self.plan.connect_to.is_empty();
        (!led).then(|| self.names.services(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rules_hold_for_their_host_and_port() {
        let connect_to = vec![
            ConnectTo {
                host: Some("a.test".to_owned()),
                port: Some(80),
                to_host: Some("127.0.0.1".to_owned()),
                to_port: Some(81),
            },
            ConnectTo { host: None, port: Some(82), to_host: None, to_port: Some(83) },
        ];
        let args = WayArgs { connect_to, ..WayArgs::default() };
        let wire = Wire::new(&args);
        let at = |ip: IpAddr, port| {
            wire.goal(SocketAddr::new(ip, port)).map(|goal| format!("{}:{}", goal.host, goal.port))
        };
        let a = wire.stand_in("a.test").unwrap();
        let b = wire.stand_in("b.test").unwrap();
        let literal = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(at(a, 80).as_deref(), Some("127.0.0.1:81"));
        assert_eq!(at(a, 99).as_deref(), Some("a.test:99"));
        assert_eq!(at(b, 82).as_deref(), Some("b.test:83"));
        assert_eq!(at(literal, 82).as_deref(), Some("192.0.2.1:83"));
        assert_eq!(at(literal, 80), None);
    }

    #[test]
    fn families_are_what_they_are() {
        assert!(Family::V4.has([127, 0, 0, 1].into()));
        assert!(!Family::V6.has([127, 0, 0, 1].into()));
    }
}
