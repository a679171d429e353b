//! Connection ids that say which worker a datagram is for.
//!
//! ```text
//! worker (1 byte) | HMAC-SHA256(key, count) (7 bytes)
//! ```
//!
//! The rest is unpredictable to who has not the key, and two ids of one connection have nothing in
//! common that those of another have not (RFC 9000 5.1).

use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid};

use super::keys::Mac;
use crate::time::Duration;

/// How long our connection ids are, in bytes: what QUICHE, Envoy's library, uses.
const LEN: usize = 8;

/// The worker that a datagram's destination names; `None` where a client chose that name itself
/// (its first packets), or there is none. Only for datagrams to this process.
pub fn worker(datagram: &[u8]) -> Option<u8> {
    let (&first, rest) = datagram.split_first()?;
    if first & 0x80 == 0 {
        // A short header: our id follows (RFC 9000 17.3.1).
        return rest.get(..LEN)?.first().copied();
    }
    // Version, length, id (RFC 8999 5.1). Initial and 0-RTT packets of version 1 may bear the
    // client's own choice (RFC 9000 17.2).
    let is_handshake = first & 0x30 == 0x20;
    match rest.get(4..)? {
        [len, id, ..] if is_handshake && usize::from(*len) == LEN => Some(*id),
        _ => None,
    }
}

/// Mints the ids of one endpoint.
pub(super) struct Ids {
    worker: u8,
    key: Mac,
    count: u64,
}

impl Ids {
    pub(super) const fn new(worker: u8, key: Mac) -> Self {
        Self { worker, key, count: 0 }
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        self.count += 1;
        let mut id = [0; LEN];
        self.key.fill(&self.count.to_le_bytes(), &mut id);
        if let Some(first) = id.first_mut() {
            *first = self.worker;
        }
        ConnectionId::new(&id)
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        (id.first() == Some(&self.worker)).then_some(()).ok_or(InvalidCid)
    }

    fn cid_len(&self) -> usize {
        LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
