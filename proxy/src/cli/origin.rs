//! Options of `regatta origin`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::origin::handlers::PATHS;
use crate::origin::limits::LimitArgs;

/// The paths, as `/` lists them too, and how to begin.
fn origin_examples() -> String {
    let more = crate::origin::httpbin::PATHS;
    format!("Paths:\n  /                  this list\n{PATHS}{more}\n{ORIGIN_EXAMPLES}")
}

const ORIGIN_EXAMPLES: &str = "\
Examples:
  regatta origin --listen 127.0.0.1:8080
  regatta origin --listen 127.0.0.1:0 --tls self-signed --tls-ca-out ca.pem
      Prints its port; clients trust it with --cacert ca.pem.
  regatta get --http2-prior-knowledge -v http://127.0.0.1:8080/trailers

Ctrl-C or SIGTERM finishes what is under way, then ends.";

/// Options of `regatta origin`.
#[derive(Args, Clone, Debug)]
#[command(after_help = origin_examples())]
pub(crate) struct OriginArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Serve over TLS: "self-signed", or the PEM files of a certificate chain and its key
    #[arg(long, value_name = "self-signed|CERT,KEY", value_parser = tls_source)]
    pub(crate) tls: Option<TlsSource>,

    /// Write the self-signed authority's certificate here, for --cacert
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) tls_ca_out: Option<PathBuf>,

    /// Names and addresses that the self-signed certificate is for
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "localhost,127.0.0.1,::1",
        requires = "tls"
    )]
    pub(crate) tls_name: Vec<String>,

    /// Speak plain text too, on the same port: a connection's first byte decides
    #[arg(long, requires = "tls")]
    pub(crate) plain_too: bool,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// Where the origin's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsSource {
    /// Made at start.
    SelfSigned,
    /// PEM files.
    Files {
        /// The chain, the server's own certificate first.
        certificates: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

fn tls_source(text: &str) -> Result<TlsSource, String> {
    match text.split_once(',') {
        _ if text == "self-signed" => Ok(TlsSource::SelfSigned),
        Some((certificates, key)) if !certificates.is_empty() && !key.is_empty() => {
            Ok(TlsSource::Files { certificates: certificates.into(), key: key.into() })
        }
        _ => Err("expected \"self-signed\" or two PEM files, CERT,KEY".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_certificate_comes_from() {
        assert_eq!(tls_source("self-signed"), Ok(TlsSource::SelfSigned));
        let files = TlsSource::Files { certificates: "a.pem".into(), key: "b.pem".into() };
        assert_eq!(tls_source("a.pem,b.pem"), Ok(files));
        assert!(tls_source("a.pem").is_err());
        assert!(tls_source("a.pem,").is_err());
    }
}
