//! What only a client does: open, hear responses, hold bodies back.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};

use super::exchange::{Exchange, Frame, Rx, Tx, Verb};
use super::framing::{self, Marks, Options};
use super::head::{self, Fault, Kind};
use super::{H1, Role, write};
use crate::engine::{Event, OpenError};
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, ProtocolFault};

/// At most so many bytes behind a head are copied together with it: who keeps a field of the head
/// keeps them too.
const SHORT_BODY: usize = 1 << 10;

const BAD_UPGRADE: Fault = Fault { rule: ProtocolFault::Upgrade, status: 400 };
const TOO_MANY: Fault = Fault { rule: ProtocolFault::Excessive, status: 400 };

impl H1 {
    /// Begins the exchange that `head` asks for.
    pub fn open(
        &mut self,
        now: Instant,
        head: &Request<()>,
        end: bool,
    ) -> Result<StreamId, OpenError> {
        if self.role == Role::Server || self.refusing || self.closed || self.received_all {
            return Err(OpenError::Refusing);
        }
        if self.exchange.is_some() {
            return Err(OpenError::NoCapacity);
        }
        let plan = write::Plan::of_request(head, end).ok_or(OpenError::Unsayable)?;
        if let Some(spare) = &mut self.spare {
            self.wire.borrow(spare);
        }
        write::request(&mut self.wire, head, &plan).ok_or(OpenError::Unsayable)?;
        let id = self.mint();
        let mut exchange = Exchange::new(id, Verb::of(head.method()), Rx::Head, plan.tx);
        if plan.upgrade {
            exchange.upgrade = head.headers().get(header::UPGRADE).cloned();
        }
        exchange.expecting = plan.tx.is_open() && expects(head.headers());
        exchange.holding = exchange.expecting || plan.tx == Tx::Tunnel;
        if exchange.expecting && plan.tx != Tx::Tunnel {
            self.deadline = Some(now + self.config.expect_timeout);
        }
        self.exchange = Some(exchange);
        if plan.close || (head.version() == Version::HTTP_10 && !plan.keep_alive) {
            self.end_after(Cause::ShutDown);
        }
        Ok(id)
    }

    /// Reads one response head, interim or final, and with it a short body that is whole; returns
    /// their length, 0 when the head is not whole.
    pub(super) fn read_response(&mut self, buf: &[u8]) -> Result<usize, Fault> {
        match &mut self.exchange {
            Some(exchange) if exchange.sent => exchange.answered = true,
            _ => return Err(super::UNSOLICITED),
        }
        let Some((length, lines)) = self.read_head(buf, Kind::Response)? else {
            return Ok(0);
        };
        let (head, rest) = buf.split_at(length.min(buf.len()));
        let mut raw = Bytes::copy_from_slice(if rest.len() > SHORT_BODY { head } else { buf });
        let body = raw.split_off(head.len());
        let response = head::parse_response(&raw, lines)?;
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            self.on_switched(response)?;
        } else if status.is_informational() {
            self.on_interim(response)?;
        } else {
            self.on_final(response)?;
        }
        Ok(length + self.take_along(body))
    }

    /// Takes a body of known length that is whole in what was copied together with its head.
    fn take_along(&mut self, mut body: Bytes) -> usize {
        let Some(Exchange { rx: Rx::Exact(left), .. }) = &self.exchange else {
            return 0;
        };
        match usize::try_from(*left) {
            Ok(length) if length <= body.len() => {
                self.take_data(body.split_to(length));
                length
            }
            _ => 0,
        }
    }

    fn on_interim(&mut self, response: Response<()>) -> Result<(), Fault> {
        let most = self.config.max_informational;
        let Some(exchange) = &mut self.exchange else {
            return Ok(());
        };
        exchange.informational += 1;
        if exchange.informational > most {
            return Err(TOO_MANY);
        }
        if response.status() == StatusCode::CONTINUE {
            self.deadline = None;
            self.release();
        } else {
            let stream = exchange.id;
            self.events.push_back(Event::Informational { stream, head: Box::new(response) });
        }
        Ok(())
    }

    fn on_switched(&mut self, response: Response<()>) -> Result<(), Fault> {
        let Some(exchange) = &mut self.exchange else {
            return Ok(());
        };
        let asked = exchange.upgrade.as_ref().is_some_and(|asked| grants(asked, &response));
        if !asked || !matches!(exchange.tx, Tx::Done | Tx::Tunnel) {
            return Err(BAD_UPGRADE);
        }
        self.begin_tunnel(response);
        Ok(())
    }

    fn begin_tunnel(&mut self, response: Response<()>) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        exchange.rx = Rx::Tunnel;
        // CONNECT that was opened with `end` has nothing to say; an upgraded request has.
        if exchange.upgrade.is_some() {
            exchange.tx = Tx::Tunnel;
        }
        let head = crate::engine::Head::Response(Box::new(response));
        self.events.push_back(Event::Head { stream: exchange.id, head, end: false });
        self.deadline = None;
        exchange.expecting = false;
        self.end_after(Cause::ShutDown);
        self.unhold();
    }

    fn on_final(&mut self, response: Response<()>) -> Result<(), Fault> {
        let Some(exchange) = &mut self.exchange else {
            return Ok(());
        };
        if exchange.verb == Verb::Connect && response.status().is_success() {
            self.begin_tunnel(response);
            return Ok(());
        }
        let (version, status, headers) =
            (response.version(), response.status(), response.headers());
        let marks = Marks::of(headers);
        let length =
            framing::of_response(version, status, headers, marks, exchange.verb == Verb::Head)?;
        let persists = Options::of(headers, marks).persists(version);
        exchange.rx = length.into();
        let end = matches!(exchange.rx, Rx::Done);
        let stream = exchange.id;
        if exchange.tx == Tx::Tunnel {
            // Declined: nothing of what was meant for the tunnel may be sent (H-5).
            exchange.held.clear();
            exchange.holding = false;
            exchange.tx = Tx::Done;
        }
        let unsent_body = exchange.holding;
        let by_close = matches!(exchange.rx, Rx::Close);
        let head = crate::engine::Head::Response(Box::new(response));
        self.events.push_back(Event::Head { stream, head, end });
        if !persists || by_close {
            self.end_after(Cause::GoAway(0));
        }
        if unsent_body {
            // H-7: the server may take a body for the next request, or not: never again.
            self.abandon_request();
        }
        Ok(())
    }

    /// The rest of the request is not sent, and the connection ends (RFC 9112 9.3).
    pub(super) fn abandon_request(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.held.clear();
            exchange.holding = false;
            exchange.expecting = false;
            exchange.tx = Tx::Done;
        }
        self.deadline = None;
        self.end_after(Cause::ShutDown);
    }

    /// 100 came, or was waited for long enough: the body goes.
    pub(super) fn release(&mut self) {
        if let Some(exchange) = &mut self.exchange
            && exchange.expecting
        {
            exchange.expecting = false;
            if exchange.tx != Tx::Tunnel {
                self.unhold();
            }
        }
    }

    fn unhold(&mut self) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        exchange.holding = false;
        let stream = exchange.id;
        for frame in core::mem::take(&mut exchange.held) {
            match frame {
                Frame::Data(bytes, end) => self.write_data(stream, bytes, end),
                Frame::Trailers(trailers) => self.write_trailers(stream, &trailers),
            }
        }
    }

    /// The transport ended. What that means depends on how far the response is.
    pub(super) fn client_end(&mut self, now: Instant, clean: bool, cause: Cause) {
        let cause = if clean { Cause::Closed } else { cause };
        let Some(exchange) = &mut self.exchange else {
            return self.close(cause);
        };
        match exchange.rx {
            Rx::Head if !exchange.answered => self.fail(cause),
            Rx::Close | Rx::Tunnel if clean => {
                self.finish_rx(None);
                self.settle(now);
            }
            Rx::Tunnel => self.fail(cause),
            Rx::Done => {
                // The response is there; what of the request is not written is not missed.
                self.wire.clear();
                self.end_after(cause);
                self.settle(now);
            }
            _ => self.fail(Cause::Incomplete),
        }
    }
}

fn expects(headers: &HeaderMap) -> bool {
    framing::elements(headers, header::EXPECT)
        .any(|expectation| expectation.eq_ignore_ascii_case(b"100-continue"))
}

/// Whether the response changes to protocols that were asked for (RFC 9110 7.8).
fn grants(asked: &HeaderValue, response: &Response<()>) -> bool {
    let mut granted = framing::elements(response.headers(), header::UPGRADE).peekable();
    granted.peek().is_some()
        && granted.all(|protocol| {
            let mut offers = asked.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            offers.any(|offer| offer.eq_ignore_ascii_case(protocol))
        })
}
