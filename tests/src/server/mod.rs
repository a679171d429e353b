//! The server alone, heard and spoken to byte by byte and frame by frame.

mod drain;
mod endings;
mod floods;
mod http1;
mod http2;
mod limits;
mod one_port;
mod slow;
