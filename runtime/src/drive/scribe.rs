//! Writes a client's journal out.

use core::future::poll_fn;
use std::sync::Arc;

use crate::recording::Shared;

/// Writes whenever there is something, until the journal has ended or cannot be written.
pub(crate) async fn run(journal: Arc<Shared>) {
    loop {
        poll_fn(|cx| journal.wake.poll_raised(cx)).await;
        // The error stays with the sink, for `Recording::finish`.
        if !matches!(journal.write_out(), Ok(true)) {
            return;
        }
    }
}
