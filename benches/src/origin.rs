//! An origin on a thread of its own, the same for all clients: it answers every request with the
//! same few bytes and as little work as it can.

use std::net::SocketAddr;
use std::thread;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

const BODY: &[u8] = b"Hello, world!";
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, world!";
/// The end of a head; no request here has a body.
const END: &[u8] = b"\r\n\r\n";

/// Starts an origin that lives as long as the process.
pub(crate) fn start(http2: bool) -> SocketAddr {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("no delay");
                if http2 {
                    tokio::spawn(serve_http2(stream));
                } else {
                    tokio::spawn(serve_http1(stream));
                }
            }
        });
    });
    told.blocking_recv().expect("an origin")
}

async fn serve_http1(mut stream: TcpStream) {
    let mut buffer = vec![0; 16 << 10];
    let mut kept = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[kept..]).await {
        let filled = kept + read;
        let mut start = 0;
        while let Some(at) = buffer[start..filled].windows(END.len()).position(|end| end == END) {
            start += at + END.len();
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
        buffer.copy_within(start..filled, 0);
        kept = filled - start;
    }
}

async fn serve_http2(stream: TcpStream) {
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
