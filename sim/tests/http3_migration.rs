//! A client of HTTP/3 whose host's address changes under way, on virtual time.

mod stage;

use core::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use regatta_core::engine::quic;
use regatta_runtime::{Body, Client, Runtime as _, Server, ServerHandle};
use regatta_sim::net::fault::Fault;
use regatta_sim::{Host, Net, tls};

use self::stage::{AT, NEAR, SECOND, only_http3};

const LENGTH: usize = 3_000_000;

fn old() -> IpAddr {
    "192.0.2.9".parse().unwrap()
}

fn new() -> IpAddr {
    "192.0.2.10".parse().unwrap()
}

/// A server and a client, 20 ms and 10 Mbit/s apart: a body takes seconds.
fn hosts(net: &Net) -> (Host, Host) {
    let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
    let client = net.host("client", [old()]);
    net.link(&client, &server, NEAR.bandwidth(10_000_000));
    net.name("www.test", ["192.0.2.1".parse().unwrap()]);
    (server, client)
}

/// Sends back what came, and a body of its own behind it.
async fn serve(server: &Host) -> ServerHandle<Host> {
    let builder = Server::builder(server.clone()).tls(tls::good());
    stage::serve(
        server,
        AT,
        builder.http3(quic::ServerOptions::default()),
        |request: Request<Body>| async {
            let came = request.into_body().collect().await.map_or(0, |all| all.to_bytes().len());
            let mut all = came.to_be_bytes().to_vec();
            all.resize(LENGTH, 7);
            Response::new(Full::new(Bytes::from(all)))
        },
    )
    .await
}

/// Asks with a body of so many bytes in a task of its own; how it ended, once it has.
fn ask(host: &Host, client: &Client<Host>, length: usize) -> Arc<Mutex<Option<Bytes>>> {
    let ended = Arc::new(Mutex::new(None));
    let (told, client) = (Arc::clone(&ended), client.clone());
    host.spawn(async move {
        let body = Full::new(Bytes::from(vec![1; length]));
        let request = Request::post("https://www.test/").body(body).unwrap();
        let response = client.request(request).await.unwrap();
        *told.lock().unwrap() = Some(response.into_body().collect().await.unwrap().to_bytes());
    });
    ended
}

/// What happens to the network in the middle of a body, and whether anybody says so.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// The address is another, and the client is told.
    Told,
    /// The address is another, which the socket finds out.
    Untold,
    /// There is none for three seconds.
    Late,
    /// A second address, and the first stays; the client is told.
    Both,
}

fn change(net: &Net, host: &Host, client: &Client<Host>, change: Change) {
    let id = host.id();
    if !matches!(change, Change::Both) {
        net.apply(Fault::RemoveAddress(id, old()));
    }
    match change {
        Change::Late => net.at(host.now() + 3 * SECOND, Fault::AddAddress(id, new())),
        _ => net.apply(Fault::AddAddress(id, new())),
    }
    if matches!(change, Change::Told | Change::Both) {
        client.network_changed();
    }
}

/// Downloads and uploads go on over the same connection, and end well.
#[test]
fn bodies_go_on_from_another_address() {
    for change_is in [Change::Told, Change::Untold, Change::Late, Change::Both] {
        for upload in [0, LENGTH] {
            let net = Net::seeded(1);
            let (server, host) = hosts(&net);
            net.run(async {
                let handle = serve(&server).await;
                let client = only_http3(&host);
                let all = [ask(&host, &client, upload), ask(&host, &client, upload)];
                host.sleep(SECOND).await;
                let under_way = all.iter().all(|one| one.lock().unwrap().is_none());
                assert!(under_way, "{change_is:?}: they ended before");
                change(&net, &host, &client, change_is);
                host.sleep(30 * SECOND).await;
                for one in &all {
                    let came = one.lock().unwrap().clone();
                    let came = came.unwrap_or_else(|| panic!("{change_is:?}, {upload} up: no end"));
                    assert_eq!(came.len(), LENGTH, "{change_is:?}, {upload} up");
                    assert_eq!(came[..8], upload.to_be_bytes(), "{change_is:?}");
                }
                assert_eq!(handle.accepted_connections(), 1, "{change_is:?}, {upload} up");
                // The next request finds a way too.
                let next = ask(&host, &client, 0);
                host.sleep(10 * SECOND).await;
                assert!(next.lock().unwrap().is_some(), "{change_is:?}: nothing goes any more");
                client.check();
            })
            .unwrap();
        }
    }
}

/// A server that lets nobody go on from another address: the connection dies of silence, as over
/// TCP, and the next request goes over a new one.
#[test]
fn where_the_server_forbids_it_the_next_connection_serves() {
    let net = Net::seeded(1);
    let (server, host) = hosts(&net);
    net.run(async {
        let at: SocketAddr = AT.parse().unwrap();
        let mut options = quic::ServerOptions::default();
        options.migration = false;
        let builder = Server::builder(server.clone()).tls(tls::good()).http3(options);
        let listening = builder.bind(at).await.unwrap();
        server.spawn(listening.serve(|_: Request<Body>| async {
            Response::new(Full::new(Bytes::from_static(b"here")))
        }));
        let client = only_http3(&host);
        let get = async || {
            let request = Request::get("https://www.test/").body(Full::new(Bytes::new()));
            let response = client.request(request.unwrap()).await?;
            response.into_body().collect().await
        };
        assert_eq!(get().await.unwrap().to_bytes(), "here");
        change(&net, &host, &client, Change::Told);
        assert_eq!(get().await.unwrap().to_bytes(), "here");
        client.check();
    })
    .unwrap();
}
