//! Which stream of the engine's is which of the transport's.

use hashbrown::HashTable;

use crate::id::StreamId;
use crate::origins::ODD;

/// The engine's streams by the transport's number. Looked up and never walked: its order means
/// nothing.
///
/// A peer chooses numbers only among those of the streams that it may have open, so that a hash
/// which can be foreseen lets it make nothing slow.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashTable<(quinn_proto::StreamId, StreamId)>);

impl Numbers {
    pub(super) fn insert(&mut self, quic: quinn_proto::StreamId, id: StreamId) {
        self.0.insert_unique(hash(quic), (quic, id), |(quic, _)| hash(*quic));
    }

    pub(super) fn get(&self, quic: quinn_proto::StreamId) -> Option<StreamId> {
        self.0.find(hash(quic), |(number, _)| *number == quic).map(|(_, id)| *id)
    }

    pub(super) fn remove(&mut self, quic: quinn_proto::StreamId) {
        if let Ok(found) = self.0.find_entry(hash(quic), |(number, _)| *number == quic) {
            found.remove();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Numbers follow one another: so do the lower bits, and the upper ones differ.
fn hash(quic: quinn_proto::StreamId) -> u64 {
    quic.index().wrapping_mul(ODD)
}

#[cfg(test)]
mod tests {
    use super::super::client::request_stream;
    use super::*;

    #[test]
    fn each_number_finds_its_stream_until_it_is_gone() {
        let mut numbers = Numbers::default();
        let id = |n| StreamId::new(u32::try_from(n).unwrap(), 1);
        // Some stay for long while others come and go.
        for n in 0..2_000 {
            numbers.insert(request_stream(n), id(n));
            if n >= 100 && n % 64 != 0 {
                numbers.remove(request_stream(n - 100));
            }
        }
        for n in 0..2_000 {
            let is_there = n >= 1_900 || (n + 100) % 64 == 0;
            let found = numbers.get(request_stream(n));
            assert_eq!(found, is_there.then(|| id(n)), "{n}");
        }
        numbers.clear();
        assert_eq!(numbers.get(request_stream(1_999)), None);
    }
}
