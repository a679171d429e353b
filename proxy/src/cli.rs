//! The command line: what can be asked for, in words that a person can learn from.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use http::{HeaderName, HeaderValue, Method};

use crate::origin::handlers::PATHS;

/// HTTP through a connection pool: a client, a test origin and a demonstration.
#[derive(Debug, Parser)]
#[command(name = "regatta", version, after_help = ABOUT_EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const ABOUT_EXAMPLES: &str = "\
Start here:
  regatta demo                          watch the pool at work on loopback
  regatta get --timeline https://example.org/
                                        fetch a page and see where the time went
  regatta origin                        a server to try things on
Each command explains itself: regatta get --help";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetch URLs; the options mean what they mean to curl.
    Get(Box<GetArgs>),
    /// Serve HTTP/1.1 and HTTP/2 on one port, to try clients on.
    Origin(OriginArgs),
    /// Show what the pool does when addresses, servers and connections misbehave.
    Demo(DemoArgs),
}

const GET_EXAMPLES: &str = "\
Examples:
  regatta get https://example.org/
      The body goes to standard output.
  regatta get -v -o page.html https://example.org/
      The body goes to a file; the connection and both heads are shown.
  regatta get -d name=value -d other=1 http://localhost:8080/echo
      POST a form. -d @file sends a file, -d @- standard input.
  regatta get --timeline --repeat 3 https://example.org/
      Where the time went: once with a new connection, twice with the pooled one.
  regatta get -s -o /dev/null --parallel 50 --repeat 1000 http://localhost:8080/bytes/1000
      1,000 requests, 50 at a time, through one pool.
  regatta get --resolve example.org:443:127.0.0.1 --cacert ca.pem https://example.org/
      Ask another server for the same name.

Exit codes are curl's: 0 all well, 1 scheme not supported, 2 wrong usage, 3 malformed URL, 6 name
not found, 7 cannot connect, 8 not HTTP, 16 HTTP/2 failed, 18 body incomplete, 22 status 400 or
more with --fail, 23 cannot write, 26 cannot read the data, 28 time is up, 35 TLS failed, 43 cannot
be sent, 47 too many redirects, 52 empty reply, 55 and 56 connection lost while sending and
receiving, 60 certificate not trusted, 77 cannot read --cacert, 89 a limit of the pool, 92 HTTP/2
stream failed. Of several failures the last one counts.

If SSLKEYLOGFILE names a file, the secrets of TLS are appended to it, for a packet analyser.";

/// Options of `regatta get`.
#[derive(Args, Clone, Debug)]
#[command(after_help = GET_EXAMPLES)]
pub(crate) struct GetArgs {
    /// What to fetch; http:// is added where the scheme is missing
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,

    /// Method to use instead of GET (or POST with -d)
    #[arg(short = 'X', long = "request", value_name = "METHOD", help_heading = REQUEST)]
    pub(crate) method: Option<Method>,

    /// Header field to add or replace; "Name:" leaves it out, "Name;" sends it empty
    #[arg(short = 'H', long = "header", value_name = "LINE")]
    #[arg(value_parser = header, help_heading = REQUEST)]
    pub(crate) headers: Vec<HeaderLine>,

    /// Body to POST as a form: text, @file or @- for standard input; several are joined by &
    #[arg(short, long, value_name = "DATA", conflicts_with = "head", help_heading = REQUEST)]
    pub(crate) data: Vec<String>,

    /// As --data, but the file is sent as it is, line ends included
    #[arg(long, value_name = "DATA", conflicts_with = "head", help_heading = REQUEST)]
    pub(crate) data_binary: Vec<String>,

    /// User-Agent to send
    #[arg(short = 'A', long, value_name = "NAME", value_parser = value, help_heading = REQUEST)]
    pub(crate) user_agent: Option<HeaderValue>,

    /// Ask for the head alone (HEAD) and show it
    #[arg(short = 'I', long, help_heading = REQUEST)]
    pub(crate) head: bool,

    /// Follow redirects; secrets stay with their origin
    #[arg(short = 'L', long, help_heading = REQUEST)]
    pub(crate) location: bool,

    /// Most redirects to follow with -L
    #[arg(long, value_name = "N", default_value_t = 50, help_heading = REQUEST)]
    pub(crate) max_redirs: u32,

    /// Write the body to this file; one for each URL, in order; - is standard output
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) output: Vec<PathBuf>,

    /// Write each body without an -o to a file named like the end of its URL
    #[arg(short = 'O', long, help_heading = OUTPUT)]
    pub(crate) remote_name: bool,

    /// Show the response's head before its body
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) include: bool,

    /// Treat a status of 400 or more as a failure and leave its body out
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) fail: bool,

    /// Say nothing about failures; the exit code still does
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) silent: bool,

    /// With -s, speak about failures all the same
    #[arg(short = 'S', long, help_heading = OUTPUT)]
    pub(crate) show_error: bool,

    /// Show connection, request head and response head on standard error
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) verbose: bool,

    /// Draw where each request's time went, on standard error
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) timeline: bool,

    /// Write down what the pool was told and what it decided, for regatta-sim replay: hosts,
    /// addresses and times, but no paths, header fields or bodies
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) record: Option<PathBuf>,

    /// Speak HTTP/1.1 only
    #[arg(long = "http1.1", group = "version", help_heading = CONNECTION)]
    pub(crate) http1_1: bool,

    /// Speak HTTP/2 over TLS; HTTP/1.1 in plain text
    #[arg(long, group = "version", help_heading = CONNECTION)]
    pub(crate) http2: bool,

    /// Speak HTTP/2 without asking, in plain text too
    #[arg(long, group = "version", help_heading = CONNECTION)]
    pub(crate) http2_prior_knowledge: bool,

    /// Use these addresses for host and port instead of looking the name up
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = resolve)]
    #[arg(help_heading = CONNECTION)]
    pub(crate) resolve: Vec<Resolve>,

    /// Most seconds until a connection is established, TLS included [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = CONNECTION)]
    pub(crate) connect_timeout: Option<Duration>,

    /// Most seconds for each URL in all, redirects included
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, help_heading = CONNECTION)]
    pub(crate) max_time: Option<Duration>,

    /// Accept any certificate (dangerous: anyone may be on the other side)
    #[arg(short = 'k', long, help_heading = CONNECTION)]
    pub(crate) insecure: bool,

    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    pub(crate) cacert: Option<PathBuf>,

    /// Most requests under way at once
    #[arg(long, value_name = "N", default_value = "1", help_heading = LOAD)]
    pub(crate) parallel: NonZeroUsize,

    /// How often to fetch every URL
    #[arg(long, value_name = "N", default_value = "1", help_heading = LOAD)]
    pub(crate) repeat: NonZeroUsize,
}

const REQUEST: &str = "What is asked";
const OUTPUT: &str = "What is shown";
const CONNECTION: &str = "How it gets there";
const LOAD: &str = "How often";

/// The paths, as `/` lists them too, and how to begin.
fn origin_examples() -> String {
    format!("Paths:\n  /                  this list\n{PATHS}\n{ORIGIN_EXAMPLES}")
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
}

const DEMO_EXAMPLES: &str = "\
It needs nothing but loopback, takes a few seconds, and exits with 0 only if all that it claims
has happened.

Examples:
  regatta demo
  regatta demo --only drain";

/// Options of `regatta demo`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Play only this scene
    #[arg(long, value_name = "SCENE", value_parser = crate::demo::SCENE_NAMES)]
    pub(crate) only: Vec<String>,
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

/// One `-H`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderLine {
    /// Send it.
    Set(HeaderName, HeaderValue),
    /// Leave out what would be sent by default.
    Remove(HeaderName),
}

/// One `--resolve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolve {
    /// Lower-case name.
    pub(crate) host: String,
    /// Of which port.
    pub(crate) port: u16,
    /// In order of preference.
    pub(crate) addresses: Vec<IpAddr>,
}

fn header(line: &str) -> Result<HeaderLine, String> {
    let named = |name: &str| {
        let name = name.trim();
        name.parse::<HeaderName>().map_err(|_| format!("\"{name}\" is not a field name"))
    };
    if let Some((name, text)) = line.split_once(':') {
        let name = named(name)?;
        return match text.trim() {
            "" => Ok(HeaderLine::Remove(name)),
            text => Ok(HeaderLine::Set(name, value(text)?)),
        };
    }
    match line.strip_suffix(';') {
        Some(name) => Ok(HeaderLine::Set(named(name)?, HeaderValue::from_static(""))),
        None => Err("expected \"Name: value\"".to_owned()),
    }
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| format!("\"{text}\" is not a field value"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected seconds, such as 5 or 0.25 (0 is no limit)".to_owned())
}

fn resolve(text: &str) -> Result<Resolve, String> {
    let expected =
        || "expected HOST:PORT:ADDR[,ADDR], such as example.org:443:127.0.0.1".to_owned();
    let host_end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']').map(|end| end + 2),
        None => text.find(':'),
    };
    let (host, rest) =
        text.split_at_checked(host_end.ok_or_else(expected)?).ok_or_else(expected)?;
    let rest = rest.strip_prefix(':').ok_or_else(expected)?;
    let (port, addresses) = rest.split_once(':').ok_or_else(expected)?;
    let port = port.parse().map_err(|_| format!("\"{port}\" is not a port"))?;
    let address = |text: &str| {
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        bare.parse().map_err(|_| format!("\"{text}\" is not an IP address"))
    };
    let addresses = addresses.split(',').map(address).collect::<Result<_, _>>()?;
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    if host.is_empty() { Err(expected()) } else { Ok(Resolve { host, port, addresses }) }
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
pub(crate) mod tests {
    use clap::CommandFactory as _;

    use super::*;

    pub(crate) fn get(line: &str) -> Result<GetArgs, clap::Error> {
        let words = ["regatta", "get"].into_iter().chain(line.split(' '));
        match Cli::try_parse_from(words)?.command {
            Command::Get(args) => Ok(*args),
            other => panic!("get became {other:?}"),
        }
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_groups_the_options_and_ends_with_examples() {
        let help = get("--help").unwrap_err().to_string();
        for part in [REQUEST, OUTPUT, CONNECTION, LOAD, "Examples:", "Exit codes are curl's"] {
            assert!(help.contains(part), "{part} is missing in\n{help}");
        }
        let origin = Cli::try_parse_from(["regatta", "origin", "--help"]).unwrap_err().to_string();
        assert!(origin.contains("/limits?streams=N"), "{origin}");
    }

    #[test]
    fn curls_words() {
        let args = get("-sSfLikv -X PUT -H A:1 -d x -d @y -A me -o out -m 1.5 http://a b").unwrap();
        assert!(args.silent && args.show_error && args.fail && args.location);
        assert!(args.include && args.insecure && args.verbose);
        assert_eq!(args.method, Some(Method::PUT));
        assert_eq!(args.data, ["x", "@y"]);
        assert_eq!(args.max_time, Some(Duration::from_millis(1_500)));
        assert_eq!(args.urls, ["http://a", "b"]);
        assert_eq!(args.max_redirs, 50);
        assert_eq!(args.parallel, NonZeroUsize::MIN);
        assert!(get("--http1.1 a").unwrap().http1_1);
        assert!(get("--http2-prior-knowledge a").unwrap().http2_prior_knowledge);
    }

    #[test]
    fn what_contradicts_itself_is_wrong_usage() {
        for line in
            ["--http1.1 --http2 a", "-I -d x a", "--parallel 0 a", "-m -1 a", "-H nonsense a"]
        {
            assert_eq!(get(line).unwrap_err().exit_code(), 2, "{line}");
        }
        assert_eq!(get("-v").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn header_lines() {
        let set = |name: &'static str, value: &'static str| {
            let name = HeaderName::from_static(name);
            Ok(HeaderLine::Set(name, HeaderValue::from_static(value)))
        };
        assert_eq!(header("X-A: b: c"), set("x-a", "b: c"));
        assert_eq!(header("X-A;"), set("x-a", ""));
        assert_eq!(header("Accept:"), Ok(HeaderLine::Remove(http::header::ACCEPT)));
        assert_eq!(header("X A: b"), Err("\"X A\" is not a field name".to_owned()));
        assert!(header("X-A: b\r\nX-B: c").is_err());
    }

    #[test]
    fn resolve_lines() {
        let answer = |host: &str, port, addresses: &[&str]| {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            Ok(Resolve { host: host.to_owned(), port, addresses })
        };
        assert_eq!(resolve("A.b:443:127.0.0.1"), answer("a.b", 443, &["127.0.0.1"]));
        assert_eq!(resolve("a:80:[::1],127.0.0.1"), answer("a", 80, &["::1", "127.0.0.1"]));
        assert_eq!(resolve("a:80:::1"), answer("a", 80, &["::1"]));
        assert_eq!(resolve("[::2]:80:::1"), answer("::2", 80, &["::1"]));
        for wrong in ["", "a", "a:80", "a:b:127.0.0.1", "a:80:b", ":80:127.0.0.1", "[::1"] {
            assert!(resolve(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for wrong in ["-1", "NaN", "x", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn where_a_certificate_comes_from() {
        assert_eq!(tls_source("self-signed"), Ok(TlsSource::SelfSigned));
        let files = TlsSource::Files { certificates: "a.pem".into(), key: "b.pem".into() };
        assert_eq!(tls_source("a.pem,b.pem"), Ok(files));
        assert!(tls_source("a.pem").is_err());
        assert!(tls_source("a.pem,").is_err());
    }
}
