//! What travels between two ends.

use bytes::Bytes;
use regatta_core::Instant;

/// One segment, or a row of them where the way is flat.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) kind: Kind,
    /// The place of its first byte. A SYN is at 0, the first byte of data at 1.
    pub(crate) seq: u64,
    pub(crate) bytes: Bytes,
    /// Everything before this place has come.
    pub(crate) ack: u64,
    /// Its receiver may send up to this place.
    pub(crate) edge: u64,
    /// What has come beyond `ack`: up to three ranges (RFC 2018).
    pub(crate) sacks: Vec<(u64, u64)>,
    /// When it was sent (RFC 7323's timestamp).
    pub(crate) stamp: Instant,
    /// The stamp of what made this an acknowledgement.
    pub(crate) echo: Instant,
}

/// What a segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Syn,
    SynAck,
    /// Data, or nothing but an acknowledgement.
    Data,
    /// Data, and nothing after it.
    Fin,
    Reset,
}

impl Segment {
    /// The place behind it: SYN and FIN count as one byte.
    pub(crate) fn end(&self) -> u64 {
        let flag = !matches!(self.kind, Kind::Data | Kind::Reset);
        self.seq + self.bytes.len() as u64 + u64::from(flag)
    }

    /// Bytes of its IP and TCP headers: SYNs have 20 bytes of options (MSS, SACK permitted,
    /// timestamps, window scale), the others 12 (timestamps), and each range that was
    /// acknowledged selectively 8, with 4 for the first.
    pub(crate) fn header(&self, v4: bool) -> u64 {
        let ip = if v4 { 20 } else { 40 };
        let options = match self.kind {
            Kind::Syn | Kind::SynAck => 20,
            Kind::Reset => 0,
            Kind::Data | Kind::Fin => 12,
        };
        let sacks = self.sacks.len() as u64;
        ip + 20 + options + sacks * 8 + u64::from(sacks > 0) * 4
    }
}
