//! The loops: the async glue that carries actions out and moves bytes. No decision lives here.

pub(crate) mod attempt;
pub(crate) mod connection;
mod deadline;
pub(crate) mod gate;
mod greet;
mod http;
pub(crate) mod lane;
mod lanes;
mod last;
pub(crate) mod letter;
pub(crate) mod listener;
#[cfg(feature = "http3")]
mod packets;
pub(crate) mod party;
pub(crate) mod resolve;
pub(crate) mod scribe;
#[cfg(feature = "http3")]
pub(crate) mod socket;
mod stage;
#[cfg(all(test, not(loom)))]
mod tests;
pub(crate) mod timer;
mod tunnel;
pub(crate) mod wire;
