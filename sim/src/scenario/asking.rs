//! The client and its loads.

use core::time::Duration;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Uri};
use http_body::Body as _;
use regatta_core::Instant;
use regatta_core::altsvc::{self, Offer, Said};
use regatta_core::engine::qlog::Sink;
use regatta_core::rng::Rng;
use regatta_core::types::{Origin, Scheme};
use regatta_runtime::{Body, Client, Error, RequestOptions, Roots, Runtime as _, Timeline};

use super::board::{AtWork, Board};
use super::format::policy;
use super::format::work::{Arrivals, Load};
use super::outcome::{End, name_of};
use super::zeros::Zeros;
use crate::host::Host;
use crate::tls;

/// What a rate's interval is measured in.
const NANOS: f64 = 1e9;

/// Builds the client.
pub(super) fn client(
    host: &Host,
    policy: &policy::Client,
    qlog: Option<&Arc<dyn Sink>>,
) -> Result<Client<Host>, Error> {
    let mut builder = Client::builder(host.clone())
        .roots(Roots::Der(vec![tls::ROOT.to_vec()]))
        .profile(|profile| {
            profile.protocols = policy.protocols.into();
            profile.versions = policy.tls_versions.into();
            profile.early_data = policy.early_data;
            profile.https_records = policy.https_records;
            profile.danger_accept_any_certificate = policy.accept_any_certificate;
            profile.qlog = qlog.cloned();
        })
        .pool(|config| policy.pool.apply(config))
        .limits(|config| policy.limits.apply(config))
        .eyeballs(|config| policy.eyeballs.apply(config))
        .race(|config| policy.race.apply(config))
        .upstream(|config| {
            policy.upstream.apply(config);
            policy.alternatives.apply(&mut config.alternatives);
        })
        .engine(|config| policy.engine.apply(config));
    if let Some(timeout) = policy.request_timeout {
        builder = builder.request_timeout(timeout.0);
    }
    for (name, addresses) in &policy.resolve {
        builder = builder.resolve(name, addresses.clone());
    }
    for (text, said) in &policy.alt_svc {
        for offer in offers(said).unwrap_or_default() {
            builder = origin(text)
                .into_iter()
                .fold(builder, |builder, origin| builder.alternative(origin, offer.clone()));
        }
    }
    builder.build()
}

/// The origin that a text names.
pub(super) fn origin(text: &str) -> Option<Origin> {
    let uri: Uri = text.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return None,
    };
    let port = uri.port_u16().unwrap_or_else(|| scheme.default_port());
    Some(Origin { scheme, host: uri.host()?.to_ascii_lowercase().into(), port })
}

/// What the value of an Alt-Svc field offers, where all of it can be read and is something.
pub(super) fn offers(said: &str) -> Option<Vec<Offer>> {
    let field = altsvc::parse([said.as_bytes()], said.len()).ok()?;
    match field.said {
        Said::Offers(offers) if field.malformed == 0 && !offers.is_empty() => Some(offers),
        _ => None,
    }
}

/// One load at work: what its tasks share.
#[derive(Clone)]
pub(super) struct Asker {
    host: Host,
    client: Client<Host>,
    board: Board,
    load: Arc<Load>,
    number: usize,
    drawn: Arc<Mutex<Drawn>>,
    until: Instant,
}

struct Drawn {
    rng: Rng,
    left: u32,
}

/// One request that was drawn.
struct Wanted {
    method: String,
    url: String,
    up: u64,
}

impl Asker {
    pub(super) fn new(
        host: &Host,
        client: &Client<Host>,
        board: &Board,
        number: usize,
        load: &Load,
        seed: u64,
    ) -> Self {
        let lasts = load.lasts.map_or(Duration::MAX, |lasts| lasts.0);
        let rng = Rng::new(seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let left = load.requests.unwrap_or(u32::MAX);
        Self {
            host: host.clone(),
            client: client.clone(),
            board: board.clone(),
            load: Arc::new(load.clone()),
            number,
            drawn: Arc::new(Mutex::new(Drawn { rng, left })),
            until: Instant::EPOCH + load.start.0 + lasts,
        }
    }

    /// Starts its tasks.
    pub(super) fn start(self) {
        let users = match (self.load.users, self.load.rate) {
            (Some(users), _) => users,
            (None, _) => 1,
        };
        for _ in 0..users {
            let (asker, at_work) = (self.clone(), self.board.begin());
            self.host.spawn(async move {
                asker.host.sleep(asker.load.start.0).await;
                match (asker.load.users, asker.load.rate) {
                    (Some(_), _) => asker.user().await,
                    (None, Some(rate)) => asker.open(rate).await,
                    (None, None) => asker.all_at_once(),
                }
                drop(at_work);
            });
        }
    }

    async fn user(&self) {
        while let Some(wanted) = self.next() {
            self.ask(wanted).await;
            let think = self.draw(|rng| self.load.think.draw(rng));
            self.host.sleep(think).await;
        }
    }

    async fn open(&self, rate: f64) {
        let mut at = self.host.now();
        while let Some(wanted) = self.next() {
            self.ask_beside(wanted);
            let apart = match self.load.arrivals {
                Arrivals::Fixed => 1.0,
                Arrivals::Poisson => self.draw(exponential),
            };
            at = at + Duration::from_nanos((apart / rate * NANOS) as u64);
            self.host.sleep(at.saturating_since(self.host.now())).await;
        }
    }

    fn all_at_once(&self) {
        while let Some(wanted) = self.next() {
            self.ask_beside(wanted);
        }
    }

    fn ask_beside(&self, wanted: Wanted) {
        let (asker, at_work): (Self, AtWork) = (self.clone(), self.board.begin());
        self.host.spawn(async move {
            asker.ask(wanted).await;
            drop(at_work);
        });
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.drawn.lock().unwrap_or_else(PoisonError::into_inner).rng)
    }

    /// The next request, unless all were made or the time is up.
    fn next(&self) -> Option<Wanted> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.left == 0 || self.host.now() >= self.until {
            return None;
        }
        drawn.left -= 1;
        let rng = &mut drawn.rng;
        let origin = weighted(&self.load.origins, rng)?;
        let method = weighted(&self.load.methods, rng)?.to_owned();
        let down = self.load.down.draw(rng);
        let up = self.load.up.draw(rng);
        Some(Wanted { method, url: format!("{}/{down}", origin.trim_end_matches('/')), up })
    }

    async fn ask(&self, wanted: Wanted) {
        let Wanted { method, url, up } = wanted;
        let what = format!("{method} {url}");
        let number = self.board.ask(self.number, what, up, self.host.now());
        let (end, received, timeline) = self.exchange(&method, &url, up).await;
        self.board.end(number, self.host.now(), end, received, timeline);
    }

    async fn exchange(&self, method: &str, url: &str, up: u64) -> (End, u64, Option<Timeline>) {
        let mut options = RequestOptions::default();
        options.timeout = self.load.deadline.map(|deadline| deadline.0);
        let request = Request::builder().method(method).uri(url).extension(options);
        let request = match request.body(Zeros(up)) {
            Ok(request) => request,
            Err(error) => return (End::Failed(error.to_string()), 0, None),
        };
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => {
                return (End::Failed(name_of(error.kind())), 0, error.timeline().cloned());
            }
        };
        let handle = response.body().timeline();
        let status = response.status().as_u16();
        let mut received = 0;
        let end = match self.read(response.into_body(), &mut received).await {
            Ok(()) => End::Answered(status),
            Err(error) => End::Failed(name_of(error.kind())),
        };
        (end, received, handle.map(|handle| handle.snapshot()))
    }

    /// Reads a body, no faster than wanted.
    async fn read(&self, mut body: Body, received: &mut u64) -> Result<(), Error> {
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let count = frame?.data_ref().map_or(0, |data| data.len() as u64);
            *received += count;
            if let Some(rate) = self.load.read_rate {
                let nanos = u128::from(count) * 8 * 1_000_000_000 / u128::from(rate.0);
                let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                self.host.sleep(time).await;
            }
        }
        Ok(())
    }
}

/// One of the keys, each as often as its weight says.
fn weighted<'a>(
    weights: &'a std::collections::BTreeMap<String, u32>,
    rng: &mut Rng,
) -> Option<&'a str> {
    let all = weights.values().map(|weight| u64::from(*weight)).sum();
    let mut at = rng.below(all);
    for (name, weight) in weights {
        match at.checked_sub(u64::from(*weight)) {
            Some(rest) => at = rest,
            None => return Some(name),
        }
    }
    None
}

/// An exponential variable of mean 1 by comparisons alone (von Neumann 1951): the same bits on
/// every machine, which a logarithm does not promise.
fn exponential(rng: &mut Rng) -> f64 {
    // 53 bits: all of them are in the float.
    let uniform = |rng: &mut Rng| rng.next_u64() >> 11;
    for whole in 0..u32::MAX {
        let first = uniform(rng);
        let (mut last, mut length) = (first, 1_u32);
        loop {
            let next = uniform(rng);
            if next >= last {
                break;
            }
            last = next;
            length += 1;
        }
        // A run of odd length: its first is the fraction.
        if length % 2 == 1 {
            return f64::from(whole) + first as f64 / (1_u64 << 53) as f64;
        }
    }
    f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn exponential_distances_have_mean_and_variance_one() {
        let mut rng = Rng::new(7);
        let all: Vec<f64> = (0..200_000).map(|_| exponential(&mut rng)).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / all.len() as f64;
        assert!((0.99..1.01).contains(&mean), "{mean}");
        assert!((0.97..1.03).contains(&variance), "{variance}");
        let over_two = all.iter().filter(|x| **x > 2.0).count() as f64 / all.len() as f64;
        assert!((0.131..0.140).contains(&over_two), "{over_two}");
    }

    #[test]
    fn weights_are_shares() {
        let weights = BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 1)]);
        let mut rng = Rng::new(7);
        let count = (0..10_000).filter(|_| weighted(&weights, &mut rng) == Some("a")).count();
        assert!((7_300..7_700).contains(&count), "{count}");
    }
}
