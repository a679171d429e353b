//! The production server, with the fate that was drawn for it.

use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use http::header::ALT_SVC;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use regatta_core::downstream::Advertise;
use regatta_core::engine::tls::ServerOptions;
use regatta_runtime::{ConnectionHandle, EarlyData, Runtime as _, Server};

use super::body::{Pattern, byte_at};
use super::plan::{AltSvc, Answer, Certificate, Conduct, Deed, ServerPlan, Start};
use super::raw;
use super::scene::{Scene, Script};
use crate::host::Host;
use crate::tls;

/// The header that says which request of the case a request is.
pub(crate) const WHICH: &str = "x-request";
/// The header that says which request an answer is for.
pub(crate) const ANSWERED: &str = "x-answered";

/// Runs one endpoint until the scene is over.
pub async fn endpoint(host: Host, at: SocketAddr, tls: bool, conduct: Conduct, scene: Arc<Scene>) {
    match conduct {
        Conduct::Honest(plan) => honest(&host, at, tls, *plan, &scene).await,
        Conduct::Raw(kind) => raw::listen(&host, at, tls, kind, &scene).await,
    }
    if !scene.is_stopped() {
        let http3 = scene.has_http3().then(Default::default);
        let plan = ServerPlan { http3, ..ServerPlan::default() };
        serve(&host, at, tls, &plan, &scene, scene.over()).await;
    }
}

/// Serves by a plan until its address is healed or the scene is over.
async fn honest(host: &Host, at: SocketAddr, tls: bool, plan: ServerPlan, scene: &Arc<Scene>) {
    let over = || scene.is_stopped() || scene.is_healed(at.ip());
    for (up, down) in &plan.rests {
        if !up.is_zero() {
            let time = pin!(host.sleep(*up));
            serve(host, at, tls, &plan, scene, first(time, scene.changed(at.ip()))).await;
        }
        if over() {
            return;
        }
        scene.meet("server", "rest");
        first(pin!(host.sleep(*down)), scene.changed(at.ip())).await;
        if over() {
            return;
        }
    }
    serve(host, at, tls, &plan, scene, scene.changed(at.ip())).await;
}

/// Ends when either does.
pub(crate) async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(cx),
    })
    .await;
}

/// The certificate and ALPN of a plan.
pub(super) fn options(plan: &ServerPlan) -> ServerOptions {
    let mut options = match plan.certificate {
        Certificate::Good => tls::good(),
        Certificate::Expired => tls::expired(),
        Certificate::Stranger => tls::stranger(),
    };
    options.alpn.clone_from(&plan.alpn);
    options
}

/// Serves until `end`, then drains in the background.
async fn serve(
    host: &Host,
    at: SocketAddr,
    tls: bool,
    plan: &ServerPlan,
    scene: &Arc<Scene>,
    end: impl Future<Output = ()>,
) {
    let Some(server) = bind(host, at, tls, plan, scene).await else { return };
    if plan.certificate != Certificate::Good && tls {
        scene.meet("server", "bad certificate");
    }
    let handle = server.handle();
    let (on, known) = (host.clone(), Arc::clone(scene));
    let shown = Shown::of(at, tls, plan);
    host.spawn(server.serve(move |request: Request<regatta_runtime::Body>| {
        answer(on.clone(), Arc::clone(&known), shown.clone(), request)
    }));
    end.await;
    handle.drain();
}

/// Listens. Whoever listened there before may still have to hear that it is over, and the host
/// may have lost the address.
async fn bind(
    host: &Host,
    at: SocketAddr,
    tls: bool,
    plan: &ServerPlan,
    scene: &Scene,
) -> Option<Server<Host>> {
    let mut pause = Duration::from_millis(1);
    while !scene.is_stopped() {
        let mut builder = Server::builder(host.clone())
            .engine(|engine| *engine = plan.engine.clone())
            .downstream(|down| *down = plan.downstream.clone());
        if tls {
            builder = builder.tls(options(plan));
            if let Some(http3) = &plan.http3 {
                builder = builder.http3(http3.clone());
                scene.meet("server", "speaks HTTP/3");
            }
            if plan.alt_svc != AltSvc::Itself {
                // The answers say it themselves, as it is written.
                builder = builder.alt_svc(Advertise::Off);
            }
        }
        if let Ok(server) = builder.bind(at).await {
            return Some(server);
        }
        first(pin!(host.sleep(pause)), scene.over()).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    None
}

fn plain(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response
}

/// What an endpoint shows of itself.
#[derive(Clone, Debug)]
struct Shown {
    at: SocketAddr,
    /// Its certificate is not the origin's, or not valid.
    misleads: bool,
    finds_it_too_early: bool,
    alt_svc: Option<(HeaderValue, &'static str)>,
}

impl Shown {
    fn of(at: SocketAddr, tls: bool, plan: &ServerPlan) -> Self {
        let alt_svc = match &plan.alt_svc {
            AltSvc::Words(words, what) if tls => {
                HeaderValue::from_str(words).ok().map(|words| (words, *what))
            }
            _ => None,
        };
        let misleads = tls && plan.certificate != Certificate::Good;
        Self { at, misleads, finds_it_too_early: plan.finds_it_too_early, alt_svc }
    }

    /// Where a request came, and what it says of that.
    fn look(
        &self,
        scene: &Scene,
        n: usize,
        script: &Script,
        request: &Request<regatta_runtime::Body>,
    ) {
        if self.misleads {
            scene.note(n, |fate| fate.misled += 1);
        }
        let said = request.headers().get("alt-used").map(|value| value.to_str().unwrap_or(""));
        let right = match said {
            _ if request.version() != Version::HTTP_3 || !script.races => said.is_none(),
            Some(said) => self.is_named(scene, script.origin, said),
            None => script.asks_dns,
        };
        scene.note(n, |fate| if right { fate.alt_used += 1 } else { fate.alt_misused += 1 });
    }

    /// Whether `said` is this endpoint, by the name under which a client found it.
    fn is_named(&self, scene: &Scene, origin: &str, said: &str) -> bool {
        let (name, port) = said.rsplit_once(':').unwrap_or((said, "443"));
        let name_of_this = scene.elsewhere(self.at.ip()).unwrap_or(origin);
        if name_of_this != origin {
            scene.meet("race", "served elsewhere");
        }
        name == name_of_this && port == self.at.port().to_string()
    }
}

/// Answers one request as its script says.
async fn answer(
    host: Host,
    scene: Arc<Scene>,
    shown: Shown,
    request: Request<regatta_runtime::Body>,
) -> Response<Pattern> {
    let which = request.headers().get(WHICH).and_then(|value| value.to_str().ok()?.parse().ok());
    let Some((n, script)) = which.and_then(|n: usize| Some((n, scene.script(n)?))) else {
        scene.complain(format!("a request came that nobody made: {:?}", request.headers()));
        return plain(StatusCode::BAD_REQUEST).map(|()| Pattern::new(&host, 0, 0, None));
    };
    if request.method() != script.method {
        scene.complain(format!("request {n} came as {}", request.method()));
    }
    if request.extensions().get::<EarlyData>().is_some() {
        scene.meet("early data", "came");
        if !request.method().is_safe() || script.upload > 0 {
            scene.complain(format!("request {n}, a {}, came early", request.method()));
        }
        if shown.finds_it_too_early {
            scene.meet("early data", "too early");
            return plain(StatusCode::TOO_EARLY).map(|()| Pattern::new(&host, 0, 0, None));
        }
    }
    scene.note(n, |fate| fate.processed += 1);
    shown.look(&scene, n, script, &request);
    let mut known = script.answer.clone();
    if scene.is_on_the_spot() {
        scene.meet("server", "answers as drawn on the spot");
        known = known.on_the_spot(&host);
    }
    let Answer { start, status, bytes, pace, trailers, deed } = known;
    if let Some(deed) = deed
        && let Some(handle) = request.body().connection()
    {
        scene.meet("server", deed.name());
        perform(&host, deed, handle);
    }
    match start {
        Start::AtOnce => scene.meet("server", "answers at once"),
        Start::AfterBody => read(&scene, n, script.upload, request).await,
        Start::Late(time) => {
            read(&scene, n, script.upload, request).await;
            scene.meet("server", "answers late");
            host.sleep(time).await;
        }
    }
    scene.note(n, |fate| fate.answered += 1);
    if pace.is_some() {
        scene.meet("server", "streams slowly");
    }
    let mut response = plain(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
    response.headers_mut().insert(ANSWERED, HeaderValue::from(n));
    if let Some((words, what)) = shown.alt_svc {
        scene.meet("alt-svc", what);
        response.headers_mut().insert(ALT_SVC, words);
    }
    if trailers {
        response.headers_mut().insert("trailer", HeaderValue::from_static("x-trailer"));
    }
    let body = Pattern::new(&host, n, bytes, pace).with_trailers(trailers);
    response.map(|()| if deed == Some(Deed::Vanish) { body.broken() } else { body })
}

/// Reads a request's body and compares it.
async fn read(scene: &Scene, n: usize, size: usize, request: Request<regatta_runtime::Body>) {
    let mut body = request.into_body();
    let mut place = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return };
        let Ok(data) = frame.into_data() else { continue };
        if !data.iter().zip(place..).all(|(byte, place)| *byte == byte_at(n, place)) {
            scene.complain(format!("the body of request {n} is wrong from byte {place} on"));
        }
        place += data.len();
        scene.moves(data.len());
    }
    if place != size {
        scene.complain(format!("request {n} ended well with {place} bytes of {size}"));
    }
    scene.note(n, |fate| fate.complete += 1);
}

fn perform(host: &Host, deed: Deed, handle: &ConnectionHandle) {
    let handle = handle.clone();
    match deed {
        Deed::Drain => handle.drain(),
        Deed::Vanish => {}
        Deed::Streams(streams) => {
            handle.set_max_concurrent_streams(streams);
            let on = host.clone();
            host.spawn(async move {
                on.sleep(Duration::from_secs(1)).await;
                handle.set_max_concurrent_streams(100);
            });
        }
        Deed::Flap => {
            let on = host.clone();
            host.spawn(async move {
                for streams in [0, 3, 0, 100] {
                    handle.set_max_concurrent_streams(streams);
                    on.sleep(Duration::from_millis(10)).await;
                }
            });
        }
    }
}
