//! A client on tokio: a GET that is read as it comes, a POST whose body is made while it is sent,
//! a time limit, a failure, and the numbers behind them.
//!
//! ```sh
//! cargo run -p regatta-examples --example tokio_client   # asks a small origin of its own
//! cargo run -p regatta-examples --example tokio_client -- https://example.org   # GETs that
//! ```

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use regatta_tokio::{Body, Client, RequestOptions};

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().nth(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        // Every error of regatta is one sentence that is meant to be read.
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: Option<String>) -> Result<(), Box<dyn Error>> {
    // One client for the whole program. Its clones share its connections.
    let client = regatta_tokio::client()
        .connect_timeout(Duration::from_secs(3))
        .request_timeout(Some(Duration::from_secs(30)))
        .build()?;
    match url {
        Some(url) => get(&client, &url).await?,
        None => {
            let origin = origin().await?;
            get(&client, &format!("{origin}/hello")).await?;
            post(&client, &format!("{origin}/echo")).await?;
            time_limit(&client, &format!("{origin}/never")).await?;
            nobody_there(&client).await?;
        }
    }
    println!("\nwhat the client did:\n{}", client.stats());
    Ok(())
}

async fn get(client: &Client, url: &str) -> Result<(), Box<dyn Error>> {
    let response = client.request(Request::get(url).body(Body::empty())?).await?;
    // The head is there now; the body is still on its way.
    let (status, version) = (response.status(), response.version());
    println!("GET {url}: {status}, {version:?}");
    // Every response can say how it came to be.
    let timeline = response.body().timeline().map(|handle| handle.snapshot());
    if let Some(connection) = timeline.and_then(|timeline| timeline.connection) {
        let kind = if connection.reused { "used before" } else { "new" };
        println!("  on a connection that is {kind}");
    }
    let length = read(response.into_body()).await?;
    println!("  {length} bytes");
    if !status.is_success() {
        return Err(format!("{url} answered {status}").into());
    }
    Ok(())
}

async fn post(client: &Client, url: &str) -> Result<(), Box<dyn Error>> {
    // What goes into one end of the channel leaves at the other as the request's body. Bytes
    // that are at hand already need none of this: `Body::from("text")` is a body too.
    let (mut lines, body) = Channel::<Bytes>::new(1);
    let writer = tokio::spawn(async move {
        for n in 1..=1000 {
            // Waits while the origin is slow; fails when nobody wants the rest.
            lines.send_data(format!("line {n}\n").into()).await?;
        }
        Ok::<_, http_body_util::channel::SendError>(())
    });
    let response = client.request(Request::post(url).body(body)?).await?;
    println!("POST {url}: {}", response.status());
    let length = read(response.into_body()).await?;
    writer.await??;
    println!("  1000 lines were sent one by one, {length} bytes came back");
    Ok(())
}

/// Reads a body piece by piece, and never holds more than one. The sender waits while we do.
async fn read(mut body: Body) -> Result<usize, regatta_tokio::Error> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        // A frame is data, or the trailers behind it.
        if let Ok(data) = frame?.into_data() {
            length += data.len();
        }
    }
    Ok(length)
}

async fn time_limit(client: &Client, url: &str) -> Result<(), Box<dyn Error>> {
    // For this request alone. It covers all of it, from the look-up to the body's last byte.
    let limit = RequestOptions::default().with_timeout(Duration::from_millis(100));
    let request = Request::get(url).extension(limit).body(Body::empty())?;
    match client.request(request).await {
        Err(error) if error.is_timeout() => println!("GET {url}\n  failed in time: {error}"),
        Err(error) => return Err(error.into()),
        Ok(response) => return Err(format!("{url} answered {}", response.status()).into()),
    }
    Ok(())
}

async fn nobody_there(client: &Client) -> Result<(), Box<dyn Error>> {
    // A port that was free a moment ago.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let url = format!("http://localhost:{port}/");
    match client.request(Request::get(&url).body(Body::empty())?).await {
        Err(error) if error.is_connect() => println!("GET {url}\n  failed, as it should: {error}"),
        Err(error) => return Err(error.into()),
        Ok(response) => return Err(format!("{url} answered {}", response.status()).into()),
    }
    Ok(())
}

/// Starts an origin on a free port of this machine, and says where it is.
async fn origin() -> Result<String, Box<dyn Error>> {
    let server = regatta_tokio::server().bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", server.local_address()?);
    tokio::spawn(server.serve(answer));
    Ok(url)
}

async fn answer(request: Request<Body>) -> Response<Body> {
    match request.uri().path() {
        "/echo" => Response::new(request.into_body()),
        "/never" => std::future::pending().await,
        _ => Response::new(Body::from("hello, stranger\n")),
    }
}
