//! A client on smol: a GET whose body is read as it comes, and a request that is given up because
//! something else was faster.
//!
//! ```sh
//! cargo run -p regatta-examples --example smol_client   # asks a small origin of its own
//! cargo run -p regatta-examples --example smol_client -- https://example.org   # GETs that
//! ```

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use regatta_async_std::{Body, BoxError, Client};
use smol::Timer;
use smol::future::or;

fn main() -> ExitCode {
    match smol::block_on(run(std::env::args().nth(1))) {
        Ok(()) => ExitCode::SUCCESS,
        // Every error of regatta is one sentence that is meant to be read.
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: Option<String>) -> Result<(), BoxError> {
    // With the crate's feature `smol` this is a client on smol's global executor.
    let client = regatta_async_std::client().build()?;
    match url {
        Some(url) => get(&client, &url).await?,
        None => {
            let origin = origin().await?;
            get(&client, &format!("{origin}/bytes")).await?;
            give_up(&client, &format!("{origin}/never")).await?;
            // Whatever was given up, the client goes on.
            get(&client, &format!("{origin}/bytes")).await?;
        }
    }
    println!("\nwhat the client did:\n{}", client.stats());
    Ok(())
}

async fn get(client: &Client, url: &str) -> Result<(), BoxError> {
    let response = client.request(Request::get(url).body(Body::empty())?).await?;
    let (status, version) = (response.status(), response.version());
    let (mut body, mut length, mut pieces) = (response.into_body(), 0, 0);
    while let Some(frame) = body.frame().await {
        // A frame is data, or the trailers behind it.
        if let Ok(data) = frame?.into_data() {
            length += data.len();
            pieces += 1;
        }
    }
    println!("GET {url}: {status}, {version:?}, {length} bytes in {pieces} pieces");
    if !status.is_success() {
        return Err(format!("{url} answered {status}").into());
    }
    Ok(())
}

/// A request is a future and nothing more: drop it, and it is taken back. Over HTTP/2 that costs
/// one stream, over HTTP/1.1 a connection.
async fn give_up(client: &Client, url: &str) -> Result<(), BoxError> {
    let request = client.request(Request::get(url).body(Body::empty())?);
    let answer = async { Some(request.await) };
    let clock = async {
        Timer::after(Duration::from_millis(100)).await;
        None
    };
    match or(answer, clock).await {
        None => println!("GET {url}: given up after 100 ms"),
        Some(Ok(response)) => return Err(format!("{url} answered {}", response.status()).into()),
        Some(Err(error)) => return Err(error.into()),
    }
    Ok(())
}

/// Starts an origin on a free port of this machine, and says where it is.
async fn origin() -> Result<String, BoxError> {
    let server = regatta_async_std::server().bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", server.local_address()?);
    let answer = async |request: Request<Body>| match request.uri().path() {
        "/never" => std::future::pending().await,
        _ => Response::new(Body::from(vec![b'x'; 1 << 20])),
    };
    smol::spawn(server.serve(answer)).detach();
    Ok(url)
}
