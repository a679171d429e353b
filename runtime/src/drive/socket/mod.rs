//! One UDP socket, its QUIC endpoint and the HTTP/3 connections on it.
//!
//! ```text
//! socket -> Port -> endpoint -> Talk (HTTP/3, its lanes) -> pipes
//! ```

mod client;
mod journey;
mod port;
mod server;
mod talk;

pub(crate) use client::run;
pub(crate) use server::{Brake, serve};
