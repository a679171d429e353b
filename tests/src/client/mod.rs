//! The client: what it must withstand, and that its pool serves the next request afterwards.

mod connect;
mod http1;
mod http2;
