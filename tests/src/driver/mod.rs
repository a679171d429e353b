//! What the driver must hold against callers, services and peers that go away, stall, panic or
//! contradict themselves.

mod client;
mod server;
mod stall;
