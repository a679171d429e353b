//! HTTP/3's frames and streams: what a peer says in any bytes, in any pieces and in any order of
//! its streams, and what the engine hears of it.
//!
//! The oracle is a second reading of each stream's bytes as a whole: what the engine tells is what
//! stands there; a connection that the second reading finds no fault in goes on, and one that it
//! finds a fault in ends with a code that such a fault has.

mod drawn;
mod meaning;
mod reading;
mod wire;

pub use wire::{requests, responses};
