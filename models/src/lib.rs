//! regatta-models: what the machines of regatta-core should do, slowly and obviously.
//!
//! [`tape`] decides, [`harness`] tests the contract that every machine obeys, and each module
//! beside them has one machine's event generator and reference model. Tests, fuzzers and the
//! simulator supply the bytes of the tape and share the rest.
#![forbid(unsafe_code)]

mod books;
pub mod eyeballs;
pub mod harness;
pub mod pool;
mod settings;
mod streams;
pub mod tape;
#[cfg(test)]
mod testing;
pub mod upstream;
