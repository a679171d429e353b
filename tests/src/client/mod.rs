//! The client: what it must withstand, and that its pool serves the next request afterwards.

mod bodies;
mod closing;
mod connect;
mod hooks;
mod http1;
mod http2;
mod http3;
mod interim;
mod limits;
mod many;
mod retries;
mod spans;
mod tls;
