//! What only a server does: accept streams, answer them.

use http::{Method, Response, StatusCode};
use quinn_proto::Dir;

use super::client::number;
use super::priority::Said;
use super::stream::{Behind, Due, Fault, Stream, ToSay};
use super::{H3, code, message};
use crate::downstream::Cut;
use crate::engine::head::expects_continue;
use crate::engine::{EarlyData, Event, Extended, Head};
use crate::id::StreamId;
use crate::time::Instant;

impl H3 {
    /// Takes the requests' streams that the client has begun.
    pub(super) fn accept_requests(
        &mut self,
        conn: &mut quinn_proto::Connection,
    ) -> Result<(), Fault> {
        if let Some(most) = self.grant.take() {
            conn.set_max_concurrent_streams(Dir::Bi, most.into());
        }
        while let Some(quic) = conn.streams().accept(Dir::Bi) {
            if !self.is_server {
                // RFC 9114 6.1: a server begins none.
                return Err(Fault::Connection(code::STREAM_CREATION_ERROR));
            }
            if self.go_away_sent.is_some_and(|from| number(quic) >= from) {
                let rejected = Some(code::REQUEST_REJECTED);
                self.aborts.push(super::Abort { stream: quic, reset: rejected, stop: rejected });
                self.decoder.cancel(number(quic));
                continue;
            }
            self.accepted = quic.index() + 1;
            self.abuse.begin();
            let mut stream = Stream::new(quic, ToSay::Head);
            self.take_early_priority(&mut stream);
            let id = self.streams.insert(stream);
            self.numbers.insert(quic, id);
            self.readable(id);
        }
        Ok(())
    }

    /// A request's head came.
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        id: StreamId,
        fields: &mut Vec<super::qpack::Field>,
    ) -> Result<(), Fault> {
        let (mut head, length) = message::request(fields).ok_or(Fault::MALFORMED)?;
        let length = length.known()?;
        let is_connect = *head.method() == Method::CONNECT;
        let config = &self.config;
        let path = head.uri().path_and_query().map_or(0, |path| path.as_str().len());
        if path > config.max_request_line as usize {
            self.refuse(id, Cut::TargetTooLong, StatusCode::URI_TOO_LONG);
            return Ok(());
        }
        if !is_connect && config.max_body_bytes.is_some_and(|most| length > Some(most)) {
            self.refuse(id, Cut::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE);
            return Ok(());
        }
        let owes_continue = expects_continue(head.headers());
        let expect_timeout = config.expect_timeout;
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        stream.due = if is_connect { Due::Tunnel } else { Due::Body };
        stream.length = length.filter(|_| !is_connect);
        stream.is_told = true;
        stream.is_head = *head.method() == Method::HEAD;
        stream.is_connect = is_connect;
        stream.owes_continue = owes_continue;
        stream.has_datagrams = head.extensions().get::<Extended>().is_some();
        if !stream.is_updated {
            stream.heed(Said::of(head.headers()));
        }
        if self.is_early {
            head.extensions_mut().insert(EarlyData);
        }
        let head = Head::Request(Box::new(head));
        stream.event = Some(Event::Head { stream: id, head, end: false });
        if owes_continue {
            self.clock.expect(now + expect_timeout, id);
        }
        self.requests = self.requests.saturating_add(1);
        if self.config.max_requests.is_some_and(|most| self.requests == most.get()) {
            self.cut(Cut::RequestLimit);
            self.drain();
        }
        Ok(())
    }

    /// Answers a request that the driver has not heard of, and reads no more of it.
    pub(super) fn refuse(&mut self, id: StreamId, cut: Cut, status: StatusCode) {
        self.cut(cut);
        self.answer_by_itself(id, status);
    }

    /// Answers with a head alone.
    pub(super) fn answer_by_itself(&mut self, id: StreamId, status: StatusCode) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        stream.to_say = ToSay::Body;
        self.say_fields(id, core::iter::once(message::status_line(&status)), Behind::Unknown);
        if let Some(stream) = self.streams.get_mut(id) {
            stream.finish();
        }
        self.stop(id, code::NO_ERROR);
        self.enlist(id);
    }

    /// Sends a head.
    pub(super) fn respond_on(
        &mut self,
        now: Instant,
        id: StreamId,
        head: &Response<()>,
        end: bool,
        behind: Behind,
    ) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.to_say != ToSay::Head || !self.is_server {
            return;
        }
        let status = head.status();
        match status {
            // RFC 9114 4.5: there is no upgrade in HTTP/3.
            StatusCode::SWITCHING_PROTOCOLS => return self.reset(now, id),
            StatusCode::CONTINUE => {
                stream.owes_continue = true;
                return self.go_on(id);
            }
            _ => {}
        }
        let fields = message::clean(head.headers());
        let lines =
            || core::iter::once(message::status_line(&status)).chain(message::lines(&fields));
        if message::size(lines()) > self.peer.unwrap_or_default().max_field_section {
            return self.reset(now, id);
        }
        if !status.is_informational() {
            stream.to_say = ToSay::Body;
            stream.owes_continue = false;
            stream.heed(Said::of(head.headers()));
            stream.is_head = !stream.is_connect && !stream.has_content(status);
        }
        self.say_fields(id, lines(), behind);
        if end
            && !status.is_informational()
            && let Some(stream) = self.streams.get_mut(id)
        {
            stream.finish();
        }
        self.enlist(id);
    }

    /// Sends 100 (Continue) if it is owed.
    pub(super) fn go_on(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        if stream.to_say == ToSay::Head && core::mem::take(&mut stream.owes_continue) {
            let status = StatusCode::CONTINUE;
            self.say_fields(id, core::iter::once(message::status_line(&status)), Behind::Unknown);
            self.enlist(id);
        }
    }
}
