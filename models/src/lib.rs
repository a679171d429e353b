//! regatta-models: what the machines of regatta-core should do, slowly and obviously.
//!
//! [`tape`] decides, [`harness`] tests the contract that every machine obeys, and each module
//! beside them has one machine's event generator and reference model. Tests, fuzzers and the
//! simulator supply the bytes of the tape and share the rest. [`campaign`] runs whole ranges of
//! seeds, [`seen`] says what they have reached, [`shrink`] makes small cases of those that fail.
#![forbid(unsafe_code)]

pub mod altsvc;
mod books;
pub mod campaign;
pub mod catch;
pub mod downstream;
pub mod exhaust;
pub mod eyeballs;
pub mod harness;
pub mod pool;
pub mod race;
pub mod seen;
mod settings;
pub mod shrink;
mod streams;
pub mod tape;
#[cfg(test)]
mod testing;
pub mod upstream;
