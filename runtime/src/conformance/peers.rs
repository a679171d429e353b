//! Peers that are written byte by byte: what HTTP/1.1 allows and ours do not do, and what no
//! protocol allows.

use core::future::poll_fn;
use core::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{Empty, Full};

use super::io::{both, finish, listen, read, read_to_end, write_all};
use super::scene::{Play, Scene, Way, send};
use super::watched::{Held, Place, Watched};
use super::{Fact, ensure};
use crate::body::Body;
use crate::client::Client;
use crate::options::{InformationalHook, RequestOptions};
use crate::runtime::{Address, Listener as _, Runtime};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

type Line<R> = Held<<R as Runtime>::Stream>;

async fn say_path(request: Request<Body>) -> Response<Full<Bytes>> {
    Response::new(Full::new(request.uri().path().to_owned().into()))
}

/// A peer with a client that asks it.
struct Peer<'a, R: Runtime> {
    scene: &'a Scene<R>,
    listener: Held<R::Listener>,
    at: SocketAddr,
}

impl<R: Runtime> Peer<'_, R> {
    /// The next connection, with one head read from it.
    async fn asked(&mut self) -> Result<Line<R>, String> {
        let (mut line, _) =
            poll_fn(|cx| self.listener.poll_accept(cx)).await.map_err(|e| e.to_string())?;
        head(&mut line).await?;
        Ok(line)
    }

    fn client(&self) -> Client<Watched<R>> {
        self.scene.client.clone()
    }
}

/// Reads one head, which is all that its sender has said.
pub(super) async fn head<S: crate::runtime::Stream>(line: &mut S) -> Result<Vec<u8>, String> {
    let (mut all, mut buffer) = (Vec::new(), [0; 1_024]);
    while !all.ends_with(b"\r\n\r\n") {
        let count = read(line, &mut buffer).await.map_err(|error| error.to_string())?;
        ensure!(count > 0, "a head was to come and {:?} came", String::from_utf8_lossy(&all));
        all.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    Ok(all)
}

async fn says<S: crate::runtime::Stream>(line: &mut S, said: &[u8]) -> Fact {
    write_all(line, said).await.map_err(|error| error.to_string())
}

/// Plays a script at a peer beside what `ask` asks of it.
async fn with_peer<R: Runtime>(
    runtime: R,
    script: impl AsyncFn(&mut Peer<'_, R>) -> Fact,
    ask: impl AsyncFn(Client<Watched<R>>, String) -> Fact,
) -> Fact {
    Play::new(runtime)
        .on(&[Way::Http1])
        .run(say_path, async |scene| {
            let (listener, at) = listen(&scene.runtime).await?;
            let mut peer = Peer { scene, listener, at };
            let (client, url) = (peer.client(), format!("http://{}/", peer.at));
            let (scripted, asked) = both(script(&mut peer), ask(client, url)).await;
            scripted.map_err(|sentence| format!("the peer: {sentence}"))?;
            asked
        })
        .await
}

async fn get<R: Runtime>(client: &Client<R>, url: &str) -> Result<Bytes, String> {
    let answer = send(client, Request::get(url).body(Empty::<Bytes>::new())).await?;
    Ok(answer.body)
}

async fn gets_ok<R: Runtime>(client: &Client<R>, url: &str) -> Fact {
    let said = get(client, url).await?;
    ensure!(said == "ok", "expected ok, came {said:?}");
    Ok(())
}

/// Interim responses are told to who asked for them, in order, and the final one is the answer.
pub async fn interim_responses_are_told<R: Runtime>(runtime: R) -> Fact {
    let script = async |peer: &mut Peer<'_, R>| {
        let mut line = peer.asked().await?;
        says(&mut line, b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n").await?;
        says(&mut line, b"HTTP/1.1 102 Processing\r\n\r\n").await?;
        says(&mut line, OK).await?;
        head(&mut line).await?;
        says(&mut line, OK).await
    };
    with_peer(runtime, script, async |client, url| {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let hook = move |head: &Response<()>| {
            tell.lock().unwrap_or_else(PoisonError::into_inner).push(head.status().as_u16());
        };
        let on_informational: Option<InformationalHook> = Some(Arc::new(hook));
        let options = RequestOptions { on_informational, ..RequestOptions::default() };
        let request = Request::get(&url).extension(options).body(Empty::<Bytes>::new());
        let said = send(&client, request).await?.body;
        ensure!(said == "ok", "expected ok, came {said:?}");
        let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ensure!(told == [103, 102], "103 and 102 were said, and {told:?} was told");
        gets_ok(&client, &url).await
    })
    .await
}

/// An answer that comes byte by byte is the same answer.
pub async fn answer_may_come_byte_by_byte<R: Runtime>(runtime: R) -> Fact {
    let script = async |peer: &mut Peer<'_, R>| {
        let mut line = peer.asked().await?;
        for byte in
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
        {
            says(&mut line, core::slice::from_ref(byte)).await?;
        }
        Ok(())
    };
    with_peer(runtime, script, async |client, url| gets_ok(&client, &url).await).await
}

/// A peer that ends its connections without a word loses no request that may be sent again.
pub async fn connection_that_ends_unsaid_is_replaced<R: Runtime>(runtime: R) -> Fact {
    const TIMES: usize = 5;
    let script = async |peer: &mut Peer<'_, R>| {
        for _ in 0..TIMES {
            let mut line = peer.asked().await?;
            says(&mut line, OK).await?;
            finish(&mut line).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    with_peer(runtime, script, async |client, url| {
        for _ in 0..TIMES {
            gets_ok(&client, &url).await?;
        }
        Ok(())
    })
    .await
}

/// An answer that is cut is no answer, and the next one is whole.
pub async fn cut_answer_is_an_error<R: Runtime>(runtime: R) -> Fact {
    let script = async |peer: &mut Peer<'_, R>| {
        for said in [
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        ] {
            let mut line = peer.asked().await?;
            says(&mut line, said.as_bytes()).await?;
        }
        let mut line = peer.asked().await?;
        says(&mut line, OK).await
    };
    with_peer(runtime, script, async |client, url| {
        for _ in 0..2 {
            if let Ok(said) = get(&client, &url).await {
                return Err(format!("an answer was cut, and {said:?} came as a whole one"));
            }
        }
        gets_ok(&client, &url).await
    })
    .await
}

/// A peer that says what is no HTTP fails its request with a sentence, and only that one.
pub async fn nonsense_is_an_error<R: Runtime>(runtime: R) -> Fact {
    let script = async |peer: &mut Peer<'_, R>| {
        for said in ["SSH-2.0-nobody\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"] {
            let mut line = peer.asked().await?;
            says(&mut line, said.as_bytes()).await?;
            // Until the client has had enough.
            let _ = read_to_end(&mut line).await;
        }
        let mut line = peer.asked().await?;
        says(&mut line, OK).await
    };
    with_peer(runtime, script, async |client, url| {
        for _ in 0..2 {
            let request = Request::post(&url).body(Empty::<Bytes>::new());
            if let Ok(answer) = send(&client, request).await {
                return Err(format!("nonsense was said, and {} came", answer.status));
            }
        }
        gets_ok(&client, &url).await
    })
    .await
}

/// Talks to the server of a scene byte by byte: what it says until its end.
async fn talk<R: Runtime>(scene: &Scene<R>, said: &[u8]) -> Result<String, String> {
    let connect = scene.runtime.connect(Address::Ip(scene.at));
    let mut line = connect.await.map_err(|error| error.to_string())?;
    says(&mut line, said).await?;
    finish(&mut line).await.map_err(|error| error.to_string())?;
    let all = read_to_end(&mut line).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&all).into_owned())
}

/// Requests that come together are answered in order, also to who has finished speaking.
pub async fn pipelined_requests_are_answered_in_order<R: Runtime>(runtime: R) -> Fact {
    Play::new(runtime)
        .on(&[Way::Http1])
        .run(say_path, async |scene| {
            let requests = ["/one", "/two", "/three"]
                .map(|path| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
                .concat();
            let said = talk(scene, requests.as_bytes()).await?;
            let places: Vec<_> = ["/one", "/two", "/three"].map(|path| said.find(path)).into();
            ensure!(
                places.iter().all(Option::is_some) && places.is_sorted(),
                "three requests were sent and {said:?} came"
            );
            Ok(())
        })
        .await
}

/// A client that says what is no HTTP is told so, and harms no other.
pub async fn server_survives_nonsense<R: Runtime>(runtime: R) -> Fact {
    Play::new(runtime)
        .on(&[Way::Http1, Way::Http2])
        .run(say_path, async |scene| {
            for said in [
                "\0\0\0\0",
                "GET / HTTP/9.9\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense, and more of it",
            ] {
                // A reset is an answer to nonsense too.
                let _ = talk(scene, said.as_bytes()).await;
                let said = scene.get("/other").await?;
                ensure!(said == "/other", "beside nonsense came {said:?}");
            }
            Ok(())
        })
        .await
}

/// A server that is asked over TLS and speaks none, or the other way round, is no server; and
/// neither is one whose certificate is for another name or by nobody who is trusted.
pub async fn tls_failures_fail_the_request<R: Runtime>(runtime: R) -> Fact {
    Play::new(runtime)
        .run(say_path, async |scene| {
            let other = if scene.way.is_tls() { "http" } else { "https" };
            let mut all = vec![format!("{other}://{}/", scene.at)];
            // That HTTP/3 is never in plain text is said before anybody is asked.
            all.retain(|_| !scene.way.is_quic());
            if scene.way.is_tls() {
                scene.runtime.put(super::races::SECOND, Place::Is(scene.at));
                all.push(format!("https://{}:{}/", super::races::SECOND, scene.at.port()));
            }
            for url in all {
                // What may not be sent again: each try is one connection.
                let request = Request::builder().method(Method::POST).uri(&url);
                let client = scene.client(|client| client)?;
                match send(&client, request.body(Empty::<Bytes>::new())).await {
                    Ok(answer) => return Err(format!("{url} was answered with {}", answer.status)),
                    Err(sentence) => ensure!(
                        sentence.contains(&scene.at.port().to_string()),
                        "the error does not name its origin: {sentence}"
                    ),
                }
            }
            if scene.way.is_tls() {
                let stranger = scene.client(|client| client.roots(crate::settings::Roots::None))?;
                let request = scene.request(Method::GET, "/").body(Empty::<Bytes>::new());
                let request = request.map_err(|error| error.to_string())?;
                match stranger.request(request).await {
                    Ok(_) => {
                        return Err("a certificate by nobody who is trusted was taken".to_owned());
                    }
                    Err(error) => {
                        ensure!(error.is_connect(), "expected no connection, came {error}")
                    }
                }
            }
            let said = scene.get("/right").await?;
            ensure!(said == "/right", "came {said:?}");
            Ok(())
        })
        .await
}
