//! One stream: h2's handles of both its halves, turned into events.

use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, StatusCode};

use super::heads;
use super::wake::{Chunk, Ready, StreamWaker};
use super::window::{Brought, Mark};
use crate::engine::{Event, Head};
use crate::id::StreamId;
use crate::types::ProtocolFault;

/// Bytes by which unread DATA frames of less than 256 bytes may fall short of that, per stream:
/// frames of 50 bytes fill the default window first, frames of one byte do not (A16).
const SMALL_DATA_DEBT: usize = 5 << 20;
const SMALL: usize = 256;

const TOO_LARGE: Verdict = Verdict::Refused(ProtocolFault::HeadTooLarge, Reason::ENHANCE_YOUR_CALM);

/// What comes from the peer.
#[derive(Debug)]
enum Incoming {
    /// Nothing does before the request was said.
    Unasked,
    /// A client waits for the final response.
    Head(ResponseFuture),
    /// The body, if `open`; afterwards kept because its bytes may still have to be allowed.
    Body { body: RecvStream, open: bool },
}

/// What goes to the peer.
#[derive(Debug)]
enum Outgoing {
    /// A client's request waits for the server's SETTINGS.
    Unsaid,
    /// A server has not sent the final head.
    Head(SendResponse<Chunk>),
    /// The body.
    Body(SendStream<Chunk>),
    /// All was given to h2; the handle hears of resets until it has left.
    Done(Option<SendStream<Chunk>>),
}

/// A piece of a body.
#[derive(Debug)]
pub(super) enum Piece {
    /// Bytes, and whether they are the last.
    Data(Bytes, bool),
    /// The trailer section.
    Trailers(HeaderMap),
}

/// What a poll found.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The stream goes on.
    Open,
    /// Both halves are complete.
    Complete,
    /// h2 reports an error.
    Failed(h2::Error),
    /// The peer, or h2, has reset it while this side was sending.
    Reset(Reason),
    /// A request's body is longer than the limit.
    TooLarge,
    /// The peer went over a limit or broke a rule that h2 does not know.
    Refused(ProtocolFault, Reason),
}

/// Limits on a response that its stream has to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most interim responses.
    pub(super) informational: u32,
    /// Most fields of a head or trailer section.
    pub(super) fields: usize,
    /// The most that those of a response may hold, in bytes (RFC 9113 6.5.2).
    pub(super) head: usize,
    /// Longest body of a request.
    pub(super) body: Option<u64>,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// The protocol's own number.
    pub(super) number: u32,
    /// Whether any part of a response has come.
    pub(super) answered: bool,
    /// A client's: its head or trailers are larger than the limit on the wire already.
    pub(super) is_large: bool,
    /// The response, or the request that a server got, has no body whatever is sent.
    pub(super) is_head: bool,
    /// The request was CONNECT.
    pub(super) is_connect: bool,
    /// Pieces that wait for 100 (Continue), or for 2xx to CONNECT, if they do.
    held: Option<Vec<Piece>>,
    /// A server owes 100 (Continue).
    owes_continue: bool,
    /// Whether the clock looks at what is left to be sent.
    pub(super) is_timed: bool,
    id: StreamId,
    is_client: bool,
    limits: Limits,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Whether the driver waits for [`Event::Capacity`].
    owes_capacity: bool,
    informational: u32,
    unallowed: usize,
    /// Bytes of body that came.
    received: u64,
    small_debt: usize,
    mark: Mark,
    wakes: Arc<StreamWaker>,
    waker: Waker,
}

impl Stream {
    /// A request that was just sent.
    pub(super) fn client(
        id: StreamId,
        ready: &Arc<Ready>,
        limits: Limits,
        response: ResponseFuture,
        send: SendStream<Chunk>,
        end: bool,
    ) -> Self {
        let number = response.stream_id().as_u32();
        let outgoing = if end { Outgoing::Done(Some(send)) } else { Outgoing::Body(send) };
        let stream = Self::new(id, ready, limits, number, Incoming::Head(response), outgoing);
        stream.list();
        stream
    }

    /// A request that may only be sent once the server has said how it takes it.
    pub(super) fn unsaid(id: StreamId, ready: &Arc<Ready>, limits: Limits) -> Self {
        Self::new(id, ready, limits, 0, Incoming::Unasked, Outgoing::Unsaid)
    }

    /// That request was sent.
    pub(super) fn said(&mut self, response: ResponseFuture, send: SendStream<Chunk>) {
        self.number = response.stream_id().as_u32();
        (self.incoming, self.outgoing) = (Incoming::Head(response), Outgoing::Body(send));
        self.list();
    }

    /// Whether its request waits to be sent.
    pub(super) const fn is_unsaid(&self) -> bool {
        matches!(self.outgoing, Outgoing::Unsaid)
    }

    /// A request that has just come; [`Stream::list`] follows.
    pub(super) fn server(
        id: StreamId,
        ready: &Arc<Ready>,
        limits: Limits,
        body: RecvStream,
        respond: SendResponse<Chunk>,
    ) -> Self {
        let number = respond.stream_id().as_u32();
        let open = !body.is_end_stream();
        let incoming = Incoming::Body { body, open };
        Self::new(id, ready, limits, number, incoming, Outgoing::Head(respond))
    }

    fn new(
        id: StreamId,
        ready: &Arc<Ready>,
        limits: Limits,
        number: u32,
        incoming: Incoming,
        outgoing: Outgoing,
    ) -> Self {
        let wakes = Arc::new(StreamWaker::new(id, Arc::clone(ready)));
        let waker = Waker::from(Arc::clone(&wakes));
        Self {
            number,
            answered: false,
            is_large: false,
            is_head: false,
            is_connect: false,
            held: None,
            owes_continue: false,
            is_timed: false,
            id,
            is_client: matches!(incoming, Incoming::Unasked | Incoming::Head(_)),
            limits,
            incoming,
            outgoing,
            owes_capacity: false,
            informational: 0,
            unallowed: 0,
            received: 0,
            small_debt: 0,
            mark: Mark::default(),
            wakes,
            waker,
        }
    }

    /// It is polled next.
    pub(super) fn list(&self) {
        self.wakes.list();
    }

    /// Polls both halves until h2 has nothing more for them. What comes counts for `round`.
    pub(super) fn poll(&mut self, events: &mut VecDeque<Event>, round: u32) -> Verdict {
        self.wakes.unlist();
        self.mark.set(round, self.received, self.received - self.unallowed as u64);
        let waker = self.waker.clone();
        let mut cx = Context::from_waker(&waker);
        loop {
            let step = match &mut self.incoming {
                Incoming::Head(_) => self.poll_head(&mut cx, events),
                Incoming::Body { open: true, .. } => self.poll_body(&mut cx, events),
                Incoming::Unasked | Incoming::Body { open: false, .. } => break,
            };
            match step {
                Poll::Ready(Verdict::Open) => {}
                Poll::Ready(verdict) => return verdict,
                Poll::Pending => break,
            }
        }
        self.poll_outgoing(&mut cx, events)
    }

    fn poll_head(&mut self, cx: &mut Context<'_>, events: &mut VecDeque<Event>) -> Poll<Verdict> {
        let Incoming::Head(response) = &mut self.incoming else {
            return Poll::Pending;
        };
        match response.poll_informational(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Verdict::Failed(error)),
            Poll::Ready(Some(Ok(head))) => {
                self.answered = true;
                return Poll::Ready(self.on_informational(head, events));
            }
            Poll::Ready(None) => {}
        }
        let head = match core::pin::Pin::new(response).poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Verdict::Failed(error)),
            Poll::Ready(Ok(head)) => head,
        };
        self.answered = true;
        let (parts, body) = head.into_parts();
        let end = body.is_end_stream();
        self.incoming = Incoming::Body { body, open: !end };
        if self.is_too_large(&parts.headers, true) {
            return Poll::Ready(TOO_LARGE);
        }
        let is_success = parts.status.is_success();
        let head = Head::Response(Box::new(http::Response::from_parts(parts, ())));
        events.push_back(Event::Head { stream: self.id, head, end });
        if self.is_connect && !is_success {
            // No tunnel: what was meant for it goes nowhere, and nothing follows.
            self.held = None;
            self.send(Piece::Data(Bytes::new(), true));
        } else if !end {
            self.release();
        } else if self.held.is_some() {
            // The answer is complete without the body: the server does not want it.
            self.held = None;
            if let Outgoing::Body(send) = &mut self.outgoing {
                send.send_reset(Reason::CANCEL);
            }
            return Poll::Ready(Verdict::Complete);
        }
        Poll::Ready(Verdict::Open)
    }

    /// Whether a head or trailers are larger than the limit. Of a server's, h2 has seen to the
    /// size.
    fn is_too_large(&self, fields: &HeaderMap, has_status: bool) -> bool {
        let is_long = || heads::size(fields, has_status) > self.limits.head;
        fields.len() > self.limits.fields || (self.is_client && is_long())
    }

    fn on_informational(
        &mut self,
        head: http::Response<()>,
        events: &mut VecDeque<Event>,
    ) -> Verdict {
        self.informational += 1;
        if self.informational > self.limits.informational {
            return Verdict::Refused(ProtocolFault::Excessive, Reason::ENHANCE_YOUR_CALM);
        }
        if self.is_too_large(head.headers(), true) {
            return TOO_LARGE;
        }
        match head.status() {
            StatusCode::CONTINUE if self.is_connect => {}
            StatusCode::CONTINUE => self.release(),
            // RFC 9113 8.6: there is no upgrade in HTTP/2.
            StatusCode::SWITCHING_PROTOCOLS => {
                return Verdict::Refused(ProtocolFault::Upgrade, Reason::PROTOCOL_ERROR);
            }
            _ => events.push_back(Event::Informational { stream: self.id, head: Box::new(head) }),
        }
        Verdict::Open
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, events: &mut VecDeque<Event>) -> Poll<Verdict> {
        let Incoming::Body { body, open } = &mut self.incoming else {
            return Poll::Pending;
        };
        let stream = self.id;
        match body.poll_data(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Verdict::Failed(error)),
            Poll::Ready(Some(Ok(bytes))) => {
                let end = body.is_end_stream();
                *open = !end;
                // A body that comes by itself needs no 100 (RFC 9110 10.1.1).
                self.owes_continue = false;
                self.unallowed += bytes.len();
                self.received += bytes.len() as u64;
                if !self.is_connect && self.limits.body.is_some_and(|most| self.received > most) {
                    return Poll::Ready(Verdict::TooLarge);
                }
                self.small_debt += SMALL.saturating_sub(bytes.len());
                if !bytes.is_empty() || end {
                    events.push_back(Event::Data { stream, bytes, end });
                }
                if self.small_debt > SMALL_DATA_DEBT {
                    let fault = ProtocolFault::Excessive;
                    return Poll::Ready(Verdict::Refused(fault, Reason::ENHANCE_YOUR_CALM));
                }
                return Poll::Ready(Verdict::Open);
            }
            Poll::Ready(None) => {}
        }
        match body.poll_trailers(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Verdict::Failed(error)),
            Poll::Ready(Ok(trailers)) => {
                *open = false;
                events.push_back(match trailers {
                    // Of trailers that are far too large h2 leaves some out.
                    Some(fields) if self.is_large || self.is_too_large(&fields, false) => {
                        return Poll::Ready(TOO_LARGE);
                    }
                    Some(trailers) => Event::Trailers { stream, trailers: Box::new(trailers) },
                    None => Event::Data { stream, bytes: Bytes::new(), end: true },
                });
                Poll::Ready(Verdict::Open)
            }
        }
    }

    fn poll_outgoing(&mut self, cx: &mut Context<'_>, events: &mut VecDeque<Event>) -> Verdict {
        let received = matches!(self.incoming, Incoming::Body { open: false, .. });
        let is_empty = self.wakes.chunks() == 0;
        let reset = match &mut self.outgoing {
            Outgoing::Unsaid => Poll::Pending,
            Outgoing::Head(respond) => respond.poll_reset(cx),
            Outgoing::Body(send) => send.poll_reset(cx),
            Outgoing::Done(_) if is_empty && received => return Verdict::Complete,
            Outgoing::Done(Some(send)) if !is_empty => send.poll_reset(cx),
            Outgoing::Done(_) => Poll::Pending,
        };
        match reset {
            // The response is complete: what becomes of the rest of the request is no loss.
            Poll::Ready(_) if received && self.is_client => return Verdict::Complete,
            Poll::Ready(Ok(reason)) => return Verdict::Reset(reason),
            Poll::Ready(Err(error)) => return Verdict::Failed(error),
            Poll::Pending => {}
        }
        if self.owes_capacity && is_empty && matches!(self.outgoing, Outgoing::Body(_)) {
            self.owes_capacity = false;
            events.push_back(Event::Capacity { stream: self.id });
        }
        Verdict::Open
    }

    /// Holds the body back until 100 (Continue) comes or [`Stream::release`] is called.
    pub(super) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// A client's CONNECT: the tunnel's bytes wait for 2xx.
    pub(super) fn connect(&mut self) {
        self.is_connect = true;
        self.hold();
    }

    /// A server's client waits for 100 (Continue): [`Stream::go_on`] sends it.
    pub(super) const fn owe_continue(&mut self) {
        self.owes_continue = true;
    }

    /// Sends 100 (Continue) if it is owed.
    pub(super) fn go_on(&mut self) {
        if let Outgoing::Head(respond) = &mut self.outgoing
            && core::mem::take(&mut self.owes_continue)
        {
            let mut response = http::Response::new(());
            *response.status_mut() = StatusCode::CONTINUE;
            let _failed = respond.send_informational(response);
        }
    }

    /// `Expect` was waited for long enough, on either side.
    pub(super) fn wait_no_longer(&mut self) {
        self.go_on();
        if !self.is_connect {
            self.release();
        }
    }

    /// Sends what was held.
    fn release(&mut self) {
        for piece in self.held.take().unwrap_or_default() {
            self.send(piece);
        }
    }

    /// A server's side of the stream, if the final head was not sent.
    pub(super) const fn respond(&mut self) -> Option<&mut SendResponse<Chunk>> {
        match &mut self.outgoing {
            Outgoing::Head(respond) => Some(respond),
            _ => None,
        }
    }

    /// The final head was sent: a body may follow unless `end`.
    pub(super) fn responded(&mut self, send: SendStream<Chunk>, end: bool) {
        self.outgoing = if end { Outgoing::Done(Some(send)) } else { Outgoing::Body(send) };
        self.wakes.list();
    }

    /// Sends a piece of the body, or ignores it where none is due.
    pub(super) fn send(&mut self, piece: Piece) {
        if let Some(held) = &mut self.held {
            return held.push(piece);
        }
        let Outgoing::Body(send) = &mut self.outgoing else {
            return;
        };
        // h2 says no only when the stream has failed, which its poll reports.
        let end = match piece {
            Piece::Data(bytes, end) => {
                let bytes = if self.is_head { Bytes::new() } else { bytes };
                if end || !bytes.is_empty() {
                    let _failed = send.send_data(Chunk::new(bytes, Arc::clone(&self.wakes)), end);
                }
                end
            }
            Piece::Trailers(trailers) if trailers.is_empty() || self.is_head => {
                let chunk = Chunk::new(Bytes::new(), Arc::clone(&self.wakes));
                let _failed = send.send_data(chunk, true);
                true
            }
            Piece::Trailers(trailers) => {
                let _failed = send.send_trailers(trailers);
                true
            }
        };
        self.owes_capacity = !end;
        if end {
            self.finish_sending();
        }
        self.wakes.list();
    }

    fn finish_sending(&mut self) {
        let outgoing = core::mem::replace(&mut self.outgoing, Outgoing::Done(None));
        if let Outgoing::Body(send) = outgoing {
            self.outgoing = Outgoing::Done(Some(send));
        }
    }

    /// How much the stream has brought in `round`.
    pub(super) fn brought(&self, round: u32) -> Brought {
        self.mark.since(round, self.received, self.received - self.unallowed as u64)
    }

    /// Gives the window `n` bytes back.
    pub(super) fn allow(&mut self, n: usize) {
        self.go_on();
        let n = n.min(self.unallowed);
        if n == 0 {
            return;
        }
        let left = self.unallowed - n;
        // The debt of the frames that were read goes with them, on average.
        let debt = self.small_debt as u128 * left as u128 / self.unallowed as u128;
        self.small_debt = usize::try_from(debt).unwrap_or(usize::MAX);
        self.unallowed = left;
        if let Incoming::Body { body, .. } = &mut self.incoming {
            let _never_too_much = body.flow_control().release_capacity(n);
        }
    }

    /// Lets h2 look again whether a WINDOW_UPDATE is due.
    pub(super) fn refresh_window(&mut self) {
        if let Incoming::Body { body, open: true } = &mut self.incoming {
            let _nothing_released = body.flow_control().release_capacity(0);
        }
    }

    /// Whether a client has the whole answer while part of the request is still to be sent.
    pub(super) const fn lingers(&self) -> bool {
        let received = matches!(self.incoming, Incoming::Body { open: false, .. });
        // The halves of a tunnel end by themselves.
        self.is_client && received && !self.is_connect
    }

    /// Whether a server waits for the peer: for more of the body, or to take what it was sent.
    pub(super) fn waits(&self) -> bool {
        !self.is_client && !self.is_connect && (self.awaits_body() || self.wakes.chunks() > 0)
    }

    /// Whether more of a body is due, though nothing of it waits to be read here.
    pub(super) const fn awaits_body(&self) -> bool {
        matches!(self.incoming, Incoming::Body { open: true, .. })
            && self.unallowed == 0
            && !self.owes_continue
    }

    /// How many bytes of body are delivered and not yet allowed on.
    pub(super) const fn unallowed(&self) -> usize {
        self.unallowed
    }

    /// How many bytes of body came.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// Whether bytes wait to be taken by the peer, and how many it has taken.
    pub(super) fn outstanding(&self) -> (bool, usize) {
        (self.wakes.chunks() > 0, self.wakes.taken())
    }

    /// Whether all that this side had to say has left.
    pub(super) fn has_sent_all(&self) -> bool {
        matches!(self.outgoing, Outgoing::Done(_)) && self.wakes.chunks() == 0
    }

    /// Resets the stream at the peer.
    pub(super) fn reset(&mut self, reason: Reason) {
        match &mut self.outgoing {
            Outgoing::Head(respond) => respond.send_reset(reason),
            Outgoing::Body(send) | Outgoing::Done(Some(send)) => send.send_reset(reason),
            Outgoing::Unsaid | Outgoing::Done(None) => {}
        }
    }
}
