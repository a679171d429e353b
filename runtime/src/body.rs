//! The bodies that callers hold.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame as BodyFrame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
#[cfg(feature = "http3")]
use regatta_core::engine::h3::Priority;
use regatta_core::id::RequestId;

use crate::error::{Error, Kind};
use crate::exchange::{Exchange, TimelineHandle};
use crate::mail::{Frame, Pipe, Received};
use crate::server::ConnectionHandle;

/// Frames that an upload moves before it yields.
const BUDGET: u32 = 1_024;

/// Any error that a caller's body may end with.
pub type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// A message's body as it arrives: a response's for a client, a request's for a server. One made
/// of bytes, or an empty one, can be sent as well as any other body.
///
/// Reading it is what lets the peer go on sending. Dropping it before its end gives the stream
/// up. It also carries the caller's own request body on to the peer while it is read.
pub struct Body {
    exchange: Option<Arc<Exchange>>,
    /// All of it, where it came from no peer.
    whole: Option<Bytes>,
    side: Side,
    /// The caller's request body, where it was not all sent when the response began.
    upload: Option<Upload>,
    guard: Option<Guard>,
    length: Length,
    finished: bool,
    /// A server's: where the request came on.
    connection: Option<ConnectionHandle>,
}

/// What is left to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Known(u64),
    Unknown,
    /// Nothing, and nothing follows from that: the answer to HEAD, or 304, tells of another
    /// body. Whoever hands it on must not take it for a body of length 0.
    Untold,
}

impl From<Option<u64>> for Length {
    fn from(length: Option<u64>) -> Self {
        length.map_or(Self::Unknown, Self::Known)
    }
}

/// Which of an exchange's pipes is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// A client reads responses.
    Client,
    /// A server reads requests.
    Server,
}

/// Whom to tell that nobody wants a response any more: the hub, whatever its runtime.
pub(crate) trait GiveUp: Send + Sync {
    fn give_up(self: Arc<Self>, request: RequestId);

    /// Its caller has said how urgent it is now.
    #[cfg(feature = "http3")]
    fn prioritize(&self, exchange: &Arc<Exchange>);
}

/// The request that a body belongs to, and its hub.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) hub: Arc<dyn GiveUp>,
    pub(crate) request: RequestId,
}

impl Guard {
    pub(crate) fn give_up(self) {
        self.hub.give_up(self.request);
    }
}

impl Body {
    /// A body with nothing in it.
    pub const fn empty() -> Self {
        Self {
            exchange: None,
            whole: None,
            side: Side::Server,
            upload: None,
            guard: None,
            length: Length::Known(0),
            finished: true,
            connection: None,
        }
    }

    /// On a server the connection that the request of this body came on; `None` elsewhere.
    pub const fn connection(&self) -> Option<&ConnectionHandle> {
        self.connection.as_ref()
    }

    /// What happens to the request that this response answers, also when the body has been read;
    /// `None` of a body that no client has received.
    pub fn timeline(&self) -> Option<TimelineHandle> {
        let exchange = self.exchange.as_ref().filter(|_| self.side == Side::Client)?;
        Some(TimelineHandle::new(exchange))
    }

    /// It came on this connection.
    pub(crate) fn on(mut self, connection: &ConnectionHandle) -> Self {
        self.connection = Some(connection.clone());
        self
    }

    pub(crate) fn new(
        exchange: Arc<Exchange>,
        side: Side,
        upload: Option<Upload>,
        guard: Option<Guard>,
        length: Length,
    ) -> Self {
        let exchange = Some(exchange);
        let (whole, connection) = (None, None);
        let mut body =
            Self { exchange, whole, side, upload, guard, length, finished: false, connection };
        body.finished = body.incoming().is_some_and(Pipe::take_end);
        body
    }

    /// The body of a message that has none. Its exchange may still become a tunnel.
    pub(crate) fn ended(exchange: Arc<Exchange>, side: Side) -> Self {
        let mut body = Self::empty();
        (body.exchange, body.side) = (Some(exchange), side);
        body
    }

    /// Changes how urgent the rest of a response is, as
    /// [`ResponseFuture::prioritize`](crate::ResponseFuture::prioritize) does before its head has
    /// come. It does nothing to a request's body, or to one that came from no peer.
    #[cfg(feature = "http3")]
    pub fn prioritize(&self, priority: Priority) {
        if let (Some(exchange), Some(guard)) = (&self.exchange, &self.guard) {
            exchange.set_wish(priority);
            guard.hub.prioritize(exchange);
        }
    }

    fn incoming(&self) -> Option<&Pipe<Error>> {
        let exchange = self.exchange.as_deref()?;
        Some(match self.side {
            Side::Client => &exchange.down,
            Side::Server => &exchange.up,
        })
    }

    /// Takes the exchange out, for a tunnel: dropping this body then gives nothing up.
    pub(crate) fn into_exchange(mut self) -> (Option<Arc<Exchange>>, Side, Option<Guard>) {
        self.finished = true;
        (self.exchange.take(), self.side, self.guard.take())
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(done) = upload.poll(cx)
        {
            self.upload = None;
            done?;
        }
        Ok(())
    }
}

/// The empty one.
impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

/// All of a body, in one piece.
impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let mut body = Self::empty();
        if !bytes.is_empty() {
            body.length = u64::try_from(bytes.len()).ok().into();
            body.whole = Some(bytes);
            body.finished = false;
        }
        body
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from(text).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Error>>> {
        let this = &mut *self;
        if this.finished {
            return Poll::Ready(None);
        }
        if let Err(error) = this.poll_upload(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(bytes) = this.whole.take() {
            this.finished = true;
            return Poll::Ready(Some(Ok(BodyFrame::data(bytes))));
        }
        let Some(pipe) = this.incoming() else { return Poll::Ready(None) };
        loop {
            let (received, ended) = match pipe.poll_read_end(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(received) => received,
            };
            let (item, finished) = match received {
                Received::Frame(Frame::Data(bytes)) if bytes.is_empty() && !ended => continue,
                Received::Frame(Frame::Data(bytes)) if bytes.is_empty() => (None, true),
                Received::Frame(Frame::Data(bytes)) => {
                    let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    if let Length::Known(left) = &mut this.length {
                        *left = left.saturating_sub(read);
                    }
                    (Some(Ok(BodyFrame::data(bytes))), ended)
                }
                Received::Frame(Frame::Trailers(trailers)) => {
                    (Some(Ok(BodyFrame::trailers(*trailers))), true)
                }
                Received::Frame(Frame::Head(_)) if !ended => continue,
                Received::Frame(Frame::Head(_)) => (None, true),
                Received::Frame(Frame::End) | Received::Finished => (None, true),
                Received::Failed(error) => {
                    let error = error.unwrap_or_else(|| Error::new(Kind::Gone));
                    (Some(Err(error)), true)
                }
            };
            this.finished |= finished;
            return Poll::Ready(item);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.finished
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Length::Untold => SizeHint::default(),
            _ if self.finished => SizeHint::with_exact(0),
            Length::Known(length) => SizeHint::with_exact(length),
            Length::Unknown => SizeHint::default(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let (Side::Server, Some(exchange)) = (self.side, &self.exchange) {
            exchange.drop_body();
        }
        if self.finished && self.upload.is_none() {
            return;
        }
        let Some(exchange) = &self.exchange else { return };
        if self.side == Side::Client && exchange.down.is_whole() {
            // All of the response is here: nothing is given up but what is left of the upload.
            exchange.down.close();
            if self.upload.is_some() {
                exchange.up.fail(None);
            }
            return;
        }
        if let Some(pipe) = self.incoming() {
            pipe.close();
        }
        if let Some(guard) = self.guard.take() {
            guard.give_up();
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("length", &self.length).finish_non_exhaustive()
    }
}

/// A caller's body on its way into a pipe. It is polled by the caller alone, never by a
/// connection's task.
pub(crate) struct Upload {
    body: UnsyncBoxBody<Bytes, BoxError>,
    exchange: Arc<Exchange>,
    side: Side,
}

impl Upload {
    /// `side` is whose body it is: a client's goes up, a server's down.
    pub(crate) fn new<B>(body: B, exchange: &Arc<Exchange>, side: Side) -> Self
    where
        B: HttpBody + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let plain = body
            .map_err(Into::into)
            .map_frame(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())));
        Self { body: plain.boxed_unsync(), exchange: Arc::clone(exchange), side }
    }

    /// What is left goes into this exchange.
    pub(crate) fn redirect(&mut self, exchange: &Arc<Exchange>) {
        self.exchange = Arc::clone(exchange);
    }

    /// As [`poll_into`].
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        poll_into(&mut Pin::new(&mut self.body), &self.exchange, self.side, cx)
    }
}

/// Moves frames of a body into its pipe while there is room; ready when all is in the pipe, or
/// nobody reads it. A body that has nothing at the moment does not keep its writer from hearing
/// of that. `side` is whose body it is: a client's goes up, a server's down.
pub(crate) fn poll_into<B>(
    body: &mut Pin<&mut B>,
    exchange: &Exchange,
    side: Side,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>>
where
    B: HttpBody<Error: Into<BoxError>>,
{
    let pipe = outgoing(exchange, side);
    for _ in 0..BUDGET {
        match pipe.poll_room(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) => {}
        }
        if !exchange.charge.may_take(cx) {
            return pipe.poll_gone(cx).map(Ok);
        }
        match body.as_mut().poll_frame(cx) {
            Poll::Pending => return pipe.poll_gone(cx).map(Ok),
            Poll::Ready(None) => {
                pipe.write(Frame::End);
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Some(frame)) => {
                if let Poll::Ready(done) = write(frame, body.is_end_stream(), exchange, side) {
                    return Poll::Ready(done);
                }
            }
        }
    }
    // Empty frames fill no pipe: others must have their turn.
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Which pipe takes the body of that side.
const fn outgoing(exchange: &Exchange, side: Side) -> &Pipe<Error> {
    match side {
        Side::Client => &exchange.up,
        Side::Server => &exchange.down,
    }
}

/// Writes one frame, behind which the body has `ended` or not; ready when it was the last.
pub(crate) fn write<D: Buf, E: Into<BoxError>>(
    frame: Result<BodyFrame<D>, E>,
    ended: bool,
    exchange: &Exchange,
    side: Side,
) -> Poll<Result<(), Error>> {
    let pipe = outgoing(exchange, side);
    let frame = match frame {
        Ok(frame) => frame.into_data(),
        Err(error) => {
            let error: BoxError = error.into();
            let text = error.to_string();
            pipe.fail(Some(Error::new(Kind::Body(text.clone()))));
            return Poll::Ready(Err(Error::new(Kind::Body(text))));
        }
    };
    let is_last = match frame {
        Ok(mut data) => {
            let bytes = data.copy_to_bytes(data.remaining());
            exchange.charge.take(bytes.len());
            if ended {
                pipe.write_last(Frame::Data(bytes));
            } else if !bytes.is_empty() {
                pipe.write(Frame::Data(bytes));
            }
            ended
        }
        Err(frame) => match frame.into_trailers() {
            Ok(trailers) => {
                pipe.write(Frame::Trailers(Box::new(trailers)));
                true
            }
            Err(_) => false,
        },
    };
    if is_last { Poll::Ready(Ok(())) } else { Poll::Pending }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::task::Waker;

    use super::*;

    fn frame(body: &mut Body) -> Option<Bytes> {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(body).poll_frame(&mut cx) {
            Poll::Ready(frame) => frame.map(|frame| frame.unwrap().into_data().unwrap()),
            Poll::Pending => panic!("a body that is all there has to be waited for"),
        }
    }

    #[test]
    fn a_body_of_bytes_is_one_frame_of_a_known_length() {
        let all = [
            Body::from("hello"),
            Body::from("hello".to_owned()),
            Body::from(b"hello".to_vec()),
            Body::from(Bytes::from_static(b"hello")),
        ];
        for mut body in all {
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
            assert_eq!(frame(&mut body).as_deref(), Some(b"hello".as_slice()));
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
            assert_eq!(frame(&mut body), None);
        }
    }

    #[test]
    fn a_body_of_no_bytes_has_ended() {
        for mut body in [Body::empty(), Body::default(), Body::from("")] {
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
            assert_eq!(frame(&mut body), None);
        }
    }
}
