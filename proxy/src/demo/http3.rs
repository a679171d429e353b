//! The scene about HTTP/3: learnt, won, lost to a firewall, and won back.

use std::time::Duration;

use regatta_core::altsvc::State;
use regatta_core::record::Kind;
use regatta_core::types::{self, Protocol, Scheme, Transport};
use regatta_tokio::{
    AttemptOutcome, AttemptTrace, Client, Roots, Runtime as _, Timeline, Tokio, system,
};

use super::gate::Gate;
use super::report::Report;
use super::scenes::{Watch, millis, numbers, took};
use super::stage::{Answered, Obstacle, Origin, counted, drawing, must_get};
use crate::origin::tls;

/// The connect timeout of the scene: an attempt that nobody answers has failed then.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long HTTP/3 is left alone the first time it is broken.
const BACK_OFF: Duration = Duration::from_millis(500);

/// How long a connection that nobody uses is kept, so that each request has a race of its own.
const IDLE: Duration = Duration::from_millis(50);

/// The requests of the scene, in order.
struct Played {
    first: Answered,
    won: Answered,
    shut: Answered,
    broken: Answered,
    suspect: Answered,
    healed: Answered,
    /// How many requests there were.
    requests: u64,
}

/// HTTP/3 is used where it works and costs 300 ms where it does not.
pub(crate) async fn http3() -> Result<Report, Obstacle> {
    let identity =
        tls::self_signed(&["localhost".to_owned()]).map_err(|error| error.to_string())?;
    let gate = Gate::open().await.map_err(|error| format!("no UDP port can be had: {error}"))?;
    let origin = Origin::start_http3(identity.options, gate.port).await?;
    gate.lead_to(origin.address.port());
    let (watch, clock) = (Watch::start(), Tokio::new());
    let client = system::client(clock.clone())
        .roots(Roots::Pem(identity.authority.into_bytes()))
        .resolve("localhost", vec![origin.address.ip()])
        .http3()
        .connect_timeout(PATIENCE)
        .idle_timeout(Some(IDLE))
        .upstream(|config| config.alternatives.back_off.first = BACK_OFF)
        .build()
        .map_err(|error| error.to_string())?;
    let stage = Stage { client, clock, gate, port: origin.address.port() };
    let played = stage.play().await?;
    let Stage { client, gate, .. } = stage;

    let mut report = Report::new(
        "http3",
        "HTTP/3 is learnt, won, lost to a firewall, and won back",
        format!(
            "The origin speaks HTTP/2 over TCP, and says in its answers (Alt-Svc) that it speaks\n\
             HTTP/3 at UDP port {}. In front of that stands a firewall that can swallow every\n\
             datagram. Attempts that hear nothing fail after {PATIENCE:?} here (5 s usually), a\n\
             broken HTTP/3 is left alone for {BACK_OFF:?} (5 min usually), and idle connections\n\
             close after {IDLE:?}, so that each request has a race of its own.",
            gate.port
        ),
    );
    draw(&mut report, &played);
    claim_won(&mut report, &played);
    claim_lost(&mut report, &played, client.stats().count(Kind::Http3Broken));
    claim_healed(&mut report, &played);
    report.numbers = numbers(&client, &watch, played.requests, played.requests);
    Ok(report)
}

struct Stage {
    client: Client,
    /// The client's.
    clock: Tokio,
    gate: Gate,
    /// The origin's.
    port: u16,
}

impl Stage {
    async fn play(&self) -> Result<Played, Obstacle> {
        let Self { client, gate, port, .. } = self;
        let url = format!("https://localhost:{port}/bytes/1000");
        let first = must_get(client, &url).await?;
        self.alone().await?;
        let won = must_get(client, &url).await?;
        self.alone().await?;
        gate.shut(true);
        let shut = must_get(client, &url).await?;
        if !counted(client, Kind::Http3Broken, 0).await {
            return Err("HTTP/3 was not marked broken within a second of its time".to_owned());
        }
        self.alone().await?;
        let broken = must_get(client, &url).await?;
        gate.shut(false);
        self.alone().await?;
        let mut requests = 4;
        self.until(State::Suspect).await?;
        let suspect = must_get(client, &url).await?;
        self.until(State::Confirmed).await?;
        let mut healed = must_get(client, &url).await?;
        requests += 2;
        while !is_http3(&healed) && requests < 100 {
            healed = must_get(client, &url).await?;
            requests += 1;
        }
        Ok(Played { first, won, shut, broken, suspect, healed, requests })
    }

    /// Waits until the client has no connection.
    async fn alone(&self) -> Result<(), Obstacle> {
        wait(|| self.client.inspect(|upstream| upstream.connections()) == 0)
            .await
            .ok_or_else(|| "an idle connection is not closed after 2 seconds".to_owned())
    }

    /// Waits until this is what the client knows of HTTP/3 at its origin.
    async fn until(&self, state: State) -> Result<(), Obstacle> {
        let origin =
            types::Origin { scheme: Scheme::Https, host: "localhost".into(), port: self.port };
        let is = || {
            self.client.inspect(|upstream| {
                let mut known = upstream.alternatives().known(self.clock.now(), &origin);
                known.next().is_some_and(|known| known.state == state)
            })
        };
        wait(is).await.ok_or_else(|| format!("HTTP/3 is not {state:?} after 2 seconds"))
    }
}

async fn wait(mut done: impl FnMut() -> bool) -> Option<()> {
    for _ in 0..2_000 {
        if done() {
            return Some(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    None
}

fn is_http3(answer: &Answered) -> bool {
    protocol(&answer.timeline) == Some(Protocol::Http3)
}

fn protocol(timeline: &Timeline) -> Option<Protocol> {
    timeline.connection.as_ref().map(|used| used.protocol)
}

fn shown(timeline: &Timeline) -> String {
    protocol(timeline).map_or_else(|| "no connection".to_owned(), |protocol| protocol.to_string())
}

fn over(timeline: &Timeline, transport: Transport) -> Option<&AttemptTrace> {
    timeline.attempts.iter().find(|attempt| attempt.transport == transport)
}

fn draw(report: &mut Report, played: &Played) {
    for (title, answer) in [
        ("the first request: nothing is known of HTTP/3 yet", &played.first),
        ("the next race: QUIC goes alone, and wins", &played.won),
        ("the firewall swallows UDP: TCP starts 300 ms later", &played.shut),
        ("HTTP/3 is broken: TCP at once, and nothing beside it", &played.broken),
        ("it may work again: both at once", &played.suspect),
    ] {
        report.drawings.push(drawing(title, &answer.timeline));
    }
}

fn claim_won(report: &mut Report, played: &Played) {
    let Played { first, won, .. } = played;
    report.claim(
        "the first request went over HTTP/2, and its answer taught HTTP/3",
        protocol(&first.timeline) == Some(Protocol::Http2),
        shown(&first.timeline),
    );
    report.claim(
        "the next race was won by QUIC, before TCP was tried",
        is_http3(won) && over(&won.timeline, Transport::Tcp).is_none(),
        format!("{}, {}", shown(&won.timeline), millis(took(&won.timeline))),
    );
}

fn claim_lost(report: &mut Report, played: &Played, marked: u64) {
    let Played { shut, broken, .. } = played;
    let (quic, tcp) = (over(&shut.timeline, Transport::Quic), over(&shut.timeline, Transport::Tcp));
    let gap = quic.zip(tcp).map(|(quic, tcp)| tcp.started.saturating_since(quic.started));
    report.claim(
        "with UDP swallowed TCP started about 300 ms after QUIC",
        gap.is_some_and(|gap| (290..900).contains(&gap.as_millis())),
        gap.map_or_else(|| "they did not both start".to_owned(), millis),
    );
    let won = tcp.is_some_and(|tcp| tcp.outcome == AttemptOutcome::Won);
    report.claim(
        "TCP won, and the answer did not wait for QUIC to fail",
        won && took(&shut.timeline) < PATIENCE,
        millis(took(&shut.timeline)),
    );
    report.claim(
        "HTTP/3 was marked broken when the attempt over QUIC had failed",
        marked == 1,
        format!("marked {marked} time"),
    );
    report.claim(
        "the next request paid for nothing of this: TCP alone, and at once",
        over(&broken.timeline, Transport::Quic).is_none()
            && protocol(&broken.timeline) == Some(Protocol::Http2),
        millis(took(&broken.timeline)),
    );
}

fn claim_healed(report: &mut Report, played: &Played) {
    let Played { suspect, healed, .. } = played;
    let (quic, tcp) =
        (over(&suspect.timeline, Transport::Quic), over(&suspect.timeline, Transport::Tcp));
    let gap = quic.zip(tcp).map(|(quic, tcp)| tcp.started.saturating_since(quic.started));
    report.claim(
        "after its time both were tried at once: no request waits for what failed lately",
        gap.is_some_and(|gap| gap < Duration::from_millis(100)),
        gap.map_or_else(|| "they did not both start".to_owned(), millis),
    );
    report.claim("HTTP/3 worked again, and was used", is_http3(healed), shown(&healed.timeline));
}
