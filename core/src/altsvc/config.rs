//! Settings of the ledger of alternatives.

use super::health::BackOff;

/// Settings of a [`Ledger`](super::Ledger).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Most origins that are remembered. Default 1,024 (Envoy's `max_entries`); the one that was
    /// longest neither asked for nor heard of goes first. 0 counts as 1.
    pub max_origins: u32,
    /// Most alternatives that an origin may offer. Default 10 (Envoy's
    /// `max_service_alternatives`); more are passed over. As many that are not offered any more
    /// are remembered where they were broken. 0 counts as 1.
    pub max_alternatives: u32,
    /// Most hosts, its own among them, that an origin may send its clients to. Default 5; more
    /// are passed over: nobody makes us knock at many doors. 0 counts as 1.
    pub max_hosts: u32,
    /// How long a broken alternative is left alone.
    pub back_off: BackOff,
    /// Names whose hosts share what is known of any of them: `.example.com` (Envoy's
    /// `canonical_suffixes`). Default none; the first that fits counts, those that do not begin
    /// with a dot count for nothing.
    pub canonical_suffixes: Vec<Box<str>>,
    /// Refuses private, loopback and link-local addresses, and `localhost`, as alternatives of
    /// an origin that is none of these. Default true.
    pub refuse_private: bool,
    /// Refuses a port above 1023 as an alternative to one below 1024 on the same host (RFC 7838
    /// 9.1: whoever may open such a port is not always who owns the host). Default false,
    /// because the certificate must prove the origin's name everywhere.
    pub refuse_user_ports: bool,
    /// Keys the hash of the table. Default 0; a runtime draws one.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_origins: 1_024,
            max_alternatives: 10,
            max_hosts: 5,
            back_off: BackOff::default(),
            canonical_suffixes: Vec::new(),
            refuse_private: true,
            refuse_user_ports: false,
            seed: 0,
        }
    }
}
