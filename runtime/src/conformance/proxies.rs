//! Proxies on the way: forwarded requests and tunnels, over TCP and over TLS to the proxy.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use regatta_core::proxies::{Bypass, Proxies, Proxy};
use regatta_core::record::Kind;
use regatta_core::types::{Cause, Refusal};

use super::io::{ANY, listen, write_all};
use super::peers::head;
use super::scene::{Play, Scene, Way, certificate, patiently, read, send, told};
use super::signals::{Flag, Tell};
use super::watched::{Held, Watched};
use super::{Fact, ensure};
use crate::body::Body;
use crate::client::Client;
use crate::error::Kind as ErrorKind;
use crate::runtime::{Address, Runtime, Stream};
use crate::server::{Server, ServerHandle};
use crate::tunnel::Tunnel;

/// What the proxy is told, and nobody else.
const SECRET: &str = "Basic dTpw";

fn secret(headers: &http::HeaderMap) -> String {
    let value = headers.get(PROXY_AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.unwrap_or("no secret").to_owned()
}

async fn say_whole(request: Request<Body>) -> Response<Full<Bytes>> {
    let said = format!("{} {}", request.uri(), secret(request.headers()));
    Response::new(Full::new(said.into()))
}

fn proxy_at(at: SocketAddr, is_tls: bool) -> Result<Proxy, String> {
    let scheme = if is_tls { "https" } else { "http" };
    Proxy::parse(&format!("{scheme}://u:p@{at}")).map_err(|error| error.to_string())
}

async fn get<R: Runtime>(client: &Client<R>, url: &str) -> Result<String, String> {
    let answer = send(client, Request::get(url).body(Empty::<Bytes>::new())).await?;
    ensure!(answer.status == StatusCode::OK, "{url} was answered with {}", answer.status);
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

/// A proxy that forwards is asked in absolute-form, with one pool for all origins; nobody looks
/// their names up.
pub async fn proxy_forwards_plain_requests<R: Runtime>(runtime: R) -> Fact {
    let play = Play::new(runtime).on(&[Way::Http1, Way::Http1OverTls]);
    play.run(say_whole, async |scene| {
        let proxy = proxy_at(scene.at, scene.way.is_tls())?;
        let bypass = Bypass::parse("127.0.0.1");
        let proxies = Proxies::new().all(proxy).except(bypass);
        let client = scene.client(|client| client.proxies(proxies))?;
        for url in ["http://one.test/a?b", "http://two.test:81/"] {
            let said = get(&client, url).await?;
            ensure!(said == format!("{url} {SECRET}"), "the proxy was asked for {said:?}");
        }
        let made = client.stats().count(Kind::Http1);
        ensure!(made == 1, "{made} connections were made to one proxy");
        // Who is reached without it hears nothing that is for it.
        let request = scene.request(Method::GET, "/near").header(PROXY_AUTHORIZATION, "own");
        let answer = send(&client, request.body(Empty::<Bytes>::new())).await?;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(said.ends_with("/near no secret"), "the origin was asked for {said:?}");
        Ok(())
    })
    .await
}

/// What a proxy was asked for.
type Asked = Arc<Mutex<Vec<String>>>;

/// A proxy that opens tunnels to one server, whatever it is asked for.
struct Gate<R: Runtime> {
    at: SocketAddr,
    asked: Asked,
    handle: ServerHandle<Watched<R>>,
    ended: Flag,
}

impl<R: Runtime> Gate<R> {
    async fn open(scene: &Scene<R>, is_tls: bool) -> Result<Self, String> {
        let server = Server::builder(scene.runtime.clone());
        let server = if is_tls { server.tls(certificate()) } else { server };
        let bound = server.bind(ANY).await.map_err(told)?;
        let at = bound.local_address().map_err(|error| error.to_string())?;
        let (handle, asked, ended) = (bound.handle(), Asked::default(), Flag::default());
        let (runtime, goal, tell) = (scene.runtime.clone(), scene.at, Tell(ended.clone()));
        let tells = Arc::clone(&asked);
        scene.runtime.spawn(async move {
            let service = move |request: Request<Body>| {
                let (method, uri) = (request.method().clone(), request.uri().clone());
                let said = format!("{method} {uri} {}", secret(request.headers()));
                tells.lock().unwrap_or_else(PoisonError::into_inner).push(said);
                let (runtime, tunnel) = (runtime.clone(), Tunnel::from_body(request.into_body()));
                async move {
                    let mut response = Response::new(Empty::<Bytes>::new());
                    let far = runtime.connect(Address::Ip(goal)).await;
                    match (far, tunnel) {
                        (Ok(far), Some(tunnel)) => runtime.spawn(carry(tunnel, far)),
                        _ => *response.status_mut() = StatusCode::BAD_GATEWAY,
                    }
                    response
                }
            };
            bound.serve(service).await;
            drop(tell);
        });
        Ok(Self { at, asked, handle, ended })
    }

    fn asked(&self) -> Vec<String> {
        core::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn close(self, scene: &Scene<R>) -> Fact {
        self.handle.drain();
        let wait = async {
            self.ended.raised().await;
            Ok(())
        };
        patiently(&scene.runtime, "the proxy's end after a drain", wait).await
    }
}

/// One way of a tunnel.
#[derive(Default)]
struct Flow {
    bytes: Bytes,
    is_over: bool,
    is_told: bool,
}

/// Carries bytes both ways until both have ended, or one breaks.
async fn carry<S: Stream>(mut tunnel: Tunnel, mut far: S) {
    let (mut up, mut down) = (Flow::default(), Flow::default());
    let mut buffer = vec![0; 16 << 10];
    poll_fn(|cx| {
        loop {
            let mut moved = false;
            match carry_up(&mut tunnel, &mut far, &mut up, cx) {
                Ok(did) => moved |= did,
                Err(()) => return Poll::Ready(()),
            }
            match carry_down(&mut tunnel, &mut far, &mut down, &mut buffer, cx) {
                Ok(did) => moved |= did,
                Err(()) => return Poll::Ready(()),
            }
            if up.is_told && down.is_told {
                return Poll::Ready(());
            }
            if !moved {
                return Poll::Pending;
            }
        }
    })
    .await;
}

fn carry_up<S: Stream>(
    tunnel: &mut Tunnel,
    far: &mut S,
    flow: &mut Flow,
    cx: &mut Context<'_>,
) -> Result<bool, ()> {
    if flow.bytes.is_empty() && !flow.is_over {
        match tunnel.poll_read(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Some(Ok(bytes))) => flow.bytes = bytes,
            Poll::Ready(Some(Err(_))) => return Err(()),
            Poll::Ready(None) => flow.is_over = true,
        }
    }
    if !flow.bytes.is_empty() {
        match far.poll_write(cx, &[std::io::IoSlice::new(&flow.bytes)]) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(count)) if count > 0 => drop(flow.bytes.split_to(count)),
            Poll::Ready(_) => return Err(()),
        }
        return Ok(true);
    }
    if flow.is_over && !flow.is_told && far.poll_shutdown(cx).is_ready() {
        flow.is_told = true;
        return Ok(true);
    }
    Ok(false)
}

fn carry_down<S: Stream>(
    tunnel: &mut Tunnel,
    far: &mut S,
    flow: &mut Flow,
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Result<bool, ()> {
    if flow.is_over {
        return Ok(false);
    }
    match tunnel.poll_ready(cx) {
        Poll::Pending => return Ok(false),
        Poll::Ready(Err(_)) => return Err(()),
        Poll::Ready(Ok(())) => {}
    }
    match far.poll_read(cx, buffer) {
        Poll::Pending => return Ok(false),
        Poll::Ready(Ok(0)) => {
            flow.is_over = true;
            flow.is_told = true;
            tunnel.finish();
        }
        Poll::Ready(Ok(count)) => {
            tunnel.write(Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default()));
        }
        Poll::Ready(Err(_)) => return Err(()),
    }
    Ok(true)
}

/// Through a tunnel everything is as without one: each protocol, in TCP and in TLS to the proxy.
pub async fn tunnel_leads_to_the_origin<R: Runtime>(runtime: R) -> Fact {
    Play::new(runtime)
        .on(&Way::OVER_TCP)
        .run(say_whole, async |scene| {
            for is_tls in [false, true] {
                let gate = Gate::open(scene, is_tls).await?;
                let proxies = Proxies::new().all(proxy_at(gate.at, is_tls)?).tunnels_all(true);
                let client = scene.client(|client| client.proxies(proxies))?;
                through(scene, &gate, &client).await?;
                scene.rests(&client).await?;
                drop(client);
                gate.close(scene).await?;
            }
            Ok(())
        })
        .await
}

async fn through<R: Runtime>(
    scene: &Scene<R>,
    gate: &Gate<R>,
    client: &Client<Watched<R>>,
) -> Fact {
    let port = scene.at.port();
    // Nobody knows this name but the proxy, and the certificate.
    let url = format!("{}://server.test:{port}/far", scene.way.scheme());
    let request = Request::get(&url).header(PROXY_AUTHORIZATION, "own");
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let response = client.request(request).await.map_err(told)?;
    let timeline = response.body().timeline();
    let said = read(response).await?.body;
    ensure!(said.ends_with(b"/far no secret"), "the origin was asked for {said:?}");
    let asked = gate.asked();
    let wanted = format!("CONNECT server.test:{port} {SECRET}");
    ensure!(asked == [wanted.as_str()], "the proxy was asked for {asked:?}");
    let timeline = timeline.ok_or("a response has no timeline")?.snapshot();
    let tunnel = timeline.attempts.first().and_then(|attempt| attempt.tunnel);
    let status = tunnel.and_then(|tunnel| tunnel.status);
    ensure!(status == Some(200), "the timeline has the tunnel's status {status:?}");
    ensure!(timeline.proxy.is_some_and(|proxy| proxy.port == gate.at.port()), "no proxy is told");
    for _ in 0..2 {
        let said = get(client, &url).await?;
        ensure!(said.ends_with("/far no secret"), "the origin was asked for {said:?}");
    }
    let asked = gate.asked();
    ensure!(asked.is_empty(), "one tunnel was enough, and the proxy was asked for {asked:?}");
    Ok(())
}

/// A proxy that is written byte by byte, beside what `ask` asks by it.
async fn with_proxy<R: Runtime>(
    runtime: R,
    script: impl AsyncFn(&mut Held<R::Listener>) -> Fact,
    ask: impl AsyncFn(Client<Watched<R>>) -> Fact,
) -> Fact {
    Play::new(runtime)
        .on(&[Way::Http1])
        .run(say_whole, async |scene| {
            let (mut listener, at) = listen(&scene.runtime).await?;
            let proxies = Proxies::new().all(proxy_at(at, false)?).tunnels_all(true);
            let client = scene.client(|client| {
                client.proxies(proxies).connect_timeout(Duration::from_millis(500))
            })?;
            let (scripted, asked) =
                super::io::both(script(&mut listener), ask(client.clone())).await;
            scripted.map_err(|sentence| format!("the proxy: {sentence}"))?;
            asked?;
            scene.rests(&client).await
        })
        .await
}

/// The next connection, after one head was read from it.
async fn asked<L: crate::runtime::Listener>(listener: &mut L) -> Result<L::Stream, String> {
    let accepted = poll_fn(|cx| listener.poll_accept(cx)).await;
    let (mut line, _) = accepted.map_err(|error| error.to_string())?;
    head(&mut line).await?;
    Ok(line)
}

async fn says<S: Stream>(line: &mut S, said: &[u8]) -> Fact {
    write_all(line, said).await.map_err(|error| error.to_string())
}

const OPENED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A tunnel that is refused is one clear error, and the next one is tried anew.
pub async fn refused_tunnel_is_an_error<R: Runtime>(runtime: R) -> Fact {
    const REFUSALS: [&str; 3] = [
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 5\r\n\r\nsorry",
        "HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 502 Bad Gateway\r\n\r\nno such host",
    ];
    let script = async |listener: &mut Held<R::Listener>| {
        for said in REFUSALS {
            let mut line = asked(listener).await?;
            says(&mut line, said.as_bytes()).await?;
        }
        let mut line = asked(listener).await?;
        says(&mut line, OPENED).await?;
        head(&mut line).await?;
        says(&mut line, OK).await
    };
    with_proxy(runtime, script, async |client| {
        for status in [407, 403, 502] {
            let request = Request::post("http://far.test/").body(Empty::<Bytes>::new());
            let request = request.map_err(|error| error.to_string())?;
            let Err(error) = client.request(request).await else {
                return Err(format!("{status} was said to CONNECT, and an answer came"));
            };
            let refused = ErrorKind::Refused(Refusal::ConnectFailed(Cause::TunnelRefused(status)));
            ensure!(*error.kind() == refused, "expected {refused:?}, came {:?}", error.kind());
            let said = error.to_string();
            let clear = format!("the proxy refused a tunnel with status {status}");
            ensure!(said.contains(&clear) && said.contains("far.test"), "the error says {said:?}");
        }
        let said = get(&client, "http://far.test/").await?;
        ensure!(said == "ok", "came {said:?}");
        Ok(())
    })
    .await
}

/// CONNECT's answer may come byte by byte, behind interim ones, and with its end the tunnel's
/// first bytes.
pub async fn tunnel_may_open_byte_by_byte<R: Runtime>(runtime: R) -> Fact {
    let script = async |listener: &mut Held<R::Listener>| {
        let mut line = asked(listener).await?;
        let answer = [b"HTTP/1.1 103 Early Hints\r\n\r\n", OPENED].concat();
        for byte in &answer {
            says(&mut line, core::slice::from_ref(byte)).await?;
        }
        head(&mut line).await?;
        says(&mut line, OK).await
    };
    with_proxy(runtime, script, async |client| {
        let said = get(&client, "http://far.test/").await?;
        ensure!(said == "ok", "came {said:?}");
        Ok(())
    })
    .await
}

/// A proxy that says nothing, or no HTTP, or leaves, fails the request; the connect timeout
/// counts the tunnel.
pub async fn tunnel_that_never_opens_is_an_error<R: Runtime>(runtime: R) -> Fact {
    let script = async |listener: &mut Held<R::Listener>| {
        let mut line = asked(listener).await?;
        says(&mut line, b"SSH-2.0-nobody\r\n\r\n").await?;
        drop(asked(listener).await?);
        // Until the client has had enough.
        let mut line = asked(listener).await?;
        says(&mut line, b"HTTP/1.1 200").await?;
        let _ = super::io::read_to_end(&mut line).await;
        Ok(())
    };
    with_proxy(runtime, script, async |client| {
        for wanted in ["malformed status line", "closed the connection", "connect timeout"] {
            let request = Request::post("http://far.test/").body(Empty::<Bytes>::new());
            match send(&client, request).await {
                Ok(answer) => return Err(format!("{wanted} was to come, came {}", answer.status)),
                Err(said) => {
                    ensure!(said.contains(wanted), "expected {wanted:?}, the error says {said:?}");
                }
            }
        }
        let connections = || client.inspect(|upstream| upstream.connections());
        ensure!(connections() == 0, "{} connections are left", connections());
        Ok(())
    })
    .await
}
