//! Real programs at the other end. Each is looked for where its variable says (`cargo xtask
//! test` sets them), then in PATH; a test whose peer is missing says so in one line and passes,
//! unless `REGATTA_REQUIRE_PEERS` is 1.

mod clients;
mod closes;
mod envoy;
mod failures;
mod get;
mod journal;
mod origins;
pub(crate) mod program;
mod qpack;
pub(crate) mod relay;
