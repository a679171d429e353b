//! aioquic as a client of what goes beside heads and bodies over HTTP/3, by `beside_http3.py`.

use core::num::NonZeroU32;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use regatta_core::engine::quic;
use regatta_tokio::{Body, Extended, Tunnel};

use super::Folder;
use crate::peers::program::{Origin, find, say};
use crate::serve::{ANY, Serving};
use crate::trust::Authority;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/clients/beside_http3.py");

/// Early data is taken, once: the second connection that comes with a ticket is asked to begin
/// anew, and is answered all the same.
#[test]
fn aioquic_sends_early_data() {
    let Some(python) = find("aioquic_python") else { return };
    let folder = Folder::new();
    let ca = folder.at("origin-ca.pem");
    let tls = ["--tls", "self-signed", "--tls-ca-out", &ca];
    let ask = |more: &[&str]| {
        let origin = Origin::start(&[&tls, more].concat());
        let url = origin.https("/early");
        say(&python, &[SCRIPT, &url, &ca, "early"]).well()
    };
    let flight = "asked in the first flight";
    assert_eq!(
        ask(&["--early-data"]),
        format!(
            "200 it did not come early\n200 it came early, {flight}, taken\n\
             200 it did not come early, {flight}\n"
        )
    );
}

/// A CONNECT for something, and datagrams both ways.
#[tokio::test(flavor = "multi_thread")]
async fn aioquic_sends_datagrams() {
    let Some(python) = find("aioquic_python") else { return };
    let authority = Authority::new();
    let builder = regatta_tokio::server().tls(authority.server(&["localhost", "127.0.0.1"]));
    let builder = builder.engine(|engine| engine.h3_datagrams = NonZeroU32::new(64 << 10));
    let server = builder.http3(quic::ServerOptions::default()).bind(ANY).await.unwrap();
    let serving = Serving::start(server, |request: Request<Body>| async {
        let named =
            request.extensions().get::<Extended>().is_some_and(|for_| for_.as_str() == "echo");
        let mut response = Response::new(Full::<Bytes>::default());
        match Tunnel::from_body(request.into_body()).filter(|_| named) {
            Some(tunnel) => drop(tokio::spawn(say_back(tunnel))),
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        response
    });
    let folder = Folder::new();
    let ca = folder.file("ca.pem", authority.pem());
    let url = format!("https://127.0.0.1:{}/there", serving.address.port());
    let asked =
        tokio::task::spawn_blocking(move || say(&python, &[SCRIPT, &url, &ca, "datagrams"]));
    let said = asked.await.unwrap().well();
    let back = "5 bytes came back\n0 bytes came back\n1000 bytes came back\n";
    assert_eq!(said, format!("200\n{back}ended\n"));
}

async fn say_back(mut tunnel: Tunnel) {
    let datagrams = tunnel.datagrams().unwrap();
    tokio::spawn(async move {
        while let Some(datagram) = datagrams.receive().await {
            // They are unreliable.
            let _ = datagrams.send(datagram);
        }
    });
    while tunnel.read().await.is_some() {}
    tunnel.finish();
}
