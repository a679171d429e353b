//! What the streams of a connection want of its engine, whichever that is.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use regatta_core::Instant;
#[cfg(feature = "http3")]
use regatta_core::engine::h3::{H3, Priority};
use regatta_core::engine::{Engine, Event, OpenError, Shutdown};
use regatta_core::id::StreamId;
use regatta_core::types::Protocol;

use crate::answer::Whole;

/// The engines' one shape, without what carries their bytes: see [`Engine`].
pub(super) trait Http {
    fn protocol(&self) -> Protocol;
    fn open(&mut self, now: Instant, head: &Request<()>, end: bool) -> Result<StreamId, OpenError>;
    fn respond_with(
        &mut self,
        now: Instant,
        stream: StreamId,
        head: Response<()>,
        length: Option<u64>,
        end: bool,
    );
    fn send(&mut self, now: Instant, stream: StreamId, bytes: Bytes, end: bool);
    fn trailers(&mut self, now: Instant, stream: StreamId, trailers: HeaderMap);
    fn reset(&mut self, now: Instant, stream: StreamId);
    fn allow(&mut self, now: Instant, stream: StreamId, n: usize);
    fn ping(&mut self, now: Instant);
    fn shutdown(&mut self, now: Instant, how: Shutdown);
    fn set_max_concurrent_streams(&mut self, now: Instant, most: u32);
    fn poll_event(&mut self) -> Option<Event>;

    /// Answers a stream with all there is.
    fn answer(&mut self, now: Instant, stream: StreamId, whole: Whole) {
        let Whole { head, length, body } = whole;
        self.respond_with(now, stream, head, length, body.is_none());
        if let Some(body) = body {
            self.send(now, stream, body, true);
        }
    }

    /// Changes how urgent a stream's answer is, where the protocol can say that.
    #[cfg(feature = "http3")]
    fn prioritize(&mut self, _: Instant, _: StreamId, _: Priority) {}

    /// How many bytes of a stream's datagrams may wait in each direction, where it has any.
    #[cfg(feature = "http3")]
    fn datagram_room(&self, _: StreamId) -> Option<usize> {
        None
    }

    /// The longest datagram that goes out on a stream now, if any does.
    #[cfg(feature = "http3")]
    fn max_datagram(&self, _: StreamId) -> Option<usize> {
        None
    }

    /// Sends a datagram of a stream; one that cannot be sent any more is lost.
    #[cfg(feature = "http3")]
    fn send_datagram(&mut self, _: Instant, _: StreamId, _: Bytes) {}

    /// The oldest datagram that came.
    #[cfg(feature = "http3")]
    fn poll_datagram(&mut self) -> Option<(StreamId, Bytes)> {
        None
    }
}

/// The engine's own methods, by their names.
macro_rules! same {
    ($engine:ty, $protocol:expr, { $($more:tt)* }) => {
        impl Http for $engine {
            fn protocol(&self) -> Protocol {
                $protocol(self)
            }

            fn open(
                &mut self,
                now: Instant,
                head: &Request<()>,
                end: bool,
            ) -> Result<StreamId, OpenError> {
                self.open(now, head, end)
            }

            fn respond_with(
                &mut self,
                now: Instant,
                stream: StreamId,
                head: Response<()>,
                length: Option<u64>,
                end: bool,
            ) {
                self.respond_with(now, stream, head, length, end);
            }

            fn send(&mut self, now: Instant, stream: StreamId, bytes: Bytes, end: bool) {
                self.send(now, stream, bytes, end);
            }

            fn trailers(&mut self, now: Instant, stream: StreamId, trailers: HeaderMap) {
                self.trailers(now, stream, trailers);
            }

            fn reset(&mut self, now: Instant, stream: StreamId) {
                self.reset(now, stream);
            }

            fn allow(&mut self, now: Instant, stream: StreamId, n: usize) {
                self.allow(now, stream, n);
            }

            fn ping(&mut self, now: Instant) {
                self.ping(now);
            }

            fn shutdown(&mut self, now: Instant, how: Shutdown) {
                self.shutdown(now, how);
            }

            fn set_max_concurrent_streams(&mut self, now: Instant, most: u32) {
                self.set_max_concurrent_streams(now, most);
            }

            fn poll_event(&mut self) -> Option<Event> {
                self.poll_event()
            }

            $($more)*
        }
    };
}

same!(Engine, Engine::protocol, {
    fn answer(&mut self, now: Instant, stream: StreamId, whole: Whole) {
        let Whole { head, length, body } = whole;
        self.answer(now, stream, head, length, body);
    }
});
#[cfg(feature = "http3")]
same!(H3, |_: &H3| Protocol::Http3, {
    fn prioritize(&mut self, now: Instant, stream: StreamId, priority: Priority) {
        self.prioritize(now, stream, priority);
    }

    fn datagram_room(&self, stream: StreamId) -> Option<usize> {
        self.datagram_room(stream)
    }

    fn max_datagram(&self, stream: StreamId) -> Option<usize> {
        self.max_datagram(stream)
    }

    fn send_datagram(&mut self, now: Instant, stream: StreamId, payload: Bytes) {
        // The path or the stream has changed since it was taken.
        let _lost = self.send_datagram(now, stream, payload);
    }

    fn poll_datagram(&mut self) -> Option<(StreamId, Bytes)> {
        self.poll_datagram()
    }
});
