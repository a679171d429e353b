//! Who is to be polled next: every waker that h2 keeps pushes its stream on one list.
//!
//! All wakers fire inside the engine's own calls, so the locks here are never contended.

use core::mem;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use bytes::{Buf, Bytes};

use crate::id::StreamId;

/// The engine's ready list and the connection's own flag.
#[derive(Debug, Default)]
pub(super) struct Ready {
    connection: AtomicBool,
    streams: Mutex<Vec<StreamId>>,
}

impl Ready {
    /// Says that the connection wants to be polled.
    pub(super) fn wake_connection(&self) {
        self.connection.store(true, Ordering::Relaxed);
    }

    /// Whether the connection wants to be polled; asks no second time.
    pub(super) fn take_connection(&self) -> bool {
        self.connection.swap(false, Ordering::Relaxed)
    }

    /// Swaps the list of streams for the empty `other`.
    pub(super) fn swap_streams(&self, other: &mut Vec<StreamId>) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut *streams, other);
    }

    /// Whether nothing wants to be polled.
    pub(super) fn is_empty(&self) -> bool {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.is_empty() && !self.connection.load(Ordering::Relaxed)
    }

    fn push(&self, id: StreamId) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }
}

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.wake_connection();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_connection();
    }
}

/// What h2 wakes when something happened on one stream.
#[derive(Debug)]
pub(super) struct StreamWaker {
    id: StreamId,
    ready: Arc<Ready>,
    listed: AtomicBool,
    chunks: AtomicUsize,
    taken: AtomicUsize,
}

impl StreamWaker {
    /// Makes the waker of stream `id`.
    pub(super) fn new(id: StreamId, ready: Arc<Ready>) -> Self {
        let (chunks, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { id, ready, listed: AtomicBool::new(false), chunks, taken }
    }

    /// Lists the stream, once.
    pub(super) fn list(&self) {
        if !self.listed.swap(true, Ordering::Relaxed) {
            self.ready.push(self.id);
        }
    }

    /// The stream was taken off the list and may be listed again.
    pub(super) fn unlist(&self) {
        self.listed.store(false, Ordering::Relaxed);
    }

    /// How many chunks of this stream h2 still holds.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.load(Ordering::Relaxed)
    }

    /// How many bytes of this stream h2 has written, modulo the size of the number.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.list();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.list();
    }
}

/// Bytes in h2's hands. h2 drops a chunk when its last byte was written (or will never be), and
/// that is how the engine learns that the stream's frame has left.
#[derive(Debug)]
pub(super) struct Chunk {
    bytes: Bytes,
    owner: Arc<StreamWaker>,
}

impl Chunk {
    /// Hands `bytes` of `owner`'s stream over.
    pub(super) fn new(bytes: Bytes, owner: Arc<StreamWaker>) -> Self {
        owner.chunks.fetch_add(1, Ordering::Relaxed);
        Self { bytes, owner }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.owner.chunks.fetch_sub(1, Ordering::Relaxed);
        self.owner.list();
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }
    fn chunk(&self) -> &[u8] {
        &self.bytes
    }
    fn advance(&mut self, n: usize) {
        self.owner.taken.fetch_add(n, Ordering::Relaxed);
        self.bytes.advance(n);
    }
}
