//! The origin's limits, as options.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use regatta_core::downstream::WhenFull;
use regatta_tokio::{ServerBuilder, Tokio};

use crate::cli::value::seconds;

/// Options of `regatta origin` that limit what clients may do. The rest is as the library has it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Seconds that what is under way may take after SIGTERM or Ctrl-C; 0 is no limit
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub(crate) drain_time: Duration,

    /// Most connections at once
    #[arg(long, value_name = "N")]
    pub(crate) max_connections: Option<u32>,

    /// Let connections over the limit wait instead of closing them
    #[arg(long, requires = "max_connections")]
    pub(crate) wait_when_full: bool,

    /// Most connections at once of one client address
    #[arg(long, value_name = "N")]
    pub(crate) max_per_address: Option<u32>,

    /// Seconds for a whole request head
    #[arg(long, value_name = "SECONDS", value_parser = some_seconds)]
    pub(crate) head_time: Option<Duration>,

    /// Seconds that a connection may be idle; 0 is no limit
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) idle_time: Option<Duration>,

    /// Longest request body, in bytes
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_body: Option<u64>,

    /// Requests that one connection carries before it is closed
    #[arg(long, value_name = "N")]
    pub(crate) max_requests: Option<NonZeroU32>,
}

impl LimitArgs {
    /// Sets what was asked for.
    pub(crate) fn apply(&self, server: ServerBuilder<Tokio>) -> ServerBuilder<Tokio> {
        let server = server.downstream(|downstream| {
            downstream.drain_timeout = Some(self.drain_time).filter(|time| !time.is_zero());
            downstream.max_connections = self.max_connections.unwrap_or(downstream.max_connections);
            downstream.max_connections_per_address = self.max_per_address;
            if self.wait_when_full {
                downstream.when_full = WhenFull::Wait;
            }
        });
        server.engine(|engine| {
            engine.head_timeout = self.head_time.unwrap_or(engine.head_timeout);
            if let Some(time) = self.idle_time {
                engine.idle_timeout = Some(time).filter(|time| !time.is_zero());
            }
            engine.max_body_bytes = self.max_body;
            engine.max_requests = self.max_requests;
        })
    }
}

fn some_seconds(text: &str) -> Result<Duration, String> {
    let time = seconds(text).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| "expected seconds, such as 5 or 0.25".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn options_are_read() {
        let line = [
            "regatta",
            "origin",
            "--tls",
            "self-signed",
            "--plain-too",
            "--drain-time",
            "0",
            "--max-connections",
            "9",
            "--wait-when-full",
            "--head-time",
            "0.5",
        ];
        let Command::Origin(args) = Cli::try_parse_from(line).unwrap().command else { panic!() };
        assert!(args.plain_too && args.limits.wait_when_full);
        assert_eq!(args.limits.drain_time, Duration::ZERO);
        assert_eq!(args.limits.head_time, Some(Duration::from_millis(500)));
        for wrong in [["--head-time", "0"], ["--max-requests", "0"], ["--drain-time", "x"]] {
            assert!(Cli::try_parse_from(["regatta", "origin"].iter().chain(&wrong)).is_err());
        }
        assert!(Cli::try_parse_from(["regatta", "origin", "--plain-too"]).is_err());
    }
}
