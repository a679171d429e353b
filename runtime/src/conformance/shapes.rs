//! Requests of every shape, on every protocol.

use core::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, HeaderName, TRAILER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full};

use super::bodies::{Boxed, Endless, Pieces, boxed, pattern};
use super::scene::{Play, Scene, on_every_way, read, told};
use super::{Fact, ensure};
use crate::body::Body;
use crate::runtime::Runtime;

const CHECKED: HeaderName = HeaderName::from_static("checked");

async fn say_method(request: Request<Body>) -> Response<Full<Bytes>> {
    let said = format!("{} {}", request.method(), request.uri().path());
    Response::new(Full::new(said.into()))
}

/// Says back what came, and what was said about its length.
async fn echo(request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(body);
    if let Some(length) = head.headers.get(CONTENT_LENGTH) {
        response.headers_mut().insert("said-length", length.clone());
    }
    if head.headers.contains_key(TRAILER) {
        response.headers_mut().insert(TRAILER, HeaderValue::from_static("checked"));
    }
    response
}

/// A body that is sent, and is the same when it comes back.
async fn comes_back<R, B>(scene: &Scene<R>, sent: &Bytes, body: B, length: Option<usize>) -> Fact
where
    R: Runtime,
    B: http_body::Body<Data = Bytes, Error = core::convert::Infallible> + Send + 'static,
{
    let answer = scene.send(scene.request(Method::POST, "/").body(body)).await?;
    let (wanted, came) = (sent.len(), answer.body.len());
    ensure!(answer.body == *sent, "{wanted} bytes were sent and {came} others came back");
    let said = answer.headers.get("said-length").map(|value| value.to_str().unwrap_or("?"));
    let length = length.map(|length| length.to_string());
    ensure!(
        said == length.as_deref(),
        "of {wanted} bytes Content-Length was to be {length:?} and was {said:?}"
    );
    Ok(())
}

/// Requests that have no body, by every method that is told apart.
pub async fn requests_without_a_body<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, say_method, async |scene| {
        for method in ["GET", "DELETE", "OPTIONS", "POST", "PUT", "PROPFIND"] {
            let method: Method = method.parse().map_err(|_| "not a method")?;
            let request = scene.request(method.clone(), "/x").body(Empty::<Bytes>::new());
            let said = scene.send(request).await?.body;
            ensure!(said == format!("{method} /x"), "{method} /x was sent and {said:?} came");
        }
        Ok(())
    })
    .await
}

/// Bodies of some bytes, whose length is told.
pub async fn small_bodies_both_ways<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        for length in [1, 2, 1_000, 16 << 10, (16 << 10) + 1] {
            let sent = pattern(length);
            comes_back(scene, &sent, Full::new(sent.clone()), Some(length)).await?;
        }
        Ok(())
    })
    .await
}

/// Bodies that no buffer and no window holds at once.
pub async fn megabytes_both_ways<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        // More than an HTTP/2 stream's window, which is a megabyte.
        let sent = pattern(3 << 19);
        comes_back(scene, &sent, Full::new(sent.clone()), Some(sent.len())).await
    })
    .await
}

/// Bodies whose length nobody knows before their end, in pieces that come one by one.
pub async fn bodies_of_unknown_length<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        for (length, pieces) in [(0, 1), (1, 1), (100, 100), (200_000, 7)] {
            let sent = pattern(length);
            comes_back(scene, &sent, Pieces::cut(&sent, pieces), None).await?;
        }
        Ok(())
    })
    .await
}

/// A body that is there and has nothing in it.
pub async fn empty_bodies<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        for _ in 0..2 {
            let request = scene.request(Method::PUT, "/").body(Full::<Bytes>::default());
            let came = scene.send(request).await?.body;
            ensure!(came.is_empty(), "nothing was sent and {came:?} came back");
        }
        Ok(())
    })
    .await
}

/// Fields behind a body, with the body and without one.
pub async fn trailers_both_ways<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        for length in [0, 5, 100_000] {
            let mut trailers = HeaderMap::new();
            trailers.insert(CHECKED, HeaderValue::from(length));
            let sent = pattern(length);
            let body = Pieces::cut(&sent, 3).and_trailers(trailers.clone());
            let request = scene.request(Method::POST, "/").header(TRAILER, "checked").body(body);
            let answer = scene.send(request).await?;
            ensure!(answer.body == sent, "{length} bytes were sent, {} came", answer.body.len());
            let came = answer.trailers;
            ensure!(
                came.as_ref() == Some(&trailers),
                "trailers {trailers:?} were sent behind {length} bytes, and {came:?} came back"
            );
        }
        Ok(())
    })
    .await
}

/// An answer to HEAD tells the length of what does not come, and the next answer is the next.
pub async fn head_has_no_body<R: Runtime>(runtime: R) -> Fact {
    async fn thousand(request: Request<Body>) -> Response<Full<Bytes>> {
        let length = if request.uri().path() == "/long" { 1_000 } else { 3 };
        Response::new(Full::new(pattern(length)))
    }
    on_every_way(runtime, thousand, async |scene| {
        let request = scene.request(Method::HEAD, "/long").body(Empty::<Bytes>::new());
        let answer = scene.send(request).await?;
        let length = answer.headers.get(CONTENT_LENGTH);
        ensure!(length.is_some_and(|length| length == "1000"), "the length came as {length:?}");
        ensure!(answer.body.is_empty(), "{} bytes answered HEAD", answer.body.len());
        let next = scene.get("/short").await?;
        ensure!(next.len() == 3, "behind HEAD came {next:?}");
        one_connection(scene)
    })
    .await
}

/// 204 and 304 have no body, and what comes behind them is the next answer.
pub async fn no_content_and_not_modified_have_no_body<R: Runtime>(runtime: R) -> Fact {
    async fn bodiless(request: Request<Body>) -> Response<Boxed> {
        let status = match request.uri().path() {
            "/204" => StatusCode::NO_CONTENT,
            "/304" => StatusCode::NOT_MODIFIED,
            _ => return Response::new(boxed(Full::new(pattern(3)))),
        };
        let mut response = Response::new(boxed(Empty::new()));
        *response.status_mut() = status;
        if status == StatusCode::NOT_MODIFIED {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("1000"));
        }
        response
    }
    on_every_way(runtime, bodiless, async |scene| {
        for path in ["/204", "/304"] {
            let request = scene.request(Method::GET, path).body(Empty::<Bytes>::new());
            let answer = scene.send(request).await?;
            let status = answer.status.as_str();
            ensure!(path.ends_with(status), "{path} was answered with {status}");
            ensure!(answer.body.is_empty(), "{} bytes answered {path}", answer.body.len());
            let next = scene.get("/").await?;
            ensure!(next.len() == 3, "behind {path} came {next:?}");
        }
        one_connection(scene)
    })
    .await
}

/// Every status comes as it was said, the unknown ones too.
pub async fn statuses_come_as_they_were_said<R: Runtime>(runtime: R) -> Fact {
    async fn said(request: Request<Body>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from_static(b"said")));
        if let Ok(status) = request.uri().path().trim_start_matches('/').parse() {
            *response.status_mut() = status;
        }
        response
    }
    on_every_way(runtime, said, async |scene| {
        for status in ["200", "201", "301", "404", "418", "500", "503", "599", "799"] {
            let request = scene.request(Method::GET, &format!("/{status}"));
            let answer = scene.send(request.body(Empty::<Bytes>::new())).await?;
            let came = answer.status;
            ensure!(came.as_str() == status, "{status} was said and {came} came");
            ensure!(answer.body == "said", "behind {status} came {:?}", answer.body);
        }
        one_connection(scene)
    })
    .await
}

/// Large heads, many fields and several of one name come whole and in order.
pub async fn large_heads_both_ways<R: Runtime>(runtime: R) -> Fact {
    const LONG: usize = 16 << 10;
    async fn mirror(request: Request<Body>) -> Response<Empty<Bytes>> {
        let mut response = Response::new(Empty::new());
        for (name, value) in request.headers() {
            if name.as_str().starts_with("x-") {
                response.headers_mut().append(name, value.clone());
            }
        }
        response
    }
    on_every_way(runtime, mirror, async |scene| {
        let mut request = scene.request(Method::GET, "/").header("x-long", "l".repeat(LONG));
        for n in 0..60 {
            request = request.header(format!("x-{}", n % 30), format!("value {n}"));
        }
        let answer = scene.send(request.body(Empty::<Bytes>::new())).await?;
        let long = answer.headers.get("x-long").map_or(0, HeaderValue::len);
        ensure!(long == LONG, "a field of {LONG} bytes was sent and one of {long} came back");
        for n in 0..30 {
            let values = answer.headers.get_all(format!("x-{n}"));
            let values: Vec<_> = values.iter().map(|value| value.to_str().unwrap_or("?")).collect();
            let sent = [format!("value {n}"), format!("value {}", n + 30)];
            ensure!(values == sent, "{sent:?} were sent and {values:?} came back");
        }
        Ok(())
    })
    .await
}

/// A client that asks whether it may send its body sends it when it may, and waits for nothing
/// else; and it needs not when the answer comes at once.
pub async fn expected_continue_comes<R: Runtime>(runtime: R) -> Fact {
    async fn picky(request: Request<Body>) -> Response<Boxed> {
        if request.uri().path() == "/no" {
            let mut response = Response::new(boxed(Empty::new()));
            *response.status_mut() = StatusCode::EXPECTATION_FAILED;
            return response;
        }
        Response::new(request.into_body().boxed_unsync())
    }
    // Who sends the body without having been told to is found out by waiting for ever.
    let play = Play::new(runtime).client(|client| {
        client.engine(|engine| engine.expect_timeout = Duration::from_secs(3_600))
    });
    play.run(picky, async |scene| {
        let sent = pattern(100_000);
        for (path, wanted) in [("/yes", 200), ("/no", 417), ("/yes", 200)] {
            let request = scene.request(Method::POST, path).header(EXPECT, "100-continue");
            let answer = scene.send(request.body(Full::new(sent.clone()))).await?;
            let status = answer.status.as_u16();
            ensure!(status == wanted, "{path} was to be answered with {wanted} and was {status}");
            let whole = if wanted == 200 { sent.len() } else { 0 };
            ensure!(answer.body.len() == whole, "{} bytes came back", answer.body.len());
        }
        Ok(())
    })
    .await
}

/// An answer that comes before the request's end is read to its own end, and the rest of the
/// request is not sent.
pub async fn early_answers_end_an_upload<R: Runtime>(runtime: R) -> Fact {
    async fn enough(_: Request<Body>) -> Response<Full<Bytes>> {
        Response::new(Full::new(Bytes::from_static(b"enough")))
    }
    on_every_way(runtime, enough, async |scene| {
        for _ in 0..3 {
            let (body, _) = Endless::new();
            let request = scene.request(Method::POST, "/").body(body);
            let request = request.map_err(|error| error.to_string())?;
            let response = scene.client.request(request).await.map_err(told)?;
            let answer = read(response).await?;
            ensure!(answer.body == "enough", "came {:?}", answer.body);
            let next = scene.get("/").await?;
            ensure!(next == "enough", "came {next:?}");
        }
        Ok(())
    })
    .await
}

/// An answer may begin before the request has ended, and each go on beside the other.
pub async fn both_bodies_at_once<R: Runtime>(runtime: R) -> Fact {
    async fn greet_and_echo(request: Request<Body>) -> Response<Body> {
        Response::new(request.into_body())
    }
    on_every_way(runtime, greet_and_echo, async |scene| {
        let (body, taken) = Endless::new();
        let request = scene.request(Method::POST, "/").body(body);
        let request = request.map_err(|error| error.to_string())?;
        let response = scene.client.request(request).await.map_err(told)?;
        let (mut body, mut came) = (response.into_body(), 0);
        while came < 3 << 19 {
            let frame = body.frame().await.ok_or("an endless body ended")?.map_err(told)?;
            came += frame.data_ref().map_or(0, Bytes::len) as u64;
        }
        let taken = taken.load(core::sync::atomic::Ordering::SeqCst);
        ensure!(came <= taken, "{taken} bytes were sent and {came} came back");
        Ok(())
    })
    .await
}

/// Requests one after the other share one connection.
pub async fn one_connection_serves_one_after_the_other<R: Runtime>(runtime: R) -> Fact {
    on_every_way(runtime, echo, async |scene| {
        for n in 0..20 {
            let sent = pattern(n * 100);
            comes_back(scene, &sent, Pieces::cut(&sent, 2), None).await?;
        }
        one_connection(scene)
    })
    .await
}

fn one_connection<R: Runtime>(scene: &Scene<R>) -> Fact {
    let made = scene.server.accepted_connections();
    ensure!(made == 1, "requests one after the other made {made} connections");
    Ok(())
}
