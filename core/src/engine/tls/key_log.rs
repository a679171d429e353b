//! Secrets of a connection as lines for a packet analyser.

use core::fmt::{self, Write};
use std::sync::Arc;

/// Takes the lines of an `SSLKEYLOGFILE` (draft-ietf-tls-keylogfile). Files are the runtime's
/// edge: core only makes the lines. Whoever reads them can read the traffic.
pub trait KeyLog: fmt::Debug + Send + Sync {
    /// Takes one line, without its line feed: label, client random and secret, in hex.
    fn line(&self, line: &str);
}

/// Hands rustls's secrets on as lines.
#[derive(Debug)]
struct Lines(Arc<dyn KeyLog>);

impl rustls::KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = String::with_capacity(label.len() + 2 * (client_random.len() + 50));
        line.push_str(label);
        for bytes in [client_random, secret] {
            line.push(' ');
            for byte in bytes {
                // Writing to a string cannot fail.
                let _ = write!(line, "{byte:02x}");
            }
        }
        self.0.line(&line);
    }
}

/// As rustls wants it.
pub(super) fn adapt(sink: Option<&Arc<dyn KeyLog>>) -> Arc<dyn rustls::KeyLog> {
    match sink {
        Some(sink) => Arc::new(Lines(Arc::clone(sink))),
        None => Arc::new(rustls::NoKeyLog),
    }
}
