//! Builds a client: what its connections, pools and requests are held to.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use regatta_core::altsvc::{Offer, Said, Source};
use regatta_core::engine::Config as EngineConfig;
#[cfg(feature = "http3")]
use regatta_core::engine::quic;
use regatta_core::engine::tls::Clock;
use regatta_core::id::ProfileId;
use regatta_core::limits::Memory;
use regatta_core::proxies::{Proxies, Proxy, VariableError};
use regatta_core::types::{Origin, Scheme};
use regatta_core::upstream::{self, Protocols, Upstream};
use regatta_core::{eyeballs, limits, pool, race, retry};

use crate::by_origin::ByOrigin;
use crate::client::Client;
use crate::error::{Error, Kind};
use crate::hooks::{ConnectionEvent, ConnectionFacts, Hooks, RequestEvent, RequestFacts};
use crate::hub::Hub;
use crate::mail::Account;
use crate::recording::{Journaled, Recording};
use crate::roads::Roads;
use crate::runtime::Runtime;
use crate::settings::{Profile, Roots, Settings};

/// Bytes that all bodies may hold together.
const BODY_MEMORY: usize = 256 << 20;

/// Builds a [`Client`].
#[derive(Clone, Debug)]
pub struct Builder<R> {
    runtime: R,
    config: upstream::Config,
    cluster: upstream::Cluster,
    profiles: Vec<Profile>,
    engine: EngineConfig,
    #[cfg(feature = "http3")]
    quic: quic::Options,
    overrides: BTreeMap<String, Vec<IpAddr>>,
    request_timeout: Option<Duration>,
    retry: retry::Policy,
    retry_budget: Option<retry::Budget>,
    body_memory: Option<usize>,
    recording: Option<Recording>,
    hooks: Hooks,
    trace_queries: bool,
    proxies: Result<Proxies, VariableError>,
    proxy_profile: Option<Profile>,
    /// What else serves which origin.
    known: Vec<(Origin, Offer)>,
}

impl<R: Runtime> Builder<R> {
    pub(crate) fn new(runtime: R) -> Self {
        let mut config = upstream::Config::default();
        config.seed = runtime.seed();
        Self {
            runtime,
            config,
            cluster: upstream::Cluster::default(),
            profiles: vec![Profile::default()],
            engine: EngineConfig::default(),
            #[cfg(feature = "http3")]
            quic: quic::Options::default(),
            overrides: BTreeMap::new(),
            request_timeout: None,
            retry: retry::Policy::default(),
            retry_budget: Some(retry::Budget::default()),
            body_memory: Some(BODY_MEMORY),
            recording: None,
            hooks: Hooks::default(),
            trace_queries: false,
            proxies: Ok(Proxies::new()),
            proxy_profile: None,
            known: Vec::new(),
        }
    }

    /// How long establishing one connection may take, TLS included. Default 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.cluster.pool.connect_timeout = timeout;
        self
    }

    /// How long a connection without streams is kept. Default 60 s.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.cluster.pool.idle_timeout = timeout;
        self
    }

    /// How long a request may take in all unless it says otherwise. Default no limit.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// What is tried again, how often and when, unless a request says otherwise. Default nothing
    /// but what was misdirected (421), once.
    #[must_use]
    pub fn retry(mut self, policy: retry::Policy) -> Self {
        self.retry = policy;
        self
    }

    /// How many requests may be retried at the same time. Default 20 % of those that wait or are
    /// under way, 3 at least (Envoy's `retry_budget`); `None` is without a limit.
    #[must_use]
    pub fn retry_budget(mut self, budget: Option<retry::Budget>) -> Self {
        self.retry_budget = budget;
        self
    }

    /// How many bytes all bodies may hold together: what waits for its reader, up or down, and
    /// what is kept for sending it again. Default 256 MiB (ours: 64 KiB for each of 4,096
    /// streams); `None` is without a limit.
    ///
    /// - From half of it on HTTP/2 grants new streams 64 KiB each, and no window grows; below a
    ///   quarter again as before. No stream's window is above a quarter.
    /// - At the limit a stream takes more in only while it holds nothing: uploads are not polled,
    ///   HTTP/1 stops reading, HTTP/2 grants nothing more. What HTTP/2 had granted may still
    ///   come: one window of each stream that was under way.
    /// - At twice the limit a response over HTTP/2 ends of which more than 64 KiB wait for their
    ///   reader: [`ErrorKind::BodyMemory`](crate::ErrorKind::BodyMemory).
    ///
    /// So all bodies together never hold more than twice the limit and 80 KiB for each request,
    /// and whoever reads goes on.
    #[must_use]
    pub fn body_memory(mut self, bytes: Option<usize>) -> Self {
        self.body_memory = bytes;
        self
    }

    /// Uses these addresses for a name instead of looking it up (curl's `--resolve`).
    #[must_use]
    pub fn resolve(mut self, name: &str, addresses: Vec<IpAddr>) -> Self {
        self.overrides.insert(name.to_ascii_lowercase(), addresses);
        self
    }

    /// Changes the pools' settings.
    #[must_use]
    pub fn pool(mut self, change: impl FnOnce(&mut pool::Config)) -> Self {
        change(&mut self.cluster.pool);
        self
    }

    /// Changes the circuit breakers of default priority.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut limits::Config)) -> Self {
        change(&mut self.cluster.limits);
        self
    }

    /// Changes the race between a host's addresses.
    #[must_use]
    pub fn eyeballs(mut self, change: impl FnOnce(&mut eyeballs::Config)) -> Self {
        change(&mut self.cluster.eyeballs);
        self
    }

    /// Speaks HTTP/3 with origins that are known to offer it, in a race with TCP
    /// ([`Protocols::AutoHttp3`] in the first profile). It becomes known by their own Alt-Svc, by
    /// [`Builder::https_records`], or beforehand by [`Builder::alternative`], [`Client::learn`] or
    /// [`Client::restore`]. Default no: nothing is sent over UDP by a client that was not asked to.
    #[must_use]
    pub fn http3(self) -> Self {
        self.profile(|profile| profile.protocols = Protocols::AutoHttp3)
    }

    /// Sends GET, HEAD and OPTIONS without a body in the first flight of a connection over HTTP/3
    /// that resumes a session (0-RTT), which spares a round trip (the first profile's
    /// [`Profile::early_data`]). What the server does not take, or answers by 425 (Too Early), goes
    /// again over the full handshake by itself.
    ///
    /// Default no: such a flight is not protected against replay. Whoever has recorded it can send
    /// it again, and a server that acts on it acts twice (RFC 8446 8, RFC 8470 3); its keys do not
    /// change with the connection either, so that what is stolen later opens it. Switch it on where
    /// a safe method is safe at the server too.
    #[must_use]
    pub fn early_data(self, yes: bool) -> Self {
        self.profile(|profile| profile.early_data = yes)
    }

    /// Asks for the HTTPS records (RFC 9460) of origins that are not known to offer HTTP/3, so that
    /// the first request may go over it (the first profile's [`Profile::https_records`]). It means
    /// something beside [`Builder::http3`], where the runtime's resolver knows such records
    /// ([`Runtime::resolve_services`]); a failure of that question fails nothing. The first
    /// connection waits for the answer until 50 ms after the first address at the most
    /// (`resolution_delay` of [`Builder::eyeballs`]). Default no: a name server is asked that the
    /// system's own resolver may not ask.
    #[must_use]
    pub fn https_records(self, yes: bool) -> Self {
        self.profile(|profile| profile.https_records = yes)
    }

    /// What an origin is known to offer before it was asked (Envoy's `prepopulated_entries`); what
    /// it says itself takes the place of that.
    #[must_use]
    pub fn alternative(mut self, origin: Origin, offer: Offer) -> Self {
        self.known.push((origin, offer));
        self
    }

    /// Changes the race between QUIC and TCP.
    #[must_use]
    pub fn race(mut self, change: impl FnOnce(&mut race::Config)) -> Self {
        change(&mut self.cluster.race);
        self
    }

    /// Changes the settings of QUIC's connections: congestion controller, windows, timeouts.
    #[cfg(feature = "http3")]
    #[must_use]
    pub fn quic(mut self, change: impl FnOnce(&mut quic::Options)) -> Self {
        change(&mut self.quic);
        self
    }

    /// Changes the upstream's own settings. Clusters and profiles set here are overwritten.
    #[must_use]
    pub fn upstream(mut self, change: impl FnOnce(&mut upstream::Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Changes the limits of the protocol engines.
    #[must_use]
    pub fn engine(mut self, change: impl FnOnce(&mut EngineConfig)) -> Self {
        change(&mut self.engine);
        self
    }

    /// Changes the first profile: trust, protocols, key log.
    #[must_use]
    pub fn profile(mut self, change: impl FnOnce(&mut Profile)) -> Self {
        if let Some(first) = self.profiles.first_mut() {
            change(first);
        }
        self
    }

    /// Adds a profile; the first that is added has the id 1.
    #[must_use]
    pub fn add_profile(mut self, profile: Profile) -> Self {
        self.profiles.push(profile);
        self
    }

    /// Which certificates the first profile trusts.
    #[must_use]
    pub fn roots(self, roots: Roots) -> Self {
        self.profile(|profile| profile.roots = roots)
    }

    /// This proxy for every request. Default none: the environment is not asked, so that a client
    /// does the same wherever it runs (Go and reqwest ask it; Envoy and hyper do not).
    #[must_use]
    pub fn proxy(self, proxy: Proxy) -> Self {
        self.proxies(Proxies::new().all(proxy))
    }

    /// These proxies.
    #[must_use]
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = Ok(proxies);
        self
    }

    /// The proxies that the environment's `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`
    /// name now, by the rules of [`Proxies::of_variables`]; one that names no port has 80, or 443
    /// where it is `https` (Go). [`Builder::build`] fails where one of them names no proxy.
    #[must_use]
    pub fn proxy_from_env(mut self) -> Self {
        let port = Scheme::Http.default_port();
        self.proxies = Proxies::of_variables(|name| std::env::var(name).ok(), port);
        self
    }

    /// Trust, identity and key log for TLS with `https` proxies themselves. Default the trust of
    /// the first profile, never its "any certificate", and nobody's identity. HTTP/1.1 is spoken.
    #[must_use]
    pub fn proxy_profile(mut self, profile: Profile) -> Self {
        self.proxy_profile = Some(profile);
        self
    }

    /// Keeps a journal of what the client decides, and of what it was told for that.
    #[must_use]
    pub fn record(mut self, recording: &Recording) -> Self {
        self.recording = Some(recording.clone());
        self
    }

    /// Tells this function what happens to connections, in order. It runs in whichever task makes
    /// it happen, with no lock held, and must not block; it may use the client. Default nobody is
    /// told.
    #[must_use]
    pub fn on_connection(
        mut self,
        told: impl Fn(&ConnectionFacts, &ConnectionEvent) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.on_connection = Some(Arc::new(told));
        self
    }

    /// Tells this function what happens to requests, in order; else as
    /// [`Builder::on_connection`].
    #[must_use]
    pub fn on_request(
        mut self,
        told: impl Fn(&RequestFacts, &RequestEvent) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.on_request = Some(Arc::new(told));
        self
    }

    /// Whether spans of `tracing` tell URLs with their queries, in which secrets may be. Default
    /// no. Without the feature `tracing` it means nothing.
    #[must_use]
    pub const fn trace_queries(mut self, yes: bool) -> Self {
        self.trace_queries = yes;
        self
    }

    /// Builds the client and starts its timer task.
    ///
    /// Fails with one sentence when a setting is wrong.
    pub fn build(self) -> Result<Client<R>, Error> {
        for profile in self.profiles.iter().chain(&self.proxy_profile) {
            profile.check().map_err(|text| Error::new(Kind::Config(text)))?;
        }
        let Self {
            runtime,
            mut config,
            cluster,
            mut profiles,
            engine,
            #[cfg(feature = "http3")]
            mut quic,
            overrides,
            request_timeout,
            retry,
            retry_budget,
            body_memory,
            recording,
            hooks,
            trace_queries,
            proxies,
            proxy_profile,
            known,
        } = self;
        let proxies = proxies.map_err(|error| Error::new(Kind::Config(error.to_string())))?;
        profiles.iter_mut().for_each(Profile::settle);
        let (roads, profiles) = Roads::new(proxies, profiles, proxy_profile)?;
        #[cfg(feature = "http3")]
        quic.carry_datagrams(&engine);
        config.clusters = vec![cluster];
        config.profiles = known_to_core(&roads, &profiles);
        let bases = profiles.iter().map(|_| OnceLock::new()).collect();
        let settings = Settings {
            engine: Arc::new(engine),
            profiles,
            roads: Arc::new(roads),
            overrides,
            request_timeout,
            retry: Arc::new(retry),
            retry_budget,
            trace_queries,
            bodies: Arc::new(Account::new(Memory::new(body_memory.unwrap_or(usize::MAX)))),
            clock: Clock::new(runtime.unix_at_epoch()),
            provider: runtime.tls_provider(),
            tls: ByOrigin::default(),
            #[cfg(feature = "http3")]
            quic_options: quic,
            #[cfg(feature = "http3")]
            quic: ByOrigin::default(),
            bases,
        };
        let journal = match recording.map(|recording| recording.begin(&config)) {
            Some(None) => {
                let text = "record: this recording has the journal of another client";
                return Err(Error::new(Kind::Config(text.to_owned())));
            }
            journal => journal.flatten(),
        };
        if let Some(journal) = &journal {
            runtime.spawn(crate::drive::scribe::run(Arc::clone(&journal.shared)));
        }
        let hub =
            Hub::start(runtime, Journaled::new(Upstream::new(config), journal), settings, hooks);
        let client = Client::of(hub);
        for (origin, said) in by_origin(known) {
            client.learn(&origin, said, Source::Prepopulated);
        }
        Ok(client)
    }
}

/// What core must know of each profile.
fn known_to_core(roads: &Roads, profiles: &[Profile]) -> Vec<upstream::Profile> {
    let ids = (0..=u16::MAX).map(ProfileId);
    let known = ids.zip(profiles).map(|(id, profile)| {
        let mut known = upstream::Profile::default();
        known.protocols = profile.protocols;
        known.early_data = profile.early_data;
        known.https_records = profile.https_records;
        known.via = roads.via(id).map(|proxy| proxy.origin().clone());
        known
    });
    known.collect()
}

/// What is known of each origin, in the order in which it was said.
fn by_origin(known: Vec<(Origin, Offer)>) -> impl Iterator<Item = (Origin, Said)> {
    let mut all: BTreeMap<Origin, Vec<Offer>> = BTreeMap::new();
    for (origin, offer) in known {
        all.entry(origin).or_default().push(offer);
    }
    all.into_iter().map(|(origin, offers)| (origin, Said::Offers(offers)))
}

#[cfg(test)]
mod tests {
    use regatta_core::types::Scheme;

    use super::*;

    #[test]
    fn quic_and_tcp_race_over_tls_and_without_a_proxy() {
        let auto = Profile { protocols: Protocols::AutoHttp3, ..Profile::default() };
        let proxies = Proxies::new().all(Proxy::parse("one.test:1").unwrap());
        let own = vec![Profile::default(), auto];
        let (roads, profiles) = Roads::new(proxies, own, None).unwrap();
        let known = known_to_core(&roads, &profiles);
        let races = |scheme, profile: usize| known[profile].races(scheme);
        assert!(races(Scheme::Https, 1));
        assert!(!races(Scheme::Http, 1));
        // Without being asked for; the proxy's own; its tunnels with either's settings.
        for profile in [0, 2, 3, 4] {
            assert!(!races(Scheme::Https, profile), "{profile}");
        }
    }
}
