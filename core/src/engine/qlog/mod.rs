//! qlog: what a connection of QUIC and HTTP/3 did, as records for a viewer such as qvis.
//!
//! One file a connection, a sequence of JSON texts (RFC 7464) in the schema of qlog 0.3. Core
//! makes the records and passes them to a [`Sink`]; files are the edge's. The same calls make the
//! same bytes.
//!
//! What quinn-proto keeps to itself is left out: packets bear no numbers and tell no frames of
//! QUIC, and what was lost is only counted. Of the fields of a message the names are told, and no
//! values but those of its pseudo-fields, `:path` without its query.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use self::json::Json;
use crate::time::{Duration, Instant};

mod json;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub(super) mod packets;
#[cfg(test)]
pub(super) mod tests;

/// Records are kept together until they are so many bytes.
const PIECE: usize = 16 << 10;

/// Takes what is to be written. It is called within the connection's own work: what it does
/// should be short.
pub trait Sink: fmt::Debug + Send + Sync {
    /// Appends whole records to the file of one connection. Its name is unlike those of other
    /// connections, and made of letters that every file system takes: in hexadecimal the
    /// destination connection id that the client chose first, then which side wrote it, as in
    /// `d9b4a3cf54b9cb1a_client.sqlog`.
    fn append(&self, name: &str, records: &str);
}

/// Which side of a connection writes.
#[derive(Clone, Copy, Debug)]
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub(super) enum Side {
    Client,
    Server,
}

/// The log of one connection. Clones write to the same file.
#[derive(Clone)]
pub struct Log {
    file: Arc<File>,
    /// The instant of the call under way.
    now: Instant,
}

struct File {
    sink: Arc<dyn Sink>,
    name: String,
    began: Instant,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    records: String,
    /// When the last of them happened: the layers of a connection share its file, and none of
    /// them goes back in time.
    last: Instant,
}

impl File {
    fn append(&self, now: Instant, record: impl FnOnce(Duration) -> Json) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.last = waiting.last.max(now);
        let record = record(waiting.last.saturating_since(self.began)).finish();
        let records = &mut waiting.records;
        records.push('\u{1e}');
        records.push_str(&record);
        records.push('\n');
        if records.len() >= PIECE {
            self.sink.append(&self.name, records);
            records.clear();
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !waiting.records.is_empty() {
            self.sink.append(&self.name, &waiting.records);
        }
    }
}

impl Log {
    /// Begins the log of the connection that the client first called `id`, at `unix` since 1970.
    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    pub(super) fn new(
        sink: &Arc<dyn Sink>,
        id: &[u8],
        side: Side,
        unix: Duration,
        now: Instant,
    ) -> Self {
        let side = match side {
            Side::Client => "client",
            Side::Server => "server",
        };
        let id = json::hex(id);
        let mut head = Json::default();
        head.text("qlog_version", "0.3");
        head.text("qlog_format", "JSON-SEQ");
        head.text("title", "regatta");
        head.object("trace", |trace| {
            trace.object("vantage_point", |point| point.text("type", side));
            trace.object("common_fields", |common| {
                common.text("group_id", &id);
                common.array("protocol_type", &["QUIC", "HTTP3"]);
                common.text("time_format", "relative");
                common.millis("reference_time", unix);
            });
        });
        let name = format!("{id}_{side}.sqlog");
        let waiting = Mutex::default();
        let file = Arc::new(File { sink: Arc::clone(sink), name, began: now, waiting });
        file.append(now, |_| head);
        Self { file, now }
    }

    /// What is told from here on happens at `now`.
    pub(super) const fn at(&mut self, now: Instant) {
        self.now = now;
    }

    /// Tells an event.
    pub(super) fn event(&self, name: &str, data: impl FnOnce(&mut Json)) {
        self.file.append(self.now, |since| {
            let mut record = Json::default();
            record.millis("time", since);
            record.text("name", name);
            record.object("data", data);
            record
        });
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("name", &self.file.name).finish_non_exhaustive()
    }
}
