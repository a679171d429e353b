//! Whom to trust, and who we are.

use std::path::PathBuf;

use clap::Args;

use super::get::TLS;

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of curl")]
pub(crate) struct TlsArgs {
    /// Accept any certificate (dangerous: anyone may be on the other side)
    #[arg(short = 'k', long, help_heading = TLS)]
    pub(crate) insecure: bool,

    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    pub(crate) cacert: Option<PathBuf>,

    /// PEM file with our own certificate, its chain and, without --key, its key
    #[arg(short = 'E', long, value_name = "FILE", help_heading = TLS)]
    pub(crate) cert: Option<PathBuf>,

    /// PEM file with the key of --cert
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    pub(crate) key: Option<PathBuf>,

    /// TLS 1.2 or newer, which is the default
    #[arg(short = '1', long, help_heading = TLS)]
    pub(crate) tlsv1: bool,

    /// TLS 1.2 or newer: older versions are not spoken
    #[arg(long = "tlsv1.0", help_heading = TLS)]
    pub(crate) tlsv1_0: bool,

    /// TLS 1.2 or newer: older versions are not spoken
    #[arg(long = "tlsv1.1", help_heading = TLS)]
    pub(crate) tlsv1_1: bool,

    /// TLS 1.2 or newer
    #[arg(long = "tlsv1.2", help_heading = TLS)]
    pub(crate) tlsv1_2: bool,

    /// TLS 1.3 or newer
    #[arg(long = "tlsv1.3", help_heading = TLS)]
    pub(crate) tlsv1_3: bool,

    /// Newest TLS to speak
    #[arg(long, value_name = "VERSION", help_heading = TLS)]
    #[arg(value_parser = ["default", "1.0", "1.1", "1.2", "1.3"])]
    pub(crate) tls_max: Option<String>,
}
