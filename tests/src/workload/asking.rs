//! One request of the workload: asked, and what came of it in one sentence.

use core::future::{Future, poll_fn};
use core::net::{IpAddr, Ipv4Addr};
use core::pin::pin;
use core::task::Poll;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::id::ProfileId;
use regatta_core::upstream::Protocols;
use regatta_runtime::{Body, Client, Error, Profile, RequestOptions, Roots, Runtime};
use tokio::sync::oneshot;

use super::origin::{Meeting, Origins, body};
use super::plan::{self, Deed, Lane, Raw, SHORT};

/// A port that nobody has: no program is given one below 1024 by chance.
const NOBODYS: u16 = 1;

/// Everything that requests of one round share.
pub(crate) struct Asking<R: Runtime> {
    client: Client<R>,
    ports: [u16; 3],
    meeting: Arc<Meeting>,
}

impl<R: Runtime> Asking<R> {
    pub(crate) fn new(runtime: &R, origins: &Origins<R>, roots: &Roots) -> Self {
        let with = |protocols, roots: &Roots| {
            let mut profile = Profile::default();
            profile.protocols = protocols;
            profile.roots = roots.clone();
            profile
        };
        let loopback = || vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let client = Client::builder(runtime.clone())
            .roots(roots.clone())
            .add_profile(with(Protocols::Http1, roots))
            .add_profile(with(Protocols::Http2PriorKnowledge, roots))
            .add_profile(with(Protocols::Auto, &Roots::None))
            .resolve("origin.test", loopback())
            .resolve("wrong.test", loopback())
            // How often a connection is drained under a request is chance.
            .pool(|pool| (pool.max_resends, pool.max_unprocessed_resends) = (20, 20))
            .limits(|limits| limits.max_retries = None)
            .build()
            .unwrap();
        let ports = [origins.plain, origins.tls, origins.raw].map(|address| address.port());
        Self { client, ports, meeting: Arc::clone(&origins.meeting) }
    }

    /// Takes nothing new.
    pub(crate) fn drain(&self) {
        self.client.drain();
        self.client.check();
    }

    /// Asks request `n` and says what came of it.
    pub(crate) async fn ask(&self, n: u32) -> String {
        let (_, deed) = plan::of(n);
        let asked = self.client.request(self.request(n));
        match deed {
            Deed::Unasked => GIVEN_UP.to_owned(),
            Deed::GivenUpAtOnce => {
                let mut asked = pin!(asked);
                poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready())).await;
                GIVEN_UP.to_owned()
            }
            Deed::GivenUpThere => self.give_up_there(n, asked).await,
            Deed::GivenUpHalfRead => match asked.await {
                Ok(response) => match response.into_body().frame().await {
                    Some(Ok(_)) => GIVEN_UP.to_owned(),
                    other => format!("expected a first frame, came {other:?}"),
                },
                Err(error) => told(&error),
            },
            _ => {
                let said = said(n, deed, asked.await).await;
                self.meeting.forget(n);
                said
            }
        }
    }

    /// Resolves when request `n`, which is not asked yet, has arrived at the service or failed.
    pub(crate) fn arrived(&self, n: u32) -> oneshot::Receiver<()> {
        self.meeting.expect(n).0
    }

    async fn give_up_there(
        &self,
        n: u32,
        asked: impl Future<Output = Result<Response<Body>, Error>>,
    ) -> String {
        let (arrived, gone) = self.meeting.expect(n);
        let ended = {
            let (mut asked, mut arrived) = (pin!(asked), pin!(arrived));
            poll_fn(|cx| match arrived.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => asked.as_mut().poll(cx).map(Some),
            })
            .await
        };
        if let Some(ended) = ended {
            return format!("nobody answers, and it ended: {:?}", ended.map(|_| ()));
        }
        // On HTTP/1 a client that goes away looks like one that has only finished speaking.
        if plan::of(n).0.is_http2() {
            gone.await.unwrap_err();
        }
        GIVEN_UP.to_owned()
    }

    fn request(&self, n: u32) -> Request<UnsyncBoxBody<Bytes, core::convert::Infallible>> {
        let (lane, deed) = plan::of(n);
        let [plain, tls, raw] = self.ports;
        let (mut scheme, mut port) = if lane.is_tls() { ("https", tls) } else { ("http", plain) };
        let (mut host, mut profile) = ("origin.test", profile(lane));
        let path = match deed {
            Deed::Get(length) | Deed::Head(length) => format!("/get/{length}/{n}"),
            Deed::GivenUpAtOnce | Deed::Unasked | Deed::Late => format!("/get/10/{n}"),
            Deed::GivenUpHalfRead => format!("/get/{}/{n}", plan::LONGEST),
            Deed::Echo(length) => format!("/echo/{length}/{n}"),
            Deed::Nothing => format!("/nothing/0/{n}"),
            Deed::Trailers(length) => format!("/trailers/{length}/{n}"),
            Deed::GoAway => format!("/goaway/0/{n}"),
            Deed::Reset(length) => format!("/reset/{length}/{n}"),
            Deed::TimeOut | Deed::GivenUpThere => format!("/never/0/{n}"),
            Deed::Gated => format!("/gated/0/{n}"),
            Deed::Refused | Deed::WrongName | Deed::Untrusted => "/".to_owned(),
            Deed::Raw(raw) => raw.path().to_owned(),
        };
        match deed {
            Deed::Refused => port = NOBODYS,
            Deed::WrongName => (scheme, host, port) = ("https", "wrong.test", tls),
            Deed::Untrusted => (scheme, port, profile) = ("https", tls, ProfileId(3)),
            Deed::Raw(_) => (scheme, port, profile) = ("http", raw, ProfileId(0)),
            _ => {}
        }
        let (method, sent) = match deed {
            Deed::Echo(length) => (Method::POST, body(n, length)),
            Deed::Raw(Raw::ClosePost) => (Method::POST, Bytes::from_static(b"end")),
            Deed::Head(_) => (Method::HEAD, Bytes::new()),
            _ => (Method::GET, Bytes::new()),
        };
        let sent = if sent.is_empty() {
            Empty::new().boxed_unsync()
        } else {
            Full::new(sent).boxed_unsync()
        };
        let uri = format!("{scheme}://{host}:{port}{path}");
        let mut request = Request::builder().method(method).uri(uri).body(sent).unwrap();
        let mut options = RequestOptions::default();
        options.profile = profile;
        options.timeout = (deed == Deed::TimeOut).then_some(SHORT);
        request.extensions_mut().insert(options);
        request
    }
}

const GIVEN_UP: &str = "given up";

fn profile(lane: Lane) -> ProfileId {
    ProfileId(match lane {
        Lane::Http1 | Lane::TlsHttp2 => 0,
        Lane::TlsHttp1 => 1,
        Lane::Http2 => 2,
    })
}

/// What came, in one sentence; of a body its length and, where it is wrong, that it is.
async fn said(n: u32, deed: Deed, came: Result<Response<Body>, Error>) -> String {
    let response = match came {
        Ok(response) => response,
        Err(error) => return told(&error),
    };
    let head = format!("{:?} {}", response.version(), response.status().as_u16());
    let collected = match response.into_body().collect().await {
        Ok(collected) => collected,
        Err(error) => return format!("{head}, then {}", told(&error)),
    };
    let trailers = match collected.trailers().map(|trailers| trailers.get("of")) {
        None => String::new(),
        Some(of) => format!(", trailers of {}", of.unwrap().to_str().unwrap()),
    };
    let bytes = collected.to_bytes();
    let changed = match deed {
        Deed::Get(length) | Deed::Echo(length) | Deed::Trailers(length)
            if bytes != body(n, length) =>
        {
            ", changed"
        }
        _ => "",
    };
    format!("{head}, {} bytes{changed}{trailers}", bytes.len())
}

/// How far a request had come when its time was over is chance.
fn told(error: &Error) -> String {
    if error.is_timeout() { "timed out".to_owned() } else { format!("{:?}", error.kind()) }
}
