//! One message as a reader understood it, and when two readers have understood the same.

use http::{HeaderMap, Method, StatusCode, Version, header};

/// How a message ended for its reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// It has not: more must come.
    #[default]
    Open,
    /// All of it was read.
    Whole,
    /// It was refused, or cut off.
    Broken,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Request { method: Method, target: String },
    Response { status: StatusCode },
}

/// What was read of one message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) start: Start,
    pub(super) version: Version,
    pub(super) fields: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
    pub(super) end: End,
}

impl Message {
    pub(super) fn request(head: http::Request<()>) -> Self {
        let (head, ()) = head.into_parts();
        let target = head.uri.to_string();
        let mut fields = head.headers;
        if head.uri.authority().is_some() && head.method != Method::CONNECT {
            // An absolute target replaces Host (RFC 9112 3.2.2), which hyper leaves to its user.
            fields.remove(header::HOST);
        }
        Self::new(Start::Request { method: head.method, target }, head.version, fields)
    }

    pub(super) fn response(head: http::Response<()>) -> Self {
        let (head, ()) = head.into_parts();
        Self::new(Start::Response { status: head.status }, head.version, head.headers)
    }

    fn new(start: Start, version: Version, fields: HeaderMap) -> Self {
        let (body, trailers, end) = (Vec::new(), HeaderMap::new(), End::Open);
        Self { start, version, fields, body, trailers, end }
    }

    /// Panics unless two readers who both accepted this message have read the same.
    pub(super) fn must_agree(&self, theirs: &Self) {
        assert_eq!(self.start, theirs.start, "the start line; ours is the first");
        assert_eq!(self.version, theirs.version, "the version; ours is the first");
        assert_eq!(self.fields, theirs.fields, "the fields; ours are the first");
        let common = self.body.len().min(theirs.body.len());
        assert!(
            self.body[..common] == theirs.body[..common],
            "the body: ours is {}, theirs {}",
            self.body.escape_ascii(),
            theirs.body.escape_ascii(),
        );
        if self.end == End::Broken || theirs.end == End::Broken {
            return;
        }
        assert_eq!(self.end, theirs.end, "where it ends; ours is the first");
        assert_eq!(self.body.len(), theirs.body.len(), "how long the body is; ours is the first");
        // Ours drops trailers that must not be there (RFC 9110 6.5.1), never one of the others.
        for (name, value) in &self.trailers {
            let all = theirs.trailers.get_all(name);
            assert!(all.iter().any(|other| other == value), "the trailer {name} is ours alone");
        }
    }
}
