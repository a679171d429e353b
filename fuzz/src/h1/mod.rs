//! HTTP/1: the same bytes are read whole, read in pieces, and read by hyper.

mod client;
mod hyper_client;
mod hyper_server;
mod memory;
mod message;
mod server;

pub use client::responses;
pub use server::requests;

use regatta_core::engine::Output;
use regatta_core::engine::h1::H1;

use crate::cuts::NOW;

/// Everything that the engine has to write.
fn written(engine: &mut H1) -> Vec<u8> {
    let mut out = Output::new();
    engine.transmit(NOW, &mut out, usize::MAX);
    let mut bytes = Vec::new();
    while let Some(chunk) = out.pop() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}
