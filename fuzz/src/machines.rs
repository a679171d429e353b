//! The machines: the bytes are the tape of the harness, the models are the oracle.

use regatta_models::{eyeballs as races, harness, pool as pools, upstream as upstreams};

/// Happy eyeballs beside its model.
pub fn eyeballs(bytes: &[u8]) {
    harness::run::<races::Race>(bytes);
}

/// The pool in a world that keeps books.
pub fn pool(bytes: &[u8]) {
    harness::run::<pools::World>(bytes);
}

/// The whole upstream in a world that keeps books.
pub fn upstream(bytes: &[u8]) {
    harness::run::<upstreams::World>(bytes);
}

/// The whole upstream in a world without any law.
pub fn anarchy(bytes: &[u8]) {
    harness::run::<upstreams::Anarchy>(bytes);
}

/// The whole upstream in a world without any law, its run written down and read again.
pub fn journaled(bytes: &[u8]) {
    harness::run::<upstreams::Journaled<upstreams::Anarchy>>(bytes);
}

/// The whole upstream where QUIC and TCP race, in a world that keeps books.
pub fn raced(bytes: &[u8]) {
    harness::run::<upstreams::World<true>>(bytes);
}

/// The whole upstream where QUIC and TCP race, without any law, its run written down and read
/// again.
pub fn raced_journaled(bytes: &[u8]) {
    harness::run::<upstreams::Journaled<upstreams::Anarchy<true>>>(bytes);
}
