//! Clients for tests, and the shortest way to ask something.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full};
use regatta_core::upstream::Protocols;
use regatta_tokio::{Builder, Client, Error, RequestOptions, Tokio};

/// A client with default settings.
pub(crate) fn client() -> Client {
    regatta_tokio::client().build().unwrap()
}

/// A builder of clients that speak HTTP/2 in plain text.
pub(crate) fn http2() -> Builder<Tokio> {
    regatta_tokio::client().profile(|profile| profile.protocols = Protocols::Http2PriorKnowledge)
}

/// What came back, read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// A GET, read to its end.
pub(crate) async fn get(client: &Client, url: impl AsRef<str>) -> Result<Bytes, Error> {
    let answer =
        send(client, Request::get(url.as_ref()).body(Empty::<Bytes>::new()).unwrap()).await?;
    assert_eq!(answer.status, StatusCode::OK);
    Ok(answer.body)
}

/// A POST of this text, read to its end.
pub(crate) async fn post(
    client: &Client,
    url: impl AsRef<str>,
    text: &'static str,
) -> Result<Bytes, Error> {
    let request =
        Request::post(url.as_ref()).body(Full::new(Bytes::from_static(text.as_bytes()))).unwrap();
    Ok(send(client, request).await?.body)
}

/// Any request, read to its end.
pub(crate) async fn send<B>(client: &Client, request: Request<B>) -> Result<Answer, Error>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<regatta_tokio::BoxError>,
{
    let response = client.request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(Answer { status, body })
}

/// The options of one request.
pub(crate) fn options(change: impl FnOnce(&mut RequestOptions)) -> RequestOptions {
    let mut options = RequestOptions::default();
    change(&mut options);
    options
}
