//! The servers of a round: ours, in plain text and with TLS, and a bad one.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_runtime::{Body, BoxError, Listener as _, Runtime, Server, ServerHandle, Stream};
use tokio::sync::{oneshot, watch};

use super::plan::LONGEST;
use crate::serve::ANY;
use crate::trust::Authority;

/// Bytes of bodies: every request has its own part of them.
static BYTES: LazyLock<Bytes> =
    LazyLock::new(|| (0..LONGEST + 256).map(|n| (n % 251) as u8).collect::<Vec<_>>().into());

/// The body of request `n`.
pub(crate) fn body(n: u32, length: u32) -> Bytes {
    let start = n as usize % 251;
    BYTES.slice(start..start + length as usize)
}

/// Who asks waits here for what happens at the service.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    wanted: Mutex<BTreeMap<u32, Signals>>,
    /// How often each POST has come.
    posts: Mutex<BTreeMap<u32, u32>>,
}

/// Says that a request has arrived, and by its drop that the service has none any more.
type Signals = (oneshot::Sender<()>, oneshot::Sender<()>);

impl Meeting {
    /// Resolves when request `n` has arrived at the service, and when the service has dropped it.
    pub(crate) fn expect(&self, n: u32) -> (oneshot::Receiver<()>, oneshot::Receiver<()>) {
        let ((arrive, arrived), (hold, gone)) = (oneshot::channel(), oneshot::channel());
        self.wanted.lock().unwrap().insert(n, (arrive, hold));
        (arrived, gone)
    }

    /// Nobody waits for request `n` any more.
    pub(crate) fn forget(&self, n: u32) {
        self.wanted.lock().unwrap().remove(&n);
    }

    fn arrive(&self, n: u32) -> Option<oneshot::Sender<()>> {
        let (arrive, hold) = self.wanted.lock().unwrap().remove(&n)?;
        arrive.send(()).ok();
        Some(hold)
    }

    /// POSTs that came more than once, though nobody may send them again.
    pub(crate) fn repeated(&self) -> Vec<u32> {
        let posts = self.posts.lock().unwrap();
        posts.iter().filter(|(_, times)| **times > 1).map(|(n, _)| *n).collect()
    }
}

/// The servers of one round.
pub(crate) struct Origins<R: Runtime> {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) raw: SocketAddr,
    pub(crate) meeting: Arc<Meeting>,
    handles: Vec<ServerHandle<R>>,
    gate: watch::Sender<bool>,
    served: Vec<oneshot::Receiver<()>>,
    stop: oneshot::Sender<()>,
}

impl<R: Runtime> Origins<R> {
    pub(crate) async fn start(runtime: &R, authority: &Authority) -> Self {
        let meeting = Arc::new(Meeting::default());
        let (gate, opened) = watch::channel(false);
        let (mut handles, mut served, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        for tls in [false, true] {
            let mut builder = Server::builder(runtime.clone());
            if tls {
                builder = builder.tls(authority.server(&["origin.test"]));
            }
            let server = builder.bind(ANY).await.unwrap();
            addresses.push(server.local_address().unwrap());
            handles.push(server.handle());
            let (end, ended) = oneshot::channel();
            served.push(ended);
            let (meeting, opened) = (Arc::clone(&meeting), opened.clone());
            runtime.spawn(async move {
                let answer = move |request| answer(request, Arc::clone(&meeting), opened.clone());
                server.serve(answer).await;
                end.send(()).ok();
            });
        }
        let (stop, stopped) = oneshot::channel();
        let raw = bad(runtime, stopped).await;
        let [plain, tls] = addresses[..] else { unreachable!("two servers") };
        Self { plain, tls, raw, meeting, handles, gate, served, stop }
    }

    /// Nothing new is accepted; what is under way goes on.
    pub(crate) fn drain(&self) {
        self.handles.iter().for_each(|handle| drop(handle.drain()));
    }

    /// Answers what waits at the gate.
    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until both servers have ended.
    pub(crate) async fn ended(self) {
        for served in self.served {
            served.await.unwrap();
        }
        self.stop.send(()).ok();
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// `/deed/length/n`
async fn answer(
    request: Request<Body>,
    meeting: Arc<Meeting>,
    gate: watch::Receiver<bool>,
) -> Answer {
    let path = request.uri().path().to_owned();
    let [_, deed, length, n] = path.split('/').collect::<Vec<_>>()[..] else {
        return status(StatusCode::NOT_FOUND);
    };
    let (length, n) = (length.parse().unwrap(), n.parse().unwrap());
    match deed {
        "get" => full(body(n, length)),
        "echo" => {
            *meeting.posts.lock().unwrap().entry(n).or_insert(0) += 1;
            Response::new(request.into_body().map_err(Into::into).boxed_unsync())
        }
        "nothing" => status(StatusCode::NO_CONTENT),
        "trailers" => {
            let mut trailers = HeaderMap::new();
            trailers.insert("of", HeaderValue::from(n));
            let body = Full::new(body(n, length));
            let body = body.with_trailers(async move { Some(Ok(trailers)) });
            let mut answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
            answer.headers_mut().insert("trailer", HeaderValue::from_static("of"));
            answer
        }
        "goaway" => {
            request.body().connection().unwrap().drain();
            status(StatusCode::OK)
        }
        "reset" => Response::new(Broken(Some(body(n, length))).boxed_unsync()),
        // Who asks for `never` has gone when the gate opens; over HTTP/1 nobody is told that.
        "gated" | "never" => {
            let _held = meeting.arrive(n);
            let mut gate = gate;
            gate.wait_for(|open| *open).await.unwrap();
            status(StatusCode::OK)
        }
        _ => status(StatusCode::NOT_FOUND),
    }
}

fn full(body: Bytes) -> Answer {
    Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}

/// A body that breaks off.
struct Broken(Option<Bytes>);

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(match self.0.take() {
            Some(data) => Ok(Frame::data(data)),
            None => Err("the body breaks off".into()),
        }))
    }
}

/// A server without manners: it reads one request of each connection, says something and closes.
async fn bad<R: Runtime>(runtime: &R, stopped: oneshot::Receiver<()>) -> SocketAddr {
    let mut listener = runtime.listen(ANY.into()).await.unwrap();
    let address = listener.local_address().unwrap();
    let spawner = runtime.clone();
    runtime.spawn(async move {
        let mut stopped = pin!(stopped);
        loop {
            let accepted = poll_fn(|cx| match stopped.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => listener.poll_accept(cx).map(Some),
            });
            let Some(accepted) = accepted.await else { return };
            let (stream, _) = accepted.unwrap();
            spawner.spawn(misbehave(stream));
        }
    });
    address
}

async fn misbehave(mut stream: impl Stream) {
    let mut said = Vec::new();
    // Whatever is left unread when a socket is closed makes its peer hear of a reset.
    while !is_whole(&said) {
        let mut buffer = [0; 12];
        match poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await {
            Ok(0) | Err(_) => return,
            Ok(count) => said.extend_from_slice(&buffer[..count]),
        }
        if said.starts_with(b"GET /abort ") {
            return;
        }
    }
    let said = String::from_utf8(said).unwrap();
    let mut answer: &[u8] = match said.split(' ').nth(1).unwrap() {
        "/half-head" => b"HTTP/1.1 200 OK\r\ncontent-le",
        "/short-body" => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.",
        "/garbage" => b"ICY 200 OK\r\n\r\n",
        _ => b"",
    };
    while !answer.is_empty() {
        let slices = [IoSlice::new(answer)];
        match poll_fn(|cx| stream.poll_write(cx, &slices)).await {
            Ok(count) => answer = &answer[count..],
            Err(_) => return,
        }
    }
    poll_fn(|cx| stream.poll_shutdown(cx)).await.ok();
}

/// A head, and behind a POST's the body that all of them have.
fn is_whole(said: &[u8]) -> bool {
    let end: &[u8] = if said.starts_with(Method::POST.as_str().as_bytes()) {
        b"\r\n\r\nend"
    } else {
        b"\r\n\r\n"
    };
    said.ends_with(end)
}
