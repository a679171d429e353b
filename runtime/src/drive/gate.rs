//! The shared half of a server: its `Downstream`, and what every connection needs.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regatta_core::Instant;
use regatta_core::downstream::{Action, Advertised, Config, Cut, Downstream, Event};
use regatta_core::engine::Config as EngineConfig;
use regatta_core::engine::tls::ServerConfig;
use regatta_core::id::ConnectionId;
use regatta_core::machine::{Machine as _, Outbox};

use super::letter::Letter;
use crate::budget::Budget;
use crate::hooks::TellServer;
use crate::mail::{Mailbox, Wake};
use crate::runtime::Runtime;

/// The shared half of a server.
pub(crate) struct Gate<R: Runtime> {
    pub(super) runtime: R,
    pub(super) speaks: Speaks,
    pub(super) engine: Arc<EngineConfig>,
    /// The memory of all bodies.
    pub(crate) budget: Arc<Budget>,
    /// What answers say of where else the server is.
    pub(super) advertised: Advertised,
    /// Who hears of it.
    pub(super) tell: TellServer,
    state: Mutex<State>,
    /// Raised when the listener's own task has something to do.
    pub(super) wake: Wake,
}

/// What a server's port speaks.
#[derive(Debug)]
pub(crate) struct Speaks {
    pub(crate) tls: Option<ServerConfig>,
    /// Plain text, beside TLS where there is that.
    pub(crate) plain: bool,
}

/// A connection that is served, and where its letters go.
pub(super) type Served = (ConnectionId, Arc<Mailbox<Letter>>);

struct State {
    machine: Downstream,
    out: Outbox<Action>,
    mailboxes: Vec<Option<Served>>,
    stage: Stage,
    /// When the listener's task comes by itself.
    armed: Option<Instant>,
    /// Who waits for the end of a drain.
    waiting: Vec<Waker>,
}

/// What the listener's task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Accepting,
    /// For now.
    Paused,
    /// For good.
    Stopped,
    Drained,
}

/// What a drain had to cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that outlived the limit.
    pub connections: u64,
    /// Requests that were under way on them.
    pub requests: u64,
}

impl<R: Runtime> Gate<R> {
    pub(crate) fn start(
        runtime: R,
        speaks: Speaks,
        engine: EngineConfig,
        mut config: Config,
        udp_port: Option<u16>,
        tell: TellServer,
    ) -> Arc<Self> {
        // Who says nothing at all does not get longer than who has begun.
        config.silence_timeout = config.silence_timeout.min(engine.head_timeout);
        let budget = Budget::new(config.clone());
        let advertised = Advertised::new(&config, udp_port);
        let state = State {
            machine: Downstream::new(config),
            out: Outbox::new(),
            mailboxes: Vec::new(),
            stage: Stage::Accepting,
            armed: None,
            waiting: Vec::new(),
        };
        let (state, wake) = (Mutex::new(state), Wake::new());
        let engine = Arc::new(engine);
        Arc::new(Self { runtime, speaks, engine, budget, advertised, tell, state, wake })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Downstream) -> T) -> T {
        look(&self.lock().machine)
    }

    /// Counts what was refused, cut or timed out.
    pub(super) fn cut(&self, cut: Cut) {
        self.feed(Event::Cut(cut));
    }

    /// Tells the machine what happened; the id under which an accepted connection is served.
    pub(crate) fn feed(&self, event: Event) -> Option<Served> {
        let now = self.runtime.now();
        let mut state = self.lock();
        let State { machine, out, .. } = &mut *state;
        machine.handle_event(now, event, out);
        self.carry_out(state)
    }

    /// Does what is due and says when to come again.
    pub(super) fn turn(&self) -> (Stage, Option<Instant>) {
        let now = self.runtime.now();
        let mut state = self.lock();
        let State { machine, out, .. } = &mut *state;
        machine.handle_timeout(now, out);
        state.armed = state.machine.poll_timeout();
        let next = state.armed;
        self.carry_out(state);
        (self.lock().stage, next)
    }

    /// Carries actions out: letters go into mailboxes under the lock, wakes come after it.
    fn carry_out(&self, mut state: MutexGuard<'_, State>) -> Option<Served> {
        let mut served = None;
        let mut wakers = Vec::new();
        let before = state.stage;
        while let Some(action) = state.out.pop() {
            let (connection, letter) = match action {
                Action::Serve(connection) => {
                    served = Some(state.serve(connection));
                    continue;
                }
                Action::TurnAway => continue,
                Action::PauseAccepting => {
                    state.stage = Stage::Paused;
                    continue;
                }
                Action::ResumeAccepting => {
                    state.stage = Stage::Accepting;
                    continue;
                }
                Action::StopAccepting => {
                    state.stage = Stage::Stopped;
                    continue;
                }
                Action::Drained => {
                    state.stage = Stage::Drained;
                    wakers.append(&mut state.waiting);
                    continue;
                }
                Action::Handshake(connection) => (connection, Letter::Handshake),
                Action::Shutdown(connection) => (connection, Letter::Shutdown),
                Action::Abort(connection) => (connection, Letter::Abort),
            };
            if let Some(Some((known, mailbox))) = state.mailboxes.get(connection.slot())
                && *known == connection
                && let Ok(waker) = mailbox.push(letter)
            {
                wakers.extend(waker);
            }
        }
        let next = state.machine.poll_timeout();
        let sooner = next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed));
        let raise = sooner || state.stage != before;
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if raise {
            self.wake.raise();
        }
        served
    }

    /// Ready when the last connection is gone.
    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Drained> {
        let mut state = self.lock();
        if state.stage != Stage::Drained {
            if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        let counts = state.machine.counts();
        Poll::Ready(Drained {
            connections: counts.count(Cut::DrainConnection),
            requests: counts.count(Cut::DrainRequest),
        })
    }
}

impl State {
    fn serve(&mut self, connection: ConnectionId) -> Served {
        let mailbox = Arc::new(Mailbox::new());
        let slot = connection.slot();
        if self.mailboxes.len() <= slot {
            self.mailboxes.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.mailboxes.get_mut(slot) {
            *place = Some((connection, Arc::clone(&mailbox)));
        }
        (connection, mailbox)
    }
}

impl<R: Runtime> fmt::Debug for Gate<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// A drain under way: ends when the last connection is gone, with what had to be cut. The drain
/// goes on without it.
pub struct Draining<R: Runtime> {
    gate: Arc<Gate<R>>,
}

impl<R: Runtime> Draining<R> {
    pub(crate) fn begin(gate: &Arc<Gate<R>>, limit: Option<core::time::Duration>) -> Self {
        gate.feed(Event::Drain { limit });
        Self { gate: Arc::clone(gate) }
    }
}

impl<R: Runtime> Future for Draining<R> {
    type Output = Drained;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Drained> {
        self.gate.poll_drained(cx)
    }
}

impl<R: Runtime> fmt::Debug for Draining<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining").finish_non_exhaustive()
    }
}

/// Drains when it is dropped: whoever drops the server drops its connections with it.
pub(super) struct DrainOnDrop<R: Runtime>(pub(super) Arc<Gate<R>>);

impl<R: Runtime> Drop for DrainOnDrop<R> {
    fn drop(&mut self) {
        self.0.feed(Event::Drain { limit: None });
    }
}
