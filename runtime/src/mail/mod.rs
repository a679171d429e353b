//! The only code that threads share: mailboxes, pipes, their bells and the hub's wake-up. Built on
//! loom's types under `--cfg loom`, so that its tests walk every interleaving.

#[cfg(loom)]
mod sync {
    pub(super) use loom::sync::Mutex;
    pub(super) use loom::sync::MutexGuard;
    pub(super) use loom::sync::atomic::AtomicBool;
}
#[cfg(not(loom))]
mod sync {
    pub(super) use std::sync::Mutex;
    pub(super) use std::sync::MutexGuard;
    pub(super) use std::sync::atomic::AtomicBool;
}

mod account;
mod bell;
mod frames;
#[cfg(all(test, loom))]
mod loom_tests;
mod mailbox;
#[cfg(feature = "http3")]
mod packets;
mod pipe;
#[cfg(all(test, not(loom)))]
mod tests;
mod wake;

pub(crate) use account::Account;
pub(crate) use bell::Bell;
pub(crate) use mailbox::{Letters, Mailbox};
#[cfg(feature = "http3")]
pub(crate) use packets::Packets;
pub(crate) use pipe::{Frame, Pipe, Received, is_interim};
pub(crate) use wake::Wake;

/// Locks; a thread that panicked while it held the lock has left whole values behind, since
/// nothing that can panic is called under it.
fn lock<T>(mutex: &sync::Mutex<T>) -> sync::MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}
