//! A tower `Service`, so that a client fits under tower's layers.

use core::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::body::{Body, BoxError};
use crate::client::Client;
use crate::error::Error;
use crate::response::ResponseFuture;
use crate::runtime::Runtime;

impl<R, B> Service<Request<B>> for Client<R>
where
    R: Runtime,
    B: HttpBody + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = ResponseFuture<R>;

    /// Always ready: requests wait in the pool's own bounded queue, and an overflow is the
    /// request's answer.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture<R> {
        self.request(request)
    }
}
