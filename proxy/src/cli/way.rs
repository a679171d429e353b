//! How it gets there: versions, addresses, times, rates.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::get::CONNECTION;
use super::value;

#[derive(Args, Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of curl")]
pub(crate) struct WayArgs {
    /// Speak HTTP/1.0
    #[arg(short = '0', long = "http1.0", help_heading = CONNECTION)]
    #[arg(overrides_with_all = ["http1_1", "http2", "http2_prior_knowledge"])]
    #[arg(overrides_with_all = ["http3", "http3_only"])]
    pub(crate) http1_0: bool,

    /// Speak HTTP/1.1 only
    #[arg(long = "http1.1", help_heading = CONNECTION)]
    #[arg(overrides_with_all = ["http2", "http2_prior_knowledge", "http3", "http3_only"])]
    pub(crate) http1_1: bool,

    /// Speak HTTP/2 over TLS; HTTP/1.1 in plain text
    #[arg(long, overrides_with_all = ["http2_prior_knowledge", "http3", "http3_only"])]
    #[arg(help_heading = CONNECTION)]
    pub(crate) http2: bool,

    /// Speak HTTP/2 without asking, in plain text too
    #[arg(long, overrides_with_all = ["http3", "http3_only"], help_heading = CONNECTION)]
    pub(crate) http2_prior_knowledge: bool,

    /// Try HTTP/3 over QUIC at the URL's own port, and HTTP/2 or HTTP/1.1 over TCP when that has
    /// failed, or taken 300 ms
    #[arg(long, overrides_with = "http3_only", help_heading = CONNECTION)]
    pub(crate) http3: bool,

    /// Speak HTTP/3 over QUIC without asking, and nothing else
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) http3_only: bool,

    /// Use HTTP/3 where servers have said that they offer it (Alt-Svc), and keep that in this
    /// file; curl's is read too
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    pub(crate) alt_svc: Option<PathBuf>,

    /// Ask for the HTTPS DNS record of each server (RFC 9460), and use HTTP/3 where it says so,
    /// from the first request on
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) https_records: bool,

    /// Ask these name servers, and not the system's resolver
    #[arg(long, value_name = "ADDR[:PORT][,..]", value_parser = value::dns_server)]
    #[arg(value_delimiter = ',', help_heading = CONNECTION)]
    pub(crate) dns_servers: Vec<std::net::SocketAddr>,

    /// Send GET and HEAD with the first flight of a connection over HTTP/3 that resumes an earlier
    /// one (0-RTT): whoever records that can send it again
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) early_data: bool,

    /// Use these addresses for host and port instead of looking the name up
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = value::resolve)]
    #[arg(help_heading = CONNECTION)]
    pub(crate) resolve: Vec<value::Resolve>,

    /// Connect to another host and port instead; empty parts mean any, or the same
    #[arg(long, value_name = "HOST1:PORT1:HOST2:PORT2", value_parser = value::connect_to)]
    #[arg(help_heading = CONNECTION)]
    pub(crate) connect_to: Vec<value::ConnectTo>,

    /// Connect to this Unix domain socket
    #[arg(long, value_name = "PATH", help_heading = CONNECTION)]
    pub(crate) unix_socket: Option<PathBuf>,

    /// Use IPv4 addresses only
    #[arg(short = '4', long, overrides_with = "ipv6", help_heading = CONNECTION)]
    pub(crate) ipv4: bool,

    /// Use IPv6 addresses only
    #[arg(short = '6', long, help_heading = CONNECTION)]
    pub(crate) ipv6: bool,

    /// Most seconds until a connection is established, TLS included [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = value::seconds)]
    #[arg(help_heading = CONNECTION)]
    pub(crate) connect_timeout: Option<Duration>,

    /// Milliseconds until the next address is tried beside the first [default: 300]
    #[arg(long, value_name = "MS", help_heading = CONNECTION)]
    pub(crate) happy_eyeballs_timeout_ms: Option<u32>,

    /// Most seconds for each URL in all, redirects included
    #[arg(short = 'm', long, value_name = "SECONDS", value_parser = value::seconds)]
    #[arg(help_heading = CONNECTION)]
    pub(crate) max_time: Option<Duration>,

    /// Most bytes a second, in each direction; K, M, G count in 1024s
    #[arg(long, value_name = "BYTES", value_parser = value::bytes, help_heading = CONNECTION)]
    pub(crate) limit_rate: Option<u64>,

    /// Give up what is slower than so many bytes a second for the time of -y [default: 1]
    #[arg(short = 'Y', long, value_name = "BYTES", help_heading = CONNECTION)]
    pub(crate) speed_limit: Option<u64>,

    /// Seconds for -Y [default: 30]
    #[arg(short = 'y', long, value_name = "SECONDS", help_heading = CONNECTION)]
    pub(crate) speed_time: Option<u32>,

    /// Go on at this byte of the file; - finds out where from the file that is there
    #[arg(short = 'C', long, value_name = "OFFSET", value_parser = value::offset)]
    #[arg(help_heading = CONNECTION)]
    pub(crate) continue_at: Option<value::Offset>,

    /// Send small pieces at once, which is the default
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) tcp_nodelay: bool,
}
