//! A client on async-std: eight requests at once, which share one HTTP/2 connection.
//!
//! async-std is no longer developed. This is for programs that already run on it; `smol_client`
//! shows the same driver on smol.
//!
//! ```sh
//! cargo run -p regatta-examples --example async_std_client   # asks a small origin of its own
//! cargo run -p regatta-examples --example async_std_client -- https://example.org   # GETs that
//! ```

use std::net::Ipv4Addr;
use std::process::ExitCode;

use http::{Request, Response};
use http_body_util::BodyExt as _;
// A program on async-std says `async_std::task`. No package here depends on it but the one that is
// made for it.
use regatta_async_std::async_std::task;
use regatta_async_std::regatta_core::upstream::Protocols;
use regatta_async_std::{AsyncStd, Body, BoxError, Client, Roots, Server, system_roots};

fn main() -> ExitCode {
    match task::block_on(run(std::env::args().nth(1))) {
        Ok(()) => ExitCode::SUCCESS,
        // Every error of regatta is one sentence that is meant to be read.
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: Option<String>) -> Result<(), BoxError> {
    // With the feature `async-std` alone `regatta_async_std::client()` is short for the first two
    // lines. These examples have `smol` on as well, so this one says which it means.
    let builder = Client::builder(AsyncStd::new()).roots(Roots::Load(system_roots));
    let client = match url {
        Some(url) => {
            // TLS lets the server choose between HTTP/2 and HTTP/1.1.
            let client = builder.build()?;
            get(client.clone(), url).await?;
            client
        }
        None => {
            // Without TLS nobody can ask, so HTTP/2 has to be known of.
            let protocols = Protocols::Http2PriorKnowledge;
            let client = builder.profile(|profile| profile.protocols = protocols).build()?;
            let origin = origin().await?;
            // Clones share the connections. Each request has a task of its own.
            let all = (1..=8).map(|n| task::spawn(get(client.clone(), format!("{origin}/{n}"))));
            for one in all.collect::<Vec<_>>() {
                one.await?;
            }
            client
        }
    };
    println!("\nwhat the client did:\n{}", client.stats());
    Ok(())
}

async fn get(client: Client<AsyncStd>, url: String) -> Result<(), BoxError> {
    let response = client.request(Request::get(&url).body(Body::empty())?).await?;
    let (status, version) = (response.status(), response.version());
    let body = response.into_body().collect().await?.to_bytes();
    println!("GET {url}: {status}, {version:?}, {} bytes", body.len());
    if !status.is_success() {
        return Err(format!("{url} answered {status}").into());
    }
    Ok(())
}

/// Starts an origin on a free port of this machine, and says where it is.
async fn origin() -> Result<String, BoxError> {
    let server = Server::builder(AsyncStd::new()).bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", server.local_address()?);
    task::spawn(server.serve(async |request: Request<Body>| {
        Response::new(Body::from(format!("you asked for {}\n", request.uri().path())))
    }));
    Ok(url)
}
