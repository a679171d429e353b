//! The state of the one exchange that an HTTP/1 connection carries at a time.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use super::chunked;
use super::framing::Length;
use crate::id::StreamId;

/// What the peer's direction waits for.
#[derive(Debug)]
pub(super) enum Rx {
    /// Client: a response's head.
    Head,
    /// Server: its own answer to CONNECT; what comes is kept.
    Undecided,
    /// So much more of a body.
    Exact(u64),
    /// Chunks.
    Chunked(chunked::Decoder),
    /// A body that the connection's end ends.
    Close,
    /// A tunnel's bytes.
    Tunnel,
    /// Nothing: the message is complete.
    Done,
}

impl From<Length> for Rx {
    fn from(length: Length) -> Self {
        match length {
            Length::Empty => Self::Done,
            Length::Exact(left) => Self::Exact(left),
            Length::Chunked => Self::Chunked(chunked::Decoder::new()),
            Length::Close => Self::Close,
        }
    }
}

/// How this side's direction is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tx {
    /// Server: the final head is not yet said.
    Head,
    /// So much more.
    Exact(u64),
    /// Chunks.
    Chunked,
    /// Until the connection ends.
    Close,
    /// The message may have no body: what is sent of one is dropped.
    Drop,
    /// A tunnel's bytes.
    Tunnel,
    /// Complete.
    Done,
}

impl Tx {
    /// Whether part of a message's body is still to come.
    pub(super) const fn is_body(self) -> bool {
        matches!(self, Self::Exact(_) | Self::Chunked | Self::Close | Self::Drop)
    }

    /// Whether this side may still send part of a body or tunnel.
    pub(super) const fn is_open(self) -> bool {
        !matches!(self, Self::Head | Self::Done)
    }
}

/// What the method means for framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Head,
    Connect,
    Other,
}

impl Verb {
    pub(super) fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// Something to send that has to wait.
#[derive(Debug)]
pub(super) enum Frame {
    Data(Bytes, bool),
    Trailers(HeaderMap),
}

/// One request and its response.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: StreamId,
    pub(super) rx: Rx,
    pub(super) tx: Tx,
    pub(super) verb: Verb,
    /// The request is HTTP/1.0.
    pub(super) old: bool,
    /// The protocols that the request asks to change to.
    pub(super) upgrade: Option<HeaderValue>,
    /// `Expect: 100-continue` is not settled. Client: the body waits for 100. Server: 100 was
    /// not sent and no part of the body came.
    pub(super) expecting: bool,
    /// Client: what was sent waits in `held` for a 100, 101 or 2xx.
    pub(super) holding: bool,
    pub(super) held: VecDeque<Frame>,
    /// A byte left through `transmit`.
    pub(super) sent: bool,
    /// A byte of the response came.
    pub(super) answered: bool,
    /// `Capacity` is due when all is transmitted.
    pub(super) owed: bool,
    /// Interim responses so far.
    pub(super) informational: u32,
    /// Bytes delivered and not yet allowed on.
    pub(super) delivered: usize,
    /// Bytes of body or tunnel that came.
    pub(super) received: u64,
    /// Server: what of the request nobody read, after the response was complete.
    pub(super) discarded: u64,
}

impl Exchange {
    pub(super) const fn new(id: StreamId, verb: Verb, rx: Rx, tx: Tx) -> Self {
        Self {
            id,
            rx,
            tx,
            verb,
            old: false,
            upgrade: None,
            expecting: false,
            holding: false,
            held: VecDeque::new(),
            sent: false,
            answered: false,
            owed: false,
            informational: 0,
            delivered: 0,
            received: 0,
            discarded: 0,
        }
    }

    /// This side is complete and no tunnel.
    pub(super) const fn drops_input(&self) -> bool {
        matches!(self.tx, Tx::Done) && !matches!(self.rx, Rx::Tunnel)
    }
}
