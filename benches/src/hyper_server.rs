//! hyper's server, on a thread of its own: a peer of ours, and the origin of bulk transfers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::secure::{Peer, acceptor};
use crate::tls::Identity;

/// So many bytes of zeroes, in pieces that all share one buffer.
pub(crate) struct Zeroes {
    piece: Bytes,
    left: u64,
}

/// The size of a piece.
const PIECE: usize = 64 << 10;

impl Zeroes {
    pub(crate) fn new(length: u64) -> Self {
        static PIECES: [u8; PIECE] = [0; PIECE];
        Self { piece: Bytes::from_static(&PIECES), left: length }
    }
}

impl Body for Zeroes {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.min(self.piece.len() as u64);
        self.left -= length;
        let piece = self.piece.slice(..length as usize);
        Poll::Ready((length > 0).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// What is asked for: a path of digits is answered by as many zeroes, all else by a greeting.
pub(crate) fn answer<B>(
    request: &Request<B>,
    greeting: impl FnOnce() -> Zeroes,
) -> Response<Zeroes> {
    let length = request.uri().path().trim_start_matches('/').parse();
    let body = length.map_or_else(|_| greeting(), Zeroes::new);
    Response::builder().header("content-type", "text/plain").body(body).expect("an answer")
}

/// The body of every short answer.
pub(crate) const GREETING: &[u8] = b"Hello, world!";

/// The same as a body.
pub(crate) fn greeting() -> Zeroes {
    Zeroes { piece: Bytes::from_static(GREETING), left: GREETING.len() as u64 }
}

/// Serves for as long as the thread lives.
pub(crate) async fn serve(tell: impl FnOnce(SocketAddr), http2: bool, identity: Option<&Identity>) {
    let tls = identity.map(|identity| acceptor(identity, http2));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    tell(listener.local_addr().expect("an address"));
    while let Ok((stream, _)) = listener.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            let Some(peer) = Peer::accept(stream, tls.as_ref()).await else { return };
            let service = service_fn(|request: Request<Incoming>| async move {
                Ok::<_, Infallible>(answer(&request, greeting))
            });
            let peer = TokioIo::new(peer);
            // An error is the end of a connection that its client has dropped.
            if http2 {
                let builder = http2::Builder::new(TokioExecutor::new());
                builder.serve_connection(peer, service).await.ok();
            } else {
                http1::Builder::new().serve_connection(peer, service).await.ok();
            }
        });
    }
}
