//! QUIC as core's endpoint has it: a client and a server in memory, for HTTP/3's targets, and
//! datagrams of every kind into both, for its own.

mod datagrams;
mod end;

pub use datagrams::datagrams;
pub(crate) use end::{DATAGRAM_MAX, End, ends};
