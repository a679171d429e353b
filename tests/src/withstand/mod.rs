//! What a client withstands: each fault is written once and played three times. In the simulator
//! (`simulated`), on real sockets (`sockets`), and against `regatta get` (`said`), which must say
//! one clear sentence and end with curl's exit code. Each costs little memory, and the next
//! request to the same origin is served. docs/withstand.md is the table of them.

mod certificates;
mod crowd;
mod every_byte;
mod fault;
mod http1;
mod http2;
mod line;
mod said;
mod simulated;
mod sockets;
mod stream;
mod truncation;
