//! One direction of one stream: a bounded queue of frames between a caller and a connection
//! task. The lock is held only to move frames; wakes come at the marks, not per frame.

use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use regatta_core::types::BodyState;

use super::frames::Frames;
use super::{Account, lock, sync::Mutex};

/// So many frames wait before small ones are copied together, and what small is.
const MANY: usize = 64;
const SMALL: usize = 4 << 10;

/// Part of a body. After `Trailers` or an `end` nothing follows.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// An interim (1xx) or the final head of a response.
    Head(Box<Response<()>>),
    Data(Bytes),
    Trailers(Box<HeaderMap>),
    End,
}

impl Frame {
    fn size(&self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            Self::Head(_) | Self::Trailers(_) | Self::End => 0,
        }
    }
}

/// What a reader finds.
#[derive(Debug)]
pub(crate) enum Received<E> {
    Frame(Frame),
    /// The writer failed, or went away before the end.
    Failed(Option<E>),
    /// `End` or `Trailers` was taken before.
    Finished,
}

/// A bounded queue of frames with one reader and one writer.
#[derive(Debug)]
pub(crate) struct Pipe<E> {
    state: Mutex<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    frames: Frames,
    /// Bytes in `frames`.
    queued: usize,
    /// Bytes that were written, and how many of them nobody took.
    written: u64,
    dropped: u64,
    capacity: usize,
    /// Bytes taken by the reader since the writer last asked.
    taken: usize,
    /// What was taken and may be sent again; `None` once it was too much or is not wanted.
    kept: Option<Vec<Frame>>,
    kept_bytes: usize,
    /// How much may be kept.
    keep: usize,
    /// What all pipes hold together, and what this one holds of it.
    account: Option<Arc<Account>>,
    counted: usize,
    any_taken: bool,
    /// A server's response: nothing may be taken before its final head.
    headless: bool,
    interest: Interest,
    finished: Finished,
    failed: Option<Option<E>>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Who only wants to know that nobody reads any more.
    watcher: Option<Waker>,
}

/// Whether the writer is told that the reader has begun to wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interest {
    /// It does not matter.
    Untold,
    /// It is told when that happens.
    Awaited,
    /// It has happened and was not told yet.
    Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finished {
    No,
    /// The last frame is in the queue, or was taken.
    Written,
    /// The reader has taken it.
    Taken,
}

impl<E> Pipe<E> {
    /// A pipe that holds about `capacity` bytes and keeps up to `keep` taken bytes for a replay.
    pub(crate) fn new(capacity: usize, keep: usize) -> Self {
        Self {
            state: Mutex::new(State {
                frames: Frames::default(),
                queued: 0,
                written: 0,
                dropped: 0,
                capacity,
                taken: 0,
                kept: None,
                kept_bytes: 0,
                keep,
                account: None,
                counted: 0,
                any_taken: false,
                headless: false,
                interest: Interest::Untold,
                finished: Finished::No,
                failed: None,
                reader_gone: false,
                reader: None,
                writer: None,
                watcher: None,
            }),
        }
    }

    /// What is queued and kept counts in this account from now on.
    pub(crate) fn count_in(&self, account: &Arc<Account>) {
        let mut state = lock(&self.state);
        state.account = Some(Arc::clone(account));
        state.count();
    }

    /// Whether more may be taken in for its reader, as far as all pipes' memory goes.
    pub(crate) fn may_grow(&self) -> bool {
        lock(&self.state).may_grow()
    }

    /// Whether what comes for its reader is too much, as far as all pipes' memory goes.
    pub(crate) fn is_too_much(&self) -> bool {
        let state = lock(&self.state);
        let account = state.account.as_ref();
        account.is_some_and(|account| account.is_too_much(state.queued, state.capacity))
    }

    /// The final head comes first, whatever is written before it: a tunnel's first bytes may be
    /// quicker than the answer that makes it one.
    pub(crate) fn await_head(&self) {
        lock(&self.state).headless = true;
    }

    /// Ready when the writer may write: the queue has room (again, after it was full: half of
    /// it), or nobody reads any more (`Err`).
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        let mut state = lock(&self.state);
        if state.reader_gone {
            return Poll::Ready(Err(()));
        }
        if state.queued < state.capacity && state.may_grow() {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Adds a frame; with `last` the end behind it, in one hold and with one wake. Frames are
    /// dropped after the end, and when nobody reads any more: their bytes then count as taken,
    /// so that the peer is not held up. False when nobody reads.
    fn put(&self, frame: Frame, last: bool) -> bool {
        let mut copied = Vec::new();
        let (waker, dropped, read) = {
            let mut state = lock(&self.state);
            state.written += frame.size() as u64;
            if state.headless && matches!(frame, Frame::Head(_)) && !state.reader_gone {
                state.frames.insert_head(frame);
                if last && state.finished == Finished::No {
                    state.finished = Finished::Written;
                    state.frames.push_back(Frame::End);
                }
                (state.reader.take(), None, true)
            } else if state.reader_gone || state.finished != Finished::No || state.failed.is_some()
            {
                state.taken += frame.size();
                state.dropped += frame.size() as u64;
                (None, Some(frame), !state.reader_gone)
            } else {
                state.queued += frame.size();
                if last || matches!(frame, Frame::Trailers(_) | Frame::End) {
                    state.finished = Finished::Written;
                }
                state.frames.push_back(frame);
                copied = state.merge();
                if last {
                    state.frames.push_back(Frame::End);
                }
                state.count();
                (state.reader.take(), None, true)
            }
        };
        drop((dropped, copied));
        if let Some(waker) = waker {
            waker.wake();
        }
        read
    }

    /// Bytes that are queued, and kept for a replay.
    pub(crate) fn held(&self) -> usize {
        let state = lock(&self.state);
        state.queued + state.kept_bytes
    }

    /// Bytes that the reader has taken since the beginning, or since they were last put back.
    pub(crate) fn sent(&self) -> u64 {
        let state = lock(&self.state);
        state.written - state.dropped - state.queued as u64
    }

    /// Adds a frame. False when nobody reads any more.
    pub(crate) fn write(&self, frame: Frame) -> bool {
        self.put(frame, false)
    }

    /// Adds a frame and the end behind it. False when nobody reads any more.
    pub(crate) fn write_last(&self, frame: Frame) -> bool {
        self.put(frame, true)
    }

    /// Whether the end has come, whatever was read before it.
    pub(crate) fn is_whole(&self) -> bool {
        let state = lock(&self.state);
        state.finished != Finished::No && state.failed.is_none()
    }

    /// Takes the end if it is next, so that it can travel with what came before it.
    pub(crate) fn take_end(&self) -> bool {
        lock(&self.state).take_end()
    }

    /// The writer failed: the reader hears it behind the frames that are there. Harmless after
    /// the end.
    pub(crate) fn fail(&self, error: Option<E>) {
        let (waker, dropped) = {
            let mut state = lock(&self.state);
            let open = state.finished == Finished::No || state.headless;
            if open && state.failed.is_none() {
                state.failed = Some(error);
                (state.reader.take(), None)
            } else {
                (None, error)
            }
        };
        drop(dropped);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next frame, if one is there; else the task is remembered.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Received<E>> {
        self.poll_take(cx, |_| ()).map(|(received, ())| received)
    }

    /// As [`Pipe::poll_read`], and whether the end is behind it, which then is taken too: in one
    /// hold, as [`Pipe::take_end`] would do in another.
    pub(crate) fn poll_read_end(&self, cx: &mut Context<'_>) -> Poll<(Received<E>, bool)> {
        self.poll_take(cx, State::take_end)
    }

    fn poll_take<T>(
        &self,
        cx: &mut Context<'_>,
        more: impl FnOnce(&mut State<E>) -> T,
    ) -> Poll<(Received<E>, T)> {
        let (received, waker) = {
            let mut state = lock(&self.state);
            match state.take() {
                Some(received) => {
                    let waker = state.writer_to_wake();
                    (Poll::Ready((received, more(&mut state))), waker)
                }
                None => {
                    match &mut state.reader {
                        Some(waker) => waker.clone_from(cx.waker()),
                        none => *none = Some(cx.waker().clone()),
                    }
                    (Poll::Pending, state.show_interest())
                }
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        received
    }

    /// Tells the writer, by the next [`Pipe::poll_taken`], when the reader begins to wait.
    pub(crate) fn await_interest(&self) {
        lock(&self.state).interest = Interest::Awaited;
    }

    /// Bytes that the reader has taken since the last call, where there are any; 0 of them when
    /// it only began to wait. Remembers the writer's task, which is woken when half of the
    /// capacity was taken, or all that was there.
    pub(crate) fn poll_taken(&self, cx: &mut Context<'_>) -> Option<usize> {
        let mut state = lock(&self.state);
        match &mut state.writer {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        let shown = state.interest == Interest::Shown;
        if shown {
            state.interest = Interest::Untold;
        }
        let taken = core::mem::take(&mut state.taken);
        (shown || taken > 0).then_some(taken)
    }

    /// Whether somebody may read what is written.
    pub(crate) fn has_reader(&self) -> bool {
        !lock(&self.state).reader_gone
    }

    /// Ready when nobody reads any more; else the task is remembered, whatever becomes of
    /// [`Pipe::poll_room`]'s.
    pub(crate) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.reader_gone {
            return Poll::Ready(());
        }
        match &mut state.watcher {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Nobody reads any more: the writer is told, what is queued is dropped.
    pub(crate) fn close(&self) {
        let (wakers, dropped) = {
            let mut state = lock(&self.state);
            state.reader_gone = true;
            if state.is_bare() {
                return;
            }
            state.taken += state.queued;
            state.dropped += state.queued as u64;
            state.queued = 0;
            let kept = state.kept.take();
            state.kept_bytes = 0;
            state.count();
            let wakers = [state.writer.take(), state.watcher.take()];
            (wakers, (core::mem::take(&mut state.frames), kept))
        };
        drop(dropped);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Takes out everything that was written, what was read and kept included, for another pipe.
    /// `None` when some of it is gone. Nobody reads here any more then.
    pub(crate) fn take_back(&self) -> Option<Vec<Frame>> {
        let (wakers, frames) = {
            let mut state = lock(&self.state);
            if state.any_taken && state.kept.is_none() {
                return None;
            }
            let mut frames = state.kept.take().unwrap_or_default();
            frames.extend(state.frames.all().drain(..));
            state.dropped += state.queued as u64;
            state.queued = 0;
            state.kept_bytes = 0;
            state.reader_gone = true;
            state.count();
            ([state.writer.take(), state.watcher.take()], frames)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
        Some(frames)
    }

    /// What is left of the body for sending it again.
    pub(crate) fn body_state(&self) -> BodyState {
        let state = lock(&self.state);
        if !state.any_taken {
            BodyState::Untouched
        } else if state.kept.is_some() {
            BodyState::Replayable
        } else {
            BodyState::Spent
        }
    }

    /// Puts what was taken back in front, for sending it again.
    pub(crate) fn rewind(&self) {
        let mut state = lock(&self.state);
        let Some(kept) = state.kept.take() else { return };
        for frame in kept.into_iter().rev() {
            state.queued += frame.size();
            state.frames.all().push_front(frame);
        }
        if state.finished == Finished::Taken {
            state.finished = Finished::Written;
        }
        state.kept_bytes = 0;
        state.any_taken = false;
        state.count();
    }
}

/// Whether another head follows.
pub(crate) fn is_interim(status: StatusCode) -> bool {
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

impl<E> Drop for State<E> {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.change(self.counted, 0);
        }
    }
}

impl<E> State<E> {
    /// Tells the account what is held now.
    fn count(&mut self) {
        if let Some(account) = &self.account {
            let held = self.queued + self.kept_bytes;
            account.change(self.counted, held);
            self.counted = held;
        }
    }

    /// Whether nothing is held and nobody waits for room: most requests have no body.
    fn is_bare(&self) -> bool {
        self.frames.is_empty()
            && self.kept.is_none()
            && self.writer.is_none()
            && self.watcher.is_none()
    }

    fn may_grow(&self) -> bool {
        self.account.as_ref().is_none_or(|account| account.may(self.queued))
    }

    /// Takes the end if it is next.
    fn take_end(&mut self) -> bool {
        if !matches!(self.frames.front(), Some(Frame::End)) {
            return false;
        }
        matches!(self.take(), Some(Received::Frame(Frame::End)))
    }

    fn take(&mut self) -> Option<Received<E>> {
        if self.headless {
            match (self.frames.front(), &mut self.failed) {
                (Some(Frame::Head(head)), _) => self.headless = is_interim(head.status()),
                (_, Some(error)) => return Some(Received::Failed(error.take())),
                (_, None) => return None,
            }
        }
        if let Some(frame) = self.frames.pop_front() {
            let size = frame.size();
            self.queued -= size;
            self.taken += size;
            if matches!(frame, Frame::Trailers(_) | Frame::End) {
                self.finished = Finished::Taken;
            }
            self.keep_copy(&frame, size);
            self.count();
            return Some(Received::Frame(frame));
        }
        if self.finished == Finished::Taken {
            return Some(Received::Finished);
        }
        let error = self.failed.as_mut()?;
        Some(Received::Failed(error.take()))
    }

    /// Copies small frames together where many wait: a byte that comes alone must not cost a
    /// hundred. What was copied is returned, to be dropped without the lock.
    fn merge(&mut self) -> Vec<Frame> {
        if self.frames.len() < MANY {
            return Vec::new();
        }
        let small = |frame: &&Frame| matches!(frame, Frame::Data(bytes) if bytes.len() < SMALL);
        let frames = self.frames.all();
        let count = frames.iter().rev().take_while(small).count();
        if count < MANY / 2 {
            return Vec::new();
        }
        let copied: Vec<_> = frames.drain(frames.len() - count..).collect();
        let mut merged = BytesMut::new();
        for frame in &copied {
            if let Frame::Data(bytes) = frame {
                merged.extend_from_slice(bytes);
            }
        }
        frames.push_back(Frame::Data(merged.freeze()));
        copied
    }

    /// Keeps a frame while all frames so far fit, so that the body can be sent again.
    fn keep_copy(&mut self, frame: &Frame, size: usize) {
        let first = !self.any_taken;
        self.any_taken = true;
        if self.keep == 0 {
            return;
        }
        self.kept_bytes += size;
        if first {
            // One frame is kept whatever its size: it is the caller's own buffer, shared.
            self.kept = Some(vec![frame.clone()]);
        } else if self.kept_bytes > self.keep && size > 0 {
            self.kept = None;
            self.kept_bytes = 0;
            self.keep = 0;
        } else if let Some(kept) = &mut self.kept {
            kept.push(frame.clone());
        }
    }

    fn show_interest(&mut self) -> Option<Waker> {
        if self.interest != Interest::Awaited {
            return None;
        }
        self.interest = Interest::Shown;
        self.writer.take()
    }

    fn writer_to_wake(&mut self) -> Option<Waker> {
        let low = self.queued <= self.capacity / 2;
        if low && (self.frames.is_empty() || self.taken >= self.capacity / 2) {
            self.writer.take()
        } else {
            None
        }
    }
}
