//! What only a server does: accept streams, answer them, change its own stream limit.

use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};

use super::frame::{code, encode, kind};
use super::stream::Stream;
use super::wake::Chunk;
use super::{Connection, H2, head};
use crate::downstream::Cut;
use crate::engine::{Event, Head};
use crate::id::StreamId;
use crate::time::{Duration, Instant};

/// How many streams that this side has reset h2 remembers.
const RESETS_KEPT: usize = 1_000;
/// A server that has reset so many drains its connection, before any is forgotten.
pub(super) const RESETS_MOST: u32 = 900;
/// SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113 6.5.2).
const MAX_CONCURRENT_STREAMS: u16 = 3;

impl H2 {
    pub(super) fn start_server(&mut self, now: Instant) {
        let config = &self.config;
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(config.stream_window)
            .initial_connection_window_size(config.connection_window)
            .max_frame_size(config.max_frame_size.clamp(16 << 10, (1 << 24) - 1))
            .max_header_list_size(config.max_head_bytes)
            .max_concurrent_streams(config.max_concurrent_streams.get())
            .enable_connect_protocol()
            .max_concurrent_reset_streams(RESETS_KEPT)
            .reset_stream_duration(Duration::MAX)
            .max_pending_accept_reset_streams(usize::MAX)
            .max_local_error_reset_streams(None)
            .data_frame_budget(usize::MAX);
        self.connection = Connection::Handshake(Box::new(builder.handshake(self.io.clone())));
        self.ready.wake_connection();
        self.pump(now);
    }

    /// Changes how many streams the client may have at a time, down to 0 and back up to
    /// [`Config::max_concurrent_streams`](crate::engine::Config::max_concurrent_streams), which
    /// is the most that h2 lets through. Streams that are open go on. Those beyond the limit that
    /// come after the client's ACK are refused, and may go again.
    pub fn set_max_concurrent_streams(&mut self, now: Instant, most: u32) {
        if !matches!(self.connection, Connection::Server(_)) {
            return;
        }
        let most = most.min(self.ceiling);
        let [a, b] = MAX_CONCURRENT_STREAMS.to_be_bytes();
        let [c, d, e, f] = most.to_be_bytes();
        let mut wire = self.io.wire();
        wire.tap.set_now(now);
        wire.tap.expect_own_settings(most);
        wire.inject(&encode(kind::SETTINGS, 0, 0, &[a, b, c, d, e, f]));
    }

    /// A request came.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        request: Request<h2::RecvStream>,
        mut respond: h2::server::SendResponse<Chunk>,
    ) {
        let number = respond.stream_id().as_u32();
        if let Some(limit) = self.io.wire().tap.take_acked_limit(number) {
            self.limit = limit;
        }
        if self.limit < self.ceiling && self.streams.len() >= self.limit as usize {
            // What has ended is to be known first.
            self.poll_listed(now);
            if self.streams.len() >= self.limit as usize {
                self.refused = self.refused.saturating_add(1);
                return respond.send_reset(h2::Reason::REFUSED_STREAM);
            }
        }
        self.accepted = self.accepted.max(number);
        self.io.wire().tap.told(number);
        let (parts, body) = request.into_parts();
        // It is long: made where it stays.
        let mut request = Box::new(Request::from_parts(parts, ()));
        if let Some((cut, status)) = self.refusal(&request) {
            self.cut(cut);
            let mut response = Response::new(());
            *response.status_mut() = status;
            let _refused = respond.send_response(response, true);
            return;
        }
        if !head::complete(&mut request) {
            self.cut(Cut::Malformed);
            return respond.send_reset(h2::Reason::PROTOCOL_ERROR);
        }
        self.count_request(now);
        let end = body.is_end_stream();
        let owes_continue = !end && head::expects_continue(request.headers());
        let limits = self.limits();
        let ready = &self.ready;
        let is_head = *request.method() == Method::HEAD;
        let is_connect = *request.method() == Method::CONNECT;
        let stream = self.streams.insert_with(|id| {
            let mut stream = Stream::server(id, ready, limits, body, respond);
            stream.is_head = is_head;
            stream.is_connect = is_connect;
            if owes_continue {
                stream.owe_continue();
            }
            if !end {
                stream.list();
            }
            stream
        });
        if end {
            self.fresh.push(stream);
        }
        if owes_continue {
            self.clock.expect(now, stream);
        }
        self.clock.busy(now);
        self.events.push_back(Event::Head { stream, head: Head::Request(request), end });
    }

    /// Why a request is answered here, without the service.
    fn refusal(&self, request: &Request<()>) -> Option<(Cut, StatusCode)> {
        let config = &self.config;
        let target = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
        let length = request.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if request.headers().len() > config.max_head_fields as usize {
            Some((Cut::HeadTooLarge, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE))
        } else if target > config.max_request_line as usize {
            Some((Cut::TargetTooLong, StatusCode::URI_TOO_LONG))
        } else if config.max_body_bytes.is_some_and(|most| length > Some(most)) {
            Some((Cut::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE))
        } else {
            None
        }
    }

    /// One more request; the last one drains the connection.
    fn count_request(&mut self, now: Instant) {
        self.requests = self.requests.saturating_add(1);
        if self.config.max_requests.is_some_and(|most| self.requests == most.get()) {
            self.cut(Cut::RequestLimit);
            self.drain(now);
        }
    }

    pub(super) fn respond_on(&mut self, now: Instant, id: StreamId, head: Response<()>, end: bool) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let Some(respond) = stream.respond() else {
            return;
        };
        let response = head::response(head);
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // RFC 9113 8.6: there is no upgrade in HTTP/2.
            return self.reset(now, id);
        }
        if status == StatusCode::CONTINUE {
            stream.owe_continue();
            return stream.go_on();
        }
        if status.is_informational() {
            let _failed = respond.send_informational(response);
            return;
        }
        // h2 says no only when the stream has failed, which its poll reports.
        if let Ok(send) = respond.send_response(response, end) {
            stream.is_head |= !stream.is_connect && head::has_no_content(status);
            stream.responded(send, end);
        }
    }

    /// Takes no new streams and lets the others end.
    pub(super) fn drain_server(&mut self, now: Instant) {
        match &mut self.connection {
            Connection::Server(connection) => {
                connection.graceful_shutdown();
                self.clock.draining(now);
                self.ready.wake_connection();
            }
            _ => self.fail(now, crate::types::Cause::ShutDown, Some(code::NO_ERROR)),
        }
    }
}
