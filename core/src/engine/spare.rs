//! What an engine needs for a moment of every message.

use bytes::BytesMut;
#[cfg(feature = "http1")]
use http::HeaderMap;

/// So many bytes are kept for the next message: what is longer is rare.
const MOST_BYTES: usize = 16 << 10;

/// So many fields are.
#[cfg(feature = "http1")]
const MOST_FIELDS: usize = 64;

/// Room for fields and for bytes that are written, with nothing in it. Who drives many connections
/// lends it to each while it serves it ([`Engine::lend`](super::Engine::lend)): a busy connection
/// then allocates neither for every message, and an idle one owns neither.
#[derive(Debug, Default)]
pub struct Spare {
    #[cfg(feature = "http1")]
    fields: HeaderMap,
    bytes: BytesMut,
}

impl Spare {
    /// Takes the room for fields.
    #[cfg(feature = "http1")]
    pub(super) fn take_fields(&mut self) -> HeaderMap {
        core::mem::take(&mut self.fields)
    }

    /// Keeps the room of fields that are needed no more, unless there is some.
    #[cfg(feature = "http1")]
    pub(super) fn keep_fields(&mut self, fields: &mut HeaderMap) {
        if self.fields.capacity() == 0 && fields.capacity() <= MOST_FIELDS {
            core::mem::swap(&mut self.fields, fields);
            self.fields.clear();
        }
    }

    /// Gives the room for bytes to who has none.
    pub(super) fn give_bytes(&mut self, to: &mut BytesMut) {
        if to.capacity() == 0 {
            core::mem::swap(&mut self.bytes, to);
        }
    }

    /// Keeps the room of bytes that are needed no more, unless there is some.
    pub(super) fn keep_bytes(&mut self, bytes: &mut BytesMut) {
        if self.bytes.capacity() == 0 && bytes.capacity() <= MOST_BYTES {
            core::mem::swap(&mut self.bytes, bytes);
            self.bytes.clear();
        }
    }
}

#[cfg(all(test, feature = "http1"))]
mod tests {
    use http::{HeaderValue, Request, Response};

    use super::*;
    use crate::engine::h1::H1;
    use crate::engine::{Config, Event, Head, Output};
    use crate::time::Instant;

    const AT: Instant = Instant::EPOCH;

    /// The fields of the request that comes with `said`, answered with a field of its own.
    fn exchange(engine: &mut H1, said: &str) -> HeaderMap {
        engine.receive(AT, said.as_bytes());
        let Some(Event::Head { stream, head: Head::Request(head), .. }) = engine.poll_event()
        else {
            panic!("{said:?} is a request");
        };
        let mut answer = Response::new(());
        answer.headers_mut().insert("of-the-answer", HeaderValue::from_static("1"));
        engine.respond_with(AT, stream, answer, Some(0), true);
        head.headers().clone()
    }

    #[test]
    fn what_is_lent_serves_one_exchange_after_another() {
        let mut engine = H1::server(&Config::default(), AT);
        let mut spare = Some(Box::<Spare>::default());
        let mut out = Output::new();
        for path in ["a", "b", "c"] {
            engine.lend(&mut spare);
            assert!(spare.is_none(), "the engine has it");
            let fields = exchange(&mut engine, &format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n"));
            assert_eq!(fields.len(), 1, "/{path} has nothing of the answer before: {fields:?}");
            assert!(!engine.is_quiet(), "an answer is to be written");
            engine.transmit(AT, &mut out, usize::MAX);
            assert!(!engine.is_quiet(), "the end is to be told");
            assert!(matches!(engine.poll_event(), Some(Event::Ended { .. })));
            assert!(engine.is_quiet());
            engine.lend(&mut spare);
            let back = spare.as_deref_mut().unwrap();
            let written = out.len();
            out.advance(written);
            out.give_back(back);
            assert_eq!(out.capacity(), 0, "who has nothing to say owns no room");
            assert!(back.fields.is_empty() && back.fields.capacity() > 0);
            assert!(back.bytes.is_empty() && back.bytes.capacity() >= written);
        }
    }

    #[test]
    fn a_client_writes_into_what_is_lent() {
        let mut engine = H1::client(&Config::default(), AT);
        let mut spare = Some(Box::<Spare>::default());
        let mut out = Output::new();
        let get = Request::get("http://x/").body(()).unwrap();
        let mut rooms = Vec::new();
        for _ in 0..3 {
            engine.lend(&mut spare);
            engine.open(AT, &get, true).unwrap();
            engine.transmit(AT, &mut out, usize::MAX);
            engine.lend(&mut spare);
            let back = spare.as_deref_mut().unwrap();
            let mut slices = [std::io::IoSlice::new(&[]); 1];
            assert_eq!(out.slices(&mut slices), 1);
            rooms.push(slices[0].as_ptr());
            let written = out.len();
            out.advance(written);
            out.give_back(back);
            assert_eq!(out.capacity(), 0, "who has nothing to say owns no room");
            assert!(back.bytes.is_empty() && back.bytes.capacity() >= written);
            engine.receive(AT, b"HTTP/1.1 204 No Content\r\n\r\n");
            while engine.poll_event().is_some() {}
        }
        assert_eq!(rooms, [rooms[0]; 3], "all were written into the same room");
    }

    #[test]
    fn what_is_large_is_not_kept() {
        let mut spare = Spare::default();
        spare.keep_bytes(&mut BytesMut::with_capacity(MOST_BYTES + 1));
        spare.keep_fields(&mut HeaderMap::with_capacity(2 * MOST_FIELDS));
        assert_eq!((spare.bytes.capacity(), spare.fields.capacity()), (0, 0));
        let mut kept = BytesMut::with_capacity(MOST_BYTES);
        spare.keep_bytes(&mut kept);
        spare.keep_bytes(&mut BytesMut::with_capacity(1));
        let mut out = Output::new();
        out.borrow(&mut spare);
        assert_eq!(out.capacity(), MOST_BYTES);
    }
}
