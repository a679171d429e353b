//! One exchange: what each side has said, and what the other has heard of it.

use http::HeaderMap;
use regatta_core::id::StreamId;
use regatta_core::types::RetrySafe;

/// How a direction or a stream ended for who looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    #[default]
    Open,
    Ended,
    Reset(RetrySafe),
}

/// One direction of an exchange.
#[derive(Debug, Default)]
pub(super) struct Direction {
    /// What was said.
    pub(super) fields: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
    pub(super) head_said: bool,
    pub(super) end_said: bool,
    /// The next frame is welcome.
    pub(super) welcome: bool,
    /// What was heard.
    pub(super) heard_fields: HeaderMap,
    pub(super) heard_body: Vec<u8>,
    pub(super) heard_trailers: HeaderMap,
    pub(super) head_heard: bool,
    pub(super) end_heard: bool,
    /// Heard, and not yet allowed on.
    pub(super) owed: usize,
}

impl Direction {
    pub(super) fn say_head(&mut self, fields: HeaderMap, end: bool) {
        self.fields = fields;
        self.head_said = true;
        self.welcome = true;
        self.end_said = end;
    }

    pub(super) fn may_send(&self) -> bool {
        self.head_said && !self.end_said && self.welcome
    }

    /// What was heard so far was said, in this order.
    fn must_be_part(&self, what: &str) {
        if self.head_heard {
            assert!(self.head_said, "{what}: a head that nobody said");
            assert_eq!(self.heard_fields, self.fields, "{what}: the fields; said is the second");
        }
        let heard = &self.heard_body;
        assert!(self.body.starts_with(heard), "{what}: a body of {} bytes changed", heard.len());
        for (name, value) in &self.heard_trailers {
            let said = self.trailers.get_all(name).iter().any(|said| said == value);
            assert!(said, "{what}: the trailer {name} was never said");
        }
        if self.end_heard {
            assert!(self.end_said, "{what}: an end that nobody said");
            assert_eq!(heard.len(), self.body.len(), "{what}: the end came early");
            assert_eq!(self.heard_trailers, self.trailers, "{what}: the trailers");
        }
    }

    fn must_be_whole(&self, what: &str) {
        assert!(self.head_heard, "{what}: the head was never heard");
        assert!(self.end_heard, "{what}: the end was never heard");
    }
}

#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) client: Option<StreamId>,
    pub(super) server: Option<StreamId>,
    pub(super) up: Direction,
    pub(super) down: Direction,
    /// The answer was complete before the request was: the rest of the request is not missed.
    pub(super) early: bool,
    /// Interim responses.
    pub(super) hints: u32,
    /// The answer has no body, whatever its fields say.
    pub(super) bodyless: bool,
    pub(super) client_end: End,
    pub(super) server_end: End,
}

impl Exchange {
    /// Asserts what must be true of it when nothing moves any more.
    pub(super) fn judge(&self, honest: bool, is_http1: bool) {
        self.up.must_be_part("the request");
        self.down.must_be_part("the response");
        if let End::Reset(retry @ (RetrySafe::Unsent | RetrySafe::Unprocessed)) = self.client_end {
            assert!(!self.up.head_heard, "a server heard a request that is called {retry:?}");
        }
        assert!(self.up.head_heard || !self.down.head_said, "an answer to nothing");
        if !honest {
            return;
        }
        self.down.must_be_whole("the response");
        assert_eq!(self.client_end, End::Ended, "the client's stream");
        assert_eq!(self.server_end, End::Ended, "the server's stream");
        // HTTP/1 cannot say that an answer is complete and go on asking.
        if !(is_http1 && self.early) {
            self.up.must_be_whole("the request");
        }
    }
}
