//! HTTP/1.
use bytes::Bytes;
use http::{HeaderMap, Request, Response};

use super::{Config, Event, OpenError, Output, Shutdown};
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::{Cause, Limit};

/// One HTTP/1 connection.
#[derive(Debug)]
pub struct H1 {}

#[allow(missing_docs, clippy::unused_self)]
impl H1 {
    pub fn client(_config: &Config, _now: Instant) -> Self {
        Self {}
    }
    pub fn server(_config: &Config, _now: Instant) -> Self {
        Self {}
    }
    pub fn open(
        &mut self,
        _now: Instant,
        _head: &Request<()>,
        _end: bool,
    ) -> Result<StreamId, OpenError> {
        Err(OpenError::Refusing)
    }
    pub fn respond(&mut self, _now: Instant, _stream: StreamId, _head: &Response<()>, _end: bool) {}
    pub fn send(&mut self, _now: Instant, _stream: StreamId, _bytes: Bytes, _end: bool) {}
    pub fn trailers(&mut self, _now: Instant, _stream: StreamId, _trailers: HeaderMap) {}
    pub fn reset(&mut self, _now: Instant, _stream: StreamId) {}
    pub fn allow(&mut self, _now: Instant, _stream: StreamId, _n: usize) {}
    pub fn ping(&mut self, _now: Instant) {}
    pub fn shutdown(&mut self, _now: Instant, _how: Shutdown) {}
    pub fn limit(&self) -> Limit {
        Limit::Concurrent(1)
    }
    pub fn wants_input(&self) -> bool {
        true
    }
    pub fn receive(&mut self, _now: Instant, _input: &[u8]) {}
    pub fn body_room(&self) -> usize {
        0
    }
    pub fn receive_body(&mut self, _now: Instant, _bytes: Bytes) {}
    pub fn receive_end(&mut self, _now: Instant, _clean: bool, _cause: Cause) {}
    pub fn transmit(&mut self, _now: Instant, _out: &mut Output, _room: usize) {}
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
    pub fn handle_timeout(&mut self, _now: Instant) {}
}
