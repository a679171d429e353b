//! The loop of one byte stream: mailbox to engine, engine to wire, wire to engine, engine to
//! pipes. Clients and servers run the same; what differs is a [`Party`].

use core::cell::Cell;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use regatta_core::Instant;
use regatta_core::downstream::Cut;
use regatta_core::engine::{Engine, Meter, Shutdown, Spare};
use regatta_core::types::Cause;

use super::deadline::Deadline;
use super::lane::{EngineSink, wants_input};
use super::lanes::Lanes;
use super::letter::Letter;
use super::party::Party;
use super::stage::Stage;
use super::wire::{Flushed, Heard, Wire};
use crate::body::Side;
use crate::mail::Mailbox;
use crate::runtime::Runtime;

/// Rounds of one wake; then the task yields.
const BUDGET: u32 = 32;

/// Bytes that are made ready for one write.
const ROOM: usize = 64 << 10;

/// How long a closing server still reads what the peer had sent, so that its last answer is not
/// lost to a reset (RFC 9112 9.6).
const LINGER: Duration = Duration::from_millis(500);

/// What a try to read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ear {
    /// Something came.
    Heard,
    /// Nothing is there; the socket wakes the task when there is.
    Waits,
    /// Nothing is wanted, or nothing will come.
    Shut,
}

thread_local! {
    /// Lent to the connection of this thread that is served.
    static SPARE: Cell<Option<Box<Spare>>> = const { Cell::new(None) };
}

/// One connection's task.
pub(crate) struct Connection<R: Runtime, P: Party> {
    runtime: R,
    wire: Wire<R::Stream>,
    engine: Engine,
    lanes: Lanes<P>,
    deadline: Deadline<R>,
    stage: Stage,
    /// The engine was told that nothing can be said any more.
    cut: bool,
    /// Since when the transport takes nothing of what is to be written.
    stalled: Option<Instant>,
    /// A server's patience with a peer that takes little of it.
    meter: Meter,
    /// Nothing waits in the engine or for the transport: without news there is nothing to do.
    settled: bool,
    /// What its engine needs only while it is served.
    spare: Option<Box<Spare>>,
}

impl<R: Runtime, P: Party> Connection<R, P> {
    pub(crate) fn new(
        runtime: R,
        wire: Wire<R::Stream>,
        engine: Engine,
        mailbox: Arc<Mailbox<Letter>>,
        party: P,
    ) -> Self {
        Self {
            runtime,
            wire,
            engine,
            lanes: Lanes::new(mailbox, party),
            deadline: Deadline::new(),
            stage: Stage::Open,
            cut: false,
            stalled: None,
            meter: Meter::default(),
            settled: false,
            spare: None,
        }
    }

    /// Serves it; ready when the connection is gone. Polled where it lies: it is large, and a
    /// future that took it would hold it twice.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.spare = Some(SPARE.take().unwrap_or_default());
        self.engine.lend(&mut self.spare);
        let done = self.serve(cx);
        self.engine.lend(&mut self.spare);
        if let Some(spare) = &mut self.spare {
            self.wire.plain.give_back(spare);
        }
        SPARE.set(self.spare.take());
        done
    }

    fn serve(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut now = self.runtime.now();
        let mut ear = Ear::Shut;
        for round in 0..BUDGET {
            // Most wakes have one round.
            if round > 0 {
                now = self.runtime.now();
            }
            // Before anything is opened, so that the peer hears of it first.
            self.lanes.party.narrow(&mut self.engine);
            let mut progress = self.lanes.read_letters(&mut self.engine, cx, now);
            self.note_close();
            progress |= self.run_timer(now);
            if ear != Ear::Heard {
                ear = self.read(cx, now);
            }
            progress |= ear == Ear::Heard;
            if progress || !self.settled || self.lanes.has_moved() {
                progress |= self.work(cx, now);
            }
            if let Stage::Closed(_) = self.stage {
                return Poll::Ready(());
            }
            // With nothing left to do it rests, for whoever brings something knows the task; but
            // the socket knows it only where it has nothing.
            if !self.settled {
                ear = Ear::Shut;
            } else if ear != Ear::Waits {
                ear = self.read(cx, now);
            }
            let rests = if self.settled { ear != Ear::Heard } else { !progress };
            if rests && !self.arm(cx, now) {
                debug_assert!(!self.engine.has_events(), "it rests on what its engine has to tell");
                self.note_held();
                return Poll::Pending;
            }
        }
        // What the last look at the socket brought is in the engine, and no later one will say so.
        self.settled &= ear != Ear::Heard;
        self.note_held();
        self.lanes.party.on_budget_spent();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Carries what came to where it goes; whether anything was done.
    fn work(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut progress = self.take_events(now);
        if P::SIDE == Side::Server && self.lanes.has_moved() {
            // A service that answered at once may have told its connection to drain: the answer
            // says so.
            progress |= self.lanes.read_letters(&mut self.engine, cx, now);
            self.note_close();
        }
        progress |= self.lanes.move_lanes(&mut self.engine, now);
        progress |= self.write(cx, now);
        let told = self.take_events(now);
        // What a server was told last, mostly that a stream has ended, may have changed nothing.
        self.settled &= !told || (P::SIDE == Side::Server && self.engine.is_quiet());
        self.settled &= !self.lanes.has_moved() && self.stage == Stage::Open;
        progress | told
    }

    fn note_held(&mut self) {
        let held = self.engine.unread() + self.lanes.said() + self.wire.backlog();
        self.lanes.party.hold(held);
    }

    /// Takes the engine's events.
    fn take_events(&mut self, now: Instant) -> bool {
        let told = self.lanes.take_events(&mut self.engine, now);
        self.note_close();
        told
    }

    /// The engine is done: what is left is written, then the end.
    fn note_close(&mut self) {
        if let Some(cause) = self.lanes.closed.take() {
            self.stage = Stage::Flushing(cause);
            self.wire.close();
        }
    }

    fn run_timer(&mut self, now: Instant) -> bool {
        self.deadline.passed(now);
        if let Stage::Lingering(cause, until) = self.stage
            && until <= now
        {
            self.stage = Stage::Closed(cause);
            return true;
        }
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
            return true;
        }
        false
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Ear {
        if !self.wire.is_read_open() {
            return Ear::Shut;
        }
        let open = self.stage == Stage::Open;
        if open && !wants_input(&self.engine, self.lanes.all()) {
            return Ear::Shut;
        }
        if open && P::SIDE == Side::Server && !self.lanes.party.may_read(self.engine.unread(), cx) {
            return Ear::Shut;
        }
        let mut sink = EngineSink { engine: &mut self.engine, now, open, side: P::SIDE };
        let Poll::Ready(heard) = self.wire.poll_read(cx, now, &mut sink) else { return Ear::Waits };
        if let Heard::End { clean, cause, .. } = heard {
            self.engine.receive_end(now, clean, cause);
            if let Stage::Lingering(cause, _) = self.stage {
                self.stage = Stage::Closed(cause);
            }
        }
        Ear::Heard
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut progress = false;
        let has_room = self.wire.backlog() < ROOM;
        if has_room {
            if let Some(spare) = &mut self.spare {
                self.wire.plain.borrow(spare);
            }
            self.engine.transmit(now, &mut self.wire.plain, ROOM);
        }
        let has_more = !has_room || self.wire.plain.len() >= ROOM;
        if self.engine.write_ended() {
            self.wire.close();
        }
        let before = self.wire.written();
        match self.wire.poll_flush(cx, now) {
            Poll::Pending => {
                self.stalled.get_or_insert(now);
            }
            Poll::Ready(flushed) => {
                self.stalled = None;
                progress |= flushed == Flushed::Some;
            }
        }
        self.settled = !has_more && self.wire.is_flushed();
        progress |= self.lose_patience(now, self.wire.written() - before);
        let hopeless = P::SIDE == Side::Server || !self.wire.is_read_open();
        if !self.cut && self.wire.is_write_broken() && hopeless {
            // The engine has nothing to wait for.
            self.cut = true;
            self.engine.receive_end(now, false, Cause::ConnectionReset);
            self.engine.shutdown(now, Shutdown::Now);
            progress = true;
        }
        progress | self.finish_flushing(now)
    }

    fn finish_flushing(&mut self, now: Instant) -> bool {
        let Stage::Flushing(cause) = self.stage else { return false };
        if !self.wire.is_write_closed() {
            return false;
        }
        let linger =
            P::SIDE == Side::Server && self.wire.is_read_open() && !self.wire.is_write_broken();
        self.stage =
            if linger { Stage::Lingering(cause, now + LINGER) } else { Stage::Closed(cause) };
        true
    }

    /// Writes nothing more where the transport takes nothing, or a server's peer less than its
    /// pace of what waits.
    fn lose_patience(&mut self, now: Instant, moved: u64) -> bool {
        if self.wire.is_flushed() {
            self.meter.stop();
        } else if P::SIDE == Side::Server {
            self.meter.start(now);
            self.meter.moved(moved);
        }
        let slow = self.meter.is_slow(now, self.lanes.party.pace());
        if !slow && self.impatient_at().is_none_or(|at| now < at) {
            return false;
        }
        if !self.lanes.aborted {
            self.lanes.party.on_cut(Cut::ResponseTooSlow);
        }
        self.stalled = None;
        self.meter.stop();
        self.wire.break_off();
        true
    }

    /// When a transport that takes nothing is given up.
    fn impatient_at(&self) -> Option<Instant> {
        Some(self.stalled? + self.engine.patience()?)
    }

    /// Sets the timer to the earliest deadline; true when that is due already.
    fn arm(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let engine = self.engine.poll_timeout();
        let linger = match self.stage {
            Stage::Lingering(_, until) => Some(until),
            _ => None,
        };
        let patience = self.impatient_at();
        let slow = self.meter.due(self.lanes.party.pace());
        let all = engine.into_iter().chain(linger).chain(patience).chain(slow);
        self.deadline.arm(&self.runtime, cx, now, all.min())
    }
}

impl<R: Runtime, P: Party> Drop for Connection<R, P> {
    /// Tells everyone, also when the task is dropped in the middle of its work.
    fn drop(&mut self) {
        let cause = match self.stage {
            Stage::Closed(cause) | Stage::Flushing(cause) | Stage::Lingering(cause, _) => cause,
            Stage::Open => Cause::ShutDown,
        };
        self.lanes.close(self.runtime.now(), cause);
    }
}
