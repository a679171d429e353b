//! An origin on a thread of its own, the same for all clients: it answers every request with the
//! same few bytes and as little work as it can.

use std::net::SocketAddr;
use std::thread;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::secure::{Peer, acceptor};
use crate::tls::Identity;

const BODY: &[u8] = b"Hello, world!";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, world!";
/// The end of a head; no request here has a body.
const END: &[u8] = b"\r\n\r\n";

/// Starts an origin that lives as long as the process.
pub(crate) fn start(http2: bool, identity: Option<&Identity>) -> SocketAddr {
    let (tell, told) = oneshot::channel();
    let tls = identity.map(|identity| acceptor(identity, http2));
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    let Some(peer) = Peer::accept(stream, tls.as_ref()).await else { return };
                    if http2 {
                        serve_http2(peer).await;
                    } else {
                        serve_http1(peer).await;
                    }
                });
            }
        });
    });
    told.blocking_recv().expect("an origin")
}

async fn serve_http1(mut stream: Peer) {
    let mut buffer = vec![0; 16 << 10];
    let mut kept = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[kept..]).await {
        let filled = kept + read;
        let mut start = 0;
        while let Some(at) = buffer[start..filled].windows(END.len()).position(|end| end == END) {
            start += at + END.len();
            if stream.write_all(ANSWER).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
        buffer.copy_within(start..filled, 0);
        kept = filled - start;
    }
}

async fn serve_http2(stream: Peer) {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(256);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let answer = Response::builder().header("content-type", "text/plain").body(());
        if let Ok(mut body) = respond.send_response(answer.expect("an answer"), false) {
            body.send_data(Bytes::from_static(BODY), true).ok();
        }
    }
}
