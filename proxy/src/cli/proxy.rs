//! Proxies on the way.

use std::path::PathBuf;

use clap::Args;

use super::get::PROXY;
use super::value;

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of curl")]
pub(crate) struct ProxyArgs {
    /// HTTP proxy to go through, whatever the environment says; an empty one means none
    #[arg(short = 'x', long, value_name = "[SCHEME://][USER:PASSWORD@]HOST[:PORT]")]
    #[arg(help_heading = PROXY)]
    pub(crate) proxy: Option<String>,

    /// Hosts that are reached without a proxy, with commas between them; * is all
    #[arg(long, value_name = "LIST", help_heading = PROXY)]
    pub(crate) noproxy: Option<String>,

    /// Name and password for the proxy, as Basic credentials
    #[arg(short = 'U', long, value_name = "USER:PASSWORD", help_heading = PROXY)]
    pub(crate) proxy_user: Option<String>,

    /// Basic credentials for the proxy, which is the default
    #[arg(long, help_heading = PROXY)]
    pub(crate) proxy_basic: bool,

    /// Tunnel through the proxy (CONNECT) for http URLs too
    #[arg(short = 'p', long, help_heading = PROXY)]
    pub(crate) proxytunnel: bool,

    /// Header field for the proxy alone, as -H
    #[arg(long, value_name = "LINE", value_parser = value::header, help_heading = PROXY)]
    pub(crate) proxy_header: Vec<value::HeaderLine>,

    /// Accept any certificate of an https proxy (dangerous)
    #[arg(long, help_heading = PROXY)]
    pub(crate) proxy_insecure: bool,

    /// Trust the certificates in this PEM file for an https proxy
    #[arg(long, value_name = "FILE", help_heading = PROXY)]
    pub(crate) proxy_cacert: Option<PathBuf>,

    /// Leave the proxy's answer to CONNECT out of -i and -D, which is the default here
    #[arg(long, help_heading = PROXY)]
    pub(crate) suppress_connect_headers: bool,
}
