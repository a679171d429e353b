//! What differs between the two ends of a connection, and what they hear.

use core::task::Context;
use std::sync::Arc;

use http::{Request, Response};
use regatta_core::Instant;
use regatta_core::downstream::Cut;
use regatta_core::engine::{Engine, Pace};
use regatta_core::id::StreamId;
use regatta_core::types::{Cause, Limit, Outcome, RetrySafe, Timing};

use super::letter::Letter;
use crate::answer::Whole;
use crate::body::Side;
use crate::exchange::{Exchange, Parcel};
use crate::hooks::Facts;
use crate::mail::Letters;
#[cfg(feature = "http3")]
use crate::timeline::TlsTrace;

/// What differs between the two ends of a connection.
pub(crate) trait Party: Send + Unpin + 'static {
    /// Which end it is.
    const SIDE: Side;

    /// A request arrived (server), which begins to be answered; `None` where nobody answers any.
    fn on_request(
        &mut self,
        _now: Instant,
        _stream: StreamId,
        _head: Box<Request<()>>,
        _end: bool,
    ) -> Option<Begun> {
        None
    }

    /// The peer changed its limit.
    fn on_limit(&mut self, limit: Limit);

    /// Client: the last word to a request's head before it is opened here.
    fn on_opening(&mut self, _: &mut Request<()>) {}

    /// Client: the final response's head came to this request.
    fn on_answered(&mut self, _: &Facts, _: Option<&Request<()>>, _: &Response<()>) {}

    /// The connection takes no new streams.
    fn on_go_away(&mut self);

    /// Client: the handshake is complete of a connection that takes early data, and it can carry
    /// requests.
    #[cfg(feature = "http3")]
    fn on_confirmed(&mut self, _limit: Limit, _tls: Option<TlsTrace>, _accepted: bool) {}

    /// Client: words for people about why that handshake failed.
    #[cfg(feature = "http3")]
    fn on_detail(&mut self, _detail: Arc<str>) {}

    /// Client: an ALTSVC frame came on the stream of this number.
    fn on_alternatives(&mut self, _stream: u32, _payload: &[u8]) {}

    /// The answer to a probe came.
    fn on_pong(&mut self);

    /// Client: the peer has stopped answering.
    #[cfg(feature = "http3")]
    fn on_mute(&mut self) {}

    /// The task used its budget of one wake up and yields.
    fn on_budget_spent(&mut self);

    /// Server: the connection is to take nothing new.
    fn on_shutdown(&mut self) {}

    /// Server: something was refused, cut or timed out.
    fn on_cut(&mut self, _: Cut) {}

    /// Server: how slowly the peer may take what it is sent.
    fn pace(&self) -> Option<Pace> {
        None
    }

    /// Client: new streams of HTTP/2 are granted little while all bodies together hold much.
    fn narrow(&mut self, _: &mut Engine) {}

    /// Server: so many bytes of bodies are held by the connection itself.
    fn hold(&mut self, _: usize) {}

    /// Server: whether more may be read where `unread` bytes were not taken by their readers; if
    /// not, the task is woken when it may.
    fn may_read(&mut self, _unread: usize, _: &Context<'_>) -> bool {
        true
    }

    /// HTTP/3: so many bytes of bodies are held by the engine, and at most so many by the
    /// transport. Returns how much more that may be.
    #[cfg(feature = "http3")]
    fn withhold(&mut self, unread: usize, withheld: usize) -> u64;

    /// A stream has ended.
    fn on_ended(&mut self, lane: Ended);

    /// The connection is gone.
    fn on_closed(&mut self, cause: Cause, left: Letters<Letter>);
}

/// How far the answer to a request has come.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It comes by the pipes of this exchange.
    Exchange(Arc<Exchange>),
    /// All of it is there.
    Whole(Whole),
}

/// What a party hears of a stream's end.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` where none was opened.
    pub(crate) stream: Option<StreamId>,
    pub(crate) parcel: Option<Parcel>,
    /// `None` where the answer was whole at once.
    pub(crate) exchange: Option<Arc<Exchange>>,
    /// Then so many bytes of body were in it.
    pub(crate) said: usize,
    pub(crate) outcome: Outcome,
    pub(crate) retry: RetrySafe,
    pub(crate) timing: Timing,
}
