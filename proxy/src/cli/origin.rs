//! Options of `regatta origin`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use regatta_core::altsvc;
use regatta_core::downstream::Advertise;

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

    /// What answers over TLS say in Alt-Svc: "off", or the field's value, such as h3=":443"; ma=60
    ///
    /// Without it they say for a day that HTTP/3 is at the same port.
    #[arg(long, value_name = "off|VALUE", value_parser = advertise, requires = "tls")]
    pub(crate) alt_svc: Option<Advertise>,

    /// Take requests with the first flight of connections over HTTP/3 that resume an earlier one
    /// (0-RTT); those that are not safe are answered 425 (Too Early)
    #[arg(long, requires = "tls")]
    pub(crate) early_data: bool,

    /// Write what each connection of QUIC and HTTP/3 did into this directory, a file of qlog each;
    /// QLOGDIR is the same
    #[arg(long, value_name = "DIR", requires = "tls")]
    pub(crate) qlog: Option<PathBuf>,

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

/// Longest value of an Alt-Svc field, in bytes: what clients are sure to read of it.
const FIELD_MAX: usize = 4_096;

fn advertise(text: &str) -> Result<Advertise, String> {
    if text == "off" {
        return Ok(Advertise::Off);
    }
    let field = altsvc::parse([text.as_bytes()], FIELD_MAX).map_err(|error| error.to_string())?;
    if field.malformed > 0 || field.unknown > 0 || field.cut {
        return Err(
            "expected \"off\", \"clear\", or alternatives of h3, h2 and http/1.1".to_owned()
        );
    }
    Ok(Advertise::Said(field.said))
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
    #[test]
    fn what_is_advertised() {
        assert_eq!(advertise("off"), Ok(Advertise::Off));
        assert_eq!(advertise("clear"), Ok(Advertise::Said(altsvc::Said::Clear)));
        let Ok(Advertise::Said(said)) = advertise("h3=\":443\"; ma=60") else { panic!() };
        assert_eq!(said.to_string(), "h3=\":443\"; ma=60");
        for wrong in ["", "on", "h3", "h3=443", "h3=\":443\", x", "h3=\":443\", spdy=\":1\""] {
            assert!(advertise(wrong).is_err(), "{wrong}");
        }
    }
}
