//! What of HTTP/3's streams is neither head nor body: datagrams, and how urgent they are.

use core::task::{Context, Poll};
use std::sync::Arc;

use http::Request;
use regatta_core::Instant;
use regatta_core::id::StreamId;

use super::http::Http;
use super::lane::{Lane, Place};
use super::lanes::Lanes;
use super::party::Party;
use crate::exchange::Exchange;
use crate::http_datagrams::HttpDatagrams;
use crate::mail::Packets;

/// Frames that go from one stream's queue in one turn; what follows has the next.
const TURN: usize = 256;

/// The queues of a stream that has datagrams.
pub(super) fn of<E: Http>(engine: &E, stream: StreamId) -> Option<Arc<Packets>> {
    let room = engine.datagram_room(stream)?;
    Some(Arc::new(Packets::new(room, engine.max_datagram(stream))))
}

/// Server: puts them where the request's exchange finds them.
pub(super) fn announce(packets: Option<&Arc<Packets>>, head: &mut Request<()>) {
    if let Some(packets) = packets {
        head.extensions_mut().insert(HttpDatagrams::new(Arc::clone(packets)));
    }
}

/// Server: its answer was whole at once, and no tunnel.
pub(super) fn end(packets: Option<&Arc<Packets>>) {
    if let Some(packets) = packets {
        packets.end();
    }
}

/// Tells the engine what the caller wants of this stream beside its body; whether there was
/// something.
pub(super) fn send<E: Http>(
    engine: &mut E,
    now: Instant,
    lane: &mut Lane,
    cx: &Context<'_>,
) -> bool {
    let wish = lane.new_wish();
    if let Some(wish) = wish {
        engine.prioritize(now, lane.stream, wish);
    }
    let mut progress = wish.is_some();
    let Some(packets) = &lane.packets else { return progress };
    for _ in 0..TURN {
        let Poll::Ready(payload) = packets.poll_out(cx) else { return progress };
        engine.send_datagram(now, lane.stream, payload);
        progress = true;
    }
    cx.waker().wake_by_ref();
    progress
}

impl<P: Party> Lanes<P> {
    /// Hands the datagrams that came to who waits for them.
    pub(super) fn deliver_packets<E: Http>(&mut self, engine: &mut E) {
        while let Some((stream, payload)) = engine.poll_datagram() {
            if let Some(packets) = self.lane(stream).and_then(|lane| lane.packets.as_ref()) {
                packets.deliver(payload);
            }
        }
    }

    /// The path carries other datagrams, which is so for every stream that has some.
    pub(super) fn on_path<E: Http>(&self, engine: &E) {
        for lane in self.places.iter().filter_map(Place::lane) {
            if let Some(packets) = &lane.packets {
                packets.set_longest(engine.max_datagram(lane.stream));
            }
        }
    }

    /// A caller wants its answer to be more or less urgent: its lane is looked at.
    pub(super) fn on_wish(&mut self, exchange: &Arc<Exchange>) {
        let Some(slot) = exchange.lane().map(StreamId::slot) else { return };
        let lane = self.places.get(slot).and_then(Place::lane);
        if lane.is_some_and(|lane| Arc::ptr_eq(&lane.exchange, exchange)) {
            self.moved.push(u32::try_from(slot).unwrap_or(u32::MAX));
        }
    }
}
