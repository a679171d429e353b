//! End-to-end tests of regatta: real sockets on loopback, the real driver, and at the other end
//! scripted peers (`dsl`), regatta itself or real programs.
#![cfg(test)]

mod ask;
mod bodies;
mod client;
mod conformance;
mod curl;
mod driver;
mod dsl;
mod journal;
mod peers;
mod serve;
mod server;
mod trust;
mod withstand;
mod workload;
