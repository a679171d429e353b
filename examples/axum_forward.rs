//! An axum handler that forwards to an upstream through regatta's pool: a reverse proxy.
//!
//! ```sh
//! cargo run -p regatta-examples --example axum_forward   # shows itself off
//! cargo run -p regatta-examples --example axum_forward -- https://example.org 127.0.0.1:8080
//! ```

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONNECTION, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE, VIA};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use regatta_tokio::{Body, Client, ErrorKind};
use tokio::net::TcpListener;

/// What the handler needs: the pool, and where to.
#[derive(Clone, Debug)]
struct Upstream {
    client: Client,
    scheme: Scheme,
    authority: Authority,
}

/// The handler. Neither body is collected: bytes go on as they come, and whoever reads slowly
/// slows down who writes. When the caller goes away axum drops this future, or the response's
/// body, and with it the request to the upstream ends.
async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    if *request.method() == Method::CONNECT {
        return (StatusCode::NOT_IMPLEMENTED, "no tunnels here\n").into_response();
    }
    // The same path and query, at another place.
    let mut uri = request.uri().clone().into_parts();
    uri.scheme = Some(upstream.scheme);
    uri.authority = Some(upstream.authority);
    uri.path_and_query.get_or_insert_with(|| http::uri::PathAndQuery::from_static("/"));
    match Uri::from_parts(uri) {
        Ok(uri) => *request.uri_mut() = uri,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
    pass_on(request.version(), request.headers_mut());
    // The upstream is asked by its own name, which regatta takes from the URI.
    request.headers_mut().remove(HOST);
    // axum has said "100 Continue" already, or will.
    request.headers_mut().remove(EXPECT);
    *request.version_mut() = Version::HTTP_11;

    match upstream.client.request(request).await {
        Ok(mut response) => {
            pass_on(response.version(), response.headers_mut());
            // If the body breaks off, axum breaks the connection off, so that nobody takes a
            // part for the whole. It is too late for a status then.
            response.into_response()
        }
        Err(error) => refuse(&error),
    }
}

/// Says whose fault it was, by the status (RFC 9110 15.6), and what happened, in the text. Who
/// serves strangers writes that into a log instead: it names hosts and addresses.
fn refuse(error: &regatta_tokio::Error) -> Response {
    let status = match error.kind() {
        // The caller's body broke off, or its request cannot be said.
        ErrorKind::Body(_) | ErrorKind::Request(_) => StatusCode::BAD_REQUEST,
        _ if error.is_timeout() => StatusCode::GATEWAY_TIMEOUT,
        // More requests than this proxy lets wait: it never tried.
        _ if error.is_overflow() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    };
    (status, format!("{error}\n")).into_response()
}

/// Removes what is meant for one connection only (RFC 9110 7.6.1): the fields that `Connection`
/// names, and those that were always of this kind. And says who handed it on (RFC 9110 7.6.3).
fn pass_on(version: Version, headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
    let via = if version == Version::HTTP_2 { "2 axum_forward" } else { "1.1 axum_forward" };
    headers.append(VIA, HeaderValue::from_static(via));
}

/// The whole application: every path goes to `upstream`.
fn app(client: &Client, upstream: &str) -> Result<Router, Box<dyn Error>> {
    let uri: Uri = upstream.parse()?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(format!("expected a URL like http://example.org, not `{upstream}`").into());
    };
    let (scheme, authority) = (scheme.clone(), authority.clone());
    let state = Upstream { client: client.clone(), scheme, authority };
    Ok(Router::new().fallback(forward).with_state(state))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(words: Vec<String>) -> Result<(), Box<dyn Error>> {
    let client = regatta_tokio::client()
        .connect_timeout(Duration::from_secs(2))
        // For the whole exchange, the response's body included. Before its head a late one
        // becomes 504, after it the body breaks off.
        .request_timeout(Some(Duration::from_secs(if words.is_empty() { 1 } else { 60 })))
        .build()?;
    match words.as_slice() {
        [] => show(&client).await,
        [upstream, rest @ ..] => {
            let app = app(&client, upstream)?;
            let at = rest.first().map_or("127.0.0.1:0", String::as_str);
            let listener = TcpListener::bind(at).await?;
            println!("http://{} forwards to {upstream}", listener.local_addr()?);
            Ok(axum::serve(listener, app).await?)
        }
    }
}

/// Asks an origin, one that is gone and one that sleeps, each through a proxy of this file.
async fn show(client: &Client) -> Result<(), Box<dyn Error>> {
    let (origin, gone) = (origin().await?, gone()?);
    let good = serve(app(client, &origin)?).await?;
    let bad = serve(app(client, &gone)?).await?;
    let all = [
        (format!("{good}/hello"), "", StatusCode::OK),
        (format!("{good}/echo"), "said through the proxy", StatusCode::OK),
        (format!("{good}/never"), "", StatusCode::GATEWAY_TIMEOUT),
        (format!("{bad}/hello"), "", StatusCode::BAD_GATEWAY),
    ];
    // Somebody's browser: not the proxy's client, and no limits.
    let browser = regatta_tokio::client().build()?;
    for (url, body, expected) in all {
        let method = if body.is_empty() { Method::GET } else { Method::POST };
        let request = http::Request::builder().method(method.clone()).uri(&url);
        let response = browser.request(request.body(Body::from(body))?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("{method} {url}: {status}\n  {}", String::from_utf8_lossy(&body).trim_end());
        if status != expected {
            return Err(format!("{url} answered {status}, not {expected}").into());
        }
    }
    println!("\nwhat the proxy's client did:\n{}", client.stats());
    Ok(())
}

/// Serves an axum application in the background, on a free port; its URL.
async fn serve(app: Router) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

/// An origin on a free port; its URL.
async fn origin() -> Result<String, Box<dyn Error>> {
    let server = regatta_tokio::server().bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", server.local_address()?);
    tokio::spawn(server.serve(async |request: http::Request<Body>| match request.uri().path() {
        "/echo" => http::Response::new(request.into_body()),
        "/never" => std::future::pending().await,
        _ => http::Response::new(Body::from("hello from behind the proxy")),
    }));
    Ok(url)
}

/// A URL at which nobody listens.
fn gone() -> Result<String, Box<dyn Error>> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(format!("http://{}", listener.local_addr()?))
}
