//! The server alone, heard and spoken to byte by byte and frame by frame.

mod drain;
mod endings;
mod http1;
mod http2;
