//! HTTP datagrams (RFC 9297) in those of QUIC (RFC 9221): a stream's, and unreliable.
//!
//! Only streams of extended CONNECT have any. Queues are bounded in bytes both ways, and what is
//! oldest is lost first.

use core::fmt;
use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::client::{number, request_stream};
use super::stream::{Due, Fault};
use super::{H3, code};
use crate::engine::integer;
use crate::id::StreamId;
use crate::time::Instant;
use crate::types::ProtocolFault;

/// What each one that waits counts beside its own bytes.
const OVERHEAD: usize = 64;
/// The highest quarter of a stream's number (RFC 9297 2.1).
const MOST_QUARTER: u64 = (1 << 60) - 1;

/// Why a datagram was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatagramError {
    /// This side or the peer has not said that it understands datagrams, or not yet.
    Unsupported,
    /// The stream is gone, has said its last, or is not one of extended CONNECT.
    NoStream,
    /// It is longer than the path, the peer or the queue takes.
    TooLong,
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "datagrams were not agreed on",
            Self::NoStream => "the stream takes no datagrams",
            Self::TooLong => "the datagram is too long",
        })
    }
}

impl core::error::Error for DatagramError {}

/// Datagrams that wait, and whose they are. Each counts 64 bytes beside its own.
#[derive(Debug)]
pub struct DatagramQueue<T> {
    all: VecDeque<(T, Bytes)>,
    bytes: usize,
    lost: u64,
}

impl<T> Default for DatagramQueue<T> {
    fn default() -> Self {
        Self { all: VecDeque::new(), bytes: 0, lost: 0 }
    }
}

impl<T> DatagramQueue<T> {
    /// Puts one behind those that wait, of which all may have `most` bytes: the oldest are lost
    /// for it. Those that are lost come back, this one itself where it alone is too long.
    pub fn push(&mut self, most: usize, whose: T, payload: Bytes) -> Vec<(T, Bytes)> {
        let (cost, mut lost) = (payload.len() + OVERHEAD, Vec::new());
        if cost > most {
            lost.push((whose, payload));
        } else {
            while self.bytes + cost > most
                && let Some(oldest) = self.pop()
            {
                lost.push(oldest);
            }
            self.bytes += cost;
            self.all.push_back((whose, payload));
        }
        self.lost += lost.len() as u64;
        lost
    }

    /// The oldest.
    pub fn pop(&mut self) -> Option<(T, Bytes)> {
        let (whose, payload) = self.all.pop_front()?;
        self.bytes -= payload.len() + OVERHEAD;
        Some((whose, payload))
    }

    /// How many were lost so far because too much waited.
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

/// A connection's datagrams.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    came: DatagramQueue<StreamId>,
    out: DatagramQueue<StreamId>,
    /// How long QUIC's may be, as was last seen.
    longest: Option<usize>,
}

impl H3 {
    /// The longest datagram that goes out on a stream at the moment, in bytes; `None` where none
    /// does. It changes with the path.
    pub fn max_datagram(&self, stream: StreamId) -> Option<usize> {
        let (most, longest) = self.agreed()?;
        self.longest(most, longest, stream)
    }

    /// How many bytes of a stream's datagrams may wait in each direction; `None` where it has none:
    /// it is not one of extended CONNECT, or this side takes no datagrams.
    pub fn datagram_room(&self, stream: StreamId) -> Option<usize> {
        let has_datagrams = self.streams.get(stream)?.has_datagrams;
        self.config.h3_datagrams.filter(|_| has_datagrams).map(|most| most.get() as usize)
    }

    /// How long QUIC's datagrams may be, where both sides take some. When it changes,
    /// [`H3::max_datagram`] has changed for every stream.
    pub fn path_datagram(&self) -> Option<usize> {
        self.agreed().map(|(_, longest)| longest)
    }

    /// How many bytes may wait, and how long QUIC's may be, where both sides take datagrams.
    fn agreed(&self) -> Option<(usize, usize)> {
        let most = self
            .config
            .h3_datagrams
            .filter(|_| self.settings().is_some_and(|peer| peer.datagrams))?;
        Some((most.get() as usize, self.datagrams.longest?))
    }

    fn longest(&self, most: usize, longest: usize, stream: StreamId) -> Option<usize> {
        let found = self.streams.get(stream)?;
        let is_open = found.has_datagrams && !found.is_sent;
        let carried = longest.saturating_sub(quarter(number(found.quic)).len());
        is_open.then(|| carried.min(most.saturating_sub(OVERHEAD)))
    }

    /// Sends a datagram of a stream, which may be lost; what waited longest is, where too much
    /// waits.
    pub fn send_datagram(
        &mut self,
        _now: Instant,
        stream: StreamId,
        payload: Bytes,
    ) -> Result<(), DatagramError> {
        let (most, longest) = self.agreed().ok_or(DatagramError::Unsupported)?;
        let longest = self.longest(most, longest, stream).ok_or(DatagramError::NoStream)?;
        if payload.len() > longest {
            return Err(DatagramError::TooLong);
        }
        let _lost = self.datagrams.out.push(most, stream, payload);
        self.is_stirred = true;
        Ok(())
    }

    /// The oldest datagram that came and was not taken, and its stream, which may be gone.
    pub fn poll_datagram(&mut self) -> Option<(StreamId, Bytes)> {
        self.datagrams.came.pop()
    }

    /// The transport has some; [`H3::pump`] takes them.
    pub const fn on_datagrams(&mut self) {
        self.is_stirred = true;
    }

    /// Gives the transport what waits, and takes what came.
    pub(super) fn pump_datagrams(
        &mut self,
        now: Instant,
        conn: &mut quinn_proto::Connection,
    ) -> Result<(), Fault> {
        let Some(most) = self.config.h3_datagrams else { return Ok(()) };
        self.datagrams.longest = conn.datagrams().max_size();
        while let Some((stream, payload)) = self.datagrams.out.pop() {
            let Some(found) = self.streams.get(stream) else { continue };
            let mut whole = quarter(number(found.quic));
            whole.extend_from_slice(&payload);
            // One that does not fit any more is lost.
            let _lost = conn.datagrams().send(whole.into(), true);
        }
        while let Some(datagram) = conn.datagrams().recv() {
            self.on_datagram(now, most.get() as usize, datagram)?;
        }
        Ok(())
    }

    fn on_datagram(&mut self, now: Instant, most: usize, mut bytes: Bytes) -> Result<(), Fault> {
        let mut rest = &bytes[..];
        let quarter = integer::take(&mut rest).filter(|quarter| *quarter <= MOST_QUARTER);
        let quarter = quarter.ok_or(Fault::Connection(code::DATAGRAM_ERROR))?;
        let front = bytes.len() - rest.len();
        // RFC 9297 2.1: its stream may have come to its end, or not have come.
        let Some(id) = self.numbers.get(request_stream(quarter)) else { return Ok(()) };
        let Some(stream) = self.streams.get(id) else { return Ok(()) };
        if stream.is_received || (self.is_server && stream.due == Due::Head) {
            return Ok(());
        }
        if !stream.has_datagrams {
            let fault = ProtocolFault::Stream(code::DATAGRAM_ERROR as u32);
            return self.on_fault(now, id, Fault::Stream(code::DATAGRAM_ERROR, fault));
        }
        bytes.advance(front);
        let _lost = self.datagrams.came.push(most, id, bytes);
        Ok(())
    }
}

/// What stands in front of a stream's datagrams.
fn quarter(stream: u64) -> Vec<u8> {
    let mut out = Vec::new();
    integer::put(&mut out, stream / 4);
    out
}
