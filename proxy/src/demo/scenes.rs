//! The scenes over TCP. Each plays on its own stage and checks what it claims against timelines,
//! counters and the far end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use regatta_core::Instant;
use regatta_core::record::Kind;
use regatta_core::types::Cause;
use regatta_core::upstream::Protocols;
use regatta_tokio::{AttemptOutcome, Client, Roots, Runtime as _, Timeline, Tokio};
use tokio::task::JoinSet;

use super::report::{Numbers, Report};
use super::stage::{
    Answered, BlackHole, Closer, Obstacle, Origin, ask, counted, drawing, must_get,
};
use crate::origin::tls;

/// An address that swallows every packet is passed by.
pub(crate) async fn race() -> Result<Report, Obstacle> {
    let identity =
        tls::self_signed(&["race.test".to_owned()]).map_err(|error| error.to_string())?;
    let origin = Origin::start(Some(identity.options)).await?;
    let port = origin.address.port();
    let hole = BlackHole::dig(port).await?;
    let watch = Watch::start();
    let client = regatta_tokio::client()
        .roots(Roots::Pem(identity.authority.into_bytes()))
        .resolve("race.test", vec![hole.address.ip(), origin.address.ip()])
        .build()
        .map_err(|error| error.to_string())?;
    let url = format!("https://race.test:{port}/bytes/500000");
    let first = must_get(&client, &url).await?;
    let second = must_get(&client, &url).await?;

    let mut report = Report::new(
        "race",
        "the first of two addresses is a black hole",
        format!(
            "race.test has two addresses. At {} nobody answers, not even with a refusal.\n\
             Who tries one address after the other hangs there until a timeout; this client\n\
             starts the next one 300 ms later, beside the first, and takes what is ready first.",
            hole.address
        ),
    );
    report.drawings.push(drawing(&format!("GET {url}"), &first.timeline));
    report.drawings.push(drawing("the same once more", &second.timeline));
    claim_race(&mut report, &first.timeline, &hole);
    let whole = [&first, &second].iter().all(|answer| answer.bytes == 500_000);
    report.claim("both answers came whole", whole, format!("{} bytes", first.bytes));
    let reused = second.timeline.connection.as_ref().is_some_and(|used| used.reused);
    report.claim(
        "the second request paid for nothing of this: it used the same connection",
        reused && second.timeline.attempts.is_empty(),
        millis(took(&second.timeline)),
    );
    let answered = [&first, &second].iter().filter(|answer| answer.status.is_success()).count();
    report.numbers = numbers(&client, &watch, 2, answered as u64);
    Ok(report)
}

fn claim_race(report: &mut Report, timeline: &Timeline, hole: &BlackHole) {
    let attempt = |wanted| {
        timeline.attempts.iter().find(|attempt| (attempt.address == hole.address) == wanted)
    };
    let (dead, live) = (attempt(true), attempt(false));
    let given_up = dead
        .is_some_and(|dead| dead.outcome == AttemptOutcome::Aborted && dead.connected.is_none());
    report.claim(
        "the black hole was tried first and given up in the end",
        given_up,
        dead.map_or_else(|| "not tried".to_owned(), |dead| format!("{:?}", dead.outcome)),
    );
    let gap = dead.zip(live).map(|(dead, live)| live.started.saturating_since(dead.started));
    report.claim(
        "the next address was tried about 300 ms after the first",
        gap.is_some_and(|gap| (290..1_500).contains(&gap.as_millis())),
        gap.map_or_else(|| "not tried".to_owned(), millis),
    );
    let won = live.is_some_and(|live| live.outcome == AttemptOutcome::Won);
    report.claim(
        "it won, and the answer came long before the connect timeout of 5 s",
        won && took(timeline) < Duration::from_secs(5),
        millis(took(timeline)),
    );
}

/// A server that goes away under load loses nothing.
pub(crate) async fn drain() -> Result<Report, Obstacle> {
    const WORKERS: usize = 16;
    const EACH: usize = 8;
    let identity =
        tls::self_signed(&["127.0.0.1".to_owned()]).map_err(|error| error.to_string())?;
    let origin = Origin::start(Some(identity.options)).await?;
    let watch = Watch::start();
    let client = regatta_tokio::client()
        .roots(Roots::Pem(identity.authority.into_bytes()))
        .build()
        .map_err(|error| error.to_string())?;
    let base = format!("https://{}", origin.address);
    must_get(&client, &base).await?;

    let mut under_way = JoinSet::new();
    for _ in 0..WORKERS {
        let (client, url) = (client.clone(), format!("{base}/delay/40"));
        under_way.spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..EACH {
                answers.push(ask(&client, Method::GET, &url).await);
            }
            answers
        });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let goaway = must_get(&client, &format!("{base}/goaway")).await?;
    let announced = counted(&client, Kind::CloseNotify, 0).await;
    let answers: Vec<_> = under_way.join_all().await.into_iter().flatten().collect();

    let mut report = Report::new(
        "drain",
        "the server goes away under load",
        "16 workers send one request after the other over one HTTP/2 connection. In the middle\n\
         the server announces that it takes nothing new on it (GOAWAY), as servers do before a\n\
         restart. What is under way ends there, everything else moves to a new connection.",
    );
    claim_drain(&mut report, &answers, &goaway, announced);
    let answered =
        answers.iter().flatten().filter(|answer| answer.status == StatusCode::OK).count();
    let requests = WORKERS * EACH + 2;
    report.numbers = numbers(&client, &watch, requests as u64, answered as u64 + 2);
    Ok(report)
}

fn claim_drain(
    report: &mut Report,
    answers: &[Result<Answered, regatta_tokio::Error>],
    goaway: &Answered,
    announced: bool,
) {
    let lost: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    let good = answers.iter().flatten().filter(|answer| answer.status == StatusCode::OK).count();
    let seen = match lost.first() {
        Some(error) => format!("{} failed, the first because {error}", lost.len()),
        None => format!("{good} of {} answered with 200", answers.len()),
    };
    report.claim("no request was lost", good == answers.len(), seen);
    report.claim("the announcement was heard", announced, "GOAWAY");
    let old = connection(&goaway.timeline);
    let said = goaway.timeline.first_byte;
    let across = answers.iter().flatten().filter(|answer| {
        let timeline = &answer.timeline;
        connection(timeline) == old && timeline.assigned < said && timeline.ended > said
    });
    let across: Vec<_> = across.collect();
    report.claim(
        "requests under way at that moment ended on the old connection",
        !across.is_empty(),
        format!("{} of them", across.len()),
    );
    let mut by_connection: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers.iter().flatten() {
        *by_connection.entry(connection(&answer.timeline)).or_default() += 1;
    }
    let spread: Vec<_> =
        by_connection.iter().map(|(id, n)| format!("{n} requests on {id}")).collect();
    report.claim(
        "later ones went to a new connection",
        by_connection.len() == 2,
        spread.join(", "),
    );
    if let Some(answer) = across.first() {
        let title = "GET /delay/40, under way when GOAWAY came: it ends where it began";
        report.drawings.push(drawing(title, &answer.timeline));
    }
    let moved = answers.iter().flatten().filter(|answer| connection(&answer.timeline) != old);
    if let Some(answer) = moved.min_by_key(|answer| answer.timeline.requested) {
        let title = "GET /delay/40, the first one afterwards: it pays for the new connection";
        report.drawings.push(drawing(title, &answer.timeline));
    }
}

/// A server that lowers its stream limit gets no more than it grants.
pub(crate) async fn limit() -> Result<Report, Obstacle> {
    let origin = Origin::start(None).await?;
    let watch = Watch::start();
    let only_one = limited_client(Some(1))?;
    let queued = at_once(&only_one, &origin).await?;
    let queued_peak = origin.take_peak();
    let free = limited_client(None)?;
    let spread = at_once(&free, &origin).await?;
    let spread_peak = origin.take_peak();

    let mut report = Report::new(
        "limit",
        "the server lowers its stream limit to 2",
        "6 requests of 100 ms each are made at once, after the server has lowered how many\n\
         streams it grants on the connection (SETTINGS). First the client may have one\n\
         connection only: the others wait for their turn. Then it may have more.",
    );
    if let Some(last) = queued.iter().max_by_key(|answer| answer.timeline.assigned) {
        let title = "one connection allowed, the last of 6: it waited in the queue";
        report.drawings.push(drawing(title, &last.timeline));
    }
    if let Some(new) = spread.iter().find(|answer| !answer.timeline.attempts.is_empty()) {
        let title = "more connections allowed, one of 6: it got a new connection";
        report.drawings.push(drawing(title, &new.timeline));
    }
    let connections = |answers: &[Answered]| {
        let mut ids: Vec<_> = answers.iter().map(|answer| connection(&answer.timeline)).collect();
        ids.sort();
        ids.dedup();
        ids.len()
    };
    report.claim(
        "with one connection the server never had more than 2 requests at once",
        queued_peak <= 2 && connections(&queued) == 1,
        format!("at most {queued_peak}, on {} connection", connections(&queued)),
    );
    let waited = queued.iter().filter(|answer| {
        let timeline = &answer.timeline;
        let assigned = timeline.assigned.unwrap_or(timeline.requested);
        assigned.saturating_since(timeline.requested) >= Duration::from_millis(50)
    });
    let waited = waited.count();
    report.claim("4 of the 6 waited in the queue", waited == 4, format!("{waited} waited"));
    report.claim(
        "without that limit the pool opened more connections instead",
        connections(&spread) > 1 && spread_peak > 2,
        format!("{spread_peak} at once on {} connections", connections(&spread)),
    );
    let answers = queued.iter().chain(&spread);
    let answered = answers.filter(|answer| answer.status == StatusCode::OK).count();
    report.claim("all were answered", answered == 12, format!("{answered} of 12"));
    let (one, two) = (numbers(&only_one, &watch, 8, 0), numbers(&free, &watch, 8, 0));
    report.numbers = Numbers {
        requests: 16,
        answered: answered as u64 + 4,
        connections: one.connections + two.connections,
        resent: one.resent + two.resent,
        took: watch.elapsed(),
    };
    Ok(report)
}

fn limited_client(max_connections: Option<u32>) -> Result<Client, Obstacle> {
    regatta_tokio::client()
        .profile(|profile| profile.protocols = Protocols::Http2PriorKnowledge)
        .limits(|limits| limits.max_connections = max_connections)
        .build()
        .map_err(|error| error.to_string())
}

/// Lowers the limit of a new connection and makes 6 requests at once.
async fn at_once(client: &Client, origin: &Origin) -> Result<Vec<Answered>, Obstacle> {
    let base = format!("http://{}", origin.address);
    must_get(client, &base).await?;
    let before = client.stats().count(Kind::LimitChanged);
    must_get(client, &format!("{base}/limits?streams=2")).await?;
    if !counted(client, Kind::LimitChanged, before).await {
        return Err("the lowered stream limit was not heard within a second".to_owned());
    }
    origin.take_peak();
    let mut under_way = JoinSet::new();
    for _ in 0..6 {
        let (client, url) = (client.clone(), format!("{base}/delay/100"));
        under_way.spawn(async move { must_get(&client, &url).await });
    }
    under_way.join_all().await.into_iter().collect()
}

/// A connection that closes at the moment of its reuse costs no request that may be repeated.
pub(crate) async fn reuse() -> Result<Report, Obstacle> {
    let watch = Watch::start();
    let obstacle = |error: std::io::Error| format!("the scripted peer cannot listen: {error}");
    let safe = Arc::new(Closer::start().await.map_err(obstacle)?);
    let client = regatta_tokio::client().build().map_err(|error| error.to_string())?;
    let url = format!("http://{}/", safe.address);
    must_get(&client, &url).await?;
    let again = must_get(&client, &url).await?;

    let unsafe_peer = Closer::start().await.map_err(obstacle)?;
    let url = format!("http://{}/", unsafe_peer.address);
    must_get(&client, &url).await?;
    let post = ask(&client, Method::POST, &url).await;
    let received = unsafe_peer.received() - 1;
    let after = must_get(&client, &url).await?;

    let mut report = Report::new(
        "reuse",
        "the server closes a connection just when it is used again",
        "Servers close idle connections, and now and then a request is on its way already.\n\
         Nobody knows then whether the server has acted on it. A GET may be repeated, so it is\n\
         sent again on a new connection; a POST may not, so its sender is told.",
    );
    report.drawings.push(drawing("GET on a connection that closes under it", &again.timeline));
    report.claim(
        "the GET was sent again by itself and answered",
        again.status == StatusCode::OK && again.timeline.resends == 1,
        format!("{}, sent again {} time", again.status, again.timeline.resends),
    );
    report.claim(
        "the server saw it twice, and nothing else twice",
        safe.received() == 3,
        format!("{} requests for 2 asked", safe.received()),
    );
    let told = match &post {
        Ok(answer) => format!("answered with {}", answer.status),
        Err(error) => error.to_string(),
    };
    let closed = post.as_ref().err().and_then(regatta_tokio::Error::cause);
    report.claim(
        "the POST was not answered, and that was told",
        closed == Some(Cause::Closed),
        told,
    );
    report.claim("the server saw the POST once", received == 1, format!("{received} time"));
    report.claim(
        "the next request is served as if nothing had been",
        after.status == StatusCode::OK,
        after.status.to_string(),
    );
    report.numbers = numbers(&client, &watch, 5, if post.is_ok() { 5 } else { 4 });
    Ok(report)
}

/// How long a scene takes.
pub(super) struct Watch {
    clock: Tokio,
    started: Instant,
}

impl Watch {
    pub(super) fn start() -> Self {
        let clock = Tokio::new();
        Self { started: clock.now(), clock }
    }

    fn elapsed(&self) -> Duration {
        self.clock.now().saturating_since(self.started)
    }
}

pub(super) fn numbers(client: &Client, watch: &Watch, requests: u64, answered: u64) -> Numbers {
    let stats = client.stats();
    Numbers {
        requests,
        answered,
        connections: [Kind::Http1, Kind::Http2, Kind::Http3]
            .map(|kind| stats.count(kind))
            .iter()
            .sum(),
        resent: stats.count(Kind::Resent),
        took: watch.elapsed(),
    }
}

pub(super) fn connection(timeline: &Timeline) -> String {
    let used = timeline.connection.as_ref();
    used.map_or_else(|| "none".to_owned(), |used| format!("{:?}", used.connection))
}

pub(super) fn took(timeline: &Timeline) -> Duration {
    timeline.ended.map_or(Duration::MAX, |ended| ended.saturating_since(timeline.requested))
}

pub(super) fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
